# SPDX-License-Identifier: Apache-2.0
"""Format rba_csv: each row, and the document it becomes."""

import csv
import io
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lines import ignored, refused, stored
from login_formats import Reason, Rejected, Wrapper

OSLO = Wrapper(zone=ZoneInfo("Europe/Oslo"))
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:76.0) Gecko/20100101 Firefox/76.0, a test"
ROW = {
    "index": "17",
    "Login Timestamp": "2026-02-03 08:15:00.250",
    "User ID": "-8123456789012345678",
    "Round-Trip Time [ms]": "543.0",
    "IP Address": "198.51.100.9",
    "Country": "DE",
    "Region": "Land Berlin",
    "City": "Berlin",
    "ASN": "64500",
    "User Agent String": FIREFOX,
    "Browser Name and Version": "Firefox 76.0",
    "OS Name and Version": "Windows 10",
    "Device Type": "desktop",
    "Login Successful": "True",
    "Is Attack IP": "False",
    "Is Account Takeover": "False",
}
STORED = {
    "@timestamp": "2026-02-03T07:15:00.250Z",
    "event.id": "rba-17",
    "event.outcome": "success",
    "event.module": "rba",
    "event.dataset": "rba.login",
    "user.id": "-8123456789012345678",
    "related.user": ["-8123456789012345678"],
    "related.ip": ["198.51.100.9"],
    "source.address": "198.51.100.9",
    "source.ip": "198.51.100.9",
    "source.as.number": 64500,
    "source.geo.country_iso_code": "DE",
    "source.geo.region_name": "Land Berlin",
    "source.geo.city_name": "Berlin",
    "user_agent.original": FIREFOX,
    "user_agent.name": "Firefox",
    "user_agent.version": "76.0",
    "user_agent.os.full": "Windows 10",
    "user_agent.os.name": "Windows",
    "user_agent.os.version": "10",
    "user_agent.device.name": "desktop",
    "login.round_trip_ms": 543.0,
    "login.attack_ip": False,
    "login.account_takeover": False,
}


def as_csv(row: dict[str, str]) -> str:
    file = io.StringIO()
    csv.writer(file).writerow(row.values())
    return file.getvalue()


def test_a_row_as_an_object_and_as_it_stands_in_the_file() -> None:
    assert stored("rba_csv", ROW, OSLO) == STORED
    assert stored("rba_csv", as_csv(ROW), OSLO) == STORED
    assert stored("rba_csv", "\ufeff" + as_csv(ROW).rstrip(), OSLO) == STORED


