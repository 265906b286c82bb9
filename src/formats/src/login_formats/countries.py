# SPDX-License-Identifier: Apache-2.0
"""Countries by two-letter code or English name."""

from functools import cache, lru_cache
from string import ascii_uppercase

import pycountry

# what people write, besides the ISO 3166-1 names
_OTHER_NAMES = {
    "brunei": "BN",
    "burma": "MM",
    "cape verde": "CV",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "korea": "KR",
    "kosovo": "XK",
    "macedonia": "MK",
    "palestine": "PS",
    "russia": "RU",
    "swaziland": "SZ",
    "turkey": "TR",
    "uk": "GB",
    "usa": "US",
}


# AP, for Asia and the Pacific, is of old GeoIP files
_RESERVED = {"AC", "AP", "CP", "CQ", "DG", "EA", "EU", "EZ", "FX", "IC", "SU", "TA", "UK", "UN"}
_LONGEST = 100


def country_code(text: str) -> str | None:
    """Return the upper-case two-letter code for a code or an English name, or None if it is neither.

    A code is one of ISO 3166-1, assigned, reserved or withdrawn, or free for users, such as XK; a name may have "the".
    """
    # what is kept must not be as long as anybody likes
    return _country_code(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _country_code(text: str) -> str | None:
    name = text.strip().lower()
    known = _names().get(name)
    if known:
        return known
    if name.startswith("the "):
        return _names().get(name.removeprefix("the ").lstrip())
    code = name.upper()
    return code if code in _codes() else None


@cache
def _codes() -> frozenset[str]:
    codes = {country.alpha_2 for country in pycountry.countries}
    codes |= {code for country in pycountry.historic_countries if (code := getattr(country, "alpha_2", None))}
    free = {"AA", "ZZ", *(f"Q{letter}" for letter in "MNOPQRSTUVWXYZ"), *(f"X{letter}" for letter in ascii_uppercase)}
    return frozenset(codes | free | _RESERVED)


@cache
def _names() -> dict[str, str]:
    names = dict(_OTHER_NAMES)
    for country in pycountry.countries:
        for field in ("name", "common_name", "official_name"):
            if name := getattr(country, field, None):
                names[name.lower()] = country.alpha_2
    return names
