# SPDX-License-Identifier: Apache-2.0
"""The saved objects that Kibana imports.

Charts live inside their dashboard, by value: one object holds all that it shows, an import cannot leave half of it
behind, and nobody changes a dashboard by editing a chart in Kibana's library. A saved search has to be an object of its
own: Kibana 8.12 knows none by value.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from dashboard_builder import lens
from dashboard_builder.lens import Json
from dashboard_builder.mappings import FieldTypes
from dashboard_builder.source import Control, Dashboard, DataView, Panel, Source, TimeRange

CORE_VERSION = "8.8.0"
# Those of Kibana 8.12 or older: later ones take them, and one newer object makes Kibana refuse the whole file.
TYPE_VERSIONS = {"dashboard": "8.9.0", "index-pattern": "8.0.0", "search": "8.0.0"}
REFRESH = {"pause": False, "value": 1000}  # once a second, which is what "live" means here

DATA_VIEWS = "data_views"
_SEARCH_INDEX = "kibanaSavedObjectMeta.searchSourceJSON.index"
_HEED_ALL = {"ignoreFilters": False, "ignoreQuery": False, "ignoreTimerange": False, "ignoreValidations": False}


def exports(source: Source, types: Mapping[str, FieldTypes]) -> dict[str, list[Json]]:
    """Return the saved objects of each .ndjson file, by its stem; `types` is by index pattern."""
    files = {DATA_VIEWS: [data_view(view) for view in source.data_views.values()]}
    for stem, board in source.dashboards.items():
        searches = [search(board, panel) for panel in board.panels if panel.chart == "search"]
        of_view = {view.id: types.get(view.title, {}) for view in source.data_views.values()}
        files[stem] = [*searches, dashboard(board, of_view)]
    return files


def ndjson(objects: Iterable[Json]) -> str:
    """Return the text of a file: one object a line, keys in order, so that equal objects are equal bytes."""
    return "".join(f"{json.dumps(each, sort_keys=True, ensure_ascii=False)}\n" for each in objects)


def data_view(view: DataView) -> Json:
    """Return the saved object of a data view."""
    attributes = {
        "title": view.title,
        "name": view.name,
        "timeFieldName": view.time_field,
        "allowNoIndex": True,  # there may be no dead letters yet
        "fields": "[]",
        "fieldAttrs": "{}",
        # Kibana's own format is so long that tables cut it off.
        "fieldFormatMap": _text({view.time_field: {"id": "date", "params": {"pattern": "YYYY-MM-DD HH:mm:ss"}}}),
        "runtimeFieldMap": "{}",
        "sourceFilters": "[]",
        "typeMeta": "{}",
    }
    return _saved_object("index-pattern", view.id, attributes, [])


def search(board: Dashboard, panel: Panel) -> Json:
    """Return the saved search of a panel."""
    asked: Json = {"query": _query(lens.kql(panel.filter)), "filter": [], "indexRefName": _SEARCH_INDEX}
    asked |= {"highlightAll": True, "version": True}
    attributes = {
        "title": f"{board.title}: {panel.title}",
        "description": panel.description,
        "columns": list(panel.columns),
        "sort": [["@timestamp", "desc"]],
        "grid": {"columns": {name: {"width": width} for name, width in {"@timestamp": 170, **panel.widths}.items()}},
        "rowHeight": 0,
        "hideChart": True,
        "isTextBasedQuery": False,
        "timeRestore": False,
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text(asked)},
    }
    return _saved_object(
        "search", _search_id(board, panel), attributes, [_reference("index-pattern", panel.data_view, _SEARCH_INDEX)]
    )


def dashboard(board: Dashboard, types: Mapping[str, FieldTypes]) -> Json:
    """Return the saved object of a dashboard; `types` is by data view."""
    panels, references = [], []
    for panel in board.panels:
        placed = {"panelIndex": panel.id, "gridData": {**vars(panel.grid), "i": panel.id}, "title": panel.title}
        # A metric shows its own label; the title is kept where it carries the description.
        untitled = panel.chart == "metric" and not panel.description
        config: Json = {"enhancements": {}, "hidePanelTitles": untitled} | _time(panel.time)
        if panel.chart == "search":
            name = f"panel_{panel.id}"
            panels.append(placed | {"type": "search", "panelRefName": name, "embeddableConfig": config})
            references.append(_reference("search", _search_id(board, panel), f"{panel.id}:{name}"))
        else:
            config["attributes"] = lens.attributes(panel, panel.data_view, types.get(panel.data_view, {}))
            panels.append(placed | {"type": "lens", "version": TYPE_VERSIONS["dashboard"], "embeddableConfig": config})
            name = f"{panel.id}:{lens.reference_name(panel)}"
            references.append(_reference("index-pattern", panel.data_view, name))
    attributes = {
        "title": board.title,
        "description": board.description,
        "version": 1,
        "timeRestore": True,
        "timeFrom": board.time.start,
        "timeTo": board.time.end,
        "refreshInterval": REFRESH,
        "optionsJSON": _text({"useMargins": True, "syncColors": False, "syncCursor": True, "syncTooltips": False}),
        "panelsJSON": _text(panels),
        "kibanaSavedObjectMeta": {"searchSourceJSON": _text({"query": _query(""), "filter": []})},
    }
    if board.controls:
        group, refers = _controls(board.controls)
        attributes["controlGroupInput"] = group
        references += refers
    return _saved_object("dashboard", board.id, attributes, references)


def _controls(controls: Iterable[Control]) -> tuple[Json, list[Json]]:
    panels: Json = {}
    references = []
    for order, control in enumerate(controls):
        id_ = control.field.replace(".", "-")
        chosen = {"id": id_, "fieldName": control.field, "title": control.label, "selectedOptions": []}
        panels[id_] = {
            "type": "optionsListControl",
            "order": order,
            "width": "medium",
            "grow": True,
            "explicitInput": chosen | {"enhancements": {}, "searchTechnique": "prefix"},
        }
        name = f"controlGroup_{id_}:optionsListDataView"
        references.append(_reference("index-pattern", control.data_view, name))
    group = {
        "controlStyle": "oneLine",
        "chainingSystem": "HIERARCHICAL",
        "ignoreParentSettingsJSON": _text(_HEED_ALL),
        "panelsJSON": _text(panels),
    }
    return group, references


def _search_id(board: Dashboard, panel: Panel) -> str:
    return f"{board.id}-{panel.id}"


def _saved_object(type_: str, id_: str, attributes: Json, references: list[Json]) -> Json:
    return {
        "type": type_,
        "id": id_,
        "attributes": attributes,
        "references": references,
        "managed": False,
        "coreMigrationVersion": CORE_VERSION,
        "typeMigrationVersion": TYPE_VERSIONS[type_],
    }


def _reference(type_: str, id_: str, name: str) -> Json:
    return {"type": type_, "id": id_, "name": name}


def _query(text: str) -> Json:
    return {"language": "kuery", "query": text}


def _time(time: TimeRange | None) -> Json:
    return {"timeRange": {"from": time.start, "to": time.end}} if time else {}


def _text(value: Any) -> str:
    # Kibana keeps these parts as text inside the object
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
