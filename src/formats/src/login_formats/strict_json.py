# SPDX-License-Identifier: Apache-2.0
"""Bytes of a Kafka record to one JSON object, refusing everything that is only nearly one.

The good case is one orjson call and one count of bytes. Only refused bytes are looked at again, to tell
the sender what is wrong with them.
"""

import json
import math
from typing import Any, NoReturn

import orjson

from login_formats.reasons import Reason, Rejected

MAX_BYTES = 1 << 20

_BOM = b"\xef\xbb\xbf"
_BINARY = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"PK\x03\x04": "zip"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"{\x00", b"\x00{")
_FRAME = 5  # a zero byte and a four-byte schema id


def load_object(raw: bytes | None, at_most: int = MAX_BYTES) -> dict[str, Any]:
    """Return the object in `raw`: UTF-8 (a leading byte order mark is dropped), `at_most` bytes.

    Integers beyond 64 bits come back as float: see `exact_integer`.
    Raises Rejected.
    """
    if raw is None:
        raise Rejected(Reason.NULL_VALUE)
    if len(raw) > at_most:
        raise Rejected(Reason.TOO_LARGE, f"{len(raw)} bytes; at most {at_most} are allowed")
    raw = raw.removeprefix(_BOM)
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _why_unreadable(raw, str(error)) from None
    if type(parsed) is not dict:
        raise _why_no_object(parsed)
    # Each key and each string in the bytes costs two quotes or more. So when the bytes hold just the
    # quotes of what was kept, nothing was dropped: no key came twice. Otherwise (nested objects, escaped
    # quotes) the slow parser decides.
    if raw.count(b'"') != 2 * (len(parsed) + list(map(type, parsed.values())).count(str)):
        _refuse_duplicate_keys(raw)
    return parsed


def exact_integer(raw: bytes, key: str) -> str | None:
    """Return the digits of a top-level integer of any size, or None if `key` holds a fraction or exponent.

    Raises Rejected if the object is nested too deeply for Python's own parser.
    """
    value = _slow_loads(raw, parse_int=str)[key]
    return value if isinstance(value, str) else None


def _refuse_duplicate_keys(raw: bytes) -> None:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(pairs)
        if len(kept) != len(pairs):
            raise Rejected(Reason.DUPLICATE_KEY)
        return kept

    _slow_loads(raw, object_pairs_hook=unique, parse_int=str)


def _slow_loads(text: bytes | str, **hooks: Any) -> Any:
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        raise Rejected(Reason.NOT_JSON, "nested too deeply") from None


def _why_no_object(parsed: object) -> Rejected:
    if isinstance(parsed, str):
        try:
            inner = orjson.loads(parsed)
        except orjson.JSONDecodeError:
            inner = None
        if isinstance(inner, dict | list):
            return Rejected(Reason.DOUBLE_ENCODED)
    kind = "array" if isinstance(parsed, list) else type(parsed).__name__
    return Rejected(Reason.NOT_AN_OBJECT, f"the value is a JSON {kind}; send one object a record")


def _why_unreadable(raw: bytes, message: str) -> Rejected:
    if not raw.strip(b" \t\r\n"):
        return Rejected(Reason.EMPTY_VALUE)
    compression = next((name for magic, name in _BINARY.items() if raw.startswith(magic)), None)
    if compression:
        return Rejected(Reason.BINARY, f"the value is {compression} data; use the producer's own compression instead")
    if raw.startswith(_UTF16):
        return Rejected(Reason.UTF16)
    if raw[0] == 0 and len(raw) > _FRAME:
        return Rejected(Reason.FRAMED)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        if b"\x00" in raw:
            return Rejected(Reason.BINARY)
        return Rejected(Reason.BAD_UTF8, f"byte {error.start}: {error.reason}")
    try:
        parsed = _slow_loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_finite)
        json.dumps(parsed, ensure_ascii=False).encode()
    except Rejected as rejected:
        return rejected
    except UnicodeEncodeError:
        return Rejected(Reason.BAD_UNICODE)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return Rejected(Reason.TRAILING_DATA, f"more data at byte {len(text[: error.pos].encode())}")
    return Rejected(Reason.NOT_JSON, message)


def _refuse_constant(name: str) -> NoReturn:
    raise Rejected(Reason.NON_FINITE_NUMBER, f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Rejected(Reason.NON_FINITE_NUMBER, "a number is beyond a double's range")
    return number
