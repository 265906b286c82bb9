"""What has to hold when all is read, from what Kafka was sent and what Elasticsearch holds, and nothing else."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from login_consumer.privacy import WITHHELD

from exactness.world import World

Json = dict[str, Any]


def faults(world: World) -> list[str]:
    """Return what does not hold of: each record has one fate, no event is stored twice, windows count their events."""
    events = world.elastic.documents("login-events")
    letters = world.elastic.documents("login-dead-letters")
    return [
        *_fates(world, events, letters),
        *_inventions(world, events, letters),
        *_doubles(events),
        *_replays(world, letters),
        *_windows(world, events),
    ]


def _fates(world: World, events: list[Json], letters: list[Json]) -> list[str]:
    log = world.log
    stored = {_place(event["login"]["kafka"]): event for event in events}
    identities = {(event["event"]["id"], event["@timestamp"]) for event in events}
    dead = {_place(letter) for letter in letters}
    found = [f"{place} is an event and a dead letter" for place in sorted(stored.keys() & dead)]
    found += [f"{len(events) - len(stored)} places have several events"] if len(events) > len(stored) else []
    for partition, records in enumerate(log.partitions):
        for offset in range(log.first[partition], len(records)):
            place = (log.topic.id, partition, offset)
            if records[offset].is_mark or place in dead:
                continue
            sent = _event(records[offset].value)
            if sent is None:
                found.append(f"{place} is no event, and no dead letter either")
            elif place in stored:
                mine = stored[place]
                same = _is_of(mine, sent)
                found += [] if same else [f"{place} has another record's event"]
            elif not _may_be_deleted(world, sent) and (sent["event_id"], sent["timestamp"]) not in identities:
                found.append(f"{place} is nowhere")
    return found


def _inventions(world: World, events: list[Json], letters: list[Json]) -> Iterator[str]:
    """Yield what is stored of a place where no such record ever was."""
    for event in events:
        place = _place(event["login"]["kafka"])
        told = [sent for sent in map(_event, world.sent.get(place, ())) if sent is not None]
        if not any(_is_of(event, each) for each in told):
            yield f"{place} has an event that never was there"
    for letter in letters:
        if letter["reason"] == "unreadable":
            if world.deaths[_place(letter)] < 3:
                yield f"{_place(letter)} was given up, but killed the consumer less than three times"
            continue
        raw = base64.b64decode(letter["raw"]) if "raw" in letter else None
        if letter.keys() & {"erased", WITHHELD}:
            if letter["size"] not in [len(each or b"") for each in world.sent.get(_place(letter), ())]:
                yield f"{_place(letter)} has what is left of a dead letter that never was there"
        elif raw not in world.sent.get(_place(letter), ()):
            yield f"{_place(letter)} has a dead letter that never was there"


def _doubles(events: list[Json]) -> list[str]:
    ids = Counter((event["event"]["id"], event["@timestamp"]) for event in events)
    return [f"{id_} is stored {number} times" for id_, number in ids.items() if number > 1]


def _replays(world: World, letters: list[Json]) -> Iterator[str]:
    """Yield what replays have sent more often than there are letters with it that are marked so."""
    there: Counter[bytes | None] = Counter()
    for letter in letters:
        if not (letter.get("replay") or {}).get("state"):
            continue
        if "erased" in letter:  # its mark stays, its bytes do not
            there.update(set(world.sent.get(_place(letter), ())))
        else:
            there[base64.b64decode(letter["raw"]) if "raw" in letter else None] += 1
    for value, number in world.replayed.items():
        if number > there[value]:
            yield f"{number} replays sent {value!r}, of which {there[value]} letters are marked"


def _may_be_deleted(world: World, sent: Json) -> bool:
    """Return whether the retention may have deleted the event, with the whole month that it is in."""
    year, month = divmod(int(sent["timestamp"][:4]) * 12 + int(sent["timestamp"][5:7]), 12)
    return datetime(year, month + 1, 1, tzinfo=UTC).timestamp() * 1000 <= world.kept_since


def _windows(world: World, events: list[Json]) -> list[str]:
    width = world.settings.metrics.window_seconds
    wanted = Counter(_window(event, width) for event in events)
    counted: Counter[tuple[Any, ...]] = Counter()
    for window in world.elastic.documents("login-metrics"):
        key = (window["window_start"], window.get("country"), window.get("browser"), window["outcome"])
        counted[key] += window["count"]
    differ = [key for key in wanted.keys() | counted.keys() if wanted[key] != counted[key]]
    return [f"window {key} counts {counted[key]} of {wanted[key]} events" for key in sorted(differ, key=str)]


def _window(event: Json, width: int) -> tuple[Any, ...]:
    minutes, _, rest = event["@timestamp"].rpartition(":")
    seconds = int(minutes[-5:-3]) * 3600 + int(minutes[-2:]) * 60 + int(rest[:2])
    start = seconds // width * width
    text = f"{minutes[:-5]}{start // 3600:02}:{start // 60 % 60:02}:{start % 60:02}.000Z"
    country = event.get("source", {}).get("geo", {}).get("country_iso_code")
    return text, country, event.get("user_agent", {}).get("name"), event["event"]["outcome"]


def _is_of(event: Json, sent: Json) -> bool:
    """Return whether a stored event, or what is left of it after an erasure, is of what was sent.

    A pseudonym is not compared with the user.
    """
    if "pseudonyms" in event["login"]:
        return bool(event["@timestamp"] == sent["timestamp"])
    user = sent["user_id"] if "erased" not in event["login"] else None
    return (event.get("user", {}).get("id"), event["@timestamp"]) == (user, sent["timestamp"])


def _place(fields: Json) -> tuple[str, int, int]:
    return fields["topic_id"], fields["partition"], fields["offset"]


def _event(value: bytes | None) -> Json | None:
    """Return what was sent if it is an event as the worlds send them, else None."""
    try:
        fields = json.loads(value or b"")
        return {name: fields[name] for name in ("event_id", "user_id", "timestamp")}
    except (ValueError, TypeError, KeyError):
        return None
