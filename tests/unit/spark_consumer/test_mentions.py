# SPDX-License-Identifier: Apache-2.0
"""A user is found in the bytes of a record in whatever form, and nobody else is taken for him."""

import base64
import gzip
import json
import random
import time
import zlib

import pytest
from login_consumer.dead_letters import Letter
from login_consumer.mentions import Mentions

NAMES = ["alice", "jürgen", "アリス", "alice@example.com", "DOMAIN\\alice", 'a"b', "hunter2!", "1001", "😀", "a/b"]


def forms(name: str) -> dict[str, bytes]:
    """Return records that name the user, in forms that a broken sender may use."""
    whole = json.dumps({"user_id": name}).encode()
    return {
        "text": f"Failed password for {name} from 192.0.2.7".encode(),
        "at the end": f"user={name}".encode(),
        "JSON": whole,
        "JSON in UTF-8": json.dumps({"user_id": name}, ensure_ascii=False).encode(),
        "JSON cut off": whole[:-2],
        "all escaped": "".join(f"\\u{unit:04X}" for unit in _units(name)).join(('{"u":"', '"}')).encode(),
        "JSON in JSON": json.dumps(json.dumps({"user_id": name})).encode(),
        "UTF-16": whole.decode().encode("utf-16"),
        "UTF-16, big end first": json.dumps({"u": name}, ensure_ascii=False).encode("utf-16-be"),
        "behind a registry's head": b"\0\0\0\0\1" + whole,
        "UTF-16 behind a head": b"\0\0\0\0\1" + whole.decode().encode("utf-16-le"),
        "gzip": gzip.compress(whole),
        "zlib": zlib.compress(whole),
        "gzip, cut off": gzip.compress(whole)[:-4],
        "base64": base64.b64encode(whole),
        "base64 without an end": base64.urlsafe_b64encode(whole).rstrip(b"="),
        "a password behind a name": b"Authorization: Basic " + base64.b64encode(f"{name}:secret".encode()),
        "bytes beside it that are no text": b"\xff\xfe\xfd " + name.encode() + b" \xff",
    }


def _units(name: str) -> list[int]:
    data = name.encode("utf-16-be")
    return [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", forms("x"))
def test_in_every_form(name: str, form: str) -> None:
    assert Mentions([name, "somebody else"]).in_bytes(forms(name)[form])


@pytest.mark.parametrize(
    "other",
    [
        "malice",
        "alice2",
        "alice_b",
        "Alice",
        "alic",
        "bob",
        "alicé",
        "alice-2",
        "alice.smith",
        "x.alice",
        "alice+tag",
        "",
    ],
)
@pytest.mark.parametrize("form", forms("x"))
def test_nobody_else_in_any_form(other: str, form: str) -> None:
    assert not Mentions(["alice"]).in_bytes(forms(other)[form])


@pytest.mark.parametrize(
    "text", ["by alice.", "alice@example.com", "EXAMPLE\\alice", "/home/alice", "(alice)", "-alice-", "uid=1(alice),"]
)
def test_beside_signs_that_are_no_part_of_a_name(text: str) -> None:
    assert Mentions(["alice"]).in_text(text)


@pytest.mark.parametrize("seed", range(200))
def test_any_bytes_can_be_looked_through(seed: int) -> None:
    rng = random.Random(seed)
    odd = [
        b"\\",
        b"\\u",
        b"\\ud83d",
        b"\\\\u0041",
        b'\\"',
        b"\0",
        b"\x1f\x8b",
        b"x\x9c",
        b"YWxpY2U",
        b"=",
        b"\xff",
        b"a",
    ]
    content = b"".join(rng.choices([*odd, rng.randbytes(3)], k=rng.randrange(60)))
    assert not Mentions(["a name that is nowhere"]).in_bytes(content)


@pytest.mark.parametrize("sign", [b"\\", b"\\u", b"\\u0041", b"A", b"=", b"A=", b"\0"])
def test_a_long_record_of_one_sign_takes_no_long(sign: bytes) -> None:
    begin = time.process_time()
    assert not Mentions(["alice"]).in_bytes(sign * (200_000 // len(sign)))
    assert time.process_time() - begin < 5


def test_what_unpacks_to_much_is_not_unpacked_whole() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    assert not Mentions(["alice"]).in_bytes(bomb)


@pytest.mark.parametrize(
    "fields",
    [
        {"raw": base64.b64encode(b'{"user_id": "alice", ').decode()},
        {"head": base64.b64encode(b"alice and much more").decode()},
        {"detail": "document_parsing_exception: ... Preview of field's value: 'alice'"},
        {"headers": [{"key": "login-id", "value": base64.b64encode(b"alice").decode()}]},
        {"headers": [{"key": "for alice", "value": None}]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_in_each_part_of_a_letter(fields: dict[str, object]) -> None:
    assert Mentions(["alice"]).in_letter(Letter("i", "1", {"detail": ""} | fields))
    assert not Mentions(["bob"]).in_letter(Letter("i", "1", {"detail": ""} | fields))
