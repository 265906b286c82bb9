# SPDX-License-Identifier: Apache-2.0
"""What breaks in a cluster. Each function breaks one thing, mends it, and leaves the rest to the pipeline."""

from __future__ import annotations

from collections.abc import Callable

import faults
from cluster import EXECUTOR, MASTER, WORKER, Cluster
from scene import Scene
from waiting import wait_until

ClusterFault = Callable[[Scene, Cluster], None]


def executor_killed(scene: Scene, cluster: Cluster) -> None:
    _kill(scene, cluster, EXECUTOR)


def executors_python_killed(scene: Scene, cluster: Cluster) -> None:
    _kill(scene, cluster, "pyspark.daemon")


def worker_killed(scene: Scene, cluster: Cluster) -> None:
    _kill(scene, cluster, "org.apache.spark.deploy.worker.Worker")


def executor_frozen(scene: Scene, cluster: Cluster) -> None:
    """Let an executor stand still until the driver gives it up, then go on with what it was at."""
    frozen = scene.random.choice(sorted(cluster.hosts))
    since = cluster.pipeline.clock()
    (executor,) = cluster.executors()[frozen]
    # all of its processes, as on a host that hangs
    group = [executor, *cluster.processes(frozen, "pyspark.daemon")]
    cluster.hosts[frozen].check_output(f"kill -STOP {' '.join(map(str, group))}")
    try:
        cluster.pipeline.wait_for_log("login-consumer", since, "Lost executor", seconds=180)
        cluster.pipeline.ledger.wait_for_flow()
    finally:
        # those that the master has ended meanwhile are gone
        cluster.hosts[frozen].run(f"kill -CONT {' '.join(map(str, group))}")


def worker_away(scene: Scene, cluster: Cluster) -> None:
    """Records flow on through the other worker."""
    with cluster.without(cluster.away):
        cluster.wait_for_executors(cluster.pipeline.deployment.name)
        cluster.pipeline.ledger.wait_for_flow()


def all_workers_away(scene: Scene, cluster: Cluster) -> None:
    since = cluster.pipeline.clock()
    with cluster.without(*cluster.hosts):
        cluster.pipeline.wait_for_log("login-consumer", since, "waiting for a worker of Spark", "spark-worker")
        scene.away()
    cluster.pipeline.wait_for_log("login-consumer", since, "a worker of Spark works again")


def master_killed(scene: Scene, cluster: Cluster) -> None:
    scene.kill(MASTER, "org.apache.spark.deploy.master.Master")
    _recovered(cluster)


def master_away(scene: Scene, cluster: Cluster) -> None:
    """Driver and executors go on without it; it knows them when it is back."""
    pipeline = cluster.pipeline
    before = cluster.executors()
    pipeline.systemctl("stop", MASTER)
    try:
        pipeline.ledger.wait_for_flow()
    finally:
        pipeline.systemctl("start", MASTER)
    _recovered(cluster)
    assert cluster.executors() == before, "the master's return has cost executors"


def consumer_starts_without_workers(scene: Scene, cluster: Cluster) -> None:
    pipeline = cluster.pipeline
    pipeline.systemctl("stop", "login-consumer")
    with cluster.without(*cluster.hosts):
        since = pipeline.clock()
        pipeline.systemctl("start", "login-consumer")
        process = pipeline.property("login-consumer", "MainPID")
        pipeline.wait_for_log("login-consumer", since, "waiting for a worker of Spark", "spark-worker")
        scene.away()
    pipeline.wait_for_log("login-consumer", since, "a worker of Spark works again")
    assert pipeline.property("login-consumer", "MainPID") == process, "the consumer did not wait for workers"


def consumer_starts_without_master(scene: Scene, cluster: Cluster) -> None:
    pipeline = cluster.pipeline
    pipeline.systemctl("stop", "login-consumer", MASTER)
    try:
        since = pipeline.clock()
        pipeline.systemctl("start", "login-consumer")
        process = pipeline.property("login-consumer", "MainPID")
        pipeline.wait_for_log("login-consumer", since, "waiting for Spark's master", "is spark-master running")
    finally:
        pipeline.systemctl("start", MASTER)
    pipeline.wait_for_log("login-consumer", since, "Spark's master works again")
    assert pipeline.property("login-consumer", "MainPID") == process, "the consumer did not wait for the master"


def driver_killed(scene: Scene, _: Cluster) -> None:
    faults.driver_killed(scene)


def drivers_jvm_killed(scene: Scene, _: Cluster) -> None:
    faults.jvm_killed(scene)


def consumer_restarted(scene: Scene, _: Cluster) -> None:
    faults.consumer_restarted(scene)


def _kill(scene: Scene, cluster: Cluster, text: str) -> None:
    """Kill one process of a random worker whose command line holds `text`."""
    name = scene.random.choice(sorted(cluster.hosts))

    def killed() -> bool:
        found = sorted(cluster.processes(name, text))
        # it may end by itself before, as idle Python workers do
        return bool(found) and cluster.hosts[name].run("kill -9 %s", str(scene.random.choice(found))).rc == 0

    wait_until(killed, f"a process {text} of {WORKER} on {name} is killed", 120)


def _recovered(cluster: Cluster) -> None:
    wait_until(
        lambda: (
            cluster.state()["status"] == "ALIVE"
            and [each["state"] for each in cluster.state()["workers"] if each["state"] == "ALIVE"] == ["ALIVE"] * 2
            and any(each["state"] == "RUNNING" for each in cluster.state()["activeapps"])
        ),
        "the master knows its workers and the consumer again",
        150,
        ignoring=(AssertionError,),
    )


FAULTS: tuple[ClusterFault, ...] = (
    executor_killed,
    executors_python_killed,
    worker_killed,
    executor_frozen,
    worker_away,
    all_workers_away,
    master_killed,
    master_away,
    driver_killed,
    drivers_jvm_killed,
    consumer_restarted,
    consumer_starts_without_workers,
    consumer_starts_without_master,
)

# Those that concern the consumer itself; it outlives all others.
OF_THE_CONSUMER = frozenset(FAULTS[-5:])
