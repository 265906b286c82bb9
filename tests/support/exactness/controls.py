"""The negative controls: each guard switched off in a random history that shows the damage; who sees it, what cures it.

`make exactness-controls` looks for the histories, and writes docs/exactly-once-controls.md.
"""

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from exactness import truth
from exactness.elastic import Crash, Fault
from exactness.guards import GUARDS, Guard
from exactness.schedules import heard, play, quiet
from exactness.steps import made
from exactness.world import World

_ROOT = Path(__file__).parents[3]
PAGE = _ROOT / "docs/exactly-once-controls.md"
_HISTORIES = _ROOT / "tests/unit/spark_consumer/exactness"
FIRST, MOST = 1_000_000, 5000
"""Where the seeds begin, beside those of the histories that have to hold, and how many are tried."""
_FURTHER = 100
_STOPS, _RECORDS, _TOLD = "the consumer stops", "batch records wrong", "the history fails"
_TWICE = "sent twice by replays"
_KINDS = {
    "is an event and a dead letter": "event and dead letter",
    "places have several events": "stored twice",
    r"is stored \d+ times": "stored twice",
    "is no event, and no dead letter either": "record nowhere",
    "is nowhere": "record nowhere",
    "never was there": "another record's fate",
    "another record's event": "another record's fate",
    "replays sent": _TWICE,
    _TOLD: _TOLD,
    "it does not go on": _STOPS,
    r"^\w+: ": _STOPS,
}
_WINDOW = re.compile(r"window .* counts (\d+) of (\d+) events")
_HEAD = """# Exactly once: what each guard is for

Each guard of the [protocol](exactly-once.md), by its step there, switched off in a random history: what breaks, whether
`login-consumer audit` says so, and what makes it right again with the guard in its place. *rebuild* is `login-consumer
rebuild`; *restore* is a backup of before the damage, after which the consumer reads what Kafka still holds. A dash:
nothing is stored wrong yet, but the consumer stops, or does what it must not, such as to go on after half a restore.
`make exactness-controls` writes this page; `tests/unit/spark_consumer/exactness/test_guards.py` plays each row again.

| step | guard | in | without it | audit | cure | seen in |
|---|---|---|---|---|---|---|
"""


class Control(NamedTuple):
    """What came of a guard that was switched off in the history of a seed."""

    broken: str
    audit: str
    cure: str


def judge(guard: Guard, seed: int) -> Control | None:
    """Return what breaks without the guard in the history of a seed; None if nothing does."""
    with quiet(), World(partitions=2) as world:
        return _judged(guard, world, lambda: play(world, made(seed)))


def judge_history(guard: Guard) -> Control | None:
    """Return what breaks without the guard in its single history; None if nothing does."""

    def tell() -> list[str]:
        try:
            history(world)
        except (Exception, Crash, pytest.fail.Exception) as error:
            missed.append(error)
            world.calm()
            world.options["kafka"] = {"allow_data_loss": True}
            if (told := world.consume()).startswith("refused"):
                return [] if heard(world) else [f"it does not go on: {told}"]
            return truth.faults(world) or ([] if heard(world) else [_TOLD])
        return []

    history = single(guard)
    missed: list[BaseException] = []
    with quiet(), World() as world:
        control = _judged(guard, world, tell)
    return control if missed else None


