# SPDX-License-Identifier: Apache-2.0
"""With pseudonyms, no clear user or address is in anything that the consumer writes; what joins by them still does."""

import base64
import io
import json
import re
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import jinja2
import pyarrow as pa
import pytest
import yaml
from exactness.elastic import Elastic
from login_common.settings import SettingsError
from login_consumer import sink as sink_module
from login_consumer import worker as worker_module
from login_consumer.cli import main
from login_consumer.counts import Counts
from login_consumer.documents import Topic, metric_update
from login_consumer.oversized import COLUMNS
from login_consumer.privacy import KINDS, OPEN, SCHEME, WITHHELD, Protection, Withheld
from login_consumer.settings import Privacy, Settings
from login_consumer.worker import Worker
from login_formats import FORMATS, NotALogin, Rejected, Wrapper, enrich, read
from login_formats.event import Event, Limits, event
from login_formats.fields import ADDRESSES, FIELDS, FREE_TEXTS, USERS
from login_formats.wrapper import Arrival
from login_producer.sources.records import Reader
from pydantic import ValidationError
from samples import SAMPLES

REPOSITORY = Path(__file__).parents[3]
KEY, OTHER_KEY = "k" * 32, "o" * 32
PROTECTED = Protection(KINDS, KEY, keep_original=False)
LOG_APPEND_TIME = 1
CUT = pa.struct([("size", pa.int64()), ("header_bytes", pa.int64()), ("sha256", pa.string())])
HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
NO_PERSON = {
    "@timestamp",
    "cloud.account.id",
    "cloud.region",
    "event.action",
    "event.dataset",
    "event.id",
    "event.module",
    "event.original",  # never kept with pseudonyms
    "event.outcome",
    "host.name",
    "login.account_takeover",
    "login.attack_ip",
    "login.method",
    "login.mfa",
    "login.round_trip_ms",
    "login.session_id",
    "organization.id",
    "organization.name",
    "process.name",
    "process.pid",
    "service.name",
    "source.as.number",
    "source.as.organization.name",
    "source.geo.city_name",
    "source.geo.country_iso_code",
    "source.geo.country_name",
    "source.geo.region_name",
    "source.port",
    "user_agent.device.name",
    "user_agent.name",
    "user_agent.os.full",
    "user_agent.os.name",
    "user_agent.os.version",
    "user_agent.version",
}
"""What is stored as it is: docs/privacy.md says why."""


class Sent(NamedTuple):
    """A record of the corpus: its value, format and zone, and when it came, in milliseconds since 1970."""

    value: bytes | None
    format: str
    arrival: int


NOW = time.time_ns() // 1_000_000
PAGE_TIME = 1_772_409_600_000  # 2026-03-02T00:00:00Z: a day after the samples of the page
NAME, ADDRESS = "Zaphod.B", "198.51.100.77"
TOLD = {"user_id": NAME, "timestamp": "2026-03-01T10:00:00Z", "outcome": "failure", "source_ip": ADDRESS}


