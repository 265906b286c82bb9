# SPDX-License-Identifier: Apache-2.0
"""Made-up logins that look real.

Each user has a home country and a usual browser, and strays from both now and then. Some logins
fail, and from time to time one address tries many accounts. All addresses come from the blocks
reserved for documentation (RFC 5737, RFC 3849), so none is anybody's.

The same seed gives the same stream; only the live profile adds the clock and an id of the run.
"""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from login_producer.pacing import Pacer, daily_curve
from login_producer.settings import SyntheticSettings
from login_producer.sources import Event, Source

_COUNTRIES = ("US", "GB", "DE", "FR", "IN", "KR")
_COUNTRY_WEIGHTS = (30, 15, 18, 12, 15, 10)
_USER_AGENTS = {
    "Chrome": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
    "Firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Safari": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Safari/605.1.15",
    "Edge": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
}
_BROWSERS = tuple(_USER_AGENTS)
_BROWSER_WEIGHTS = (55, 15, 20, 10)
_REASONS = ("bad_password",) * 7 + ("mfa_failed", "mfa_failed", "account_locked")
_SUCCESS = b'"outcome":"success"}'
_FAILURES = tuple(b'"outcome":"failure","reason":"%b"}' % reason.encode() for reason in _REASONS)

_STRAY = 0.03  # share of logins from another country or browser than usual
_FAILED = 0.06  # share of failures among ordinary logins
_ATTACK_STARTS = 0.0005  # chance that an ordinary login is followed by the start of an attack
_ATTACK_SHARE = 0.4  # share of the attacker's attempts in the stream while an attack lasts
_YEAR_MS = 365 * 24 * 3600 * 1000


class _User(NamedTuple):
    name: str
    key: bytes
    usual: bytes
    """The part of the JSON object from user_id to source_ip, as on a usual login."""


class SyntheticSource(Source):
    """As many made-up events as are due."""

    def __init__(self, settings: SyntheticSettings) -> None:
        self._profile, self._left = settings.profile, settings.limit
        self._events = events(settings)
        curved = settings.profile == "live" and settings.daily_curve
        self._pacer = Pacer(settings.events_per_second, daily_curve if curved else None)

    def take(self, most: int) -> Sequence[Event]:
        """Return the events due now, at most so many."""
        taken = self._pacer.take(most if self._left is None else min(most, self._left))
        if self._left is not None:
            self._left -= taken
            self.ended = self._left == 0
        return list(islice(self._events, taken))

    def status(self) -> dict[str, Any]:
        """Return the profile."""
        return {"type": "synthetic", "profile": self._profile}


def events(settings: SyntheticSettings) -> Iterator[Event]:
    """Yield the events of the chosen profile, without end; the caller takes as many as it wants."""
    if settings.profile == "seed":
        return seed_events(settings.seed, settings.users, settings.anchor)
    return live_events(settings.seed, settings.users)


def live_events(
    seed: int, users: int, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
) -> Iterator[Event]:
    """Yield logins that happen as they are taken, without end; `now_ms` tells epoch milliseconds."""
    # The stream is the same after a restart, so the ids need a part that is not.
    return _events(seed, users, f"live-{uuid.uuid4().hex[:16]}", now_ms)


def seed_events(seed: int, users: int, anchor: datetime | None = None) -> Iterator[Event]:
    """Yield logins at random times, in no order, of the 365 days before `anchor` (default: today, 00:00 UTC).

    Ids depend on seed, users and anchor alone: sent again, each event is known as a duplicate.
    """
    end = anchor or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end_ms = round(end.timestamp() * 1000)
    times = random.Random(f"{seed} times")  # noqa: S311  (no secret)
    return _events(seed, users, f"seed-{seed}-{users}-{end_ms}", lambda: end_ms - 1 - times.randrange(_YEAR_MS))


def _events(seed: int, users: int, run: str, next_ms: Callable[[], int]) -> Iterator[Event]:
    rng = random.Random(seed)  # noqa: S311  (no secret)
    # Bound once: this loop is a third of the producer's CPU time.
    chance, people, new = rng.random, [_user(rng, number) for number in range(users)], Event._make
    attacker, attempts_left, number = b"", 0, 0
    second, second_text = -1, b""
    while True:
        user = people[int(chance() * users)]
        if attempts_left and chance() < _ATTACK_SHARE:
            attempts_left -= 1
            login = _login_part(user.name, "Firefox", "US", attacker.decode())
            end = _FAILURES[0]
        else:
            login = user.usual if chance() >= _STRAY else _stray(rng, user)
            end = _SUCCESS if chance() >= _FAILED else _FAILURES[int(chance() * len(_FAILURES))]
            if not attempts_left and chance() < _ATTACK_STARTS:
                attacker, attempts_left = b"203.0.113.%d" % rng.randint(1, 254), rng.randint(20, 200)
        ms = next_ms()
        if ms // 1000 != second:  # formatting a time costs more than the rest of the event
            second = ms // 1000
            second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        number += 1
        event_id = f"{run}-{number}"
        value = b'{"event_id":"%b","timestamp":"%b.%03dZ",%b%b' % (
            event_id.encode(),
            second_text,
            ms % 1000,
            login,
            end,
        )
        yield new((event_id, user.key, value, None, None))


def _user(rng: random.Random, number: int) -> _User:
    name = f"user-{number + 1:05d}"
    country = rng.choices(_COUNTRIES, _COUNTRY_WEIGHTS)[0]
    browser = rng.choices(_BROWSERS, _BROWSER_WEIGHTS)[0]
    return _User(name, name.encode(), _login_part(name, browser, country, _address(rng)))


def _stray(rng: random.Random, user: _User) -> bytes:
    """Return the login of a user who travels or sits at another machine."""
    return _login_part(user.name, rng.choice(_BROWSERS), rng.choice(_COUNTRIES), _address(rng))


def _address(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return f"2001:db8:{rng.randrange(0x10000):x}::{rng.randint(1, 0xFFFF):x}"
    return f"{rng.choice(('192.0.2', '198.51.100'))}.{rng.randint(1, 254)}"


def _login_part(user: str, browser: str, country: str, address: str) -> bytes:
    fields = {
        "user_id": user,
        "browser": browser,
        "country": country,
        "source_ip": address,
        "user_agent": _USER_AGENTS[browser],
    }
    return json.dumps(fields, separators=(",", ":"))[1:-1].encode() + b","
