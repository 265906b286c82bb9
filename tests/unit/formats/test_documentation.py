# SPDX-License-Identifier: Apache-2.0
"""docs/formats.md says of each format what is so; and its samples, twisted, do no harm."""

import contextlib
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lines import ARRIVAL, LIMITS, stored
from login_formats import FORMATS, NotALogin, Rejected, Wrapper, enrich, read, split
from login_formats.event import event
from login_formats.wrapper import Arrival

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/formats.md").read_text()
SECTIONS = dict(re.findall(r"^## `?([\w ]+)`?\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def block(section: str, language: str) -> str:
    """Return the first block of a section in a language."""
    found = re.search(rf"^ *```{language}\n(.*?)^ *```", SECTIONS[section], re.MULTILINE | re.DOTALL)
    assert found, f"{section} has no block of {language}"
    return textwrap.dedent(found[1]).rstrip("\n")


def test_each_format_has_its_section() -> None:
    assert sorted(re.findall(r"^## `(\w+)`$", PAGE, re.MULTILINE)) == sorted(FORMATS)


def test_the_roles_know_each_format() -> None:
    for specs in REPOSITORY.glob("roles/*/meta/argument_specs.yml"):
        for choices in re.findall(r"choices: \[(native, .*)\]", specs.read_text()):
            assert sorted(choices.split(", ")) == sorted(FORMATS), specs


@pytest.mark.parametrize("name", FORMATS)
def test_the_sample_of_a_format_is_stored_as_the_page_says(name: str) -> None:
    assert stored(name, block(name, "text"), Wrapper(zone=ZoneInfo("UTC"))) == json.loads(block(name, "json"))


def test_the_format_that_the_page_adds_reads_its_sample() -> None:
    module: dict[str, Any] = {}
    exec(block("Add a format", "python"), module)  # noqa: S102  # text of ours
    found = event(module["fields"](block("Add a format", "text").encode(), Arrival(ARRIVAL)))
    LIMITS.check(found.timestamp, ARRIVAL)
    assert (found.outcome, found.reason, found.user_id) == ("failure", "bad_password", "auth0|117")


def twisted(value: Any) -> Iterator[Any]:
    """Yield a JSON value with something else in each place, one at a time."""
    yield from (None, "", "x", 5, 1.5, -1, True, [], {}, [None], ["x", "y"], {"x": []}, "\0\x1b", 1 << 64, "x" * 2000)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {other: content for other, content in value.items() if other != key}
            yield from ({**value, key: other} for other in twisted(inner))


@pytest.mark.parametrize("name", [name for name in FORMATS if block(name, "text").startswith("{")])
def test_nothing_but_a_reason_comes_of_what_does_not_fit(name: str) -> None:
    for record in twisted(json.loads(block(name, "text"))):
        with contextlib.suppress(Rejected, NotALogin):
            enrich(read(json.dumps(record).encode(), Arrival(ARRIVAL), LIMITS, name))


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_but_a_reason_comes_of_what_is_cut_or_flipped(name: str) -> None:
    raw = block(name, "text").encode()
    wrapper = Wrapper(zone=ZoneInfo("UTC"))
    for at in range(len(raw)):
        for record in (raw[:at], raw[at:], raw[:at] + b"\xff" + raw[at + 1 :], raw[:at] + b'"' + raw[at:]):
            with contextlib.suppress(Rejected, NotALogin):
                enrich(read(record, Arrival(ARRIVAL, wrapper), LIMITS, name))
            list(split(name, record))
