# SPDX-License-Identifier: Apache-2.0
"""Country, city and network (AS) by address, from database files in MaxMind's format that the user supplies.

The layout of the records is that of GeoLite2 and GeoIP2, which DB-IP's files have too.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import maxminddb
from login_common.settings import SettingsError

from login_formats.fields import FIELDS

_PLACES = {
    "source.geo.country_iso_code": ("country", "iso_code"),
    "source.geo.region_name": ("subdivisions", 0, "names", "en"),
    "source.geo.city_name": ("city", "names", "en"),
}
_NETWORKS = {
    "source.as.number": ("autonomous_system_number",),
    "source.as.organization.name": ("autonomous_system_organization",),
}
_Paths = Mapping[str, tuple[str | int, ...]]


class Locations:
    """What up to two databases know of addresses.

    They are read once, by mapping them into memory: another file takes effect with the next start.
    """

    def __init__(self, places: Path | None = None, networks: Path | None = None) -> None:
        """Open a database of cities or countries, and one of networks. Raises SettingsError if that is impossible."""
        self._databases: list[tuple[maxminddb.Reader, _Paths]] = []
        for path, paths, others in ((places, _PLACES, ("ASN", "ISP")), (networks, _NETWORKS, ("City", "Country"))):
            if path is not None:
                self._databases.append((_opened(path, others), paths))
        self.of = lru_cache(maxsize=65536)(self._of)
        """Returns the ECS fields of an IP address, those that belong together in one dict; do not change them.

        There are none for private addresses, and others that nobody has listed."""

    def _of(self, ip: str) -> tuple[dict[str, Any], ...]:
        if "." in ip:  # servers for both write IPv4 in IPv6
            ip = ip.lower().removeprefix("::ffff:")
        blocks = (_fields(_found(database, ip), paths) for database, paths in self._databases)
        return tuple(block for block in blocks if block)


def _opened(path: Path, others: tuple[str, ...]) -> maxminddb.Reader:
    try:
        database = maxminddb.open_database(path)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise SettingsError(f"{path} cannot be opened as a database in MaxMind's format: {error}") from None
    kind = database.metadata().database_type
    if any(other in kind for other in others):
        raise SettingsError(f"{path} is a database of another kind, {kind}: are the two files mixed up?")
    return database


def _found(database: maxminddb.Reader, ip: str) -> Any:
    try:
        return database.get(ip)
    except (ValueError, maxminddb.InvalidDatabaseError):
        # IPv6 in a database of IPv4, or a damaged record: a login is worth more than the place it came from
        return None


def _fields(record: Any, paths: _Paths) -> dict[str, Any]:
    return {name: value for name, path in paths.items() if FIELDS[name].accepts(value := _at(record, path)) and value}


def _at(record: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        try:
            record = record[key]
        except (KeyError, IndexError, TypeError):
            return None
    return record
