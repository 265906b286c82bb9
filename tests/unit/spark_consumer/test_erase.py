# SPDX-License-Identifier: Apache-2.0
"""login-consumer erase: what it says, what it asks for, and what a tombstone keeps."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from exactness.elastic import Fault
from exactness.world import DAY, NOW, World
from login_common.elastic import Unavailable
from login_consumer import cli, erase
from login_consumer.dead_letters import Selection
from login_consumer.dead_letters import plan as planned
from login_consumer.documents import STORED_FIELDS, Place, Stored
from login_consumer.erase import stored_names
from login_consumer.erasure import Found, look
from login_consumer.hops import HopFailed
from login_consumer.kafka_side import TopicSettings
from login_consumer.settings import BackupSettings, Privacy
from login_consumer.sink import Sink
from login_consumer.snapshots import Snapshot
from login_consumer.tombstones import EVENT_KEEPS, USER_FIELDS, event_tombstone, letter_tombstone
from login_formats.fields import FIELDS
from pydantic import SecretStr

MOMENT = "2026-03-01T10:00:00.000Z"
WEEK = 7 * DAY


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


Command = Callable[..., int]


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs the command against the world."""
    key = world.home / "erase_key"
    key.write_text("key")
    world.options["erase"] = {"api_key_file": str(key)}
    config: dict[str, str | None] = {"retention.ms": str(WEEK), "segment.ms": str(DAY)}
    monkeypatch.setattr(erase, "topic_state", lambda _: world.log.state({}))
    monkeypatch.setattr(erase, "topic_settings", lambda _: TopicSettings(config, 1))
    monkeypatch.setattr(erase, "BACKUP_FILE", world.home / "none")
    monkeypatch.setattr(cli, "load_settings", lambda _: world.settings)
    return lambda *arguments: cli.main(["erase", *arguments])


