# SPDX-License-Identifier: Apache-2.0
"""The documents as Elasticsearch gets them: ids, index names, JSON. Fields: see the index templates.

Ids and index names follow from the record or the event alone, so that a replay meets its own documents.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as quoted  # JSON of a text, which keeps what is not ASCII
from typing import Any, Literal, NamedTuple

import orjson
from login_common.times import END_OF_TIME, iso, rfc3339_ms
from login_formats import Event
from login_formats.reasons import Rejected
from login_formats.wrapper import Headers

from login_consumer.privacy import OPEN, SCHEME, Protection

EVENTS, METRICS, DEAD_LETTERS, PIPELINE = (
    "login-events",
    "login-metrics",
    "login-dead-letters",
    "login-pipeline",
)
FAMILIES = (EVENTS, METRICS, DEAD_LETTERS, PIPELINE)
Period = Literal["month", "day"]

SCHEMA = 1
"""Raised when documents are counted or laid out in another way, so that old and new ones do not fit together."""

ECS_VERSION = "8.17.0"

_HOUR_MS = 3_600_000
_KEPT_CHARACTERS = 512


class Topic(NamedTuple):
    """A topic of Kafka. A topic that is deleted and made anew keeps its name and begins at offset 0: only the
    id tells its records from those of the old one.
    """

    name: str
    id: str


def id_prefix(topic: Topic) -> str:
    """Return what all ids begin with that are made from a place in the topic; no event may bring such an id."""
    return f"{topic.id}-"


class Place(NamedTuple):
    """Where a record stands, in Kafka as a whole and for ever."""

    topic_id: str
    partition: int
    offset: int


class Origin(NamedTuple):
    """Where a record comes from; the time in milliseconds since 1970 is Kafka's own for it."""

    topic: Topic
    partition: int
    offset: int
    timestamp: int

    @property
    def place(self) -> Place:
        """Its place."""
        return Place(self.topic.id, self.partition, self.offset)

    @property
    def id(self) -> str:
        """The id of a document that has no better one."""
        return f"{id_prefix(self.topic)}{self.partition}-{self.offset}"


class Stored(NamedTuple):
    """What an event that is stored counts as, and the place of the record that it is from."""

    place: Place
    timestamp: int
    country: str | None
    browser: str | None
    outcome: str

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> "Stored":
        """Return it from a document's fields, of which STORED_FIELDS are enough."""
        kafka = source["login"]["kafka"]
        return cls(
            Place(kafka["topic_id"], kafka["partition"], kafka["offset"]),
            rfc3339_ms(source["@timestamp"]),
            source.get("source", {}).get("geo", {}).get("country_iso_code"),
            source.get("user_agent", {}).get("name"),
            source["event"]["outcome"],
        )


WINDOW_FIELDS = {"country": "source.geo.country_iso_code", "browser": "user_agent.name", "outcome": "event.outcome"}
"""What windows count by, beside the time: the attribute of WindowKey, and the field of events."""
STORED_FIELDS = ("@timestamp", "login.kafka", *WINDOW_FIELDS.values())


class WindowKey(NamedTuple):
    """What logins are counted by; `start` in milliseconds since 1970."""

    start: int
    country: str | None
    browser: str | None
    outcome: str


class Document(NamedTuple):
    """One document to create in the index `target`; `source` is its JSON without a newline."""

    target: str
    id: str
    source: bytes

    def action(self) -> bytes:
        """Return its two lines of a bulk request."""
        return f'{{"create":{{"_index":"{self.target}","_id":{quoted(self.id)}}}}}\n'.encode() + self.source + b"\n"


