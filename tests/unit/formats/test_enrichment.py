# SPDX-License-Identifier: Apache-2.0
"""What user agents and database files of addresses add to events."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest
from login_common.settings import SettingsError
from login_formats import Event, Locations, enrich
from login_formats.event import event, ip_of
from login_formats.user_agents import told_by
from mmdb_writer import MMDBWriter
from netaddr import IPSet

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:124.0) Gecko/20100101 Firefox/124.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
EDGE = CHROME + " Edg/131.0.0.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 13_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/13.0 Mobile/15E148 Safari/604.1"
)


def of(**fields: Any) -> Event:
    """Return an event; keywords stand for ECS names with __ for the dots."""
    return event({"@timestamp": 0, **{name.replace("__", "."): value for name, value in fields.items()}})


def told(found: Event) -> dict[str, Any]:
    """Return what an event tells of the client."""
    own = {"user_agent.name": found.browser, "source.geo.country_iso_code": found.country}
    return {
        name: value
        for name, value in (own | dict(found.more or {})).items()
        if value is not None and name.startswith(("user_agent", "source."))
    }


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (
            FIREFOX,
            {"user_agent.name": "Firefox", "user_agent.version": "124.0", "user_agent.os.name": "Linux",
             "user_agent.os.full": "Linux"},
        ),
        (
            CHROME,
            {"user_agent.name": "Chrome", "user_agent.version": "131.0.0.0", "user_agent.os.name": "Windows",
             "user_agent.os.version": "10", "user_agent.os.full": "Windows 10"},
        ),
        (
            EDGE,
            {"user_agent.name": "Edge", "user_agent.version": "131.0.0.0", "user_agent.os.name": "Windows",
             "user_agent.os.version": "10", "user_agent.os.full": "Windows 10"},
        ),
        (
            IPHONE,
            {"user_agent.name": "Mobile Safari", "user_agent.version": "13.0", "user_agent.os.name": "iOS",
             "user_agent.os.version": "13.3", "user_agent.os.full": "iOS 13.3", "user_agent.device.name": "iPhone"},
        ),
        ("nothing that is known", {}),
        (FIREFOX + " " * 1024, {}),
    ],
)  # fmt: skip
def test_a_user_agent_tells_browser_system_and_device(user_agent: str, expected: dict[str, str]) -> None:
    assert told(enrich(Event(None, "u", 0, None, None, "success", None, None, user_agent, None))) == expected
    assert {name: value for block in told_by(user_agent) for name, value in block.items()} == expected


def test_a_native_event_with_a_browser_stays_as_it_is() -> None:
    native = Event("e", "u", 0, "Chrome", "DE", "success", None, None, FIREFOX, None)
    assert enrich(native) is native


def test_nothing_to_tell_changes_nothing() -> None:
    bare = Event("e", "u", 0, None, None, "success", None, None, None, None)
    assert enrich(bare) is bare


def test_what_is_told_stays_and_nothing_is_put_beside_what_differs() -> None:
    found = told(enrich(of(user_agent__original=CHROME, user_agent__name="Opera", user_agent__os__name="Windows")))
    assert found == {
        "user_agent.name": "Opera",
        "user_agent.os.name": "Windows",
        "user_agent.os.version": "10",
        "user_agent.os.full": "Windows 10",
    }


def test_the_same_browser_gets_its_version() -> None:
    found = told(enrich(of(user_agent__original=CHROME, user_agent__name="Chrome", user_agent__os__full="Windows 11")))
    assert found == {
        "user_agent.name": "Chrome",
        "user_agent.version": "131.0.0.0",
        "user_agent.os.full": "Windows 11",
    }


def database(path: Path, kind: str, records: dict[str, Any], version: int = 6) -> Path:
    writer = MMDBWriter(version, kind, ipv4_compatible=version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("databases")
    berlin = {
        "country": {"iso_code": "DE", "names": {"en": "Germany"}},
        "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
        "city": {"names": {"en": "Berlin", "fr": "Berlin"}},
    }
    places = database(
        folder / "places.mmdb",
        "Test-City",
        {
            "192.0.2.0/25": berlin,
            "198.51.100.0/24": {"country": {"iso_code": "NO"}},
            "203.0.113.0/24": {"country": "NO", "city": {"names": []}, "subdivisions": []},
            "2001:db8::/32": {"country": {"iso_code": "FR"}},
        },
    )
    networks = database(
        folder / "networks.mmdb",
        "Test-ASN",
        {"192.0.2.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"}},
        version=4,
    )
    return places, networks


BERLIN = {
    "source.geo.country_iso_code": "DE",
    "source.geo.region_name": "Land Berlin",
    "source.geo.city_name": "Berlin",
}
NETWORK = {"source.as.number": 64500, "source.as.organization.name": "Example Net"}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.10", BERLIN | NETWORK),
        ("192.0.2.200", NETWORK),
        ("::ffff:192.0.2.10", BERLIN | NETWORK),
        ("198.51.100.4", {"source.geo.country_iso_code": "NO"}),
        ("203.0.113.9", {}),
        ("2001:db8::5", {"source.geo.country_iso_code": "FR"}),
        ("2001:db9::5", {}),
        ("10.0.0.1", {}),
        ("127.0.0.1", {}),
        ("cloud.example", {}),
    ],
)
def test_an_address_tells_place_and_network(files: tuple[Path, Path], address: str, expected: dict[str, Any]) -> None:
    assert told(enrich(of(source__address=address), Locations(*files))) == expected


def test_either_database_is_enough(files: tuple[Path, Path]) -> None:
    places, networks = files
    assert told(enrich(of(source__address="192.0.2.10"), Locations(places))) == BERLIN
    assert told(enrich(of(source__address="192.0.2.10"), Locations(networks=networks))) == NETWORK
    assert told(enrich(of(source__address="192.0.2.10"), Locations())) == {}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"source.geo.country_iso_code": "DE"}, BERLIN),
        ({"source.geo.country_iso_code": "FR"}, {"source.geo.country_iso_code": "FR"}),
        ({"source.geo.city_name": "Potsdam"}, {"source.geo.city_name": "Potsdam"}),
    ],
)
def test_no_city_is_put_beside_another_country(
    files: tuple[Path, Path], known: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = told(enrich(event({"@timestamp": 0, "source.address": "192.0.2.10", **known}), Locations(files[0])))
    assert found == expected


def test_a_native_event_with_an_address_gets_a_place(files: tuple[Path, Path]) -> None:
    native = Event("e", "u", 0, "Chrome", None, "success", "198.51.100.4", "198.51.100.4", FIREFOX, None)
    assert enrich(native, Locations(files[0])) == native._replace(country="NO")


def test_a_database_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.mmdb"):
        Locations(tmp_path / "none.mmdb")
    (tmp_path / "bad.mmdb").write_text("no database")
    with pytest.raises(SettingsError, match=r"bad\.mmdb cannot be opened"):
        Locations(networks=tmp_path / "bad.mmdb")
    with pytest.raises(SettingsError, match="cannot be opened"):
        Locations(tmp_path)


def test_files_mixed_up_are_told(files: tuple[Path, Path]) -> None:
    places, networks = files
    with pytest.raises(SettingsError, match="mixed up"):
        Locations(networks)
    with pytest.raises(SettingsError, match="mixed up"):
        Locations(None, places)


def test_caches_hold_nothing_long() -> None:
    assert ip_of("1" * 65) is None
    assert told_by("x" * 1025) == ()


@pytest.mark.parametrize(
    "address",
    [
        "192.0.2.1",
        "01.2.3.4",
        "1.2.3",
        "1.2.3.4 ",
        "256.1.1.1",
        "1.2.3.4\x00",
        "0x1.2.3.4",
        "\u0661.2.3.4",
        "\ud800",
        "",
        "::1",
    ],
)
def test_an_address_is_one_where_python_says_so(address: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        assert ip_of(address) is None
    else:
        assert ip_of(address) == address
