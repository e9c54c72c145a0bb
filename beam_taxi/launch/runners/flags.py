"""Apache Beam's options as they came in the arguments: importing its parser takes seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence


class BeamFlags:
    """The words of the command line that are Beam's, `--flag value`, `--flag=value` or `--flag`."""

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
        """Return the last value of a flag, `default` where it is not there or has none."""
        values = self._values.get(name)
        return values[-1] if values else default

    def with_defaults(self, defaults: Mapping[str, str]) -> list[str]:
        """Return the words, and those of `defaults` whose flag is not among them."""
        added = [word for name, value in defaults.items() if name not in self for word in (f"--{name}", value)]
        return [*self.words, *added]