def index_name(name: str, timestamp: int, period: Period = "month") -> str:
    """Return the index of `name` for a time in milliseconds since 1970, as in login-events-2026.03."""
    return _index_name(name, timestamp // _HOUR_MS, period)


@lru_cache(maxsize=4096)
def _index_name(name: str, hour: int, period: Period) -> str:
    # producers set record times as they like: keep to what a calendar holds
    hour = hour if 0 <= hour * _HOUR_MS < END_OF_TIME else 0
    day = datetime.fromtimestamp(hour * _HOUR_MS // 1000, UTC)
    return f"{name}-{day:%Y.%m.%d}" if period == "day" else f"{name}-{day:%Y.%m}"


def event_document(event: Event, origin: Origin, period: Period, late: bool, ingested: int) -> Document:
    """Return an event in the Elastic Common Schema, with its place in Kafka under login.kafka."""
    identity = event.id or origin.id
    build = _core_source if event.more is None or event.more.keys() == _PSEUDONYMS else _full_source
    return Document(
        index_name(EVENTS, event.timestamp, period), identity, build(event, identity, origin, late, ingested)
    )


def _core_source(event: Event, identity: str, origin: Origin, late: bool, ingested: int) -> bytes:
    # Text put together, in the order of _full_source: a dict that is serialised takes five times as long, and so does
    # orjson for a single text.
    reason = f',"reason":{quoted(event.reason)}' if event.reason else ""
    user = f',"user":{{"id":{quoted(event.user_id)}}}' if event.user_id else ""
    # a few browsers send most logins; what is kept must not be as long as anybody likes
    agent = _agent if len(event.user_agent or "") <= _KEPT_CHARACTERS else _agent.__wrapped__
    return (
        f'{{"@timestamp":"{iso(event.timestamp)}","event":{{"id":{quoted(identity)},"ingested":"{_moment(ingested)}",'
        f"{_outcome(event.outcome)}{reason}}}{user}{_source(event.source_address, event.source_ip, event.country)}"
        f"{agent(event.browser, event.user_agent)}{_login(late, (event.more or {}).get(SCHEME))}{_topic(origin.topic)}"
        f'{origin.partition},"offset":{origin.offset}{_END}'
    ).encode()


_PSEUDONYMS = {SCHEME}
_END = f'}}}},"ecs":{{"version":"{ECS_VERSION}"}}}}'


def _full_source(event: Event, identity: str, origin: Origin, late: bool, ingested: int) -> bytes:
    """Return the same for an event with further fields."""
    fields = event.fields() | {
        "@timestamp": iso(event.timestamp),
        "event.id": identity,
        "event.ingested": iso(ingested),
        "event.kind": "event",
        "event.category": ["authentication"],
        "event.type": ["start"],
        "login.late": late or None,
        "login.kafka.topic": origin.topic.name,
        "login.kafka.topic_id": origin.topic.id,
        "login.kafka.partition": origin.partition,
        "login.kafka.offset": origin.offset,
        "ecs.version": ECS_VERSION,
    }
    return orjson.dumps(nested(fields))


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields by dotted name as objects in objects, without those that are None."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        if value is None:
            continue
        *way, last = name.split(".")
        inner = result
        for key in way:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return result


@lru_cache(maxsize=16)
def _outcome(outcome: str) -> str:
    return f'"kind":"event","category":["authentication"],"type":["start"],"outcome":{quoted(outcome)}'


@lru_cache(maxsize=16)
def _login(late: bool, scheme: str | None) -> str:
    pseudonyms = f'"pseudonyms":{quoted(scheme)},' if scheme else ""
    return f',"login":{{{pseudonyms}' + ('"late":true,' if late else "")


@lru_cache(maxsize=16)
def _moment(ms: int) -> str:
    """Return the text of the time of a whole Arrow batch."""
    return iso(ms)


@lru_cache(maxsize=16)
def _topic(topic: Topic) -> str:
    return f'"kafka":{{"topic":{quoted(topic.name)},"topic_id":{quoted(topic.id)},"partition":'


def _source(address: str | None, ip: str | None, country: str | None) -> str:
    parts = []
    if address:
        parts.append(f'"address":{quoted(address)}')
    if ip:
        parts.append(f'"ip":{quoted(ip)}')
    if country:
        parts.append(f'"geo":{{"country_iso_code":{quoted(country)}}}')
    return f',"source":{{{",".join(parts)}}}' if parts else ""


@lru_cache(maxsize=4096)
def _agent(browser: str | None, original: str | None) -> str:
    parts = []
    if browser:
        parts.append(f'"name":{quoted(browser)}')
    if original:
        parts.append(f'"original":{quoted(original)}')
    return f',"user_agent":{{{",".join(parts)}}}' if parts else ""


def dead_letter(
    rejected: Rejected,
    raw: bytes | None,
    origin: Origin,
    ingested: int,
    headers: Headers = (),
    id_: str = "",
    protection: Protection = OPEN,
) -> Document:
    """Return the dead letter of a record, whose place is its id if there is no other: its bytes, and why it is dead."""
    fields = letter_fields(rejected, origin, ingested)
    if raw is not None:
        fields |= {"raw": base64.b64encode(raw).decode(), "size": len(raw)}
    if headers:
        # for a replay: without them the record would be read in another format
        fields["headers"] = [
            {"key": key, "value": None if value is None else base64.b64encode(value).decode()} for key, value in headers
        ]
    source = orjson.dumps(protection.letter(fields))
    return Document(index_name(DEAD_LETTERS, origin.timestamp), id_ or origin.id, source)


def letter_fields(rejected: Rejected, origin: Origin, ingested: int) -> dict[str, Any]:
    """Return what every dead letter has: why the record is dead and where it stands."""
    return {
        "@timestamp": iso(origin.timestamp) if 0 <= origin.timestamp < END_OF_TIME else iso(0),
        "ingested": iso(ingested),
        "reason": str(rejected.reason),
        "detail": rejected.detail,
        "topic": origin.topic.name,
        "topic_id": origin.topic.id,
        "partition": origin.partition,
        "offset": origin.offset,
    }


def count_windows(events: Iterable[Event | Stored], window_ms: int) -> dict[WindowKey, int]:
    """Return how many of `events` count in each window and key."""
    # tuples while they are many: a WindowKey takes ten times as long to make
    plain = Counter(
        (each.timestamp // window_ms * window_ms, each.country, each.browser, each.outcome) for each in events
    )
    return {WindowKey(*key): count for key, count in plain.items()}


def metric_id(key: WindowKey) -> str:
    """Return the id of a metric document: window start in milliseconds, country, browser, outcome.

    Only the browser can hold a bar, and what stands before and after it has a fixed shape: no two keys meet.
    """
    return f"{key.start}|{key.country or ''}|{key.browser or ''}|{key.outcome}"


# A batch number that was taken in already, of the same lineage, is a replay. Another lineage (a new
# checkpoint) numbers from 0 again.
MERGE_SCRIPT = (
    "if (ctx._source.lineage == params.lineage && ctx._source.last_batch >= params.batch) { ctx.op = 'none' }"
    " else { ctx._source.count += params.count; ctx._source.lineage = params.lineage; "
    "ctx._source.last_batch = params.batch }"
)


def metric_source(key: WindowKey, count: int, window_ms: int, lineage: str, batch: int) -> dict[str, Any]:
    """Return the fields of a metric document that took in its last batch as number `batch` of `lineage`."""
    fields: dict[str, Any] = {
        "window_start": iso(key.start),
        "window_end": iso(key.start + window_ms),
        "country": key.country,
        "browser": key.browser,
        "outcome": key.outcome,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    return present | {"count": count, "lineage": lineage, "last_batch": batch}


def metric_update(key: WindowKey, count: int, window_ms: int, lineage: str, batch: int) -> bytes:
    """Return the two bulk lines that add `count` to a metric document, once for a lineage and batch."""
    action = {"_index": index_name(METRICS, key.start), "_id": metric_id(key), "retry_on_conflict": 3}
    script = {"source": MERGE_SCRIPT, "params": {"lineage": lineage, "batch": batch, "count": count}}
    upsert = metric_source(key, count, window_ms, lineage, batch)
    return orjson.dumps({"update": action}) + b"\n" + orjson.dumps({"script": script, "upsert": upsert}) + b"\n"