def fill(world: World) -> None:
    """Let the consumer store 3 events and a dead letter of mary, and one event of another spelling."""
    for number in range(3):
        world.event(f"e{number}", NOW, user_id="mary")
    world.event("of mary", NOW, user_id="Mary")
    world.send(b'{"user_id": "mary", ')
    world.consume()


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_without_yes_it_only_says(
    how: tuple[str, ...], world: World, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(world)
    world.event("not read yet", NOW, user_id="mary")
    before = world.elastic.copy()
    assert command("--user", "mary", *how) == 0
    told = capsys.readouterr().out
    assert world.elastic.stored == before
    for part in (
        "events         3 name the user (user.id 3)",
        '"Mary": differs by case',
        "dead letters   1 of 1 name the user",
        "windows        none",
        "login-events-2026.03             3",
        "still holds 4 of these records, the last until 2026-03-09T10:",
        "1 records are not read yet",
        "backups        none are made by login-consumer",
        "reports ",
        "nothing was changed",
    ):
        assert part in told, told


def test_with_yes_it_erases(world: World, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    fill(world)
    assert command("--user", "mary", "--yes") == 0
    told = capsys.readouterr().out
    assert "events         3 erased (user.id 3)" in told and "dead letters   1 of 1 erased" in told, told
    assert "nothing was changed" not in told
    assert look(Sink(world.settings.elasticsearch), ["mary"]).by_index == {}
    assert look(Sink(world.settings.elasticsearch), ["Mary"]).events == 1


def test_names_come_from_standard_input_as_they_are(
    world: World, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a password that was typed as a name, with signs of any kind."""
    names = [" my pass'word\x1b[31m\u2028 ", "-", "mary"]
    for name in names:
        world.event(None, NOW, user_id=name)
    world.consume()
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(names) + "\n"))
    assert command("--user", "-", "--yes") == 0
    assert "events         3 erased" in capsys.readouterr().out
    assert not [each for each in world.elastic.documents("login-events") if "user" in each]


def test_a_name_that_is_too_long_to_be_searched_is_found(world: World) -> None:
    """Elasticsearch names in _ignored which fields of a document it has not indexed."""
    long = "x" * 1100
    world.event("a", NOW, user_id="mary")
    world.consume()
    for index, events in world.elastic.stored.items():
        if index.startswith("login-events"):
            for id_, hit in events.items():
                source = hit.source | {"user": {"name": long}, "_ignored": ["user.name"]}
                events[id_] = hit._replace(source=source)
    assert look(Sink(world.settings.elasticsearch), ["y" * 1100]).events == 0
    assert world.erase(long).events == 1
    assert long not in json.dumps(world.elastic.documents("login-events"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "--user"),
        (("--user", ""), "the name of a user is empty"),
        (("--user", "mary", "--user", " "), "the name of a user is empty"),
        (("--user", "mary", "--yes", "--dry-run"), "not allowed with"),
    ],
)
def test_what_is_not_clear_is_refused(
    arguments: tuple[str, ...], told: str, world: World, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert command(*arguments) == 2
    except SystemExit as ended:
        assert ended.code == 2
    assert told in capsys.readouterr().err


def test_without_its_own_key_nothing_is_erased(
    world: World, command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service's key is never taken for it."""
    fill(world)
    (world.home / "erase_key").unlink()
    before = world.elastic.copy()
    assert command("--user", "mary", "--yes") == 2
    assert "playbooks/erase.yml" in capsys.readouterr().err and world.elastic.stored == before
    assert command("--user", "mary") == 0


@pytest.mark.parametrize("half", ["restore", "rebuild"])
def test_what_is_half_done_comes_first(half: str, world: World, command: Command) -> None:
    fill(world)
    world.checkpoint.with_name("checkpoint.unfinished").write_text(half)
    before = world.elastic.copy()
    assert command("--user", "mary", "--yes") == 3 and world.elastic.stored == before


def test_kafka_that_is_away_is_told_and_hinders_nothing(
    world: World, command: Command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> None:
        raise HopFailed("it is away")

    fill(world)
    monkeypatch.setattr(erase, "topic_state", away)
    assert command("--user", "mary", "--yes") == 0
    told = capsys.readouterr().out
    assert "Kafka          is not known: it is away" in told and "3 erased" in told


def test_what_keeps_being_written_is_told(world: World, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody else changes the same letter whenever it is about to be erased."""
    fill(world)

    def changed(kind: str) -> None:
        if kind == "bulk":
            for index, letters in world.elastic.stored.items():
                if index.startswith("login-dead"):
                    for id_, hit in letters.items():
                        letters[id_] = hit._replace(seq_no=hit.seq_no + 1000)

    world.elastic.fault = changed
    assert command("--user", "mary", "--yes") == 1
    assert "run it once more" in capsys.readouterr().out
    world.calm()
    assert command("--user", "mary", "--yes") == 0


def test_a_field_that_is_missing_is_told(world: World, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    fill(world)
    world.elastic.refused = lambda body: "erased" in body.get("login", {})
    assert command("--user", "mary", "--yes") == 4
    assert "run site.yml" in capsys.readouterr().err


def test_an_erased_letter_is_never_sent_again(world: World) -> None:
    """It has no bytes, and a record without a value would be a new dead letter."""
    fill(world)
    world.erase("mary")
    world.elastic._refresh("*")
    told = planned(world.elastic, Selection(), "login-events", again=True)  # type: ignore[arg-type]
    assert (told.total, told.cut) == (0, 1)


@pytest.mark.parametrize(
    ("newest", "config", "told"),
    [
        (0, {"retention.ms": "1", "segment.ms": "1"}, ""),
        (NOW, {"retention.ms": str(WEEK), "segment.ms": str(WEEK)}, "until 2026-03-15T10:00:00.000Z"),
        (NOW, {"retention.ms": "-1", "segment.ms": str(WEEK)}, "deletes none by its age"),
        (NOW, {}, "deletes none by its age"),
    ],
)
def test_until_when_kafka_holds_them(newest: int, config: dict[str, str | None], told: str) -> None:
    found = erase.kafka_until(newest, config)
    assert told in found and bool(told) == bool(found)


def test_which_backups_hold_them() -> None:
    def snapshot(day: int, *indices: str) -> Snapshot:
        return Snapshot(f"login-{day}", "SUCCESS", NOW + day * DAY, NOW + day * DAY, indices, {})

    elastic = {"hosts": ["https://e:1"], "ca_file": "/ca", "api_key": "key"}
    settings = BackupSettings.model_validate({"elasticsearch": elastic, "repository": "r", "keep_days": 30})
    found = Found(records=[(Place("t", 0, 1), NOW)])
    found.by_index["login-events-2026.03"] = 1
    every = [
        snapshot(-1, "login-events-2026.03"),
        snapshot(1, "login-events-2026.03"),
        snapshot(2, "login-events-2026.02"),
    ]
    told = " ".join(erase.backup_lines(found, every, settings))
    assert "1 of 3 hold them, up to login-1" in told and "2026-04-01T10:00:00.000Z" in told and "3 newer ones" in told
    assert "none of 1" in " ".join(erase.backup_lines(found, every[:1], settings))


def test_a_tombstone_counts_as_the_event_did_and_tells_nothing_else() -> None:
    source: dict[str, Any] = {"@timestamp": MOMENT, "ecs": {"version": "8"}, "login": {"late": True}}
    source["login"]["kafka"] = {"topic": "t", "topic_id": "T", "partition": 1, "offset": 2}
    for name, kind in FIELDS.items():
        *way, last = name.split(".")
        inner = source
        for key in way:
            inner = inner.setdefault(key, {})
        inner.setdefault(last, f"secret {name}" if kind.value != "true or false" else True)
    left = event_tombstone(source, MOMENT)
    assert Stored.of(left) == Stored.of(source)
    assert left["login"] == {"late": True, "kafka": source["login"]["kafka"], "erased": MOMENT}
    kept = {name for name in FIELDS if f"secret {name}" in json.dumps(left)}
    assert kept == set(EVENT_KEEPS) & set(FIELDS) - {"@timestamp"}
    assert not kept & set(USER_FIELDS) and all(each in EVENT_KEEPS for each in STORED_FIELDS)


def test_a_user_is_looked_for_under_the_pseudonym_as_well() -> None:
    assert stored_names(["mary"], Privacy()) == ["mary"]
    privacy = Privacy(pseudonyms=("user",), key=SecretStr("k" * 32), keep_original=False)
    assert stored_names(["mary"], privacy) == ["mary", privacy.protection().user("mary")]
    addresses = privacy.model_copy(update={"pseudonyms": ("source_ip",)})
    assert stored_names(["mary"], addresses) == ["mary"]


def test_each_field_of_events_that_names_a_user_is_looked_at() -> None:
    users = {name for name in FIELDS if name.startswith("user.") or name == "related.user"}
    assert users - {"user.domain"} == set(USER_FIELDS)


def test_a_letters_tombstone_keeps_its_place_and_reason() -> None:
    fields = {"@timestamp": MOMENT, "ingested": MOMENT, "reason": "not_json", "detail": "of mary", "topic": "t"}
    fields |= {
        "topic_id": "T",
        "partition": 1,
        "offset": 2,
        "size": 9,
        "raw": "bWFyeQ==",
        "head": "bQ==",
        "sha256": "ab",
    }
    left = letter_tombstone(fields | {"headers": [], "replay": {"state": "sent"}}, MOMENT)
    gone = fields.keys() - left.keys()
    assert gone == {"raw", "head", "sha256"} and left["erased"] == MOMENT and "mary" not in left["detail"]


def test_an_answer_that_is_lost_is_no_fault(world: World, command: Command) -> None:
    fill(world)
    world.strike("bulk", 1, Fault.UNANSWERED)
    assert command("--user", "mary", "--yes") == 0
    assert look(Sink(world.settings.elasticsearch), ["mary"]).by_index == {}


def test_an_outage_ends_it_with_its_cause(world: World, command: Command) -> None:
    fill(world)
    world.elastic.fault = lambda kind: Fault.LOST if kind == "search" else None
    with pytest.raises(Unavailable):
        look(Sink(world.settings.elasticsearch), ["mary"])
    assert command("--user", "mary", "--yes") == 4
