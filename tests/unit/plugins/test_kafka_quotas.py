# SPDX-License-Identifier: Apache-2.0
"""Each sender's rate is what the settings say; who is no sender any more keeps none, and check mode changes nothing."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ansible.module_utils
import pytest
from kafka import errors
from kafka.protocol.admin import AlterClientQuotasRequest, DescribeClientQuotasRequest

ansible.module_utils.__path__.append(str(Path(__file__).parents[3] / "roles/kafka/module_utils"))

from ansible.module_utils import kafka_quotas  # noqa: E402  (found by the path set above)

RATE = "producer_byte_rate"
PREFIXES = ["source-", "client-"]
WANTED = {"source-a": 8, "client-b": 4}


class Cluster:
    """Holds quotas by user, and answers as Kafka does to what kafka-python can really send."""

    def __init__(self, **quotas: dict[str, float]) -> None:
        self.quotas = {name.replace("_", "-"): found for name, found in quotas.items()}
        self.asked: list[Any] = []
        self.refuses = 0
        self._manager = self

    def run(self, call: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(call())

    async def send(self, request: Any) -> Any:
        assert request.encode(version=1)
        self.asked.append(request)
        if isinstance(request, DescribeClientQuotasRequest):
            return SimpleNamespace(error_code=self.refuses, error_message="why", entries=self._described())
        assert isinstance(request, AlterClientQuotasRequest) and not request.validate_only
        return SimpleNamespace(entries=[self._altered(entry) for entry in request.entries])

    def _described(self) -> list[Any]:
        default = SimpleNamespace(entity=[SimpleNamespace(entity_name=None)], values=[])
        return [default] + [
            SimpleNamespace(
                entity=[SimpleNamespace(entity_name=user)],
                values=[SimpleNamespace(key=key, value=value) for key, value in found.items()],
            )
            for user, found in self.quotas.items()
        ]

    def _altered(self, entry: Any) -> Any:
        (entity,) = entry.entity
        assert entity.entity_type == "user"
        held = self.quotas.setdefault(entity.entity_name, {})
        for op in entry.ops:
            if op.remove:
                del held[op.key]
            else:
                held[op.key] = op.value
        if not held:
            del self.quotas[entity.entity_name]
        return SimpleNamespace(entity=entry.entity, error_code=self.refuses, error_message="why")


def changes(cluster: Cluster, wanted: dict[str, int], check: bool = False, prefixes: list[str] = PREFIXES) -> list[str]:
    params = {"producer_byte_rates": wanted, "managed_prefixes": prefixes, "users": dict.fromkeys(wanted, "password")}
    return kafka_quotas.quota_changes(cluster, params, check)


def test_missing_and_other_rates_are_set_once() -> None:
    cluster = Cluster(source_a={RATE: 5.0})
    told = [f"quota source-a: {RATE} 5 -> 8", f"quota client-b: {RATE} none -> 4"]
    assert changes(cluster, WANTED, check=True) == told
    assert cluster.quotas == {"source-a": {RATE: 5.0}}
    assert changes(cluster, WANTED) == told
    assert cluster.quotas == {"source-a": {RATE: 8}, "client-b": {RATE: 4}}
    asked = len(cluster.asked)
    assert changes(cluster, WANTED) == []
    assert len(cluster.asked) == asked + 1, "a second run only looks"


def test_a_rate_of_0_is_no_bound() -> None:
    cluster = Cluster(source_a={RATE: 8.0})
    assert changes(cluster, {"source-a": 0, "client-b": 0}) == [f"quota source-a: {RATE} 8 -> none"]
    assert cluster.quotas == {}
    assert changes(cluster, {"source-a": 0, "client-b": 0}) == []


def test_an_account_that_was_removed_loses_all_its_quotas_and_others_keep_theirs() -> None:
    cluster = Cluster(source_old={RATE: 8.0, "request_percentage": 10.0}, other={RATE: 1.0})
    cluster.quotas |= {user: {RATE: float(rate), "consumer_byte_rate": 3.0} for user, rate in WANTED.items()}
    assert changes(cluster, WANTED, check=True) == ["quota source-old: deleted"]
    assert "source-old" in cluster.quotas
    assert changes(cluster, WANTED) == ["quota source-old: deleted"]
    assert cluster.quotas.keys() == {"other", *WANTED}
    assert cluster.quotas["client-b"] == {RATE: 4.0, "consumer_byte_rate": 3.0}
    assert changes(cluster, WANTED) == []


def test_nothing_is_asked_where_nothing_is_wanted() -> None:
    cluster = Cluster(source_a={RATE: 8.0})
    assert changes(cluster, {}, prefixes=[]) == [] and cluster.asked == []


@pytest.mark.parametrize("check", [True, False])
def test_a_refusal_is_an_error(check: bool) -> None:
    cluster = Cluster()
    cluster.refuses = errors.ClusterAuthorizationFailedError.errno
    with pytest.raises(errors.ClusterAuthorizationFailedError, match="why"):
        changes(cluster, WANTED, check)
