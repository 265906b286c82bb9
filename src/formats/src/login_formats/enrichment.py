# SPDX-License-Identifier: Apache-2.0
"""What an event's user agent and address tell beyond what its sender told."""

from typing import Any

from login_formats import user_agents
from login_formats.event import Event
from login_formats.locations import Locations


def enrich(event: Event, locations: Locations | None = None) -> Event:
    """Return `event` with the fields that its user agent and, by `locations`, its address tell.

    What is there stays. Of what belongs together, such as a country and a city, the rest is filled in only where all
    that is there is the same: no city is put beside another country. A browser without further fields, as most native
    events have, is enough: with any of the rest, its document would take three times as long to make.
    """
    blocks: tuple[dict[str, Any], ...] = ()
    if event.user_agent is not None and (event.browser is None or event.more is not None):
        blocks = user_agents.told_by(event.user_agent)
    if locations is not None and event.source_ip is not None:
        blocks += locations.of(event.source_ip)
    return _filled(event, blocks) if blocks else event


def _filled(event: Event, blocks: tuple[dict[str, Any], ...]) -> Event:
    own = {"user_agent.name": event.browser, "source.geo.country_iso_code": event.country}
    told = own | dict(event.more or {})
    fields = told
    for block in blocks:
        if all(told.get(name) in (None, value) for name, value in block.items()):
            fields = fields | block
    browser, country = (fields.pop(name) for name in own)
    return event._replace(browser=browser, country=country, more=fields or None)
