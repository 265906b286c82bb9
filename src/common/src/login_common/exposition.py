# SPDX-License-Identifier: Apache-2.0
"""Prometheus' text format: node_exporter's textfile collector shows what a service writes in it."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

FILE = "metrics.prom"
"""What such a file is called, in the service's folder below /run: it goes when the service ends."""

Kind = Literal["counter", "gauge"]


class Sample(NamedTuple):
    """One value, and the labels that tell it from others of its family."""

    value: float
    labels: Mapping[str, str] = {}


class Family(NamedTuple):
    """All samples of one name. Prometheus wants units in names, and `_total` at the end of counters' names."""

    name: str
    kind: Kind
    meaning: str
    samples: Iterable[Sample]


def exposition(families: Iterable[Family]) -> str:
    """Return the text without its last newline; families without a sample are left out."""
    lines: list[str] = []
    for name, kind, meaning, samples in families:
        shown = [f"{name}{_labels(each.labels)} {each.value}" for each in samples]
        if shown:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}", *shown]
    return "\n".join(lines)


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
