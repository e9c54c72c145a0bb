"""Corrected rejects to a CSV file: `python -m beam_taxi.rejects replay FILE --manifest RUN/manifest.json --out CSV`.

A run with a reject budget leaves JSON lines in its folder `rejects/`. Copy them, mend `text` in each line, drop the
lines that shall stay out, and replay them; the file is then an input of a next run with the same options.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence

from beam_taxi import layout, storage
from beam_taxi.errors import BeamTaxiError, DataError, UsageError
from beam_taxi.settings import Dialect, Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns 0 done, 2 bad usage, 3 a line is not mended."""
    parser = argparse.ArgumentParser(prog="python -m beam_taxi.rejects", allow_abbrev=False)
    replay = parser.add_subparsers(required=True).add_parser("replay", help="write corrected rejects as a CSV file")
    replay.add_argument("corrected", nargs="+", metavar="JSONL", help="rejects of the run, with `text` corrected")
    replay.add_argument("--manifest", required=True, help="manifest.json of the run")
    replay.add_argument("--out", required=True, metavar="CSV", help="the file to write; must not exist")
    args = parser.parse_args(argv)
    try:
        count = _replay(args.corrected, args.manifest, args.out)
    except BeamTaxiError as error:
        print(f"beam_taxi: error: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{count:,} row(s) in {args.out}; run it with the options of that run, and its schema as --schema")
    return 0


def _replay(corrected: Sequence[str], manifest_uri: str, out: str) -> int:
    manifest = layout.read_manifest(manifest_uri)
    dialect = Settings.from_json(manifest["settings"]).dialect
    columns = {one["uri"]: one.get("columns", manifest["columns"]) for one in manifest["inputs"]}
    rows = [row for path in corrected for row in _rows(path, columns, manifest["columns"], dialect)]
    header = [] if dialect.columns else [manifest["columns"]]
    text = io.StringIO()
    try:
        csv.writer(text, lineterminator="\n", **dialect.csv_format).writerows([*header, *rows])
        content = text.getvalue().encode(dialect.encoding)
    except (csv.Error, UnicodeEncodeError) as error:
        raise DataError(f"{out}: cannot be written in the format of the run: {error}") from None
    storage.write_new(out, content)
    return len(rows)


def _rows(path: str, columns: Mapping[str, list[str]], order: list[str], dialect: Dialect) -> Iterator[tuple[str, ...]]:
    """Yield the corrected records of a file of JSON lines, in the order of the columns of the run."""
    try:
        lines = storage.read_bytes(path).decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            reject = json.loads(line)
            names = columns[reject["file"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: line {number}: is not a reject of this run: {error!r}") from None
        if "text" not in reject:
            raise DataError(f"{path}: line {number}: has no 'text': replace 'base64' by the corrected record")
        try:
            text = io.StringIO(reject["text"], newline="")
            found = [row for row in csv.reader(text, strict=True, **dialect.csv_format) if row]
        except csv.Error as error:
            raise DataError(f"{path}: line {number}: {error}") from None
        if len(found) != 1 or len(found[0]) != len(names):
            fields = " and ".join(f"{len(row)} fields" for row in found) or "no record"
            raise DataError(f"{path}: line {number}: 'text' has {fields}, the header has {len(names)}")
        row = dict(zip(names, found[0], strict=True))
        yield tuple(row[name] for name in order)


if __name__ == "__main__":
    sys.exit(main())
