# SPDX-License-Identifier: Apache-2.0
"""What Kibana imports without a word and breaks on screen, or refuses: found before it is shipped.

The finished objects are looked at, not their source, so that mistakes of the builder are found as well.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from dashboard_builder.lens import Json
from dashboard_builder.mappings import FieldTypes
from dashboard_builder.saved_objects import CORE_VERSION, REFRESH, TYPE_VERSIONS
from dashboard_builder.source import PREVIOUS

COLUMNS = 48
NUMBERS = frozenset({"long", "integer", "double", "float", "short", "byte"})
_GROUPABLE = NUMBERS | {"keyword", "ip", "boolean", "date"}
SUITABLE: Mapping[str, frozenset[str]] = {
    "date_histogram": frozenset({"date"}),
    "terms": NUMBERS | {"keyword", "ip", "boolean"},
    "unique_count": _GROUPABLE,
    "sum": NUMBERS,
    "average": NUMBERS,
    "median": NUMBERS,
    "min": NUMBERS | {"date"},
    "max": NUMBERS | {"date"},
}
"""Types of field that an operation of Lens can work on."""

_RELATIVE = re.compile(r"now([-+]\d+[smhdwMy])?(/[smhdwMy])?")
_ACCESSORS = ("metricAccessor", "secondaryMetricAccessor", "xAccessor", "splitAccessor", "columnId")
_ACCESSOR_LISTS = ("accessors", "primaryGroups", "metrics")


def problems(objects: Sequence[Json], types: Mapping[str, FieldTypes]) -> list[str]:
    """Return all that is wrong with these saved objects, which must be complete; `types` is by index pattern."""
    return [f"{each['type']} {each['id']}: {text}" for each in objects for text in _of_object(each, objects, types)]


def _of_object(each: Json, objects: Sequence[Json], types: Mapping[str, FieldTypes]) -> Iterator[str]:
    known = Counter((other["type"], other["id"]) for other in objects)
    if known[each["type"], each["id"]] > 1:
        yield "its id is not its own"
    if each.get("coreMigrationVersion") != CORE_VERSION:
        yield f"coreMigrationVersion is not {CORE_VERSION}"
    wanted = TYPE_VERSIONS.get(each["type"])
    if wanted is None or each.get("typeMigrationVersion") != wanted:
        yield f"typeMigrationVersion is not {wanted}"
    for reference in each["references"]:
        if (reference["type"], reference["id"]) not in known:
            yield f"refers to {reference['type']} {reference['id']}, which is not there"
    views = {
        other["id"]: types.get(other["attributes"]["title"], {})
        for other in objects
        if other["type"] == "index-pattern"
    }
    match each["type"]:
        case "index-pattern":
            yield from _data_view(each, views[each["id"]])
        case "search":
            yield from _search(each, views)
        case "dashboard":
            yield from _dashboard(each, views)


def _data_view(view: Json, types: FieldTypes) -> Iterator[str]:
    if types.get(view["attributes"].get("timeFieldName")) != "date":
        yield "has no time field that is a date in our index templates"


def _search(search: Json, views: Mapping[str, FieldTypes]) -> Iterator[str]:
    attributes = search["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    names = {reference["name"]: reference["id"] for reference in search["references"]}
    if source.get("indexRefName") not in names:
        yield "has no data view"
        return
    types = views.get(names[source["indexRefName"]], {})
    fields = [*attributes["columns"], *(field for field, _ in attributes["sort"]), *_kql_fields(source["query"])]
    yield from (f"field {field} does not exist" for field in fields if field not in types)


def _dashboard(board: Json, views: Mapping[str, FieldTypes]) -> Iterator[str]:
    attributes = board["attributes"]
    if attributes.get("timeRestore") is not True:
        yield "timeRestore is not set"
    if attributes.get("refreshInterval") != REFRESH:
        yield f"refreshInterval is not {REFRESH}"
    yield from _time(attributes.get("timeFrom"), attributes.get("timeTo"))
    panels = json.loads(attributes["panelsJSON"])
    names = {reference["name"]: reference for reference in board["references"]}
    used = set()
    yield from _layout(panels)
    for panel in panels:
        refers = [panel["panelRefName"]] if "panelRefName" in panel else _layer_references(panel)
        found = [f"{panel['panelIndex']}:{name}" for name in refers]
        used.update(found)
        missing = [name for name in found if name not in names]
        yield from (f"reference {name} is missing" for name in missing)
        if range_ := panel["embeddableConfig"].get("timeRange"):
            yield from _time(range_.get("from"), range_.get("to"))
        if "panelRefName" not in panel and not missing:
            types = [views.get(names[name]["id"], {}) for name in found]
            yield from (f"panel {panel['panelIndex']}: {text}" for text in _lens(panel, types))
    controls = json.loads(attributes.get("controlGroupInput", {}).get("panelsJSON", "{}"))
    for id_, control in controls.items():
        name, field = f"controlGroup_{id_}:optionsListDataView", control["explicitInput"]["fieldName"]
        used.add(name)
        if name not in names:
            yield f"reference {name} is missing"
        elif views.get(names[name]["id"], {}).get(field) not in SUITABLE["terms"]:
            yield f"control {id_} has no field {field} to list"
    yield from (f"reference {name} is not used" for name in names if name not in used)


def _time(start: Any, end: Any) -> Iterator[str]:
    for moment in (start, end):
        if not _RELATIVE.fullmatch(str(moment)):
            yield f"time {moment} is not relative"


def _layout(panels: Sequence[Json]) -> Iterator[str]:
    for id_, times in Counter(panel["panelIndex"] for panel in panels).items():
        if times > 1:
            yield f"panel {id_} is placed {times} times"
    for panel in panels:
        grid = panel["gridData"]
        if grid["i"] != panel["panelIndex"]:
            yield f"panel {panel['panelIndex']} is placed as {grid['i']}"
        if min(grid["x"], grid["y"]) < 0 or min(grid["w"], grid["h"]) < 1 or grid["x"] + grid["w"] > COLUMNS:
            yield f"panel {panel['panelIndex']} leaves the {COLUMNS} columns"
    for one, other in combinations(panels, 2):
        a, b = one["gridData"], other["gridData"]
        if all(a[at] < b[at] + b[size] and b[at] < a[at] + a[size] for at, size in (("x", "w"), ("y", "h"))):
            yield f"panels {one['panelIndex']} and {other['panelIndex']} overlap"


def _layer_references(panel: Json) -> list[str]:
    layers = panel["embeddableConfig"]["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]
    return [f"indexpattern-datasource-layer-{layer}" for layer in layers]


def _lens(panel: Json, types: Sequence[FieldTypes]) -> Iterator[str]:
    attributes = panel["embeddableConfig"]["attributes"]
    state = attributes["state"]
    if {reference["name"] for reference in attributes["references"]} != set(_layer_references(panel)):
        yield "its own references are not those of its layers"
    layers = state["datasourceStates"]["formBased"]["layers"]
    everywhere: set[str] = set()
    for layer, fields in zip(layers.values(), types, strict=True):
        everywhere |= set(layer["columns"])
        yield from _shifts(layer["columns"].values())
        if sorted(layer["columnOrder"]) != sorted(layer["columns"]):
            yield "columnOrder does not name each column once"
        for name, column in layer["columns"].items():
            yield from (f"column {name}: {text}" for text in _column(column, layer["columns"], fields))
        yield from (f"field {field} does not exist" for field in _kql_fields(state["query"]) if field not in fields)
    yield from (f"shows {name}, which is no column" for name in _accessors(state["visualization"]) - everywhere)
    if not set(_layer_ids(state["visualization"])) <= set(layers):
        yield "draws a layer that is not there"


def _shifts(columns: Iterable[Json]) -> Iterator[str]:
    buckets = {column["operationType"] for column in columns if column["isBucketed"]}
    shifts = {column.get("timeShift") for column in columns if "sourceField" in column and not column["isBucketed"]}
    if "date_histogram" in buckets and PREVIOUS in shifts:
        yield "Lens takes the previous period in no chart over time; shift by a duration"
    if "terms" in buckets and len(shifts) > 1:
        yield "Lens takes one time shift only where there are terms"


def _column(column: Json, others: Mapping[str, Json], types: FieldTypes) -> Iterator[str]:
    operation, field = column["operationType"], column.get("sourceField", "")
    if column.get("customLabel") is not True or not column.get("label"):
        yield "its label is not custom"
    if operation in SUITABLE:
        if field not in types:
            yield f"field {field} does not exist"
        elif types[field] not in SUITABLE[operation]:
            yield f"{operation} of {field}, which is {types[field]}"
        elif column["params"].get("missingBucket") and types[field] != "keyword":
            yield "only a keyword can be shown as missing"
    elif operation not in ("count", "formula", "math"):
        yield f"operation {operation} is not known"
    order = column.get("params", {}).get("orderBy", {}).get("columnId")
    refers = [*column.get("references", []), *([order] if order else [])]
    yield from (f"refers to {name}, which is no column" for name in refers if name not in others)
    yield from (f"field {name} does not exist" for name in _kql_fields(column.get("filter") or {}) if name not in types)


def _kql_fields(query: Json) -> list[str]:
    """Return the fields of a query; ours are `field : value` only."""
    return re.findall(r"([\w.@]+) :", query.get("query", ""))


def _accessors(node: Any) -> set[str]:
    """Return the names of all columns that a visualization shows."""
    if isinstance(node, list):
        return set().union(*map(_accessors, node))
    if not isinstance(node, dict):
        return set()
    found = {node[key] for key in _ACCESSORS if key in node}
    for key in _ACCESSOR_LISTS:
        found |= set(node.get(key, []))
    return found.union(*map(_accessors, node.values()))


def _layer_ids(visualization: Json) -> list[str]:
    return [layer["layerId"] for layer in visualization.get("layers", [visualization])]
