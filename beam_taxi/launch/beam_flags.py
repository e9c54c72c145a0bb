"""Apache Beam's flags as they stand in the arguments; importing Beam's own parser would take seconds."""

from __future__ import annotations

import ast
import difflib
import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beam_taxi.errors import UsageError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions


class BeamFlags:
    """The words of the command line that belong to Beam: `--flag value`, `--flag=value` or `--flag`."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._values: dict[str, list[str]] = {}
        name = None
        for word in words:
            if word.startswith("--"):
                name, equals, value = word.removeprefix("--").partition("=")
                self._values.setdefault(name, [])
                if equals:
                    self._values[name].append(value)
            elif name is not None:
                self._values[name].append(word)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def get(self, name: str, default: str = "") -> str:
        """Return the last value of a flag, `default` if it is missing or has no value."""
        values = self._values.get(name)
        return values[-1] if values else default

    def all(self, *names: str) -> list[str]:
        """Return all values of the flags with these names."""
        return [value for name in names for value in self._values.get(name, [])]

    def with_defaults(self, defaults: Mapping[str, str]) -> list[str]:
        """Return the words, and the `defaults` of flags that are not among them."""
        added = [word for name, value in defaults.items() if name not in self for word in (f"--{name}", value)]
        return [*self.words, *added]


@dataclass(frozen=True)
class _Declared:
    """How Beam declares a flag: what its value must be, and how many values it takes at least and at most."""

    must_be: str = ""
    choices: tuple[str, ...] = ()
    fewest: int = 1
    most: int = 1
    limits: tuple[int, int] = (-(2**31), 2**31 - 1)
    """Engines and services hold Beam's numbers in 32 bits."""

    def fault(self, value: str) -> str:
        """Return what a value must be instead, empty if Beam takes it."""
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        try:
            number = _TYPES[self.must_be](value)
        except ValueError:
            return f"must be {self.must_be}"
        low, high = self.limits
        is_outside = isinstance(number, int) and not low <= number <= high
        return f"must be between {low} and {high}" if is_outside else ""


_TYPES: Mapping[str, Callable[[str], object]] = {
    "": str,
    "a whole number": int,
    "a number": float,
    "JSON": json.loads,
}
_TYPE_NAMES = {"int": "a whole number", "float": "a number", "json.loads": "JSON"}
# 0 means a worker for each processor.
_LIMITS = {"--direct_num_workers": (0, 256)}


@cache
def source_of_options() -> str:
    """Return the source of Beam's options, empty if Beam is not installed: importing them takes seconds."""
    spec = find_spec("apache_beam")
    folders = list(spec.submodule_search_locations or []) if spec else []
    sources = [Path(folder, "options", "pipeline_options.py") for folder in folders]
    return "".join(source.read_text(encoding="utf-8") for source in sources if source.is_file())


@cache
def known_beam_flags() -> frozenset[str]:
    """Return Beam's flags, such as `--streaming`."""
    return frozenset(re.findall(r"['\"](--\w+)['\"]", source_of_options()))


@cache
def _declared_flags() -> Mapping[str, _Declared]:
    """Return how Beam declares its flags; what its source does not say literally is left open. It takes 25 ms."""
    calls = (node for node in ast.walk(ast.parse(source_of_options())) if isinstance(node, ast.Call))
    found: dict[str, _Declared] = {}
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            declared = _declared({one.arg: one.value for one in call.keywords if one.arg})
            found.update({str(one.value): declared for one in call.args if isinstance(one, ast.Constant)})
    return found | {flag: replace(found[flag], limits=limits) for flag, limits in _LIMITS.items() if flag in found}


def _declared(keywords: Mapping[str, ast.expr]) -> _Declared:
    action, choices = (_literal(keywords.get(name)) for name in ("action", "choices"))
    if str(action).startswith("store_"):
        return _Declared(fewest=0, most=0)
    type_ = _TYPE_NAMES.get(ast.unparse(keywords["type"]), "") if "type" in keywords else ""
    return _Declared(type_, tuple(map(str, choices or ())), fewest=0 if _literal(keywords.get("nargs")) == "?" else 1)


def _literal(node: ast.expr | None) -> Any:
    """Return the value of a literal, None if it is none."""
    try:
        return None if node is None else ast.literal_eval(node)
    except ValueError:
        return None


def unknown_flags(words: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """Yield a fault for each flag among `words` that is not known, neither itself nor as `--no_…`."""
    for flag in (word.split("=")[0] for word in words if word.startswith("--")):
        if flag not in known and flag.replace("--no_", "--", 1) not in known:
            close = difflib.get_close_matches(flag, known, 1)
            yield f"unknown flag {flag}" + (f"; did you mean {close[0]}?" if close else "")


def faults_of_words(words: Sequence[str], ours: Collection[str], has_own_flags: bool) -> Iterator[str]:
    """Yield what Beam's parser would refuse among `words`, and the words that it would drop.

    `ours` are the flags that are not Beam's. If a runner `has_own_flags`, those that are not known are left to it.
    """
    if not words or not source_of_options():
        return
    if not has_own_flags:
        yield from unknown_flags(words, known_beam_flags() | set(ours))
    declared = _declared_flags()
    for flag, values in _flags_and_values(words):
        if flag not in declared:
            continue
        one = declared[flag]
        if len(values) < one.fewest:
            yield f"{flag}: a value is missing"
        elif len(values) > one.most:
            yield f"{flag}: unexpected {values[one.most]!r}" + ("" if one.most else "; the flag takes no value")
        else:
            yield from (f"{flag} {value!r}: {fault}" for value in values if (fault := one.fault(value)))


def _flags_and_values(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    flag, values = "", list[str]()
    for word in words:
        if word.startswith("--"):
            yield flag, values
            flag, equals, value = word.partition("=")
            values = [value] if equals else []
        else:
            values.append(word)
    yield flag, values


def parse_beam_options(words: Sequence[str]) -> PipelineOptions:
    """Return Beam's options from words of a command line. Raises UsageError where Beam's parser ends the process."""
    from apache_beam.options.pipeline_options import PipelineOptions

    said = io.StringIO()
    try:
        with redirect_stderr(said):
            options = PipelineOptions(list(words))
            # Beam parses each group of options on its first use.
            options.get_all_options(retain_unknown_options=True)
    except SystemExit as error:
        raise UsageError(said.getvalue().strip().rpartition("error: ")[2]) from error
    except (ValueError, AssertionError) as error:
        raise UsageError(f"Beam does not take its options: {error}") from error
    return options
