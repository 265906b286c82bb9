# SPDX-License-Identifier: Apache-2.0
"""The results in words: for the terminal, and for docs/performance.md with its drawings.

report.py --document puts what build/bench holds of full runs into the documentation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import drawings
import paths
from backlog import CONTESTANTS, PARSERS
from plan import TARGETS, Target
from producers import SENDERS

PAGE = paths.ROOT / "docs/performance.md"
IMAGES = paths.ROOT / "docs/images"
BEGIN, END = "<!-- results: written by make bench-document -->", "<!-- end of the results -->"
Results = dict[str, Any]


def value(results: Results, path: str) -> float | None:
    """Return the number at a path such as latency.consumer.1000.events.p50, None if it was not measured."""
    found: Any = results
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found if isinstance(found, int | float) else None


def verdict(results: Results, target: Target) -> tuple[float, bool] | None:
    """Return the number and whether it is as wanted, None if it was not measured."""
    number = value(results, target.number)
    below = value(results, target.over) if target.over else 1
    if number is None or not below:
        return None
    found = number / below
    return found, found <= target.wanted if target.at_most else found >= target.wanted


def targets(results: Results) -> Iterator[list[str]]:
    """Yield the rows of the table of what is wanted."""
    for target in TARGETS:
        found = verdict(results, target)
        sign = "at most" if target.at_most else "at least"
        wanted = f"{sign} {target.wanted:,}{target.unit}"
        if found is None:
            yield [target.text, wanted, "", "not measured"]
        else:
            number, met = found
            yield [target.text, wanted, _number(number) + target.unit, "met" if met else "**missed**"]


def rates(section: dict[str, Any], titles: dict[str, str], first: str) -> Iterator[list[str]]:
    """Yield the rows of the table of who did how much; ratios are `first`'s to each."""
    for name, title in titles.items():
        each = section.get(name, {})
        if "failed" in each:
            yield [title, "**failed**", "", "", ""]
        elif each:
            services = "".join(f", {unit} {used:.2f}" for unit, used in each["cpu"].items())
            yield [
                title,
                f"{each['rate']:,.0f}",
                f"{each['lowest']:,.0f} - {each['highest']:,.0f}",
                f"{section[first]['rate'] / each['rate']:.2f}" if "rate" in section[first] else "",
                f"{each['cpu_all']:.2f}{services.replace('login-bench-', '')}",
            ]


def latencies(section: dict[str, Any]) -> Iterator[list[str]]:
    """Yield the rows of the table of delays, in milliseconds."""
    for name, by_rate in section.items():
        for rate, kinds in by_rate.items():
            for kind, told in kinds.items():
                numbers = [_number(told[each]) for each in ("p50", "p90", "p99", "max")]
                yield [CONTESTANTS[name].title, f"{int(rate):,}", kind, *numbers, str(told["count"])]


def _number(number: float) -> str:
    return f"{number:,.2f}" if abs(number) < 10 else f"{number:,.0f}"


TABLES = {
    "backlog": ("From Kafka to searchable", ["", "events/s", "range", "consumer's is x times", "CPU s per 100,000"]),
    "latency": ("From produced to searchable", ["", "events/s", "", "p50", "p90", "p99", "highest", "marks"]),
    "producer": ("Producers", ["", "events/s", "range", "the pipeline's is x times", "CPU s per 100,000"]),
    "parsers": (
        "Parsers, nothing written",
        ["", "records/s", "range", "the consumer's is x times", "CPU s per 100,000"],
    ),
}


