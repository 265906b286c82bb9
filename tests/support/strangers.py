# SPDX-License-Identifier: Apache-2.0
"""What a stranger on a host says to the ports of Spark and py4j on its loopback, and which answers are refusals.

The protocols: py4j's lines of text, Spark's frames (a length of 8 bytes, a type, for a call its number and length).
"""

from __future__ import annotations

import base64
import json
import struct

# A serialised java.lang.Object, which Spark reads from whomever it takes calls from
_OBJECT = bytes.fromhex("aced0005") + b"sr\0\x10java.lang.Object" + bytes(8) + b"\x02\0\0xp"
_CALL = struct.pack(">BQI", 3, 1, len(_OBJECT)) + _OBJECT
WORDS = {
    "py4j": b"c\no0\ntoString\ne\n",
    "py4j with a wrong secret": b"A\nwrong\n\n",
    "Spark": struct.pack(">Q", 8 + len(_CALL)) + _CALL,
}
# What is said when there is an answer: py4j's, and that of Spark for words that are no proof
REFUSALS = (b"Authentication error", b"Unknown challenge message")
# py4j's error without a word, and what it says of a word that it does not know
SPEECHLESS = (b"!x\n", b"!xn\n", b"!zspy4j.Py4JException: Unknown command received")

# Run on a host, with words and a port: prints the answer
ASK = """
import base64, json, socket, sys
answers = {}
for name, words in json.loads(sys.argv[2]).items():
    with socket.socket() as link:
        link.settimeout(3)
        try:
            link.connect(("127.0.0.1", int(sys.argv[1])))
            link.sendall(base64.b64decode(words))
            answer = link.recv(4096)
        except (ConnectionError, TimeoutError):
            answer = b""
    answers[name] = base64.b64encode(answer).decode()
print(json.dumps(answers))
"""


def spoken() -> str:
    """Return the words for `ASK`."""
    return json.dumps({name: base64.b64encode(words).decode() for name, words in WORDS.items()})


def heard(told: str) -> dict[str, bytes]:
    """Return what `ASK` has printed: by the words, what was answered, nothing if the port said nothing."""
    return {name: base64.b64decode(answer) for name, answer in json.loads(told).items()}


def served(answers: dict[str, bytes]) -> dict[str, bytes]:
    """Return the answers that are no refusal: the port has done something for a stranger."""
    return {
        name: answer
        for name, answer in answers.items()
        if answer and not any(sign in answer for sign in REFUSALS) and not answer.startswith(SPEECHLESS)
    }
