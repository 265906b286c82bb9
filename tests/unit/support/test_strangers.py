# SPDX-License-Identifier: Apache-2.0
"""The judgement of answers, by what Spark 4.2.0 and py4j 0.10.9.9 have said with and without authentication."""

from __future__ import annotations

import base64
import json

import pytest
from strangers import WORDS, heard, served


def call(failure: bytes) -> bytes:
    """Spark's answer to a call that fails."""
    return b"\0\0\0\0\0\0\x0b\xa4\x05\0\0\0\0\0\0\0\1\0\0\x0b\x8f" + failure


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"!xn\n",
        b"!xsAuthentication error: unexpected command.\n",
        b"!xsAuthentication error: bad auth token received.\n",
        call(b"java.lang.IllegalArgumentException: Unknown challenge message.\n\tat org.apache.spark.network.crypto"),
    ],
)
def test_a_refusal(answer: bytes) -> None:
    assert served({"py4j": answer}) == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"!xsObject ID unknown\n!xn\n",  # the function of foreachBatch is looked for
        b"\0\0v\\",  # a worker of Python was started
        call(b"java.io.EOFException\n\tat java.base/java.io.DataInputStream.readFully"),  # the call was read
    ],
)
def test_a_service_for_anyone(answer: bytes) -> None:
    assert served({"py4j": b"", "Spark": answer}) == {"Spark": answer}


def test_what_was_heard() -> None:
    told = {name: base64.b64encode(words).decode() for name, words in WORDS.items()}
    assert heard(json.dumps(told)) == WORDS
