# SPDX-License-Identifier: Apache-2.0
"""What the promise depends on in Kafka and Elasticsearch, and what of it somebody has changed since the deployment.

The list of all of it is `promise_hops`: the topic's settings, the templates that win for the indices to come, the
indices that are there, and what the consumer's API key may do. site.yml, `login-consumer check`, `status` and the daily
retention look at it. What is wanted stands in a file that the playbook writes: there is no second list.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from login_common.elastic import Client, Unavailable
from login_common.settings import SettingsError
from pydantic import BaseModel, ConfigDict, ValidationError

from login_consumer.documents import EVENTS, FAMILIES, Period, index_name
from login_consumer.hops import Hop, HopFailed
from login_consumer.kafka_side import TopicSettings, topic_settings
from login_consumer.periods import Index, period_of
from login_consumer.settings import Settings, load_retention_settings
from login_consumer.sink import Sink

T = TypeVar("T")

_IN_SYNC = "min.insync.replicas"
_PIPELINES = ("default_pipeline", "final_pipeline")
_SITE = "run site.yml, which puts it back"
_MOST_TOLD = 5


class Deviates(HopFailed):
    """Something is not as the playbook has made it; the text names each deviation with its cure."""


class Wanted(BaseModel):
    """What the playbook has made, as it stands in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: dict[str, str]
    """The topic's settings; min.insync.replicas follows from its copies."""
    templates: dict[str, dict[str, Any]]
    """The index template of each family, by its name."""
    privileges: list[dict[str, list[str]]]
    """What the consumer's API key may do: names of indices, and privileges."""
    never: list[dict[str, list[str]]]
    """What it must not be able to do, likewise."""

    @classmethod
    def read(cls, file: Path) -> "Wanted":
        """Return the content of `file`. Raises SettingsError."""
        try:
            return cls.model_validate_json(file.read_bytes())
        except OSError as error:
            raise SettingsError(f"{file} cannot be read: {error.strerror}; run site.yml, which writes it") from None
        except ValidationError as error:
            raise SettingsError(f"{file} is not what this release expects; run site.yml: {error}") from None


def promise_hops(settings: Settings) -> list[Hop]:
    """Return the list; none without a file of what is wanted. A hop raises Deviates, or HopFailed without an answer.

    Raises SettingsError.
    """
    if settings.promise_file is None:
        return []
    wanted = Wanted.read(settings.promise_file)
    own = Sink(settings.elasticsearch)
    # Templates are read with the key of the retention: the service's own may see nothing of the cluster.
    daily = Sink(load_retention_settings(None).elasticsearch)

    def templates() -> str:
        told = _answer(daily, lambda client: client.indices.get_index_template().body["index_templates"])
        names = indices_to_come(round(time.time() * 1000), settings.events.period)
        _refuse(each for name in names for each in template_deviations(told, name, wanted.templates))
        return ", ".join(names)

    def indices() -> str:
        there = _answer(daily, lambda client: client.indices.get(index=_all_families(), allow_no_indices=True).body)
        _refuse(index_deviations(there, wanted.templates))
        return f"{len(there)} as their templates want them"

    def privileges() -> str:
        has = _answer(own, lambda client: client.security.has_privileges(index=wanted.privileges).body)
        more = _answer(own, lambda client: client.security.has_privileges(index=wanted.never).body)
        _refuse(privilege_deviations(has, more))
        return "neither less nor more than it needs"

    def topic() -> str:
        _refuse(topic_deviations(topic_settings(settings.kafka), wanted.topic))
        return f"{settings.kafka.topic} as the playbook made it"

    return [
        Hop("Kafka: the topic's settings", topic),
        Hop("Elasticsearch: templates of the next indices", templates),
        Hop("Elasticsearch: fields and pipelines of the indices", indices),
        Hop("Elasticsearch: privileges of the API key", privileges),
    ]


