"""The conditions of `--split_by`, and what is wrong with the options of splits, given the columns of a table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from beam_taxi.columns import suggestion
from beam_taxi.settings import Settings
from beam_taxi.sources.kinds import Kind
from beam_taxi.validation.expressions import Expression, columns_of
from beam_taxi.validation.parse import parse_row_rule
from beam_taxi.validation.rule_types import Kinds, check_row_rule
from beam_taxi.validation.tokens import RuleError


def parse_conditions(texts: Sequence[str]) -> tuple[list[Expression], list[str]]:
    """Return the syntax trees of conditions, which are rules of rows, and the faults of those that have none.

    parse_conditions(["fare > 5"])  # ([Comparison(…)], [])
    """
    found, faults = list[Expression](), list[str]()
    for text in texts:
        try:
            found.append(parse_row_rule(text))
        except RuleError as error:
            faults.append(_fault(text, error))
    return found, faults


def faults_of_columns(settings: Settings, kinds: Kinds, with_lists: Collection[str] = ()) -> list[str]:
    """Return what is wrong with `--split_column` and `--split_by`, given the kinds of the columns, as far as known."""
    splitting = settings.splitting
    if splitting.column is not None:
        return list(_faults_of_column(splitting.column, kinds, with_lists))
    expressions, faults = parse_conditions(splitting.conditions)
    for text, expression in zip(splitting.conditions, expressions, strict=False) if not faults else ():
        faults += [_fault(text, fault) for fault in check_row_rule(expression, kinds)]
        lists = [name for name in columns_of(expression) if name in with_lists]
        faults += [_fault(text, f"column {name!r} has lists, not one value in each row") for name in lists]
    return faults


def _faults_of_column(name: str, kinds: Kinds, with_lists: Collection[str]) -> Iterator[str]:
    if name not in kinds:
        yield f"--split_column: no column {name!r}{suggestion(name, kinds)}"
    elif name in with_lists:
        yield f"--split_column: column {name!r} has lists, not one value in each row"
    elif kinds[name] is Kind.FLOAT:
        yield f"--split_column: column {name!r} is FLOAT; the names of splits must be text or whole numbers"


def _fault(text: str, fault: object) -> str:
    return f"--split_by {text!r}: {fault}"
