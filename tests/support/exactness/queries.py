"""What searches of the fake Elasticsearch find and count; conformance.py compares it with the real one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from login_common.times import rfc3339_ms

Json = dict[str, Any]

_DATES = frozenset({"@timestamp", "window_start"})
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gte": lambda value, bound: value >= bound,
    "gt": lambda value, bound: value > bound,
    "lte": lambda value, bound: value <= bound,
    "lt": lambda value, bound: value < bound,
}
_MEASURES: dict[str, Callable[[list[Any]], Any]] = {"min": min, "max": max, "sum": sum}
_USUAL_SIZE = 10


class Hit(NamedTuple):
    """A document where it stands."""

    index: str
    id: str
    source: Json
    seq_no: int

    def value(self, field: str) -> Any:
        """Return the value of a field by its dotted name, times in milliseconds; None if it is absent."""
        if field == "_index":
            return self.index
        value: Any = self.source
        for name in field.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return rfc3339_ms(value) if value is not None and field in _DATES else value


def meets(query: Json, hit: Hit) -> bool:
    """Return whether a document meets a query. Raises NotImplementedError for a kind that the consumer does not use."""
    ((kind, body),) = query.items()
    match kind:
        case "match_all":
            return True
        case "match_none":
            return False
        case "ids":
            return hit.id in body["values"]
        case "bool":
            parts = {name: part if isinstance(part, list) else [part] for name, part in body.items()}
            should = parts.get("should")
            return (
                all(meets(each, hit) for each in parts.get("filter", ()))
                and not any(meets(each, hit) for each in parts.get("must_not", ()))
                and (not should or any(meets(each, hit) for each in should))
            )
        case "exists":
            return hit.value(body["field"]) is not None
    ((field, wanted),) = body.items()
    value = hit.value(field)
    match kind:
        case "term" if isinstance(wanted, dict):  # without regard to the case of ASCII letters
            return any(each.encode().lower() == wanted["value"].encode().lower() for each in _values(value))
        case "term":
            return wanted in _values(value)
        case "terms":
            return any(each in wanted for each in _values(value))
        case "range":
            bounds = {how: bound for how, bound in wanted.items() if how != "format"}
            return value is not None and all(_COMPARE[how](value, bound) for how, bound in bounds.items())
    raise NotImplementedError(kind)


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def in_order(hits: list[Hit], sort: Sequence[Any]) -> list[tuple[Hit, list[Any]]]:
    """Return the documents as `sort` wants them, each with its values of these fields; those without one come last."""
    orders = [_order(each) for each in sort]
    found = list(hits)
    for field, descending in reversed(orders):
        with_value = [hit for hit in found if hit.value(field) is not None]
        without = [hit for hit in found if hit.value(field) is None]
        found = sorted(with_value, key=lambda hit, field=field: hit.value(field), reverse=descending) + without  # type: ignore[misc]
    return [(hit, [hit.value(field) for field, _ in orders]) for hit in found]


def _order(order: Any) -> tuple[str, bool]:
    if isinstance(order, str):
        return order, False
    ((field, how),) = order.items()
    return field, (how["order"] if isinstance(how, dict) else how) == "desc"


def shown(source: Json, includes: Sequence[str] | None, excludes: Sequence[str] = ()) -> Json:
    """Return the fields of a source that are asked for, by dotted names; an object stands for all that is in it."""
    if includes is None and not excludes:
        return source
    return _shown(source, "", None if includes is None else tuple(includes), tuple(excludes))


def _shown(source: Json, before: str, includes: tuple[str, ...] | None, excludes: tuple[str, ...]) -> Json:
    found: Json = {}
    for key, value in source.items():
        name = before + key
        if name in excludes:
            continue
        whole = includes is None or name in includes
        if whole and not isinstance(value, dict):
            found[key] = value
        elif whole or any(each.startswith(f"{name}.") for each in includes or ()):
            inner = _shown(value, f"{name}.", None if whole else includes, excludes) if isinstance(value, dict) else {}
            found |= {key: inner} if inner or whole else {}
    return found


def aggregate(aggs: Mapping[str, Json], hits: list[Hit]) -> Json:
    """Return what aggregations tell of documents. Raises NotImplementedError for a kind that is not used."""
    return {name: _aggregation(agg, hits) for name, agg in aggs.items()}


def _aggregation(agg: Json, hits: list[Hit]) -> Json:
    inner = agg.get("aggs", {})
    kind = next(name for name in agg if name != "aggs")
    if kind in _MEASURES:
        values = [value for hit in hits if (value := hit.value(agg[kind]["field"])) is not None]
        nothing = 0.0 if kind == "sum" else None
        return {"value": float(_MEASURES[kind](values)) if values else nothing}
    if kind == "terms":
        groups = _groups(hits, lambda hit: hit.value(agg["terms"]["field"]))
        largest = sorted((key for key in groups if key is not None), key=lambda key: (-len(groups[key]), key))
        most = largest[: agg["terms"].get("size", _USUAL_SIZE)]
        return {"buckets": [_bucket(key, groups[key], inner) for key in most]}
    if kind == "filter":
        within = [hit for hit in hits if meets(agg["filter"], hit)]
        return {"doc_count": len(within)} | aggregate(inner, within)
    if kind == "composite":
        return _composite(agg["composite"], inner, hits)
    raise NotImplementedError(kind)


def _composite(asked: Json, inner: Json, hits: list[Hit]) -> Json:
    """Return one page; documents that lack a value of a source without `missing_bucket` are in no bucket."""
    sources = {name: how for source in asked["sources"] for name, how in source.items()}
    takes_nothing = [next(iter(how.values())).get("missing_bucket", False) for how in sources.values()]
    found = _groups(hits, lambda hit: tuple(_composite_value(how, hit) for how in sources.values()))
    whole = [key for key in found if all(each is not None or may for each, may in zip(key, takes_nothing, strict=True))]
    keys = sorted(whole, key=_place)
    if "after" in asked:
        after = _place(tuple(asked["after"].values()))
        keys = [key for key in keys if _place(key) > after]
    page = keys[: asked.get("size", _USUAL_SIZE)]
    buckets = [_bucket(dict(zip(sources, key, strict=True)), found[key], inner) for key in page]
    return {"buckets": buckets} | ({"after_key": buckets[-1]["key"]} if buckets else {})


def _place(key: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    """Return what buckets are sorted by: numbers as such, texts by their bytes, nothing first."""
    return [(part is not None, part.encode() if isinstance(part, str) else part or 0) for part in key]


def _composite_value(how: Json, hit: Hit) -> Any:
    if "terms" in how:
        return hit.value(how["terms"]["field"])
    width = int(how["date_histogram"]["fixed_interval"].removesuffix("ms"))
    value = hit.value(how["date_histogram"]["field"])
    return None if value is None else value // width * width


def _groups(hits: list[Hit], key_of: Callable[[Hit], Any]) -> dict[Any, list[Hit]]:
    groups: dict[Any, list[Hit]] = {}
    for hit in hits:
        groups.setdefault(key_of(hit), []).append(hit)
    return groups


def _bucket(key: Any, hits: list[Hit], inner: Json) -> Json:
    return {"key": key, "doc_count": len(hits)} | aggregate(inner, hits)
