# SPDX-License-Identifier: Apache-2.0
"""Each lint finds what it is for: a sound set of objects, broken in one place."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from dashboard_builder.lint import problems
from dashboard_builder.mappings import FieldTypes

Json = dict[str, Any]
Objects = list[Json]


def of(objects: Objects, type_: str, id_: str) -> Json:
    return next(each for each in objects if (each["type"], each["id"]) == (type_, id_))


def board(objects: Objects) -> Json:
    return of(objects, "dashboard", "login-overview")


@contextmanager
def opened(holder: Json, key: str) -> Iterator[Any]:
    """The JSON inside a text, written back afterwards."""
    inside = json.loads(holder[key])
    yield inside
    holder[key] = json.dumps(inside)


@contextmanager
def panel(objects: Objects, number: int = 0) -> Iterator[Json]:
    with opened(board(objects)["attributes"], "panelsJSON") as panels:
        yield panels[number]


@contextmanager
def state(objects: Objects) -> Iterator[Json]:
    with panel(objects, 4) as found:  # logins over time by outcome
        yield found["embeddableConfig"]["attributes"]["state"]


@contextmanager
def layer(objects: Objects) -> Iterator[Json]:
    with state(objects) as found:
        yield found["datasourceStates"]["formBased"]["layers"]["by-outcome"]


@contextmanager
def column(objects: Objects, name: str) -> Iterator[Json]:
    with layer(objects) as found:
        yield found["columns"][name]


BREAKS: dict[str, Callable[[Objects], Any]] = {}


def breaks(message: str) -> Callable[[Callable[[Objects], Any]], Callable[[Objects], Any]]:
    def keep(function: Callable[[Objects], Any]) -> Callable[[Objects], Any]:
        BREAKS[message] = function
        return function

    return keep


@breaks("its id is not its own")
def _(objects: Objects) -> None:
    objects.append(objects[0])


@breaks("coreMigrationVersion is not 8.8.0")
def _(objects: Objects) -> None:
    board(objects)["coreMigrationVersion"] = "8.9.0"


@breaks("typeMigrationVersion is not 8.9.0")
def _(objects: Objects) -> None:
    board(objects)["typeMigrationVersion"] = "10.2.0"


@breaks("typeMigrationVersion is not None")
def _(objects: Objects) -> None:
    objects.append({"type": "map", "id": "m", "references": [], "coreMigrationVersion": "8.8.0"})


@breaks("refers to index-pattern login-metrics, which is not there")
def _(objects: Objects) -> None:
    objects.remove(of(objects, "index-pattern", "login-metrics"))


@breaks("refers to search login-events-events, which is not there")
def _(objects: Objects) -> None:
    objects.remove(of(objects, "search", "login-events-events"))


@breaks("reference logins:indexpattern-datasource-layer-logins is missing")
def _(objects: Objects) -> None:
    del board(objects)["references"][0]


@breaks("reference events:panel_events is missing")
def _(objects: Objects) -> None:
    references = of(objects, "dashboard", "login-events")["references"]
    references[:] = [each for each in references if each["type"] != "search"]


@breaks("reference controlGroup_event-dataset:optionsListDataView is missing")
def _(objects: Objects) -> None:
    del of(objects, "dashboard", "login-security")["references"][-1]


@breaks("reference other is not used")
def _(objects: Objects) -> None:
    board(objects)["references"].append({"type": "index-pattern", "id": "login-events", "name": "other"})


@breaks("its own references are not those of its layers")
def _(objects: Objects) -> None:
    with panel(objects) as found:
        found["embeddableConfig"]["attributes"]["references"] = []


@breaks("has no time field that is a date in our index templates")
def _(objects: Objects) -> None:
    of(objects, "index-pattern", "login-metrics")["attributes"]["timeFieldName"] = "@timestamp"


@breaks("has no data view")
def _(objects: Objects) -> None:
    of(objects, "search", "login-events-events")["references"] = []


@breaks("login-events-events: field user.nickname does not exist")
def _(objects: Objects) -> None:
    of(objects, "search", "login-events-events")["attributes"]["columns"].append("user.nickname")


@breaks("login-events-events: field outcome does not exist")
def _(objects: Objects) -> None:
    meta = of(objects, "search", "login-events-events")["attributes"]["kibanaSavedObjectMeta"]
    with opened(meta, "searchSourceJSON") as source:
        source["query"]["query"] = 'outcome : "failure"'


@breaks("control user-id has no field user.nickname to list")
def _(objects: Objects) -> None:
    group = of(objects, "dashboard", "login-security")["attributes"]["controlGroupInput"]
    with opened(group, "panelsJSON") as controls:
        controls["user-id"]["explicitInput"]["fieldName"] = "user.nickname"


@breaks("timeRestore is not set")
def _(objects: Objects) -> None:
    board(objects)["attributes"]["timeRestore"] = False


@breaks("refreshInterval is not {'pause': False, 'value': 1000}")
def _(objects: Objects) -> None:
    board(objects)["attributes"]["refreshInterval"] = {"pause": True, "value": 0}


@breaks("time 2026-01-01 is not relative")
def _(objects: Objects) -> None:
    board(objects)["attributes"]["timeFrom"] = "2026-01-01"


@breaks("time None is not relative")
def _(objects: Objects) -> None:
    with panel(objects) as found:
        found["embeddableConfig"]["timeRange"] = {"from": "now-1d"}


@breaks("panel logins is placed 2 times")
def _(objects: Objects) -> None:
    with opened(board(objects)["attributes"], "panelsJSON") as panels:
        panels.append(panels[0])


@breaks("panel logins is placed as failures")
def _(objects: Objects) -> None:
    with panel(objects) as found:
        found["gridData"]["i"] = "failures"


@breaks("panel logins leaves the 48 columns")
def _(objects: Objects) -> None:
    with panel(objects) as found:
        found["gridData"]["w"] = 49


@breaks("panels logins and success-rate overlap")
def _(objects: Objects) -> None:
    with panel(objects) as found:
        found["gridData"]["w"] = 13


@breaks("columnOrder does not name each column once")
def _(objects: Objects) -> None:
    with layer(objects) as found:
        found["columnOrder"].pop()


@breaks("Lens takes the previous period in no chart over time; shift by a duration")
def _(objects: Objects) -> None:
    with column(objects, "logins") as found:
        found["timeShift"] = "previous"


@breaks("Lens takes one time shift only where there are terms")
def _(objects: Objects) -> None:
    with layer(objects) as found:
        found["columns"]["before"] = found["columns"]["logins"] | {"timeShift": "1d"}
        found["columnOrder"].append("before")


@breaks("column logins: its label is not custom")
def _(objects: Objects) -> None:
    with column(objects, "logins") as found:
        del found["customLabel"]


@breaks("column logins: field counts does not exist")
def _(objects: Objects) -> None:
    with column(objects, "logins") as found:
        found["sourceField"] = "counts"


@breaks("column logins: sum of country, which is keyword")
def _(objects: Objects) -> None:
    with column(objects, "logins") as found:
        found["sourceField"] = "country"


@breaks("column time: date_histogram of count, which is long")
def _(objects: Objects) -> None:
    with column(objects, "time") as found:
        found["sourceField"] = "count"


@breaks("column logins: operation total is not known")
def _(objects: Objects) -> None:
    with column(objects, "logins") as found:
        found["operationType"] = "total"


@breaks("column outcome: only a keyword can be shown as missing")
def _(objects: Objects) -> None:
    with column(objects, "outcome") as found:
        found["sourceField"] = "count"
        found["params"]["missingBucket"] = True


@breaks("column outcome: refers to total, which is no column")
def _(objects: Objects) -> None:
    with column(objects, "outcome") as found:
        found["params"]["orderBy"]["columnId"] = "total"


@breaks("column logins: field event.outcome does not exist")
def _(objects: Objects) -> None:
    with column(objects, "logins") as found:
        found["filter"] = {"language": "kuery", "query": 'event.outcome : "failure"'}


@breaks("panel by-outcome: field event.outcome does not exist")
def _(objects: Objects) -> None:
    with state(objects) as found:
        found["query"]["query"] = 'event.outcome : "failure"'


@breaks("shows total, which is no column")
def _(objects: Objects) -> None:
    with state(objects) as found:
        found["visualization"]["layers"][0]["accessors"] = ["total"]


@breaks("draws a layer that is not there")
def _(objects: Objects) -> None:
    with state(objects) as found:
        found["visualization"]["layers"][0]["layerId"] = "other"


def test_sound_objects_have_no_problems(objects: Objects, types: Mapping[str, FieldTypes]) -> None:
    assert problems(objects, types) == []


@pytest.mark.parametrize("message", BREAKS)
def test_a_broken_object_is_found(message: str, objects: Objects, types: Mapping[str, FieldTypes]) -> None:
    BREAKS[message](objects)
    found = problems(objects, types)
    assert any(each.endswith(message) for each in found), found
