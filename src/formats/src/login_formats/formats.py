# SPDX-License-Identifier: Apache-2.0
"""All formats by name, and the one way to read a record."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from login_formats import cloudtrail, ecs, keycloak, native, okta, rba_csv, sshd
from login_formats.event import Event, Limits, event
from login_formats.reasons import Reason, Rejected
from login_formats.wrapper import Arrival

NATIVE = "native"


def _alone(raw: bytes) -> Iterable[bytes]:
    return (raw,)


class Format(NamedTuple):
    """How records of one format are read."""

    fields: Callable[[bytes | None, Arrival], dict[str, Any]]
    """Returns ECS fields as event.event takes them. Raises Rejected, NotALogin."""
    split: Callable[[bytes], Iterable[bytes]] = _alone
    """Takes apart what stands for several events, before it is sent: a record is one event."""
    keeps_original: bool = True
    """Whether the very record is kept in event.original."""


# native is not here: see read
_OTHERS: dict[str, Format] = {
    "cloudtrail": Format(cloudtrail.fields, cloudtrail.split),
    "ecs": Format(ecs.fields, keeps_original=False),
    "keycloak": Format(keycloak.fields),
    "okta": Format(okta.fields),
    "rba_csv": Format(rba_csv.fields),
    "sshd": Format(sshd.fields, sshd.split),
    "sshd_keys": Format(sshd.fields_of_keys, sshd.split),
}

FORMATS = (NATIVE, *_OTHERS)
"""The names of all formats."""


def read(raw: bytes | None, arrival: Arrival, limits: Limits, default: str = NATIVE) -> Event:
    """Return the event in `raw`, in the format that its wrapper names, else in `default`.

    Raises Rejected, NotALogin.
    """
    wrapper = arrival.wrapper
    name = wrapper.format or default
    # native without the way through a dict of fields, as most records are of this format
    found = native.parse(raw, arrival.time, limits) if name == NATIVE else _read(raw, arrival, limits, name)
    return found._replace(id=wrapper.id) if found.id is None and wrapper.id else found


def _read(raw: bytes | None, arrival: Arrival, limits: Limits, name: str) -> Event:
    format_ = _OTHERS.get(name)
    if format_ is None:
        raise Rejected(Reason.FORMAT_UNKNOWN, f"the known formats are {', '.join(FORMATS)}")
    fields = format_.fields(raw, arrival)
    if format_.keeps_original and raw is not None:
        fields["event.original"] = raw.decode(errors="replace")
    found = event(fields)
    limits.check(found.timestamp, arrival.time)
    return found


def split(name: str, raw: bytes) -> Iterable[bytes]:
    """Return the records, one event each, that `raw` of the format `name` stands for; mostly itself."""
    return (raw,) if name == NATIVE else _OTHERS[name].split(raw)