def single(guard: Guard) -> Callable[[World], None]:
    """Return the single history of a guard."""
    file, _, name = guard.history.partition("::")
    spec = importlib.util.spec_from_file_location(file, _HISTORIES / f"{file}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    test = getattr(module, name)
    arguments: dict[str, Any] = {key: Fault[text] if key == "fault" else text for key, text in guard.arguments.items()}

    def run(world: World) -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            more = {"monkeypatch": monkeypatch} if "monkeypatch" in inspect.signature(test).parameters else {}
            test(world, **arguments, **more)

    return run


def _judged(guard: Guard, world: World, tell: Callable[[], list[str]]) -> Control | None:
    with guard.switched_off():
        broken = tell()
    world.calm()
    world.clock.jump(0)
    seen = heard(world)
    if not broken and not seen:
        return None
    kinds = _kinds(broken) or [_RECORDS]
    said = "-" if kinds in ([_STOPS], [_TOLD]) else "yes" if seen else "**no**"
    return Control(", ".join(kinds), said, _cure(world, kinds))


def _kinds(faults: Iterable[str]) -> list[str]:
    found = set()
    for fault in faults:
        if window := _WINDOW.search(fault):
            found.add("windows too high" if int(window[1]) > int(window[2]) else "windows too low")
        else:
            found.add(next((kind for sign, kind in _KINDS.items() if re.search(sign, fault)), fault))
    return sorted(found)


def _cure(world: World, kinds: list[str]) -> str:
    if _holds_after(world, rebuilt=True) and not (kinds == [_RECORDS] and heard(world)):
        return "rebuild, not the batch records" if heard(world) else "rebuild"
    world.elastic.put_back({})
    if _TWICE not in kinds:
        world.replayed.clear()  # the letters of a backup have their marks
    world.lose_checkpoint()
    world.checkpoint.with_name(f"{world.checkpoint.name}.unfinished").unlink(missing_ok=True)
    return "restore" if _holds_after(world, rebuilt=False) else "none"


def _holds_after(world: World, rebuilt: bool) -> bool:
    tries = 1 + 16 * len(world.poison)
    try:
        if rebuilt:
            world.rebuild()
        world.options["kafka"] = {"allow_data_loss": True}
        told = next((told for _ in range(tries) if (told := world.consume()) != "killed"), "killed")
        return told == "idle" and not truth.faults(world)
    except (Exception, Crash):
        return False


def found(guard: Guard, seeds: Iterable[int]) -> tuple[int, Control] | None:
    """Return the first of the seeds whose history breaks without the guard, and what came of it.

    One in which the consumer only stops is the second choice.
    """
    stop: tuple[int, Control] | None = None
    for seed in seeds:
        control = judge(guard, seed)
        if control and control.broken != _STOPS:
            return seed, control
        if control:
            stop = stop or (seed, control)
        if stop and seed - stop[0] > _FURTHER:
            break
    return stop


def control_of(guard: Guard, seeds: Iterable[int]) -> tuple[str, Control] | None:
    """Return the history that misses the guard, a seed or a test, and what came of it."""
    if guard.history:
        control = judge_history(guard)
        return (f"`{guard.history}`", control) if control else None
    seed = found(guard, seeds)
    return (str(seed[0]), seed[1]) if seed else None


def row(guard: Guard, history: str, control: Control) -> str:
    """Return the line of the table."""
    where = f"`{guard.module}.{guard.function}`"
    return f"| {' | '.join([guard.step, guard.name, where, *control, history])} |"


def rows() -> dict[str, str]:
    """Return the lines of the page's table, by the names of their guards."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    return {line.split(" | ")[1]: line for line in lines}


def seeds_of(line: str) -> list[int]:
    """Return the seed of a line of the table, if it has one."""
    history = line.removesuffix(" |").rpartition(" | ")[2]
    return [int(history)] if history.isdecimal() else []


def main() -> int:
    """Write the page; return 1 if a guard is missed by no history."""
    known = {name: seeds_of(line) for name, line in rows().items()} if PAGE.exists() else {}
    lines, unmissed = [], []
    for guard in GUARDS:
        control = control_of(guard, known.get(guard.name, ())) or control_of(guard, range(FIRST, FIRST + MOST))
        if control:
            lines.append(row(guard, *control))
            print(lines[-1], flush=True)
        else:
            unmissed.append(guard.name)
            print(f"missed by no history: {guard.name}", file=sys.stderr, flush=True)
    PAGE.write_text(_HEAD + "\n".join(lines) + "\n")
    return 1 if unmissed else 0


if __name__ == "__main__":
    sys.exit(main())