@pytest.mark.parametrize(
    ("column", "value", "differs"),
    [
        ("index", "", {"event.id": None}),
        ("index", "9007199254740993", {"event.id": "rba-9007199254740993"}),
        ("User ID", "8123456789012345671",
         {"user.id": "8123456789012345671", "related.user": ["8123456789012345671"]}),
        ("User ID", "", {"user.id": None, "related.user": None}),
        ("Login Timestamp", "2026-02-03 08:15:00", {"@timestamp": "2026-02-03T07:15:00.000Z"}),
        ("Login Timestamp", "2025-07-03 08:15:00.001", {"@timestamp": "2025-07-03T06:15:00.001Z"}),
        ("Login Timestamp", "2025-10-26 02:30:00.000", {"@timestamp": "2025-10-26T00:30:00.000Z"}),
        ("Login Timestamp", "2026-02-03T08:15:00.250Z", {"@timestamp": "2026-02-03T08:15:00.250Z"}),
        ("Round-Trip Time [ms]", "", {"login.round_trip_ms": None}),
        ("Round-Trip Time [ms]", "1204", {"login.round_trip_ms": 1204.0}),
        ("IP Address", "2001:db8::5",
         {"source.address": "2001:db8::5", "source.ip": "2001:db8::5", "related.ip": ["2001:db8::5"]}),
        ("IP Address", "192.0.2.300", {"source.address": "192.0.2.300", "source.ip": None, "related.ip": None}),
        ("Country", "-", {"source.geo.country_iso_code": None}),
        ("Region", "-", {"source.geo.region_name": None}),
        ("City", "-", {"source.geo.city_name": None}),
        ("ASN", "", {"source.as.number": None}),
        ("Browser Name and Version", "Chrome Mobile WebView 81.0.4044",
         {"user_agent.name": "Chrome Mobile WebView", "user_agent.version": "81.0.4044"}),
        ("Browser Name and Version", "Some App", {"user_agent.name": "Some App", "user_agent.version": None}),
        ("Browser Name and Version", "115", {"user_agent.name": "115", "user_agent.version": None}),
        ("Browser Name and Version", "360 Safe beta", {"user_agent.name": "360 Safe beta", "user_agent.version": None}),
        ("OS Name and Version", "Linux",
         {"user_agent.os.full": "Linux", "user_agent.os.name": "Linux", "user_agent.os.version": None}),
        ("OS Name and Version", "Mac OS X 10.15",
         {"user_agent.os.full": "Mac OS X 10.15", "user_agent.os.name": "Mac OS X", "user_agent.os.version": "10.15"}),
        ("Device Type", "", {"user_agent.device.name": None}),
        ("Login Successful", "False", {"event.outcome": "failure"}),
        ("Login Successful", "", {"event.outcome": "unknown"}),
        ("Is Attack IP", "True", {"login.attack_ip": True}),
        ("Is Account Takeover", "True", {"login.account_takeover": True}),
        ("Is Account Takeover", "", {"login.account_takeover": None}),
        ("User Agent String", 'say "hi", twice', {"user_agent.original": 'say "hi", twice'}),
    ],
)  # fmt: skip
def test_a_row_with_another_value(column: str, value: str, differs: dict[str, Any]) -> None:
    expected = {name: value for name, value in (STORED | differs).items() if value is not None}
    row = ROW | {column: value}
    assert stored("rba_csv", row, OSLO) == expected
    assert stored("rba_csv", as_csv(row), OSLO) == expected
    assert stored("rba_csv", {name: cell for name, cell in row.items() if cell}, OSLO) == expected


def test_a_header_is_no_login() -> None:
    assert ignored("rba_csv", ",".join(ROW))


def test_without_a_zone_the_setting_is_named() -> None:
    with pytest.raises(Rejected, match=r"source\.timezone") as caught:
        stored("rba_csv", ROW)
    assert caught.value.reason == Reason.TIMESTAMP_WITHOUT_ZONE


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (ROW | {"Login Timestamp": ""}, Reason.TIMESTAMP_MISSING),
        (ROW | {"Login Timestamp": "yesterday"}, Reason.TIMESTAMP_UNPARSEABLE),
        (ROW | {"Login Timestamp": "2026-02-30 08:15:00.250"}, Reason.TIMESTAMP_UNPARSEABLE),
        (ROW | {"Login Timestamp": "2020-02-03 08:15:00.250"}, Reason.TIMESTAMP_OUT_OF_RANGE),
        (ROW | {"Round-Trip Time [ms]": "nan"}, Reason.FIELD_TYPE),
        (ROW | {"ASN": "AS64500"}, Reason.FIELD_TYPE),
        (ROW | {"Login Successful": "yes"}, Reason.FIELD_TYPE),
        (ROW | {"Is Attack IP": True}, Reason.FIELD_TYPE),
        (ROW | {"Country": "Atlantis"}, Reason.COUNTRY_UNKNOWN),
        (ROW | {"User ID": 1.5}, Reason.FIELD_TYPE),
        (as_csv(ROW).replace("17,", "", 1), Reason.NOT_A_LINE),
        (as_csv(ROW).rstrip() + ",more", Reason.NOT_A_LINE),
        (as_csv(ROW).replace('"', "", 1), Reason.NOT_A_LINE),
        ('1,"open', Reason.NOT_A_LINE),
        (as_csv(ROW) + as_csv(ROW), Reason.SEVERAL_EVENTS),
        (as_csv(ROW).replace("Berlin", "Z\xfcrich").encode("latin-1"), Reason.BAD_UTF8),
        ("", Reason.EMPTY_VALUE),
        ("x" * (1 << 20) + "x", Reason.TOO_LARGE),
    ],
)
def test_what_is_wrong_is_refused(line: str | bytes | dict[str, Any], reason: Reason) -> None:
    assert refused("rba_csv", line, OSLO) == reason