def corpus() -> Iterator[Sent]:
    """Yield the samples of all formats, those of docs/formats.md, and records that are refused in all ways."""
    for sample in SAMPLES:
        reader = Reader(sample.format, "csv" if sample.layout == "csv" else "lines")
        for record in [*reader.feed(sample.text.encode()), *reader.finish()]:
            yield from (Sent(value, sample.format, NOW) for value in record.values)
    page = (REPOSITORY / "docs/formats.md").read_text()
    for name in FORMATS:
        section = re.search(rf"^## `{name}`\n.*?^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        assert section
        yield Sent(section[1].rstrip("\n").encode(), name, PAGE_TIME)
    line = f"Mar  1 10:00:00 web-1 {{}}: Failed password for {NAME} from {ADDRESS} port 22 ssh2"
    odd: list[tuple[str, Any]] = [
        ("native", TOLD),
        ("native", TOLD | {"event_id": "refused"}),
        ("native", TOLD | {"reason": f"the password of {NAME.lower()} is wrong", "user_agent": f"app of {NAME}/1"}),
        ("native", TOLD | {"source_ip": f"gate of {ADDRESS}"}),
        ("native", TOLD | {"timestamp": NAME}),
        ("native", TOLD | {"outcome": NAME}),
        ("native", TOLD | {"country": NAME}),
        ("native", [TOLD]),
        ("native", f"{NAME} from {ADDRESS}"),
        ("ecs", {"@timestamp": TOLD["timestamp"], "event": {"category": NAME}, "user.name": NAME}),
        ("ecs", {"@timestamp": TOLD["timestamp"], "event": {"category": "authentication"}, "user": NAME}),
        ("okta", {"eventType": f"user.session.{NAME}", "published": TOLD["timestamp"]}),
        ("keycloak", {"type": NAME, "time": PAGE_TIME, "ipAddress": ADDRESS}),
        ("cloudtrail", {"eventSource": "signin.amazonaws.com", "eventName": NAME, "eventTime": TOLD["timestamp"]}),
        ("sshd", line.format("sshd[1]")),
        ("sshd", line.format(NAME)),
        ("sshd", line.format("sshd[1]").replace("Mar", NAME)),
        ("sshd", line.format("dropbear[2]").replace("Failed", "Odd")),
        ("rba_csv", f"{NAME},{ADDRESS}"),
        (NAME, TOLD),
    ]
    for name, value in odd:
        yield Sent(value.encode() if isinstance(value, str) else json.dumps(value).encode(), name, PAGE_TIME)
    yield Sent(f"\xff{NAME}".encode("latin-1"), "native", PAGE_TIME)
    yield Sent(b"x" * 1024 + NAME.encode(), "cut", PAGE_TIME)
    yield Sent(None, "native", PAGE_TIME)


def batch(sent: Sequence[Sent]) -> pa.RecordBatch:
    cut = {"size": 3 << 20, "header_bytes": 0, "sha256": "5e" * 32}
    kept = [("login-format", "format"), ("login-timezone", b"UTC"), ("x-user", NAME.encode())]
    headers = [[{"key": k, "value": each.format.encode() if v == "format" else v} for k, v in kept] for each in sent]
    columns = [
        pa.array([each.value for each in sent], pa.binary()),
        pa.array([0] * len(sent), pa.int32()),
        pa.array(range(len(sent)), pa.int64()),
        pa.array([each.arrival for each in sent], pa.int64()),
        pa.array([LOG_APPEND_TIME] * len(sent), pa.int32()),
        pa.array(headers, HEADERS),
        pa.array([cut if each.format == "cut" else None for each in sent], CUT),
    ]
    return pa.RecordBatch.from_arrays(columns, names=list(COLUMNS))


def clear() -> tuple[set[str], set[str]]:
    """Return the users and the addresses of the corpus, as events without pseudonyms have them."""
    users, addresses = {NAME}, {ADDRESS}
    for sent in corpus():
        try:
            found = read(sent.value, Arrival(sent.arrival, Wrapper(zone=ZoneInfo("UTC"))), Limits.of(), sent.format)
        except (Rejected, NotALogin):
            continue
        fields = enrich(found).fields()
        for names, values in ((USERS, users), (ADDRESSES, addresses)):
            for value in filter(None, (fields.get(name) for name in names)):
                values.update(value if isinstance(value, list) else [value])
    return users, addresses


Documents = dict[tuple[str, str], dict[str, Any]]


def written(settings: Settings, kinds: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> tuple[Documents, Counts, str]:
    """Return what the consumer writes of the corpus, by index and id, and all as text, with windows and counts."""
    store = Elastic()
    store.refused = lambda document: document.get("event", {}).get("id") == "refused"
    monkeypatch.setattr(sink_module, "connect", lambda _: store)
    worker_module._sink.cache_clear()
    privacy = Privacy.model_validate(
        {"pseudonyms": kinds, "keep_original": not kinds, "key": KEY} if kinds else {"keep_original": True}
    )
    (row,) = Worker(settings.model_copy(update={"privacy": privacy}), Topic("login-events", "T1"))(
        [batch(list(corpus()))]
    )
    told = row.column("counts")[0].as_py()
    counts = Counts.from_bytes(told)
    documents: Documents = {(hit.index, hit.id): hit.source for hit in store.hits("")}
    texts = [json.dumps([*each, document], ensure_ascii=False) for each, document in documents.items()]
    for document in documents.values():
        packed = [document.get("raw"), document.get("head"), *(each["value"] for each in document.get("headers", ()))]
        texts += [base64.b64decode(each).decode(errors="replace") for each in packed if each]
    texts += [metric_update(key, count, 60_000, "l", 1).decode() for key, count in counts.windows.items()]
    worker_module._sink.cache_clear()
    return documents, counts, "\n".join([*texts, told.decode(errors="replace")])


def stands_in(value: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(value)}(?![\w-])", text) is not None


@pytest.mark.parametrize("kinds", [("user",), ("source_ip",), KINDS], ids=" ".join)
def test_nothing_clear_is_written(kinds: tuple[str, ...], settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    users, addresses = clear()
    assert {"alice", "alice@example.org", "root", "-8123456789012345678"} <= users and len(addresses) > 5
    before, open_counts, plain = written(settings, (), monkeypatch)
    after, counts, text = written(settings, kinds, monkeypatch)
    hidden = (users if "user" in kinds else set()) | (addresses if "source_ip" in kinds else set())
    assert all(stands_in(value, plain) for value in hidden), "the corpus tells it"
    assert [value for value in sorted(hidden) if stands_in(value, text)] == []
    if "user" in kinds:
        assert NAME.lower() not in text.lower(), "nor in detail, head or headers of a letter"
    assert not any("event.original" in flat(document) for document in after.values())
    counts.check()
    assert after.keys() == before.keys(), "ids and indices do not depend on it"
    assert (counts.windows, counts.dead, counts.indexed) == (open_counts.windows, open_counts.dead, open_counts.indexed)
    assert counts.unrecognised == open_counts.unrecognised > 3 and len(counts.dead) > 8


def flat(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def test_what_is_equal_stays_equal_and_all_else_stays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joins, top lists and counts of distinct values give the same."""
    plain, protected = (written(settings, kinds, monkeypatch)[0] for kinds in ((), KINDS))
    pseudonyms: dict[str, set[str]] = {}
    for place, document in plain.items():
        if not place[0].startswith("login-events"):
            continue
        before, after = flat(document), flat(protected[place])
        assert after.pop(SCHEME) == PROTECTED.scheme and SCHEME not in before
        before.pop("event.original", None)
        assert before.keys() == after.keys()
        for name, value in before.items():
            values, others = ([each] if isinstance(each, str) else each for each in (value, after[name]))
            if name in (*USERS, *ADDRESSES):
                for one, other in zip(values, others, strict=True):
                    pseudonyms.setdefault(one, set()).add(other)
            elif name not in ("event.ingested", *FREE_TEXTS):
                assert value == after[name], name
    assert all(len(each) == 1 for each in pseudonyms.values()), "one value has one pseudonym, in whichever field"
    assert len(set().union(*pseudonyms.values())) == len(pseudonyms), "and no two the same"


def test_each_field_is_decided_upon() -> None:
    told = {*USERS, *ADDRESSES, *FREE_TEXTS}
    assert told & NO_PERSON == set()
    assert told | NO_PERSON == {*FIELDS, "source.ip"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1"),
        ("192.0.2.1", "::FFFF:c000:201"),
        ("2001:DB8::1", "2001:db8:0:0:0:0:0:1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_has_one_pseudonym_however_it_is_written(one: str, other: str) -> None:
    assert PROTECTED.address(one) == PROTECTED.address(other)
    found = PROTECTED.event(event({"@timestamp": 1, "source.address": one}))
    assert found.source_ip == found.source_address == PROTECTED.address(one)
    assert (found.more or {})["related.ip"] == [found.source_ip]
    assert re.fullmatch(r"2001:db8:[0-9a-f:]+", found.source_ip or ""), "which a field of the type ip takes"


def test_pseudonyms_are_those_of_the_key_and_of_what_they_stand_for() -> None:
    # so it is: another value here would make all that is stored fall apart from what comes
    assert PROTECTED.user("alice") == "user-9103604975ceb7eb91b7e9617bdc7c47"
    assert PROTECTED.address("192.0.2.1") == "2001:db8:2a1e:5d7f:526b:e53d:6641:cffd"
    assert PROTECTED.address("host.example.org") != PROTECTED.user("host.example.org").replace("user", "address")
    assert PROTECTED.user("alice") not in (PROTECTED.user("Alice"), Protection(KINDS, OTHER_KEY).user("alice"))
    schemes = {Protection(kinds, key).scheme for kinds in (("user",), KINDS) for key in (KEY, OTHER_KEY)}
    assert len(schemes) == 4 and Protection(reversed(KINDS), KEY).scheme == PROTECTED.scheme
    assert PROTECTED.user("x" * 2000) == PROTECTED.user("x" * 2000)


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("bad_password", "bad_password"),
        ("password of Ann.B is wrong", WITHHELD),
        ("ann.b: locked", WITHHELD),
        ("Annabel", "Annabel"),
        ("from 192.0.2.1", WITHHELD),
    ],
)
def test_free_text_that_names_the_user_is_not_kept(reason: str, kept: str) -> None:
    told = {"@timestamp": 1, "user.email": "ann.b@example.org", "user.id": "Ann", "source.ip": "192.0.2.1"}
    assert PROTECTED.event(event(told | {"event.reason": reason})).reason == kept


def test_without_a_setting_nothing_changes_and_event_original_goes_alone() -> None:
    told = event({"@timestamp": 1, "user.name": "ann", "event.original": "a line"})
    letter = {"reason": "not_json", "raw": "e30=", "detail": "ann"}
    assert OPEN.event(told) is told and OPEN.letter(letter) is letter
    short = Protection(keep_original=False)
    assert short.event(told) == told._replace(more={"user.name": "ann", "related.user": ["ann"]})
    assert short.letter(letter) is letter, "a letter is what a record is repaired from"
    plain = Event("e", "ann", 1, None, None, "success", None, None, None, None)
    assert short.event(plain) == plain


def test_a_withheld_record_is_recognised() -> None:
    letter = PROTECTED.letter({"reason": "not_json", "raw": "e30=", "size": 2, "detail": "ann", "headers": []})
    assert letter == {
        "reason": "not_json",
        "size": 2,
        "detail": "the value is not valid JSON",
        WITHHELD: letter[WITHHELD],
    }
    known = Withheld(letter[WITHHELD], 2)
    assert PROTECTED.recognises(known, b"{}") and not PROTECTED.recognises(known, b"[]")
    for other in (OPEN, Protection(KINDS, OTHER_KEY), Protection(("user",), KEY)):
        assert other.recognises(known, b"[]"), "its size is all that can be compared"
        assert not other.recognises(known, b"[1]") and not other.recognises(known, None)
    tombstone = {"reason": "null_value", "detail": "the record has no value (a tombstone)"}
    assert PROTECTED.letter(tombstone) == tombstone, "nothing was withheld"


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({"pseudonyms": ["user"], "key": KEY}, "keep_original must be false"),
        ({"pseudonyms": ["user"], "keep_original": False}, "exactly one of key and key_file"),
        ({"pseudonyms": ["user", "user"], "key": KEY, "keep_original": False}, "twice"),
        ({"pseudonyms": ["users"], "key": KEY, "keep_original": False}, "'user' or 'source_ip'"),
    ],
)
def test_settings_that_would_leak_are_refused(told: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ValidationError, match=wrong):
        Privacy.model_validate(told)


@pytest.mark.parametrize("kinds", [[], ["user"], [*KINDS]], ids=" ".join)
def test_the_role_writes_settings_that_are_taken(kinds: list[str]) -> None:
    role = REPOSITORY / "roles/spark_consumer"
    section = re.search(r"^\[privacy\]\n.*?^(?=\[)", (role / "templates/consumer.toml.j2").read_text(), re.M | re.S)
    assert section
    environment = jinja2.Environment(trim_blocks=True, autoescape=False)  # noqa: S701  (as Ansible has it; no HTML)
    environment.filters |= {"to_json": json.dumps, "bool": lambda value: str(value) == "True"}
    told: dict[str, Any] = {"spark_consumer_pseudonyms": kinds, "__spark_consumer_config_dir": "/etc/login-consumer"}
    default = yaml.safe_load((role / "defaults/main.yml").read_text())["spark_consumer_keep_original"]
    told["spark_consumer_keep_original"] = environment.from_string(default).render(told)
    found = Privacy.model_validate(tomllib.loads(environment.from_string(section[0]).render(told))["privacy"])
    assert (list(found.pseudonyms), found.keep_original) == (kinds, not kinds)
    assert found.key_file == (Path("/etc/login-consumer/pseudonym_key") if kinds else None)


def test_workers_get_the_key_and_a_bad_one_is_refused(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "pseudonym_key"
    told = {"pseudonyms": ["user"], "keep_original": False, "key_file": file}
    mine = settings.model_copy(update={"privacy": Privacy.model_validate(told)})
    with pytest.raises(SettingsError, match="key of the pseudonyms"):
        mine.for_workers()
    file.write_text("short\n")
    with pytest.raises(SettingsError, match="fewer than 32"):
        mine.for_workers()
    file.write_text(f"{KEY}\n")
    given = mine.for_workers().privacy
    assert given.key_file is None and given.protection().user("a") == PROTECTED.user("a")
    assert KEY not in repr(mine.for_workers())
    assert settings.for_workers().privacy.key is None, "nobody gets a key that is not used"


def test_an_operator_learns_a_pseudonym(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "consumer.toml"
    file.write_text(
        '[kafka]\nbootstrap_servers = ["k:1"]\nusername = "c"\npassword = "p"\nca_file = "/ca"\n'
        '[elasticsearch]\nhosts = ["https://e:1"]\nca_file = "/ca"\napi_key = "key"\n'
        f'[privacy]\npseudonyms = ["user"]\nkeep_original = false\nkey = "{KEY}"\n'
    )
    monkeypatch.setattr("sys.stdin", io.StringIO("alice\nbob smith\n"))
    assert main(["--settings", str(file), "pseudonym", "user"]) == 0
    assert capsys.readouterr().out.splitlines() == [PROTECTED.user("alice"), PROTECTED.user("bob smith")]
    assert main(["--settings", str(file), "pseudonym", "source_ip"]) == 2
    assert "does not name source_ip" in capsys.readouterr().err
