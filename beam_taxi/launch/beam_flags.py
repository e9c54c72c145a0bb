"""Apache Beam's flags as they stand in the arguments; importing Beam's own parser would take seconds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path


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

    def with_defaults(self, defaults: Mapping[str, str]) -> list[str]:
        """Return the words, and the `defaults` of flags that are not among them."""
        added = [word for name, value in defaults.items() if name not in self for word in (f"--{name}", value)]
        return [*self.words, *added]


@cache
def known_beam_flags() -> frozenset[str]:
    """Return Beam's flags, such as `--streaming`, read from the source of its options: importing them takes seconds."""
    spec = find_spec("apache_beam")
    folders = list(spec.submodule_search_locations or []) if spec else []
    sources = [Path(folder, "options", "pipeline_options.py") for folder in folders]
    texts = [source.read_text(encoding="utf-8") for source in sources if source.is_file()]
    return frozenset(flag for text in texts for flag in re.findall(r"['\"](--\w+)['\"]", text))


def unknown_flags(words: Sequence[str], known: Collection[str]) -> Iterator[str]:
    """Yield a fault for each flag among `words` that is not known, neither itself nor as `--no_…`."""
    for flag in (word.split("=")[0] for word in words if word.startswith("--")):
        if flag not in known and flag.replace("--no_", "--", 1) not in known:
            close = difflib.get_close_matches(flag, known, 1)
            yield f"unknown flag {flag}" + (f"; did you mean {close[0]}?" if close else "")
