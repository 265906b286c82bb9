# SPDX-License-Identifier: Apache-2.0
"""A panel as Lens wants it: the columns that it computes, and how it draws them."""

from typing import Any

from dashboard_builder.mappings import FieldTypes
from dashboard_builder.source import Bucket, Filter, Metric, Panel

Json = dict[str, Any]

_RECORDS = "___records___"  # Lens's name for "no field"
_DATA_TYPES = {"keyword": "string", "ip": "ip", "boolean": "boolean", "date": "date"}  # all others are numbers
_EMPTY_IS_ZERO = ("count", "sum", "unique_count")
_VISUALIZATIONS = {"metric": "lnsMetric", "table": "lnsDatatable", "donut": "lnsPie"}


def kql(wanted: Filter) -> str:
    """Return a filter in Kibana's query language."""
    parts = []
    for field, values in wanted.items():
        quoted = [f'"{value}"' for value in values]
        parts.append(f"{field} : {quoted[0]}" if len(quoted) == 1 else f"{field} : ({' or '.join(quoted)})")
    return " and ".join(parts)


def attributes(panel: Panel, data_view: str, types: FieldTypes) -> Json:
    """Return the attributes of the panel's Lens object; `data_view` is an id."""
    columns: dict[str, Json] = {name: _bucket(panel, each, types) for name, each in panel.buckets.items()}
    for name, metric in panel.metrics.items():
        columns |= _share(name, metric) if metric.operation == "share" else {name: _metric(metric, types)}
    layer = {"columns": columns, "columnOrder": list(columns), "incompleteColumns": {}, "sampling": 1}
    return {
        "title": panel.title,
        "description": panel.description,
        "visualizationType": _VISUALIZATIONS.get(panel.chart, "lnsXY"),
        "type": "lens",
        # In a by-value panel Kibana keeps only those references that are named here too.
        "references": [{"type": "index-pattern", "id": data_view, "name": reference_name(panel)}],
        "state": {
            "datasourceStates": {"formBased": {"layers": {panel.id: layer}}},
            "visualization": _visualization(panel),
            "query": {"language": "kuery", "query": kql(panel.filter)},
            "filters": [],
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def reference_name(panel: Panel) -> str:
    """Return the name by which the panel's layer refers to its data view."""
    return f"indexpattern-datasource-layer-{panel.id}"


def _column(label: str, data_type: str, operation: str, field: str, **more: Any) -> Json:
    # without customLabel Lens shows a label of its own making
    named = {"label": label, "customLabel": True, "dataType": data_type, "operationType": operation}
    return named | {"sourceField": field} | more


def _bucket(panel: Panel, bucket: Bucket, types: FieldTypes) -> Json:
    if bucket.operation == "date_histogram":
        # Empty rows, so that a time without events is seen to be empty; the last bar, since it is the live one.
        params: Json = {"interval": bucket.interval, "includeEmptyRows": True, "dropPartials": False}
        scale = "interval"
    else:
        params = {
            "size": bucket.size,
            "orderBy": {"type": "column", "columnId": panel.order_name(bucket)},
            "orderDirection": "desc",
            "otherBucket": bucket.rest,
            "missingBucket": bucket.rest,
            "parentFormat": {"id": "terms"},
        }
        scale = "ordinal"
    data_type = _DATA_TYPES.get(types.get(bucket.field, ""), "number")
    return _column(bucket.label, data_type, bucket.operation, bucket.field, isBucketed=True, scale=scale, params=params)


def _metric(metric: Metric, types: FieldTypes) -> Json:
    data_type = "date" if types.get(metric.field or "") == "date" and metric.operation in ("min", "max") else "number"
    params: Json = {}
    if metric.operation in _EMPTY_IS_ZERO:
        params["emptyAsNull"] = False
    if data_type == "number":
        suffix = {"suffix": f" {metric.unit}"} if metric.unit else {}
        params["format"] = {"id": "number", "params": {"decimals": metric.decimals} | suffix}
    more: Json = {"isBucketed": False, "scale": "ratio", "params": params}
    if metric.filter:
        more["filter"] = {"language": "kuery", "query": kql(metric.filter)}
    if metric.shift:
        more["timeShift"] = metric.shift
    if metric.per_second:
        more["timeScale"] = "s"
    return _column(metric.label, data_type, metric.operation, metric.field or _RECORDS, **more)


def _share(name: str, metric: Metric) -> dict[str, Json]:
    """Return the four columns that Lens makes of the formula `part / whole`.

    It computes from the columns, and shows the formula's text when somebody edits the panel.
    """
    operation = "sum" if metric.field else "count"
    part, whole, quotient = f"{name}X0", f"{name}X1", f"{name}X2"
    formula = " / ".join(_term(operation, metric, wanted) for wanted in (metric.filter, metric.among))
    label = f"Part of {metric.label}"
    tree = {
        "type": "function",
        "name": "divide",
        "args": [part, whole],
        "location": {"min": 0, "max": len(formula)},
        "text": formula,
    }
    number: Json = {"customLabel": True, "dataType": "number", "isBucketed": False, "scale": "ratio"}
    columns = {
        column: _metric(Metric(label, operation, metric.field, filter=wanted, shift=metric.shift), {})
        for column, wanted in ((part, metric.filter), (whole, metric.among))
    }
    columns[quotient] = number | {
        "label": label,
        "operationType": "math",
        "params": {"tinymathAst": tree},
        "references": [part, whole],
    }
    percent = {"id": "percent", "params": {"decimals": metric.decimals}}
    columns[name] = number | {
        "label": metric.label,
        "operationType": "formula",
        "params": {"formula": formula, "isFormulaBroken": False, "format": percent},
        "references": [quotient],
    }
    return columns


def _term(operation: str, metric: Metric, wanted: Filter) -> str:
    """Return one aggregation in Lens's formula language."""
    arguments = [metric.field] if metric.field else []
    if wanted:
        arguments.append(f"kql='{kql(wanted)}'")
    if metric.shift:
        arguments.append(f"shift='{metric.shift}'")
    return f"{operation}({', '.join(arguments)})"


def _visualization(panel: Panel) -> Json:
    layer: Json = {"layerId": panel.id, "layerType": "data"}
    metrics, buckets = list(panel.metrics), list(panel.buckets)
    if panel.chart == "metric":
        second: Json = {}
        if len(metrics) > 1:
            second = {"secondaryMetricAccessor": metrics[1], "secondaryPrefix": panel.metrics[metrics[1]].label}
        return layer | {"metricAccessor": metrics[0]} | second
    if panel.chart == "table":
        order = {"sorting": {"columnId": panel.sort_by, "direction": "desc"}} if panel.sort_by else {}
        return (
            layer
            | order
            | {
                "columns": [{"columnId": name, "isTransposed": False} for name in (*buckets, *metrics)],
                "paging": {"size": 10, "enabled": True},
            }
        )
    if panel.chart == "donut":
        looks = {
            "numberDisplay": "percent",
            "percentDecimals": 0,
            "categoryDisplay": "default",
            "legendDisplay": "show",
        }
        groups = {"primaryGroups": buckets, "metrics": metrics, "nestedLegend": False}
        return {"shape": "donut", "layers": [layer | groups | looks]}
    return _xy(panel, layer)


_OUTCOME_FIELDS = ("outcome", "event.outcome")
_PALETTE = "eui_amsterdam_color_blind"
# The same in every chart, and success unlike failure: Kibana's own choice changes from one load to the next.
_OUTCOME_COLOURS: Json = {
    "assignmentMode": "manual",
    "assignments": [
        {
            "rule": {"type": "matchExactly", "values": [outcome]},
            "color": {"type": "categorical", "paletteId": _PALETTE, "colorIndex": index},
            "touched": True,
        }
        for outcome, index in (("success", 0), ("failure", 9), ("unknown", 6))
    ],
    "specialAssignments": [
        {
            "rule": {"type": "other"},
            "color": {"type": "categorical", "paletteId": "neutral", "colorIndex": 1},
            "touched": False,
        }
    ],
    "paletteId": _PALETTE,
    "colorMode": {"type": "categorical"},
}


def _xy(panel: Panel, layer: Json) -> Json:
    times = [name for name, bucket in panel.buckets.items() if bucket.operation == "date_histogram"]
    x = (times or list(panel.buckets))[0]
    splits = [name for name in panel.buckets if name != x]
    drawn = {"seriesType": panel.chart, "xAccessor": x, "accessors": list(panel.metrics), "position": "top"}
    split: Json = {"splitAccessor": splits[0]} if splits else {}
    if splits and panel.buckets[splits[0]].field in _OUTCOME_FIELDS:
        split["colorMapping"] = _OUTCOME_COLOURS
    many = bool(splits) or len(panel.metrics) > 1
    return {
        "preferredSeriesType": panel.chart,
        "layers": [layer | drawn | split],
        "legend": {"isVisible": many, "position": "bottom"},
        "valueLabels": "hide",
        "fittingFunction": "None",  # a gap in the data stays a gap
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": not many, "yRight": False},
    }
