# SPDX-License-Identifier: Apache-2.0
"""Browser, system and device by user agent, as the patterns of the project ua-parser know them."""

from functools import lru_cache

from ua_parser import OS, UserAgent, parse

from login_formats.event import MAX_BROWSER_BYTES, longer

# A cache of all that anybody sends must not hold all that anybody sends; real user agents are shorter.
_LONGEST = 1024


def told_by(user_agent: str) -> tuple[dict[str, str], ...]:
    """Return the ECS fields that `user_agent` tells, those that belong together in one dict; do not change them.

    There are none where no pattern knows it.
    """
    return _told_by(user_agent) if len(user_agent) <= _LONGEST else ()


@lru_cache(maxsize=8192)
def _told_by(user_agent: str) -> tuple[dict[str, str], ...]:
    found = parse(user_agent)
    browser, system, device = found.user_agent, found.os, found.device
    blocks: list[dict[str, str]] = []
    if browser and _known(browser.family) and not longer(browser.family, MAX_BROWSER_BYTES):
        blocks.append({"user_agent.name": browser.family, "user_agent.version": _version(browser)})
    if system and _known(system.family):
        version = _version(system)
        full = f"{system.family} {version}".rstrip()
        blocks.append(
            {"user_agent.os.name": system.family, "user_agent.os.version": version, "user_agent.os.full": full}
        )
    if device and _known(device.family):
        blocks.append({"user_agent.device.name": device.family})
    return tuple({name: value for name, value in block.items() if value} for block in blocks)


def _known(family: str) -> bool:
    return family not in ("", "Other")


def _version(found: UserAgent | OS) -> str:
    return ".".join(part for part in (found.major, found.minor, found.patch, found.patch_minor) if part)
