# SPDX-License-Identifier: Apache-2.0
"""What is stored of users and addresses: each event and dead letter passes through a Protection before it is written.

A pseudonym is a keyed hash (HMAC-SHA256): one value has one pseudonym, in whichever field, and nobody without the key
can tell whose it is by trying names. An IP address becomes one of IPv6, so that fields of the type ip take it.
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any, Literal, NamedTuple, get_args

from login_formats import Event
from login_formats.event import OWN, ip_of
from login_formats.fields import ADDRESSES, FREE_TEXTS, USERS
from login_formats.reasons import Reason

Pseudonymised = Literal["user", "source_ip"]
"""What may be stored as a pseudonym; the names of the settings."""
KINDS: tuple[Pseudonymised, ...] = get_args(Pseudonymised)

_BYTES = 16
"""Of the hash in the pseudonym of a user or of an address that is no IP address: 32 hexadecimal digits."""
# For documentation (RFC 3849), so that no network has it: no address is taken for a pseudonym. It leaves 12 bytes.
_PREFIX = bytes.fromhex("20010db8")
_SCHEME_DIGITS = 8
_CACHED, _MOST_CACHED = 65536, 512  # values, and characters of one: what is kept must not be as long as anybody likes

SCHEME = "login.pseudonyms"
"""The field of an event that tells by which key, and for which kinds, it has pseudonyms. It is absent without."""
WITHHELD = "withheld"
"""The field of a dead letter whose content is not kept: by what to recognise the record. In texts: what stood there."""
_ATTRIBUTES = OWN | {"source.ip": "source_ip"}
_FREE_ATTRIBUTES = [_ATTRIBUTES[name] for name in FREE_TEXTS]
_CONTENT = ("raw", "headers", "head", "sha256")
# Other details may hold a part of the record. Of refused documents, Elasticsearch tells what they hold: pseudonyms.
_SAFE_DETAILS = frozenset(
    {
        Reason.REFUSED,
        Reason.TOO_LARGE,
        Reason.BAD_UTF8,
        Reason.TRAILING_DATA,
        Reason.FORMAT_UNKNOWN,
        Reason.HEADER_INVALID,
        Reason.FIELD_TYPE,
        Reason.FIELD_LENGTH,
    }
)


_DETAILS: dict[str, str] = {reason: reason.meaning for reason in Reason if reason not in _SAFE_DETAILS}


class Withheld(NamedTuple):
    """By what to recognise a record whose bytes were not kept: the field WITHHELD of its dead letter, and its size."""

    mark: str
    size: int | None


class Protection:
    """Puts pseudonyms in the place of users, addresses or both; without any `kinds` all stays as it is."""

    def __init__(self, kinds: Iterable[Pseudonymised] = (), key: str = "", keep_original: bool = True) -> None:
        """Make it; without `keep_original` no event keeps its record in event.original."""
        self._key, self._kinds, self._keep_original = key.encode(), sorted(kinds), keep_original
        self.scheme: str | None = None
        """Tells apart keys and kinds; None without pseudonyms."""
        if self._kinds:
            self.scheme = self._hash("scheme", " ".join(self._kinds).encode()).hex()[:_SCHEME_DIGITS]
        made: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
            "user": (USERS, self.user),
            "source_ip": (ADDRESSES, self.address),
        }
        self._made = [
            ([_ATTRIBUTES[name] for name in names if name in _ATTRIBUTES], frozenset(names), pseudonym)
            for names, pseudonym in (made[kind] for kind in self._kinds)
        ]
        self._known = lru_cache(_CACHED)(self._pseudonym)

    def user(self, name: str) -> str:
        """Return the pseudonym of a user's name, id or mail address, as in user-0f1e...; upper and lower case count."""
        return self._cached("user", name)

    def address(self, address: str) -> str:
        """Return the pseudonym of an address: of an IP address, however it is written, one in 2001:db8::/32."""
        return self._cached("address", address)

    def event(self, event: Event) -> Event:
        """Return an event as it may be stored."""
        if self._keep_original and not self._made:
            return event
        more = dict(event.more or {})
        if not self._keep_original:
            more.pop("event.original", None)
        changed: dict[str, Any] = {}
        clear: list[str] = []
        for attributes, names, pseudonym in self._made:
            for attribute in attributes:
                if (value := getattr(event, attribute)) is not None:
                    clear.append(value)
                    changed[attribute] = pseudonym(value)
            for name in names & more.keys():
                values = more[name] if type(more[name]) is list else [more[name]]
                clear += values
                made = list(dict.fromkeys(map(pseudonym, values)))
                more[name] = made if type(more[name]) is list else made[0]
        for attribute in _FREE_ATTRIBUTES:
            text = getattr(event, attribute)
            if text and any(_names(text, each) for each in clear):
                changed[attribute] = WITHHELD
        if self.scheme:
            more[SCHEME] = self.scheme
        return event._replace(**changed, more=more or None)

    def letter(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a dead letter as they may be stored: with pseudonyms without the record's content.

        Nobody knows where in it a name stands.
        """
        if not self.scheme:
            return fields
        kept = {name: value for name, value in fields.items() if name not in _CONTENT}
        kept["detail"] = _DETAILS.get(fields["reason"], fields["detail"])
        if len(kept) < len(fields):
            kept[WITHHELD] = self._mark(base64.b64decode(fields.get("raw", fields.get("head", ""))))
        return kept

    def recognises(self, withheld: Withheld, raw: bytes | None) -> bool:
        """Return whether a record may be the one that was withheld; under another key, its size is all that tells."""
        scheme = withheld.mark.partition("-")[0]
        if scheme == self.scheme:
            return hmac.compare_digest(withheld.mark, self._mark(raw or b""))
        return withheld.size == (None if raw is None else len(raw))

    def _mark(self, content: bytes) -> str:
        return f"{self.scheme}-{self._hash('record', content).hex()}"

    def _cached(self, kind: str, value: str) -> str:
        return self._known(kind, value) if len(value) <= _MOST_CACHED else self._pseudonym(kind, value)

    def _pseudonym(self, kind: str, value: str) -> str:
        ip = ip_of(value) if kind == "address" else None
        if ip is None:
            return f"{kind}-{self._hash(kind, value.encode()).hex()[: 2 * _BYTES]}"
        packed = ip_address(ip)
        packed = getattr(packed, "ipv4_mapped", None) or packed  # servers for both write IPv4 in IPv6
        return str(IPv6Address((_PREFIX + self._hash("ip", packed.packed))[:16]))

    def _hash(self, kind: str, content: bytes) -> bytes:
        return hmac.digest(self._key, kind.encode() + b"\0" + content, "sha256")


def _names(text: str, value: str) -> bool:
    """Return whether `text` holds `value`, or the name in an address such as alice@example.org, as words of it."""
    text, value = text.casefold(), value.casefold()
    # hardly any text holds one at all, and a pattern takes long to make
    return any(
        each in text and re.search(rf"(?<!\w){re.escape(each)}(?!\w)", text)
        for each in (value, value.partition("@")[0])
        if each
    )


OPEN = Protection()
"""Leaves all as it is."""