def deviations(hops: Iterable[Hop], unanswered: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return what deviates; `unanswered` gets why a hop could not be looked at."""
    found = []
    for hop in hops:
        try:
            hop.test()
        except Deviates as fault:
            found.append(f"{hop.name}: {fault}")
        except HopFailed as fault:
            unanswered(f"{hop.name}: {fault}")
    return found


def topic_deviations(topic: TopicSettings, wanted: Mapping[str, str]) -> list[str]:
    """Return the settings of the topic that are not as they are wanted."""
    all_wanted = dict(wanted) | {_IN_SYNC: str(max(topic.copies - 1, 1))}
    return [
        f"{name} is {topic.config.get(name)}, wanted is {value}; {_SITE}"
        for name, value in sorted(all_wanted.items())
        if topic.config.get(name) != value
    ]


def indices_to_come(now: int, period: Period) -> list[str]:
    """Return the indices of each family that take the documents of `now` (milliseconds since 1970) and come next."""
    names = []
    for family in FAMILIES:
        of_family: Period = period if family == EVENTS else "month"
        names += [index_name(family, moment, of_family) for moment in (now, period_of(now, of_family).next)]
    return names


def template_deviations(
    templates: Iterable[Mapping[str, Any]], index: str, wanted: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Return why the template that wins for `index` is not its family's, as the playbook made it.

    Elasticsearch takes one template alone, that of the highest priority. To have it simulated takes the right to write
    templates, which nobody needs who only looks.
    """
    matching = [
        (each["index_template"].get("priority", 0), each["name"], each["index_template"])
        for each in templates
        if any(_matches(pattern, index) for pattern in each["index_template"]["index_patterns"])
    ]
    family = next(family for family in FAMILIES if index.startswith(f"{family}-"))
    if not matching:
        return [f"no index template is there for {index}; {_SITE}"]
    _, name, template = max(matching, key=lambda each: each[:2])
    if name != family:
        return [
            f"index template {name} wins for {index} over {family}; delete it, narrow its index_patterns, or lower its "
            f"priority below {wanted[family].get('priority', 0)}"
        ]
    faults = [f"it has {part}" for part in ("data_stream", "composed_of") if template.get(part) not in (None, [])]
    content = template.get("template", {})
    faults += [f"it has aliases {', '.join(content['aliases'])}"] if content.get("aliases") else []
    faults += _content_faults(content, wanted[family]["template"]["mappings"])
    return [f"index template {name}: {fault}; {_SITE}, after DELETE /_index_template/{name}" for fault in faults]


def index_deviations(there: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what is wrong with the indices that the patterns of the families reach."""
    found = []
    for name, told in sorted(there.items()):
        dated = Index.of(name)
        if dated is None:
            found.append(f"index {name} is not the consumer's, and is counted with its own; give it another name")
            continue
        found += [
            f"index {name}: {fault}" for fault in _content_faults(told, wanted[dated.family]["template"]["mappings"])
        ]
    return found


def privilege_deviations(has: Mapping[str, Any], more: Mapping[str, Any]) -> list[str]:
    """Return what the API key may not do and should, and what it may and should not."""
    lacking = [
        f"it lacks {privilege} on {names}; {_SITE}" for names, privilege, granted in _privileges(has) if not granted
    ]
    return lacking + [
        f"it has {privilege} on {names}; {_SITE}" for names, privilege, granted in _privileges(more) if granted
    ]


def _privileges(told: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    return [
        (names, privilege, granted)
        for names, privileges in sorted(told["index"].items())
        for privilege, granted in sorted(privileges.items())
    ]


def _content_faults(told: Mapping[str, Any], mappings: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the settings and fields of an index, or of a template."""
    settings = told.get("settings", {})
    settings = settings.get("index", {}) | {name.removeprefix("index."): value for name, value in settings.items()}
    faults = [
        f"{name} is {settings[name]}, wanted is none: it may drop or change documents. Set it to null (_settings)"
        for name in _PIPELINES
        if settings.get(name, "_none") != "_none"
    ]
    has = told.get("mappings", {})
    if str(has.get("dynamic", "true")) != "strict":
        faults.append(f"dynamic is {has.get('dynamic', 'true')}, wanted is strict")
    stored, fields = _types(has), _types(mappings)
    missing = [field for field in fields if field not in stored]
    if missing:
        rest = f" and {len(missing) - _MOST_TOLD} more" if len(missing) > _MOST_TOLD else ""
        faults.append(f"it has no field {', '.join(missing[:_MOST_TOLD])}{rest}; {_SITE}")
    wrong = [
        f"{field} is {stored[field]}, wanted is {kind}"
        for field, kind in fields.items()
        if stored.get(field, kind) != kind
    ]
    if wrong:
        rest = f", and {len(wrong) - _MOST_TOLD} more" if len(wrong) > _MOST_TOLD else ""
        faults.append(
            f"{'; '.join(wrong[:_MOST_TOLD])}{rest}. A field keeps its type: copy the index into a new one (_reindex), "
            "or delete it if its documents are not needed"
        )
    return faults


def _types(mappings: Mapping[str, Any], path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, field in mappings.get("properties", {}).items():
        if "properties" in field:
            found |= _types(field, f"{path}{name}.")
        else:
            found[path + name] = field.get("type", "object")
        for inner, further in field.get("fields", {}).items():
            found[f"{path}{name}.{inner}"] = further["type"]
    return found


def _matches(pattern: str, index: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), index) is not None


def _all_families() -> list[str]:
    return [f"{family}-*" for family in FAMILIES]


def _answer(sink: Sink, question: Callable[[Client], T]) -> T:
    try:
        return sink.ask(question)
    except (Unavailable, SettingsError) as error:
        raise HopFailed(str(error)) from None


def _refuse(found: Iterable[str]) -> None:
    if faults := list(found):
        raise Deviates(". ".join(faults))
