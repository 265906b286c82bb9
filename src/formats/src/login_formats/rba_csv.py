# SPDX-License-Identifier: Apache-2.0
"""The login data set for risk-based authentication (RBA): rows of its CSV file.

A record is one row: a JSON object with the names of the columns and strings, as login-producer reads them from a file
with its header (empty cells may be left out), or the row as it stands in the file, with all columns in their order.
Data: https://doi.org/10.5281/zenodo.6782156. Its times have no zone, so the sender must tell one. "-" is no value.
"""

import csv
import re
from collections.abc import Callable
from typing import Any

from login_formats.event import NotALogin
from login_formats.lines import load_line
from login_formats.mapping import From, Table, Unfit, identifier, mapped, one_of, unless
from login_formats.reasons import Reason, Rejected
from login_formats.strict_json import load_object
from login_formats.times import local_ms
from login_formats.wrapper import Arrival

_COLUMNS = (
    "index",
    "Login Timestamp",
    "User ID",
    "Round-Trip Time [ms]",
    "IP Address",
    "Country",
    "Region",
    "City",
    "ASN",
    "User Agent String",
    "Browser Name and Version",
    "OS Name and Version",
    "Device Type",
    "Login Successful",
    "Is Attack IP",
    "Is Account Takeover",
)

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?").fullmatch
_WHOLE = re.compile(r"[0-9]{1,18}").fullmatch
_VERSIONED = re.compile(r"(?P<name>.*\S) (?P<version>[0-9]\S*)", re.DOTALL).fullmatch
_known = unless("-", "")
_TRUTHS = {"True": True, "False": False}


def _cell(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    # empty cells are strings too
    return lambda value: read(known) if (known := _known(value)) else None


def _number(digits: str) -> float:
    if not _NUMBER(digits):
        raise Unfit("is no number")
    return float(digits)


def _whole(digits: str) -> int:
    if not _WHOLE(digits):
        raise Unfit("is no whole number")
    return int(digits)


def _name(words: str) -> str:
    # "Chrome Mobile 81.0.4044": the version is the last word, if that starts with a digit
    found = _VERSIONED(words)
    return found["name"] if found else words


def _version(words: str) -> str | None:
    found = _VERSIONED(words)
    return found["version"] if found else None


_TABLE: Table = {
    "@timestamp": From("Login Timestamp"),  # made a number by `fields`, which knows the zone
    "event.id": From("index", lambda value: f"rba-{index}" if (index := identifier(value)) else None),
    "event.outcome": From("Login Successful", _cell(one_of({"True": "success", "False": "failure"}))),
    "event.module": "rba",
    "event.dataset": "rba.login",
    "user.id": From("User ID", identifier),
    "source.address": From("IP Address", _known),
    "source.geo.country_iso_code": From("Country", _known),
    "source.geo.region_name": From("Region", _known),
    "source.geo.city_name": From("City", _known),
    "source.as.number": From("ASN", _cell(_whole)),
    "user_agent.original": From("User Agent String"),
    "user_agent.name": From("Browser Name and Version", _cell(_name)),
    "user_agent.version": From("Browser Name and Version", _cell(_version)),
    "user_agent.os.full": From("OS Name and Version", _known),
    "user_agent.os.name": From("OS Name and Version", _cell(_name)),
    "user_agent.os.version": From("OS Name and Version", _cell(_version)),
    "user_agent.device.name": From("Device Type", _known),
    "login.round_trip_ms": From("Round-Trip Time [ms]", _cell(_number)),
    "login.attack_ip": From("Is Attack IP", _cell(one_of(_TRUTHS))),
    "login.account_takeover": From("Is Account Takeover", _cell(one_of(_TRUTHS))),
}


def fields(raw: bytes | None, arrival: Arrival) -> dict[str, Any]:
    """Return the ECS fields of a row. Raises Rejected, NotALogin."""
    row = load_object(raw) if raw is not None and raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" else _row(raw)
    found = mapped(row, _TABLE)
    if clock := found.get("@timestamp"):
        found["@timestamp"] = local_ms(clock, arrival.wrapper.zone)
    return found


def _row(raw: bytes | None) -> dict[str, str]:
    try:
        (cells,) = csv.reader([load_line(raw)], strict=True)
    except csv.Error as error:
        raise Rejected(Reason.NOT_A_LINE, f"the value is no row of CSV: {error}") from None
    if tuple(cells) == _COLUMNS:  # the header, from those who send the file line by line
        raise NotALogin
    if len(cells) != len(_COLUMNS):
        raise Rejected(Reason.NOT_A_LINE, f"a row has {len(_COLUMNS)} columns, this one has {len(cells)}")
    return dict(zip(_COLUMNS, cells, strict=True))