def tables(results: Results) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield title, head and rows of each table that there are numbers for."""
    rows: dict[str, Callable[[dict[str, Any]], Iterator[list[str]]]] = {
        "backlog": lambda told: rates(told, {name: one.title for name, one in CONTESTANTS.items()}, "consumer"),
        "latency": latencies,
        "producer": lambda told: rates(told, {name: one[0] for name, one in SENDERS.items()}, "own"),
        "parsers": lambda told: rates(told, PARSERS, "strict"),
    }
    for name, (title, head) in TABLES.items():
        if results.get(name):
            yield title, head, list(rows[name](results[name]))
    yield "Targets", ["", "wanted", "measured", ""], list(targets(results))


def machine(results: Results) -> Iterator[str]:
    """Yield what the machine is, a line each."""
    told = results["machine"]
    yield _machine(told)
    yield "; ".join(f"{name} {build}" for name, build in told["builds"].items()) + f"; {told['java']}"
    programs = ", ".join(f"{name} {share:.2f}" for name, share in told["beside"]["programs"].items())
    yield f"load at the end {told['beside']['load']}; cores taken by what ran beside the host: {programs or 'none'}"
    found = [each for name in ("backlog", "producer") for each in results.get(name, {}).values()]
    shares = [each["others"] for each in found if "others" in each]
    if shares:
        yield f"during the runs all else took {max(shares):.2f} cores at most (median of a contestant's rounds)"
    for name, other in results.get("elsewhere", {}).items():
        yield f"{name}: {_machine(other)}"


def _machine(told: dict[str, Any]) -> str:
    return f"{told['processors']}, {told['memory_gb']} GB, {told['system']}, Linux {told['kernel']}; {told['date']}"


def failures(results: Results) -> dict[str, str]:
    """Return why contestants or whole parts have failed, by their names."""
    sections = [results.get(name, {}) for name in TABLES]
    found = {name: each["failed"] for section in sections for name, each in section.items() if "failed" in each}
    return found | results.get("failed", {})


def tell(results: Results) -> None:
    """Print it."""
    print()
    for line in machine(results):
        print(line)
    for title, head, rows in tables(results):
        widths = [max(len(row[place]) for row in [head, *rows]) for place in range(len(head))]
        print(f"\n{title}")
        for row in [head, *rows]:
            print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    for name, why in failures(results).items():
        print(f"\n{name} HAS FAILED: {why}")
    if not results.get("plan", {}).get("quiet", True):
        print("\nA quick run: it shows that all works, and is too short for numbers to keep.")


def markdown(results: Results) -> str:
    """Return the section of the documentation."""
    parts = ["\n".join(f"- {line}" for line in machine(results))]
    for title, head, rows in tables(results):
        lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
        parts.append(f"### {title}\n\n" + "\n".join(lines))
    for name, title in drawings.TITLES.items():
        if (IMAGES / f"performance-{name}.svg").exists():
            parts.append(f"![{title}](images/performance-{name}.svg)")
    return "\n\n".join(parts)


def collected(folder: Path) -> Results:
    """Return all results of full runs in a folder. Raises SystemExit if there is none.

    Under `elsewhere` is what machine a run was on, by its name, if it was another than the main one's, or another day.
    """
    results: Results = {}
    machines: dict[str, dict[str, Any]] = {}
    for name in ("deploy", "curves", "hour", "results"):
        if (folder / f"{name}.json").exists():
            told = json.loads((folder / f"{name}.json").read_text())
            results |= told
            if "machine" in told:
                machines[name] = told["machine"]
    if "backlog" not in results:
        raise SystemExit(f"{folder} holds no results of a full run. next: make bench on a quiet machine")
    here = _machine(results["machine"])
    results["elsewhere"] = {name: each for name, each in machines.items() if _machine(each) != here}
    return results


def document(results: Results) -> None:
    """Write the drawings and the section of docs/performance.md."""
    for name, drawing in drawings.drawn(results).items():
        (IMAGES / f"performance-{name}.svg").write_text(drawing + "\n")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    assert after, f"{PAGE} has no place for the results: {BEGIN} ... {END}"
    PAGE.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n\n{END}{after}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--document", action="store_true", help="write docs/performance.md and its drawings")
    told = parser.parse_args(arguments)
    results = collected(paths.RESULTS)
    tell(results)
    if told.document:
        document(results)


if __name__ == "__main__":
    main()
