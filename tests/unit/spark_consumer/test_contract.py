# SPDX-License-Identifier: Apache-2.0
"""Which bytes are an event, and which reason the others get."""

import gzip
import json
from typing import Any

import pytest
from login_consumer.contract import Event, Limits, parse
from login_consumer.reasons import Reason, Rejected
from login_consumer.strict_json import MAX_BYTES

NOW = 1_790_000_000_000  # 2026-09-21T14:13:20Z
TEN = 1_772_359_200_000  # 2026-03-01T10:00:00Z
LIMITS = Limits(max_future=300_000, max_age=400 * 86_400_000)
GOOD: dict[str, Any] = {
    "event_id": "e-1",
    "user_id": "u1",
    "timestamp": "2026-03-01T10:00:00Z",
    "browser": "Firefox",
    "country": "DE",
    "outcome": "success",
}
_ABSENT = object()


def good(**changes: Any) -> bytes:
    """Return the good message with some fields changed or, with _ABSENT, left out."""
    fields = {key: value for key, value in (GOOD | changes).items() if value is not _ABSENT}
    return json.dumps(fields).encode()


def with_literal(field: str, literal: bytes) -> bytes:
    """Return the good message with `field` set to bytes that json.dumps would not write."""
    return good(**{field: "LITERAL"}).replace(b'"LITERAL"', literal)


def event(raw: bytes | None) -> Event:
    return parse(raw, NOW, LIMITS)


