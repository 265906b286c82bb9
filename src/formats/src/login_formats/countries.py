# SPDX-License-Identifier: Apache-2.0
"""Countries by two-letter code or English name."""

from functools import cache, lru_cache

import pycountry

# what people write, besides the ISO 3166-1 names
_OTHER_NAMES = {
    "brunei": "BN",
    "burma": "MM",
    "cape verde": "CV",
    "great britain": "GB",
    "ivory coast": "CI",
    "kosovo": "XK",
    "macedonia": "MK",
    "palestine": "PS",
    "russia": "RU",
    "swaziland": "SZ",
    "turkey": "TR",
    "uk": "GB",
    "usa": "US",
}


_LONGEST = 100


def country_code(text: str) -> str | None:
    """Return the upper-case two-letter code for a code or an English name, or None if it is neither.

    Any two letters pass as a code: user-assigned ones such as XK are in real use and not in ISO's list.
    """
    # what is kept must not be as long as anybody likes
    return _country_code(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _country_code(text: str) -> str | None:
    name = text.strip().lower()
    known = _names().get(name)
    if known:
        return known
    return name.upper() if len(name) == 2 and name.isascii() and name.isalpha() else None


@cache
def _names() -> dict[str, str]:
    names = dict(_OTHER_NAMES)
    for country in pycountry.countries:
        for field in ("name", "common_name", "official_name"):
            if name := getattr(country, field, None):
                names[name.lower()] = country.alpha_2
    return names
