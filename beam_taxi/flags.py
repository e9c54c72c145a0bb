"""Command-line flags, declared once: with the fields of the frozen dataclasses that hold their values.

    @dataclass(frozen=True)
    class Statistics:
        top_k: int = field(default=20, metadata=flag("most frequent values", Group.STATISTICS, INTEGER))

The parser, the values, the words that give a value again, and the Flex Template's metadata follow from that.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from beam_taxi.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Declared = TypeVar("Declared", bound=DataclassInstance)


@dataclass(frozen=True)
class Value:
    """How text becomes a value, and a value text. `parse` raises ValueError with what the text must be."""

    parse: Callable[[str], object]
    format: Callable[..., str] = str


def _parse_integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise ValueError("must be a whole number")
    return int(text)


def _parse_number(text: str) -> float:
    if not re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
        raise ValueError("must be a number")
    return float(text)


def parse_names(text: str) -> tuple[str, ...]:
    """Return comma-separated names; a name that contains a comma is quoted as in a CSV file."""
    try:
        return tuple(next(csv.reader([text]), ()))
    except csv.Error as error:
        raise ValueError(f"must be names separated by commas: {error}") from error


def format_names(names: Iterable[str]) -> str:
    """Return the names as `parse_names` reads them."""
    quoted = ('"' + name.replace('"', '""') + '"' for name in names)
    return ",".join(
        quote if not name or name.startswith("-") or set(name) & set(',"\r\n') else name
        for name, quote in zip(names, quoted, strict=True)
    )


TEXT = Value(str)
INTEGER = Value(_parse_integer)
NUMBER = Value(_parse_number, repr)
NAMES = Value(parse_names, format_names)


class Group(str, Enum):
    """The groups of flags, in the order of `--help`."""

    DATA = "input and output"
    CSV = "CSV"
    EXAMPLES = "examples"
    STATISTICS = "statistics"
    VALIDATION = "validation"
    RUN = "run"


@dataclass(frozen=True)
class Flag:
    """The flag of a field; `name` is that of the field unless given.

    `sets` makes it a switch, which sets the field to that value. A flag that `repeats` takes one or more words.
    `default` is shown as the default if that of the field is not the whole truth.
    """

    help: str
    group: Group
    value: Value = TEXT
    name: str = ""
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    sets: bool | None = None
    repeats: bool = False
    default: str = ""


def flag(
    help_: str,
    group: Group,
    value: Value = TEXT,
    name: str = "",
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    sets: bool | None = None,
    repeats: bool = False,
    default: str = "",
) -> dict[str, Flag]:
    """Return the metadata of a field that has a flag; see `Flag`."""
    return {_KEY: Flag(help_, group, value, name, metavar, choices, aliases, sets, repeats, default)}


_KEY = "flag"


@dataclass(frozen=True)
class Option:
    """A flag and the default of its field, None if it has no default."""

    flag: Flag
    name: str
    default: object

    @property
    def is_switch(self) -> bool:
        """Whether the flag takes no value."""
        return self.flag.sets is not None

    @property
    def default_text(self) -> str:
        """The default as help shows it, empty if there is none."""
        return self.flag.default or self.value_text(None if self.is_switch else self.default)

    @property
    def help(self) -> str:
        """The help text with the default."""
        return self.flag.help + (f" (default: {self.default_text})" if self.default_text else "")

    @property
    def strings(self) -> tuple[str, ...]:
        """The flag and its other names, as they are written."""
        return tuple(f"--{name}" for name in (self.name, *self.flag.aliases))

    def add_to(self, group: argparse._ArgumentGroup) -> None:
        """Add the flag to a parser. Arguments hold text, and only flags that were given."""
        text = self.help.replace("%", "%%")
        if self.is_switch:
            group.add_argument(*self.strings, dest=self.name, action="store_true", default=argparse.SUPPRESS, help=text)
        else:
            group.add_argument(
                *self.strings,
                dest=self.name,
                metavar=self.flag.metavar or ("N" if self.flag.value is INTEGER else None),
                choices=self.flag.choices or None,
                nargs="+" if self.flag.repeats else None,
                action="extend" if self.flag.repeats else "store",
                default=argparse.SUPPRESS,
                help=text,
            )

    def parse(self, given: object) -> object:
        """Return the value of a flag that was given. Raises UsageError."""
        if self.is_switch:
            return self.flag.sets
        if self.flag.repeats:
            return tuple(given) if isinstance(given, list) else (given,)
        try:
            return self.flag.value.parse(str(given))
        except ValueError as error:
            raise UsageError(f"--{self.name} {given!r}: {error}") from error

    def value_text(self, value: object) -> str:
        """Return a value as text, empty for None and for no words."""
        return "" if value is None or value == () else self.flag.value.format(value)

    def words(self, value: object) -> list[str]:
        """Return the words of a command line that give the value."""
        if self.is_switch:
            return [self.strings[0]]
        if not self.flag.repeats:
            return self._word(self.flag.value.format(value))
        assert isinstance(value, tuple)
        return [word for one in value for word in self._word(one)]

    def _word(self, text: str) -> list[str]:
        return [f"--{self.name}={text}"] if text.startswith("-") else [f"--{self.name}", text]


def options_of(declared: type[DataclassInstance]) -> list[Option]:
    """Return the options of a dataclass and of the dataclasses inside it."""
    found = []
    for one in fields(declared):
        flag = one.metadata.get(_KEY)
        if flag is not None:
            found.append(Option(flag, flag.name or one.name, _default_of(one)))
        elif isinstance(one.default_factory, type) and is_dataclass(one.default_factory):
            found += options_of(one.default_factory)
    return found


def values_of(instance: DataclassInstance) -> Iterator[tuple[Option, object]]:
    """Yield the options of a dataclass and of those inside it, with the values that they have."""
    for one in fields(instance):
        flag, value = one.metadata.get(_KEY), getattr(instance, one.name)
        if flag is not None:
            yield Option(flag, flag.name or one.name, _default_of(one)), value
        elif is_dataclass(value) and not isinstance(value, type):
            yield from values_of(value)


def _default_of(one: Field[Any]) -> object:
    if one.default is not MISSING:
        return one.default
    return {} if one.default_factory is dict else None


def build(declared: type[Declared], given: Mapping[str, object]) -> Declared:
    """Return a dataclass from values by the names of the flags; a flag that was not given leaves the default."""
    values: dict[str, object] = {}
    for one in fields(declared):
        flag = one.metadata.get(_KEY)
        if flag is not None:
            name = flag.name or one.name
            values |= {one.name: given[name]} if name in given else {}
        elif isinstance(one.default_factory, type) and is_dataclass(one.default_factory):
            values[one.name] = build(one.default_factory, given)
    return declared(**values)


VERBOSE = ("-v", "--verbose")
"""The option of every verb that `launch.stderr` looks for before the arguments are parsed."""


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError, so that every mistake is reported in one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.add_help:
            text = "show also what libraries log, and the trace of an error"
            self.add_argument(*VERBOSE, action="store_true", default=argparse.SUPPRESS, help=text)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print the help; unlike argparse, raise OSError if it cannot be written."""
        print(message, end="", file=file)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message)


def add_options(parser: argparse.ArgumentParser, options: Iterable[Option]) -> None:
    """Add options to a parser, in their groups."""
    titled = {group: parser.add_argument_group(group.value) for group in Group}
    for option in options:
        option.add_to(titled[option.flag.group])


def parse_given(options: Iterable[Option], given: Mapping[str, object]) -> dict[str, object]:
    """Return the values of the arguments that were given, by name. Raises UsageError with all faults at once."""
    values, faults = {}, []
    for option in options:
        if option.name in given:
            try:
                values[option.name] = option.parse(given[option.name])
            except UsageError as error:
                faults.append(str(error))
    if faults:
        raise UsageError("; ".join(faults))
    return values
