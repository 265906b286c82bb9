# SPDX-License-Identifier: Apache-2.0
"""Accounting of deliveries: whatever the client does, every event is acknowledged, waiting or counted.

The client here is a bare object that settles sends when told to; no Kafka is played. How the real
client behaves is tested with a real broker elsewhere.
"""

from itertools import pairwise
from typing import Any

import pytest
from kafka.errors import (
    InvalidRecordError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from kafka.future import Future
from login_producer.connection import UnreachableError
from login_producer.counters import Counters
from login_producer.delivery import Delivery
from login_producer.settings import DeliverySettings
from login_producer.sources import Event
from login_producer.sources.cutting import MAX_RECORD
from login_producer.sources.progress import Receipt


class Client:
    """Records sends; `settle` ends the oldest unsettled ones."""

    def __init__(self) -> None:
        self.sends: list[tuple[bytes, int, Any]] = []
        self.headers: list[Any] = []
        self.closed = False
        self.max_size = MAX_RECORD + 1000
        self.partitions = {2, 0, 1}

    def partitions_for(self, topic: str) -> set[int]:
        return self.partitions

    def send(self, topic: str, value: bytes, key: bytes | None, headers: Any, partition: int) -> Any:
        if len(value) > self.max_size:
            raise MessageSizeTooLargeError("too large")
        future = Future()
        self.headers.append(headers)
        self.sends.append((value, partition, future))
        return future

    def settle(self, count: int, error: Exception | None = None) -> None:
        for _, _, future in [send for send in self.sends if not send[2].is_done][:count]:
            future.failure(error) if error else future.success(None)

    def flush(self, timeout: float) -> None:
        if any(not future.is_done for _, _, future in self.sends):
            raise KafkaTimeoutError("not settled")

    def close(self, timeout: float) -> None:
        self.closed = True


class Connection:
    topic = "login-events"

    def __init__(self) -> None:
        self.clients: list[Client] = []
        self.down: str | None = None
        self.old: str | None = None
        self.attempts = 0

    def open(self) -> Client:
        self.attempts += 1
        if self.down:
            raise UnreachableError(self.down)
        self.clients.append(Client())
        return self.clients[-1]

    def outdated(self) -> str | None:
        return self.old

    def diagnose(self) -> str:
        return self.down or "no cause known"


class Bench:
    """A delivery with a clock that the test moves."""

    def __init__(self, max_in_flight: int = 100) -> None:
        self.now = 1000.0
        self.connection, self.counters = Connection(), Counters()
        self.delivery = Delivery(
            self.connection,
            self.counters,
            DeliverySettings(max_in_flight_events=max_in_flight),
            lambda: self.now,
        )

    @property
    def client(self) -> Client:
        return self.connection.clients[-1]

    def send(self, *numbers: int, size: int = 10) -> None:
        for number in numbers:
            self.delivery.send(Event(f"e-{number}", b"u%d" % number, b"%d" % number * size))

    def poll(self, after: float = 0.0) -> None:
        self.now += after
        self.delivery.poll()
        held = self.delivery.unacknowledged
        assert self.counters.generated == self.counters.acked + self.counters.failed.total() + held


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.poll()
    return bench


def test_acknowledged_events_are_counted(bench: Bench) -> None:
    bench.send(1, 2, 3)
    bench.client.settle(2)
    bench.poll()
    assert (bench.counters.sent, bench.counters.acked, bench.delivery.unacknowledged) == (3, 2, 1)


def test_one_user_keeps_to_one_partition(bench: Bench) -> None:
    bench.send(*range(50), *range(50))
    partitions = [partition for _, partition, _ in bench.client.sends]
    assert partitions[:50] == partitions[50:]
    assert set(partitions) == {0, 1, 2}


def test_events_without_a_key_go_to_all_partitions_many_at_a_time(bench: Bench) -> None:
    headers = [("login-format", b"sshd")]
    for number in range(999):
        bench.delivery.send(Event(f"e-{number}", None, b"line", headers))
        bench.client.settle(1)
        bench.poll()
    partitions = [partition for _, partition, _ in bench.client.sends]
    assert set(partitions) == {0, 1, 2}
    assert sum(one != other for one, other in pairwise(partitions)) == 3
    assert bench.client.headers[-1] == headers


def test_receipts_are_signed_for_what_need_not_be_read_again(bench: Bench) -> None:
    receipts = [Receipt() for _ in range(3)]
    for size, receipt in zip((10, MAX_RECORD + 2000, 10), receipts, strict=True):
        bench.delivery.send(Event("e", None, b"x" * size, None, receipt))
    bench.client.settle(1)
    bench.poll()
    assert [receipt.signed for receipt in receipts] == [True, True, False]
    bench.delivery.close(0)
    assert not receipts[2].signed


def test_new_partitions_are_used(bench: Bench) -> None:
    bench.client.partitions = set(range(9))
    bench.poll(after=61)
    bench.send(*range(100))
    assert {partition for _, partition, _ in bench.client.sends} == set(range(9))


def test_room_is_bounded_by_what_is_held() -> None:
    bench = Bench(max_in_flight=5)
    assert bench.delivery.room == 0  # not connected
    bench.poll()
    assert bench.delivery.room == 5
    bench.send(1, 2, 3, 4, 5)
    assert bench.delivery.room == 0
    bench.client.settle(2)
    bench.poll()
    assert bench.delivery.room == 2


def test_events_given_back_go_out_anew_through_a_new_client(bench: Bench) -> None:
    bench.send(1, 2, 3)
    first = bench.client
    first.settle(1)
    first.settle(1, KafkaTimeoutError("expired"))
    bench.poll()
    assert bench.delivery.room == 0  # nothing new for a client that has failed
    assert not first.closed  # one event is still with it
    first.settle(1)
    bench.poll()
    assert first.closed
    bench.poll(after=5)
    assert [value for value, _, _ in bench.client.sends] == [b"2" * 10]
    bench.client.settle(1)
    bench.poll()
    assert (bench.counters.acked, bench.counters.resent, bench.delivery.unacknowledged) == (3, 1, 0)
    assert bench.counters.failed.total() == 0


def test_a_client_that_hangs_is_replaced(bench: Bench) -> None:
    bench.send(1, 2)
    bench.poll(after=120)
    assert len(bench.connection.clients) == 1
    bench.poll(after=6)
    bench.poll(after=5)
    assert len(bench.connection.clients) == 2
    assert len(bench.client.sends) == 2


def test_a_failed_client_has_little_time_for_the_rest(bench: Bench) -> None:
    bench.send(1, 2)
    bench.client.settle(1, KafkaTimeoutError("expired"))
    bench.poll()
    bench.poll(after=6)
    bench.poll(after=5)
    assert sorted(value[:1] for value, _, _ in bench.client.sends) == [b"1", b"2"]


def test_a_client_with_an_old_password_is_replaced_and_all_goes_out_in_its_order(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.send(1, 2, 3)
    bench.connection.old = "the password was changed"
    bench.client.settle(1)
    bench.poll()
    bench.poll(after=1)
    assert bench.delivery.room > 0, "it may be on its way to acknowledge the rest"
    bench.poll(after=2)
    assert bench.delivery.room == 0
    assert len(bench.connection.clients) == 1, "those that it has sent may still be acknowledged"
    bench.connection.old = None
    bench.poll(after=3)
    bench.poll(after=1)
    assert len(bench.connection.clients) == 2
    assert "events came back: the password was changed" in caplog.text
    assert "does not acknowledge" not in caplog.text
    assert [value[:1] for value, _, _ in bench.client.sends] == [b"2", b"3"]
    bench.client.settle(2)
    bench.poll()
    assert (bench.counters.acked, bench.counters.failed.total()) == (3, 0)
    assert bench.delivery.unreachable_since is None


def test_a_client_that_delivers_keeps_an_old_password(bench: Bench) -> None:
    bench.connection.old = "the password was changed"
    for number in range(10):
        bench.send(number)
        bench.client.settle(1)
        bench.poll(after=3)
    assert len(bench.connection.clients) == 1


def test_a_stop_delivers_with_the_new_password(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(seconds: float) -> None:
        bench.now += seconds

    def flush(client: Client, timeout: float) -> None:
        bench.now += timeout
        if client is not bench.connection.clients[0]:
            client.settle(2)

    monkeypatch.setattr("time.sleep", sleep)
    monkeypatch.setattr(Client, "flush", flush)
    bench.send(1, 2)
    bench.connection.old = "the password was changed"
    assert bench.delivery.close(timeout_s=20) == []
    assert (bench.counters.acked, bench.counters.failed.total()) == (2, 0)


def test_too_large_for_the_client_is_counted_and_passed_over(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.send(1)
    bench.send(2, size=MAX_RECORD + 2000)
    bench.send(3)
    bench.client.settle(2)
    bench.poll()
    assert (bench.counters.acked, dict(bench.counters.failed)) == (2, {"too_large": 1})
    assert f"event e-2 of {MAX_RECORD + 2000} bytes" in caplog.text
    assert "2222" not in caplog.text


def test_too_large_for_the_topic_costs_no_other_event(bench: Bench) -> None:
    bench.send(1, 2)
    bench.send(3, size=MAX_RECORD + 1)
    bench.send(4)
    for _ in range(4):  # the client fails all with the same error
        bench.client.settle(1, MessageSizeTooLargeError())
    bench.poll()
    bench.poll(after=5)
    assert sorted(value[:1] for value, _, _ in bench.client.sends) == [b"1", b"2", b"4"]
    bench.client.settle(3)
    bench.poll()
    assert (bench.counters.acked, dict(bench.counters.failed)) == (3, {"too_large": 1})


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (MessageSizeTooLargeError(), "is its max.message.bytes lowered? run site.yml"),
        (InvalidRecordError(), "is its cleanup.policy compact? run site.yml"),
        (TopicAuthorizationFailedError("login-events"), "the user may not write to the topic; run site.yml"),
    ],
)
def test_what_the_topic_refuses_is_kept_and_told(
    error: Exception, cause: str, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.send(1, size=MAX_RECORD // 2)
    bench.send(2, 3)
    for _ in range(10):
        bench.client.settle(3, error)
        bench.poll(after=6)
    assert (bench.delivery.unacknowledged, bench.counters.failed.total()) == (3, 0)
    assert "Kafka refuses events since" in caplog.text
    assert "Kafka unreachable" not in caplog.text
    assert cause in str(bench.delivery.last_error)
    bench.client.settle(3)
    bench.poll()
    assert (bench.counters.acked, bench.delivery.unreachable_since) == (3, None)


def test_unreachable_backs_off_warns_once_a_minute_and_recovers(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.connection.down = "kafka1:9093: connection refused"
    for _ in range(1200):
        bench.poll(after=0.1)
    warnings = [record for record in caplog.records if "Kafka unreachable since" in record.getMessage()]
    assert len(warnings) == 2
    assert "connection refused" in warnings[0].getMessage()
    assert 20 < bench.connection.attempts < 35
    bench.connection.down = None
    bench.poll(after=5)
    assert bench.delivery.room == 100
    assert bench.delivery.unreachable_since is None, "a source with nothing to send gets no acknowledgement"


def test_refused_writes_do_not_make_a_fast_loop(bench: Bench) -> None:
    bench.send(1)
    for _ in range(600):
        bench.client.settle(1, TopicAuthorizationFailedError("login-events"))
        bench.poll(after=0.1)
    assert bench.connection.attempts < 25
    assert "TopicAuthorizationFailedError" in str(bench.delivery.last_error)


def test_stall_is_reported_and_over_with_the_first_acknowledgement(bench: Bench) -> None:
    bench.send(1)
    bench.poll(after=9)
    assert bench.delivery.unreachable_since is None
    bench.poll(after=2)
    assert bench.delivery.unreachable_since is not None
    bench.client.settle(1)
    bench.poll()
    assert bench.delivery.unreachable_since is None


def test_close_counts_what_is_lost(bench: Bench) -> None:
    bench.send(1, 2, 3)
    bench.client.settle(1)
    bench.client.flush = lambda timeout: setattr(bench, "now", bench.now + timeout)  # type: ignore[method-assign]
    assert bench.delivery.close(timeout_s=3) == ["e-2", "e-3"]
    assert (bench.counters.acked, dict(bench.counters.failed)) == (1, {"delivery_failed": 2})
    assert bench.delivery.unacknowledged == 0
    assert bench.client.closed


def test_close_waits_for_acknowledgements(bench: Bench) -> None:
    bench.send(1, 2)
    bench.client.flush = lambda timeout: bench.client.settle(2)  # type: ignore[method-assign]
    assert bench.delivery.close(timeout_s=3) == []
    assert bench.counters.acked == 2
