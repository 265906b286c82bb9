# SPDX-License-Identifier: Apache-2.0
"""A standalone cluster as the driver sees it: the way to its master, and the executors that it gives."""

from typing import TYPE_CHECKING

from login_common.network import NetworkFault, connect, resolve

from login_consumer.hops import Hop, HopFailed, first_fault
from login_consumer.settings import Spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MASTER, WORKERS = "Spark's master", "a worker of Spark"


def master_hops(spark: Spark) -> list[Hop]:
    """Return the hops to the cluster's master: name, port. None without a cluster."""
    if spark.cluster is None:
        return []
    host, port = spark.cluster

    def reach() -> str:
        try:
            resolve(host, port)
            connect(host, port).close()
        except NetworkFault as fault:
            raise HopFailed(
                f"{host}:{port}: {fault}; is spark-master running on that host, and is spark.master right?"
            ) from None
        return f"{host}:{port}"

    return [Hop("Spark: master", reach)]


def reach_master(spark: Spark) -> None:
    """Raise HopFailed if the cluster's master does not answer; without a cluster there is none."""
    fault = first_fault(master_hops(spark))
    if fault:
        raise HopFailed(fault)


def executors(session: "SparkSession") -> int:
    """Return how many executors the driver has now, itself left out."""
    context = session.sparkContext._jsc.sc()  # Python has no name of its own for it
    return len(context.statusTracker().getExecutorInfos()) - 1


def need_executors(session: "SparkSession", spark: Spark) -> None:
    """Raise HopFailed if no worker of the cluster works for this driver; without a cluster the driver itself does."""
    if spark.cluster is None or executors(session) > 0:
        return
    host, port = spark.cluster
    raise HopFailed(
        f"no worker of {host}:{port} gives an executor: spark-worker may not run anywhere, or have too little "
        "memory or too few cores left, or its hosts cannot connect to this one; see journalctl -u spark-worker there"
    )