G = good()
REJECTED: list[tuple[str, bytes | None, Reason]] = [
    # no usable text
    ("tombstone", None, Reason.NULL_VALUE),
    ("no bytes", b"", Reason.EMPTY_VALUE),
    ("blanks", b"   ", Reason.EMPTY_VALUE),
    ("line ends", b"\r\n", Reason.EMPTY_VALUE),
    ("one byte too long", good(user_agent="x" * (MAX_BYTES - len(good(user_agent="")) + 1)), Reason.TOO_LARGE),
    ("gzip", gzip.compress(G), Reason.BINARY),
    ("zstd", b"\x28\xb5\x2f\xfd" + G, Reason.BINARY),
    ("framed", b"\0\0\0\0\x01" + G, Reason.FRAMED),
    ("UTF-16LE", G.decode().encode("utf-16-le"), Reason.UTF16),
    ("UTF-16BE", G.decode().encode("utf-16-be"), Reason.UTF16),
    ("UTF-16 with a mark", G.decode().encode("utf-16"), Reason.UTF16),
    ("Latin-1", bytes.fromhex("7B22757365725F6964223A224A6F73E9227D"), Reason.BAD_UTF8),
    ("lone surrogate", with_literal("user_id", rb'"a\ud800b"'), Reason.BAD_UNICODE),
    ("low surrogate first", with_literal("user_id", rb'"\udc00\ud800"'), Reason.BAD_UNICODE),
    # not one object
    ("null", b"null", Reason.NOT_AN_OBJECT),
    ("number", b"42", Reason.NOT_AN_OBJECT),
    ("string", b'"hello"', Reason.NOT_AN_OBJECT),
    ("empty array", b"[]", Reason.NOT_AN_OBJECT),
    ("array of one event", b"[" + G + b"]", Reason.NOT_AN_OBJECT),
    ("array of two events", b"[" + G + b"," + good(event_id="e-2") + b"]", Reason.NOT_AN_OBJECT),
    ("object in a string", json.dumps(G.decode()).encode(), Reason.DOUBLE_ENCODED),
    ("two objects", b'{"user_id":"u1"}{"user_id":"u2"}', Reason.TRAILING_DATA),
    ("two events on two lines", G + b"\n" + good(event_id="e-2"), Reason.TRAILING_DATA),
    ("text after the object", G + b" xyz", Reason.TRAILING_DATA),
    # not JSON
    ("single quotes", b"{'user_id':'u1'}", Reason.NOT_JSON),
    ("raw zero byte", with_literal("user_id", b'"a\0b"'), Reason.NOT_JSON),
    ("raw newline in a string", with_literal("user_id", b'"a\nb"'), Reason.NOT_JSON),
    ("trailing comma", G[:-1] + b",}", Reason.NOT_JSON),
    ("comment", b"/* */" + G, Reason.NOT_JSON),
    ("leading zero", with_literal("n", b"007"), Reason.NOT_JSON),
    ("plus sign", with_literal("n", b"+5"), Reason.NOT_JSON),
    ("Python's True", with_literal("n", b"True"), Reason.NOT_JSON),
    ("cut off", G[:-10], Reason.NOT_JSON),
    ("1200 nested arrays", with_literal("extra", b"[" * 1200 + b"]" * 1200), Reason.NOT_JSON),
    ("NaN", with_literal("rtt", b"NaN"), Reason.NON_FINITE_NUMBER),
    ("Infinity", with_literal("rtt", b"Infinity"), Reason.NON_FINITE_NUMBER),
    ("-Infinity", with_literal("rtt", b"-Infinity"), Reason.NON_FINITE_NUMBER),
    ("1e999", with_literal("rtt", b"1e999"), Reason.NON_FINITE_NUMBER),
    ("integer beyond a double", with_literal("rtt", b"9" * 400), Reason.NON_FINITE_NUMBER),
    # keys twice
    ("two user ids", G[:-1] + b',"user_id":"bob"}', Reason.DUPLICATE_KEY),
    ("user id, then null", G[:-1] + b',"user_id":null}', Reason.DUPLICATE_KEY),
    ("user id, then a number", G[:-1] + b',"user_id":1}', Reason.DUPLICATE_KEY),
    ("the same key in other letters", G[:-1] + rb',"user\u005fid":"bob"}', Reason.DUPLICATE_KEY),
    ("extra key twice", G[:-1] + b',"x":1,"x":1}', Reason.DUPLICATE_KEY),
    ("nested key twice", G[:-1] + b',"x":{"a":1,"a":2}}', Reason.DUPLICATE_KEY),
    # ids
    ("event id is a number", good(event_id=1), Reason.EVENT_ID_TYPE),
    ("event id is empty", good(event_id=""), Reason.EVENT_ID_LENGTH),
    ("event id of 513 bytes", good(event_id="x" * 513), Reason.EVENT_ID_LENGTH),
    ("event id of 513 bytes, not characters", good(event_id="é" * 256 + "x"), Reason.EVENT_ID_LENGTH),
    ("no keys", b"{}", Reason.TIMESTAMP_MISSING),
    ("no user id", good(user_id=_ABSENT), Reason.USER_ID_MISSING),
    ("user id null", good(user_id=None), Reason.USER_ID_MISSING),
    ("user id empty", good(user_id=""), Reason.USER_ID_MISSING),
    ("user id key in other case", good(user_id=_ABSENT, User_Id="u1"), Reason.USER_ID_MISSING),
    ("user id with a fraction", good(user_id=12345.0), Reason.USER_ID_TYPE),
    ("user id with an exponent", with_literal("user_id", b"1e3"), Reason.USER_ID_TYPE),
    ("user id object", good(user_id={"id": 7}), Reason.USER_ID_TYPE),
    ("user id array", good(user_id=["a"]), Reason.USER_ID_TYPE),
    ("user id boolean", good(user_id=True), Reason.USER_ID_TYPE),
    ("user id of 513 bytes", good(user_id="x" * 513), Reason.FIELD_LENGTH),
    # time
    ("no timestamp", good(timestamp=_ABSENT), Reason.TIMESTAMP_MISSING),
    ("timestamp null", good(timestamp=None), Reason.TIMESTAMP_MISSING),
    ("garbage", good(timestamp="garbage"), Reason.TIMESTAMP_UNPARSEABLE),
    ("empty timestamp", good(timestamp=""), Reason.TIMESTAMP_UNPARSEABLE),
    ("seconds as text", good(timestamp="1772359200"), Reason.TIMESTAMP_UNPARSEABLE),
    ("milliseconds as text", good(timestamp="1772359200000"), Reason.TIMESTAMP_UNPARSEABLE),
    ("day first", good(timestamp="01/03/2026 10:00:00"), Reason.TIMESTAMP_UNPARSEABLE),
    ("30 February", good(timestamp="2026-02-30T10:00:00Z"), Reason.TIMESTAMP_UNPARSEABLE),
    ("leap second", good(timestamp="2026-03-01T23:59:60Z"), Reason.TIMESTAMP_UNPARSEABLE),
    ("hour 24", good(timestamp="2026-03-01T24:00:00Z"), Reason.TIMESTAMP_UNPARSEABLE),
    ("year only", good(timestamp="2026"), Reason.TIMESTAMP_UNPARSEABLE),
    ("date only", good(timestamp="2026-03-01"), Reason.TIMESTAMP_UNPARSEABLE),
    ("zone name", good(timestamp="2026-03-01T10:00:00 EST"), Reason.TIMESTAMP_UNPARSEABLE),
    ("zone region", good(timestamp="2026-03-01T10:00:00 Europe/Berlin"), Reason.TIMESTAMP_UNPARSEABLE),
    ("offset of days", good(timestamp="2026-03-01T10:00:00+99:00"), Reason.TIMESTAMP_UNPARSEABLE),
    ("year of five digits", good(timestamp="+12026-03-01T10:00:00Z"), Reason.TIMESTAMP_UNPARSEABLE),
    (
        "digits of another script",
        good(timestamp="\uff12\uff10\uff12\uff16-03-01T10:00:00Z"),
        Reason.TIMESTAMP_UNPARSEABLE,
    ),
    ("timestamp boolean", good(timestamp=True), Reason.TIMESTAMP_UNPARSEABLE),
    ("timestamp object", good(timestamp={}), Reason.TIMESTAMP_UNPARSEABLE),
    ("no zone, skipped hour", good(timestamp="2026-03-29T02:30:00"), Reason.TIMESTAMP_WITHOUT_ZONE),
    ("no zone, doubled hour", good(timestamp="2026-10-25T02:30:00"), Reason.TIMESTAMP_WITHOUT_ZONE),
    ("no zone, with a blank", good(timestamp="2026-03-01 10:00:00"), Reason.TIMESTAMP_WITHOUT_ZONE),
    ("2030", good(timestamp="2030-01-01T00:00:00Z"), Reason.TIMESTAMP_IN_FUTURE),
    ("a millisecond too far ahead", good(timestamp=NOW + 300_001), Reason.TIMESTAMP_IN_FUTURE),
    ("epoch 0", good(timestamp=0), Reason.TIMESTAMP_OUT_OF_RANGE),
    ("epoch -1", good(timestamp=-1), Reason.TIMESTAMP_OUT_OF_RANGE),
    ("microseconds", good(timestamp=TEN * 1000), Reason.TIMESTAMP_OUT_OF_RANGE),
    ("year 1 east of Greenwich", good(timestamp="0001-01-01T00:00:00+05:00"), Reason.TIMESTAMP_OUT_OF_RANGE),
    ("year 9999 west", good(timestamp="9999-12-31T23:59:59-05:00"), Reason.TIMESTAMP_IN_FUTURE),
    ("too old", good(timestamp=NOW - 400 * 86_400_000 - 1), Reason.TIMESTAMP_OUT_OF_RANGE),
    # optional fields
    ("country unknown", good(country="Atlantis"), Reason.COUNTRY_UNKNOWN),
    ("country a number", good(country=49), Reason.FIELD_TYPE),
    ("outcome in words", good(outcome="ok"), Reason.OUTCOME_UNKNOWN),
    ("outcome boolean", good(outcome=True), Reason.FIELD_TYPE),
    ("browser an object", good(browser={}), Reason.FIELD_TYPE),
    ("browser of 257 bytes", good(browser="x" * 257), Reason.FIELD_LENGTH),
    ("address a number", good(source_ip=1), Reason.FIELD_TYPE),
    ("user agent an array", good(user_agent=[]), Reason.FIELD_TYPE),
    ("reason a number", good(reason=1), Reason.FIELD_TYPE),
]


