# SPDX-License-Identifier: Apache-2.0
"""The way to a cluster's master, and whether it has given executors. Spark is a bare object that tells how many."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from login_consumer.cluster import executors, master_hops, need_executors, reach_master
from login_consumer.hops import HopFailed
from login_consumer.settings import Spark


def spark_with(count: int) -> Any:
    """A session whose driver has so many executors; Spark counts the driver as one more."""
    tracker = SimpleNamespace(getExecutorInfos=lambda: [None] * (count + 1))
    context = SimpleNamespace(statusTracker=lambda: tracker)
    return SimpleNamespace(sparkContext=SimpleNamespace(_jsc=SimpleNamespace(sc=lambda: context)))


def test_without_a_cluster_nothing_is_asked_for() -> None:
    local = Spark()
    assert master_hops(local) == []
    reach_master(local)
    need_executors(spark_with(0), local)


def test_a_master_that_listens_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        spark = Spark(master=f"spark://127.0.0.1:{server.getsockname()[1]}")
        reach_master(spark)
        (hop,) = master_hops(spark)
        assert hop.test() == f"127.0.0.1:{server.getsockname()[1]}"


def test_a_master_that_is_away_is_told_with_the_next_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(HopFailed, match=rf"^127.0.0.1:{port}: .*refused.*is spark-master running"):
        reach_master(Spark(master=f"spark://127.0.0.1:{port}"))


def test_the_driver_is_no_executor() -> None:
    assert executors(spark_with(2)) == 2
    spark = Spark(master="spark://master.example.org:7077")
    need_executors(spark_with(1), spark)
    with pytest.raises(HopFailed, match=r"no worker of master\.example\.org:7077 gives an executor"):
        need_executors(spark_with(0), spark)
