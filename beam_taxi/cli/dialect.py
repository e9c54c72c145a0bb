"""What `--dialect auto` prints: the options that each file seems to need, with reasons."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import BinaryIO

from beam_taxi import storage
from beam_taxi.dates import is_dated
from beam_taxi.errors import DataError, UsageError
from beam_taxi.flags import values_of
from beam_taxi.settings import Settings
from beam_taxi.sources.csv.header import read_header
from beam_taxi.sources.csv.propose import Proposal, propose
from beam_taxi.sources.days import find_days
from beam_taxi.sources.formats import Sample
from beam_taxi.sources.layout import lay_out
from beam_taxi.sources.registry import is_csv, is_table


def print_proposals(settings: Settings) -> int:
    """Print a proposal for each CSV file of `--input`, and return 0. Raises UsageError and DataError."""
    patterns = [pattern for pattern in settings.input if not is_table(pattern)]
    layouts = find_days(settings).layouts
    layouts += [
        lay_out(storage.absolute(pattern), storage.match_below(pattern))
        for pattern in patterns
        if not is_dated(pattern)
    ]
    files = {uri: file for layout in layouts for uri, (file, _) in layout.files.items()}
    if not files:
        raise UsageError(f"--dialect auto: no file matches --input {' '.join(patterns)}")
    for uri in sorted(files):
        with storage.open_head(files[uri]) as stored:
            if is_csv(Sample(files[uri], stored)):
                _propose(uri, stored, settings)
            else:
                print(f"{uri}: is not CSV")
    return 0


def _propose(uri: str, stored: BinaryIO, settings: Settings) -> None:
    stored.seek(0)
    proposal = propose(uri, stored)
    _print(uri, proposal)
    try:
        columns = read_header(uri, stored, proposal.dialect, settings.columns).columns
        print(f"  columns: {', '.join(columns)}")
    except DataError as error:
        print(f"  these options are not enough: {error}")


def _print(uri: str, proposal: Proposal) -> None:
    print(f"{uri}: looked at the first {proposal.records:,} records")
    values = zip(fields(proposal.dialect), values_of(proposal.dialect), strict=True)
    words = {field.name: option.words(value) for field, (option, value) in values if value != option.default}
    shown = {name: shlex.join(given) for name, given in words.items()}
    width = max(map(len, shown.values()), default=0)
    for name, given in shown.items():
        print(f"  {given:{width}}  {proposal.reasons[name]}")
    print(f"  read it with: {' '.join(shown.values())}" if shown else "  no option is needed")
