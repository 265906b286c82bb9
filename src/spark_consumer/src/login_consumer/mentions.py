# SPDX-License-Identifier: Apache-2.0
"""Whether the bytes of a record name a user, in whatever form they come: no format could read them."""

import base64
import binascii
import json
import re
import zlib
from collections.abc import Collection, Iterator

from login_consumer.dead_letters import Letter

_MOST_BYTES = 2 << 20
"""So much is unpacked of a record that is compressed, as much as is kept of one that is not."""
_DEPTH = 3
# Begun at the first backslash of several, without a second try, else very many of them would take for ever.
_ESCAPES = re.compile(r"(?<!\\)(?:\\++u[0-9a-fA-F]{4})+")
_BACKSLASHES = re.compile(r"\\+")
_SIMPLE_ESCAPES = re.compile(r"\\+([\"\\/])")
_PACKED = re.compile(rb"[A-Za-z0-9+/_-]{8,}={0,2}")
_GZIP_OR_ZLIB = 47  # either, by its head


class Mentions:
    """Looks for names of users as whole words: `alice` is in "user=alice." and "alice@host", not in "alice-2"."""

    def __init__(self, users: Collection[str]) -> None:
        """Make it for these names, which are not empty."""
        any_of = "|".join(re.escape(each) for each in sorted(users, key=len, reverse=True))
        # A sign that joins two parts of a name belongs to it.
        self._names = re.compile(rf"(?<!\w)(?<!\w[-.+])(?:{any_of})(?!\w)(?![-.+]\w)")

    def in_letter(self, letter: Letter) -> bool:
        """Return whether a dead letter names one of them: in its record, in the headers, or in what is told of it."""
        texts = [letter.fields["detail"], *(key for key, _ in letter.headers)]
        contents = [letter.raw, letter.head, *(value for _, value in letter.headers)]
        return any(map(self.in_text, texts)) or any(self.in_bytes(each) for each in contents if each)

    def in_bytes(self, content: bytes) -> bool:
        """Return whether bytes name one of them: as text, as JSON escapes, compressed, or in base64 within."""
        return any(map(self.in_text, _texts(content, _DEPTH)))

    def in_text(self, text: str) -> bool:
        """Return whether a text names one of them, as it is or in JSON."""
        return any(self._names.search(each) for each in (text, _unescaped(text)))


def _texts(content: bytes, depth: int) -> Iterator[str]:
    """Yield all that bytes may mean as text."""
    yield content.decode(errors="replace")
    if b"\0" in content:
        # also behind a head of an odd number of bytes, such as a schema registry's
        yield from (content[start:].decode(each, "replace") for each in ("utf-16-le", "utf-16-be") for start in (0, 1))
    if depth == 0:
        return
    for each in (content, content[5:]):
        try:
            yield from _texts(zlib.decompressobj(_GZIP_OR_ZLIB).decompress(each, _MOST_BYTES), depth - 1)
        except zlib.error:
            continue  # it is not compressed
    for found in _PACKED.findall(content):
        if inner := _from_base64(found):
            yield from _texts(inner, depth - 1)


def _from_base64(text: bytes) -> bytes:
    """Return what text in base64, of either alphabet, stands for if that is text; else nothing."""
    bare = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        found = base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
        found.decode()
    except (binascii.Error, UnicodeDecodeError):
        return b""
    return found


def _unescaped(text: str) -> str:
    """Return a text with JSON's escapes resolved, also those of JSON within JSON."""
    if "\\" not in text:
        return text
    return _SIMPLE_ESCAPES.sub(r"\1", _ESCAPES.sub(_characters, text))


def _characters(found: re.Match[str]) -> str:
    told: str = json.loads('"' + _BACKSLASHES.sub(r"\\", found[0]) + '"')
    return told
