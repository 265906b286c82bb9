# SPDX-License-Identifier: Apache-2.0
"""The drawings of the results, in the style of the report's charts."""

from __future__ import annotations

from typing import Any

import paths  # noqa: F401  (first: the next ones are found by it)
from backlog import CONTESTANTS
from login_report.charts import OTHER, SUCCESS, Chart
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

TITLES = {
    "throughput": "Events a second from Kafka to searchable",
    "events": "CPU seconds for 100,000 events, by events stored",
    "keys": "CPU seconds for 100,000 events, by keys in a window",
    "hour": "Megabytes in an hour, by minute",
}


def drawn(results: dict[str, Any]) -> dict[str, str]:
    """Return the drawings that there are numbers for, as SVG by name."""
    found = {}
    if results.get("backlog"):
        found["throughput"] = _throughput(results["backlog"]).svg()
    for name, points in results.get("curves", {}).items():
        found[name] = _curve(name, points).svg()
    if results.get("endurance"):
        found["hour"] = _hour(results["endurance"]["points"]).svg()
    return found


def _throughput(section: dict[str, Any]) -> Chart:
    names = sorted(
        (name for name in CONTESTANTS if "rate" in section.get(name, {})), key=lambda name: -section[name]["rate"]
    )
    rates = [section[name]["rate"] for name in names]

    def draw(axes: Axes) -> None:
        colours = [SUCCESS if name == "consumer" else OTHER for name in names]
        bars = axes.barh(range(len(names)), rates, height=0.72, color=colours)
        axes.bar_label(bars, labels=[f"{rate:,.0f}" for rate in rates], padding=3)
        axes.set_yticks(range(len(names)), labels=[CONTESTANTS[name].title for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 1.16 * max(rates))
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)

    told = ", ".join(f"{CONTESTANTS[name].title} {rate:,.0f}" for name, rate in zip(names, rates, strict=True))
    return Chart("throughput", TITLES["throughput"], f"Bars: {told}.", 0.5 + 0.27 * len(names), draw)


def _curve(name: str, points: list[dict[str, float]]) -> Chart:
    places, costs = [point["at"] for point in points], [point["cpu"] for point in points]

    def draw(axes: Axes) -> None:
        axes.plot(places, costs, color=SUCCESS, linewidth=1.4, marker="o", markersize=3)
        axes.set_ylim(0, 1.2 * max(costs))
        if name == "keys":
            axes.set_xscale("log")
        axes.set_xticks(places)
        axes.minorticks_off()
        unit = 1e6 if name == "events" else 1
        axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / unit:,.0f}{' M' if unit > 1 else ''}"))
        axes.grid(axis="y")

    told = f"A line from {costs[0]:.2f} at {places[0]:,} to {costs[-1]:.2f} at {places[-1]:,}."
    return Chart(f"curve-{name}", TITLES[name], told, 2.5, draw)


def _hour(points: list[dict[str, Any]]) -> Chart:
    minutes, units = [point["at"] for point in points], list(points[0]["memory"])
    by_unit = {unit: [point["memory"][unit] for point in points] for unit in units}

    def draw(axes: Axes) -> None:
        for unit, sizes in by_unit.items():
            axes.plot(minutes, sizes, color=SUCCESS if unit == "login-consumer" else OTHER, linewidth=1.4)
            axes.text(minutes[-1] + 0.5, sizes[-1], unit, verticalalignment="center")
        axes.set_xlim(0, 1.2 * minutes[-1])
        axes.set_ylim(0, 1.2 * max(map(max, by_unit.values())))
        axes.set_xticks(range(0, minutes[-1] + 1, 10))
        axes.grid(axis="y")

    told = "; ".join(f"{unit} {sizes[0]:,.0f} to {sizes[-1]:,.0f}" for unit, sizes in by_unit.items())
    return Chart("hour", TITLES["hour"], f"Lines: {told}.", 2.5, draw)
