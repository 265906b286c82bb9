# SPDX-License-Identifier: Apache-2.0
"""Dead letters as they are shown: their content comes from anybody, and must not steer a terminal."""

import json
from typing import Any

import pytest
from letters import FIELDS
from login_consumer.dead_letters import Letter, Listing
from login_consumer.dead_view import as_json, content, letter_lines, listing


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        (None, ["(no value)"]),
        (b"", ["(no bytes)"]),
        ("{\n\t'Zoë'}\r\n".encode(), ["{", "        'Zoë'}\\r", ""]),
        (b"\x1b[2Jab", ["00000000  1b 5b 32 4a 61 62" + " " * 30 + "  |.[2Jab|"]),
        (b"\xff" * 17, [f"00000000  {'ff ' * 15}ff  |{'.' * 16}|", f"00000010  ff{' ' * 45}  |.|"]),
    ],
)
def test_content(raw: bytes | None, lines: list[str]) -> None:
    assert list(content(raw)) == lines


def test_a_listing_is_cut_and_cannot_steer() -> None:
    told = Listing({"not_json": 2}, [Letter("i", "an-id", FIELDS | {"size": 9}), Letter("i", "x", FIELDS)], {})
    lines = list(listing(told, 60))
    assert lines[:2] == ["2 dead letters", "        2  not_json"]
    assert lines[-2].startswith("an-id  2026-03-01T10:00:00.000Z  not_json  login-events/3/7")
    assert {len(line) for line in lines[-2:]} == {60}
    whole = list(listing(told, None))[-2]
    assert whole.endswith("  9  line 1: \\x1b[2J unexpected")
    assert list(listing(Listing({}, [], {}), None)) == ["no such dead letters"]


def test_a_listing_tells_what_is_unrecognised_by_its_kind() -> None:
    lines = list(listing(Listing({"unrecognised": 3}, [], {"program dropbear": 2, "program \x1b[2J": 1}), None))
    assert lines[-3:] == [
        "unrecognised, by what they seem to be",
        "        2  program dropbear",
        "        1  program \\x1b[2J",
    ]


def test_the_json_is_ascii() -> None:
    told = as_json(Listing({"not_json": 1}, [Letter("i", "an-id", FIELDS)], {}))
    text = json.dumps(told)
    assert "\x1b" not in text
    assert json.loads(text)["letters"][0]["detail"] == FIELDS["detail"]


def test_of_a_record_that_was_cut_its_head_is_shown() -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "raw"}
    letter = Letter("i", "an-id", fields | {"head": "e30b", "sha256": "5e" * 32, "size": 3 << 20})
    assert "size    3145728 bytes" in list(letter_lines(letter))
    assert list(letter_lines(letter))[-2:] == [
        f"the value was not kept; its SHA-256 is {'5e' * 32}, its first 3 bytes are:",
        "00000000  7b 7d 1b" + " " * 41 + "|{}.|",
    ]


@pytest.mark.parametrize(
    ("replay", "text"),
    [
        (None, "replay  not yet"),
        ({"state": "sending", "started": "S", "at": None}, "replay  sending since S: perhaps sent"),
        (
            {"state": "sent", "started": "S", "at": "A", "partition": 1, "offset": 9},
            "replay  sent at A, now login-events/1/9",
        ),
    ],
)
def test_a_letter_tells_of_its_replay(replay: dict[str, Any] | None, text: str) -> None:
    lines = list(letter_lines(Letter("i", "an-id", FIELDS | {"replay": replay})))
    assert text in lines
    assert "\x1b" not in "".join(lines)


def test_a_letter_of_a_record_that_was_not_read_says_so() -> None:
    lines = list(letter_lines(Letter("i", "an-id", FIELDS | {"reason": "unreadable"})))
    assert "size    not known" in lines
    assert lines[-1] == "(nothing of the record was kept)"
