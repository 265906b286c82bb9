"""The guards that the protocol of docs/exactly-once.md needs, and the consumer with one of them switched off.

A guard is a piece of the source: a comparison, a lookup, or a write at its place in the order. Switched off, other
source stands there. `guards/*.yml` has them all.
"""

import ast
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("guards")


@dataclass(frozen=True)
class Guard:
    """`old` is its source in `module`, which is there once, and `new` what stands there when it is switched off."""

    name: str
    step: str
    """Of the protocol, as its page names it."""
    module: str
    old: str
    new: str
    history: str = ""
    """The single history that misses it, FILE::TEST, if no step of the random ones needs it."""
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Of that history."""

    @cached_property
    def source(self) -> str:
        """The source of its module. Raises ValueError if the guard is not in it once."""
        text = Path(str(import_module(f"login_consumer.{self.module}").__file__)).read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: its source is {text.count(self.old)} times in {self.module}.py")
        return text

    @property
    def lines(self) -> range:
        """The lines that it is in."""
        start = self.source.index(self.old) + len(self.old) - len(self.old.lstrip())
        first = self.source.count("\n", 0, start) + 1
        return range(first, first + self.old.strip().count("\n") + 1)

    @property
    def function(self) -> str:
        """The function or method that it is in."""
        names = [
            node.name
            for node in ast.walk(ast.parse(self.source))
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
            and node.lineno <= self.lines.start <= (node.end_lineno or 0)
        ]
        return ".".join(names)

    @contextmanager
    def switched_off(self) -> Iterator[None]:
        """Run the consumer without it in the block."""
        module = import_module(f"login_consumer.{self.module}")
        other: dict[str, Any] = {"__name__": module.__name__}
        code = compile(
            self.source.replace(self.old, self.new), f"{self.module}.py without it", "exec", dont_inherit=True
        )
        exec(code, other)  # noqa: S102  (the project's own source)
        with ExitStack() as stack:
            for mine, its in _functions(vars(module), other, module.__name__):
                # the function stays the same one, as others have imported it
                stack.callback(setattr, mine, "__code__", mine.__code__)
                mine.__code__ = its.__code__
            yield


def _functions(
    mine: Mapping[str, Any], its: Mapping[str, Any], module: str
) -> Iterator[tuple[FunctionType, FunctionType]]:
    """Yield the functions of a module or class, each with its counterpart."""
    for name, value in list(mine.items()):
        one, other = _bare(value), _bare(its.get(name))
        if getattr(one, "__module__", "") != module:
            continue
        if isinstance(one, FunctionType) and isinstance(other, FunctionType):
            yield one, other
        elif isinstance(one, type) and isinstance(other, type):
            yield from _functions(vars(one), vars(other), module)


def _bare(value: Any) -> Any:
    """Return the function inside of a property, a method of a class, or a decorated one."""
    for name in ("__func__", "fget", "__wrapped__"):
        value = getattr(value, name, value)
    return value


GUARDS = [
    Guard(**each) for file in sorted(FOLDER.glob("*.yml"), reverse=True) for each in yaml.safe_load(file.read_text())
]
