# SPDX-License-Identifier: Apache-2.0
"""When a Kafka cluster is well, and when it can do without a node."""

from typing import ClassVar

import pytest
from ansible.module_utils import kafka_admin
from ansible.module_utils.kafka_admin import faults
from kafka import errors

BROKERS = {1: "", 2: "", 3: ""}
QUORUM = {"leader": 1, "voters": [{"id": number, "directory": "", "behind_ms": 0} for number in (1, 2, 3)]}


def partition(*isr: int, number: int = 0) -> dict:
    return {"topic": "logins", "partition": number, "replicas": [1, 2, 3], "isr": list(isr)}


def test_a_cluster_that_is_whole_has_no_faults() -> None:
    assert faults([1, 2, 3], BROKERS, [partition(1, 2, 3)], QUORUM) == []


def test_a_broker_that_is_behind_or_away_is_named() -> None:
    found = faults([1, 2, 3], {1: "", 2: ""}, [partition(1, 2), partition(1, 2, number=7)], QUORUM)
    assert found == ["broker 3 is away", "broker 3 is behind in 2 partitions, such as logins-0"]


def test_what_is_not_well_at_the_node_itself_does_not_hinder_its_restart() -> None:
    late = {**QUORUM, "voters": [*QUORUM["voters"][:2], {"id": 3, "directory": "", "behind_ms": 60_000}]}
    assert faults([1, 2, 3], {1: "", 2: ""}, [partition(1, 2)], late, but=3) == []
    assert len(faults([1, 2, 3], {1: "", 2: ""}, [partition(1, 2)], late, but=2)) == 3


@pytest.mark.parametrize(
    ("quorum", "told"),
    [
        ({**QUORUM, "leader": -1}, "no controller leads"),
        ({**QUORUM, "voters": [{"id": 2, "directory": "", "behind_ms": 10_001}]}, "controller 2 does not follow"),
    ],
)
def test_controllers_must_follow_a_leader(quorum: dict, told: str) -> None:
    assert faults([1, 2, 3], BROKERS, [], quorum) == [told]


class Client:
    """A client of a cluster that becomes settled after some attempts."""

    def __init__(self, attempts: list[Exception]) -> None:
        self.attempts = attempts

    def close(self) -> None: ...

    def work(self) -> str:
        if self.attempts:
            raise self.attempts.pop(0)
        return "made"


class Module:
    params: ClassVar[dict] = {}

    def fail_json(self, msg: str) -> None:
        raise AssertionError(msg)


@pytest.fixture
def unsettled(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    attempts: list[Exception] = []
    monkeypatch.setattr(kafka_admin, "connect", lambda *_: Client(attempts))
    monkeypatch.setattr(kafka_admin, "WAIT_STEP_S", 0)
    return attempts


def test_work_begins_again_while_not_every_broker_knows_the_others(unsettled: list[Exception]) -> None:
    unsettled += [errors.UnknownBrokerIdError(2), errors.NotControllerError()]
    made, again = kafka_admin.when_settled(Module(), 60, 3, Client.work)
    assert made == "made"
    assert [line.partition(":")[0] for line in again] == [
        "begun again after UnknownBrokerIdError",
        "begun again after NotControllerError",
    ]


def test_what_does_not_settle_or_is_another_error_ends_the_module(unsettled: list[Exception]) -> None:
    unsettled += [errors.UnknownBrokerIdError(2)]
    with pytest.raises(AssertionError, match="UnknownBrokerIdError"):
        kafka_admin.when_settled(Module(), -1, 3, Client.work)
    unsettled += [errors.ClusterAuthorizationFailedError()]
    with pytest.raises(AssertionError, match="ClusterAuthorizationFailedError"):
        kafka_admin.when_settled(Module(), 60, 3, Client.work)
