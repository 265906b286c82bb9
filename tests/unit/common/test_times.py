# SPDX-License-Identifier: Apache-2.0
"""Times in a command's arguments."""

import argparse

import pytest
from login_common.times import END_OF_TIME, iso, moment


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-03-01", 1_772_323_200_000),
        ("2026-03-01T00:00:00Z", 1_772_323_200_000),
        ("2026-03-01T01:00:00.250+01:00", 1_772_323_200_250),
    ],
)
def test_moment(text: str, ms: int) -> None:
    assert moment(text) == ms


@pytest.mark.parametrize("text", ["2026-03-01T00:00:00", "2026-02-30", "2026-W10", "yesterday", "1772323200", ""])
def test_no_moment(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="2026-03-01T10:00:00Z"):
        moment(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [("2026-03-01T00:00:00", "no Z and no offset"), ("2026-02-30", "day"), ("2026-02-30T00:00:00Z", "day")],
)
def test_it_is_told_why(text: str, why: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}': .*{why}"):
        moment(text)


@pytest.mark.parametrize("ms", [0, 1_772_323_200_250, END_OF_TIME - 1])
def test_iso_and_moment_are_inverse(ms: int) -> None:
    assert moment(iso(ms)) == ms