@pytest.mark.parametrize(("raw", "reason"), [case[1:] for case in REJECTED], ids=[case[0] for case in REJECTED])
def test_rejected(raw: bytes | None, reason: Reason) -> None:
    with pytest.raises(Rejected) as caught:
        event(raw)
    assert caught.value.reason == reason
    assert caught.value.detail


ACCEPTED: list[tuple[str, bytes, dict[str, Any]]] = [
    ("good", G, {"id": "e-1", "user_id": "u1", "timestamp": TEN, "browser": "Firefox", "country": "DE"}),
    ("byte order mark", b"\xef\xbb\xbf" + G, {"user_id": "u1"}),
    ("blanks around", b" \n" + G + b"\n", {"user_id": "u1"}),
    ("exactly 1 MiB", good(user_agent="x" * (MAX_BYTES - len(good(user_agent="")))), {"user_id": "u1"}),
    ("only what must be there", b'{"user_id":"u","timestamp":1772359200}', {"id": None, "outcome": "unknown"}),
    ("nulls", good(event_id=None, browser=None, country=None, outcome=None), {"id": None, "country": None}),
    ("empty optional texts", good(browser="", country="", source_ip=""), {"browser": None, "source_address": None}),
    ("accent", with_literal("user_id", rb'"Jos\u00e9"'), {"user_id": "José"}),
    ("emoji", with_literal("user_id", rb'"\ud83d\ude00"'), {"user_id": "\N{GRINNING FACE}"}),
    ("zero character", with_literal("user_id", rb'"\u0000"'), {"user_id": "\0"}),
    ("escaped quotes", good(user_agent='say "hi"'), {"user_agent": 'say "hi"'}),
    ("user id number", good(user_id=5445253994546962491), {"user_id": "5445253994546962491"}),
    ("user id text", good(user_id="5445253994546962491"), {"user_id": "5445253994546962491"}),
    ("user id of 23 digits", good(user_id=12345678901234567890123), {"user_id": "12345678901234567890123"}),
    ("user id negative", good(user_id=-8123456789012345678901), {"user_id": "-8123456789012345678901"}),
    ("user id of 512 bytes", good(user_id="x" * 512), {"user_id": "x" * 512}),
    ("event id of 512 bytes", good(event_id="é" * 256), {"id": "é" * 256}),
    ("1500 extra fields", good(extra={f"k{number}": 1 for number in range(1500)}), {"user_id": "u1"}),
    ("extra text", good(extra="text"), {"user_id": "u1"}),
    ("extra nested texts", good(extra={"a": ["b", {"c": "d"}]}), {"user_id": "u1"}),
    ("seconds", good(timestamp=1772359200), {"timestamp": TEN}),
    ("seconds with a fraction", good(timestamp=1772359200.25), {"timestamp": TEN + 250}),
    ("milliseconds", good(timestamp=1772359200000), {"timestamp": TEN}),
    ("nine fraction digits", good(timestamp="2026-03-01T10:00:00.123456789Z"), {"timestamp": TEN + 123}),
    ("fraction near a second", good(timestamp="2026-03-01T10:00:00.999999999Z"), {"timestamp": TEN + 999}),
    ("offset", good(timestamp="2026-03-01T15:30:00+05:30"), {"timestamp": TEN}),
    ("offset without a colon", good(timestamp="2026-03-01T15:30:00+0530"), {"timestamp": TEN}),
    ("small letters", good(timestamp="2026-03-01t10:00:00z"), {"timestamp": TEN}),
    ("blank for T", good(timestamp="2026-03-01 10:00:00Z"), {"timestamp": TEN}),
    ("late", good(timestamp="2026-03-01T09:00:00Z"), {"timestamp": TEN - 3_600_000}),
    ("just not too far ahead", good(timestamp=NOW + 300_000), {"timestamp": NOW + 300_000}),
    ("a year old", good(timestamp=NOW - 365 * 86_400_000), {"timestamp": NOW - 365 * 86_400_000}),
    ("browser_info", good(browser=_ABSENT, browser_info="Chrome"), {"browser": "Chrome"}),
    ("browser before browser_info", good(browser_info="Chrome"), {"browser": "Firefox"}),
    ("South Korea", good(country="South Korea"), {"country": "KR"}),
    ("United Kingdom", good(country="united kingdom"), {"country": "GB"}),
    ("USA", good(country="USA"), {"country": "US"}),
    ("small country code", good(country="de"), {"country": "DE"}),
    ("Kosovo's code", good(country="XK"), {"country": "XK"}),
    ("failure", good(outcome="failure", reason="bad password"), {"outcome": "failure", "reason": "bad password"}),
    ("IPv4", good(source_ip="192.0.2.1"), {"source_address": "192.0.2.1", "source_ip": "192.0.2.1"}),
    ("IPv6", good(source_ip="2001:db8::5"), {"source_ip": "2001:db8::5"}),
    ("IPv6 zone", good(source_ip="fe80::1%eth0"), {"source_address": "fe80::1%eth0", "source_ip": "fe80::1"}),
    ("no address", good(source_ip="cloud.example"), {"source_address": "cloud.example", "source_ip": None}),
]


@pytest.mark.parametrize(("raw", "expected"), [case[1:] for case in ACCEPTED], ids=[case[0] for case in ACCEPTED])
def test_accepted(raw: bytes, expected: dict[str, Any]) -> None:
    fields = event(raw)._asdict()
    assert {name: fields[name] for name in expected} == expected


def test_the_doubled_hour_is_two_hours() -> None:
    arrival = 1_793_000_000_000  # after 2026-10-25
    summer, winter = (
        parse(good(timestamp=f"2026-10-25T02:30:00{zone}"), arrival, LIMITS).timestamp for zone in ("+02:00", "+01:00")
    )
    assert winter - summer == 3_600_000


def test_every_reason_has_its_case() -> None:
    tested = {reason for _, _, reason in REJECTED}
    assert set(Reason) - tested == {Reason.REFUSED}, "REFUSED is tested with the worker"
    assert all(reason.meaning for reason in Reason)
