# SPDX-License-Identifier: Apache-2.0
"""Answers of Elasticsearch 8.19 to the report's searches, recorded with made-up logins, and the numbers in them."""

import json
from pathlib import Path

import pytest
from login_common.times import moment
from login_report.numbers import Answers, Numbers, read
from login_report.queries import Span

SPAN = Span(moment("2026-11-25T06:00:00Z"), moment("2026-11-25T18:00:00Z"))
MADE = moment("2026-11-25T18:03:00Z")
ANSWERS = Path(__file__).parent / "answers"


@pytest.fixture
def answers() -> Answers:
    """For SPAN. Browsers have odd names on purpose."""
    found: Answers = json.loads((ANSWERS / "half_a_day.json").read_text())
    return found


@pytest.fixture
def no_answers() -> Answers:
    """From before there is an index."""
    found: Answers = json.loads((ANSWERS / "no_indices.json").read_text())
    return found


@pytest.fixture
def numbers(answers: Answers) -> Numbers:
    """What `answers` tell."""
    return read(SPAN, MADE, answers)


@pytest.fixture
def nothing(no_answers: Answers) -> Numbers:
    """What `no_answers` tell."""
    return read(SPAN, MADE, no_answers)
