# SPDX-License-Identifier: Apache-2.0
"""Text from outside cannot steer a terminal or hide."""

import pytest
from login_common.text import printable


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\x9b2J", "\x07", "\r", "\n", "\u202e", "\u2028", "\x7f", "\u200b", "\ud800", "\U000e0001"]
)
def test_what_steers_a_terminal_is_escaped(text: str) -> None:
    shown = printable(f"a{text}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")


def test_printable_text_is_left_alone() -> None:
    assert printable("Zoë 서울 {}") == "Zoë 서울 {}"
