"""Corrected rejects to a CSV file: `beam-taxi rejects replay FILE --manifest RUN/manifest.json --out CSV`.

A run that skips bad rows writes them as JSON lines to its folder `rejects/`. Copy them, correct `text` in each line,
delete the lines to leave out, and replay them; the file is then an input for another run with the same options.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence

from beam_taxi import storage
from beam_taxi.cli.terminal import exit_status_of
from beam_taxi.errors import DataError, UsageError
from beam_taxi.flags import Parser
from beam_taxi.run.folder import read_manifest
from beam_taxi.settings import Dialect


def main(argv: Sequence[str] | None = None, prog: str = "python -m beam_taxi rejects") -> int:
    """Run the command; return 0 if done, 2 for bad usage, 3 if a line is not corrected."""
    return exit_status_of(lambda: _main(argv, prog), argv)


def _main(argv: Sequence[str] | None, prog: str) -> int:
    description, details = (__doc__ or "").split("\n\n")
    parser = Parser(prog=prog, description=f"{description}\n{details}", allow_abbrev=False)
    replay = parser.add_subparsers(required=True).add_parser("replay", help="write corrected rejects as a CSV file")
    replay.add_argument("corrected", nargs="+", metavar="JSONL", help="rejects of the run, with corrected `text`")
    replay.add_argument("--manifest", required=True, help="manifest.json of the run")
    replay.add_argument("--out", required=True, metavar="CSV", help="file to write, which must not exist")
    args = parser.parse_args(argv)
    count = _replay(args.corrected, args.manifest, args.out)
    print(f"{count:,} row(s) in {args.out}; run it with the options of that run, and its schema as --schema")
    return 0


def _replay(corrected: Sequence[str], manifest_uri: str, out: str) -> int:
    """Write the corrected records as a CSV file; return their number."""
    manifest = read_manifest(manifest_uri)
    dialect = manifest.settings.dialect
    columns = {entry.uri: entry.columns or manifest.columns for entry in manifest.inputs}
    of_json = {entry.uri for entry in manifest.inputs if entry.format == "jsonlines"}
    order = columns[manifest.inputs[0].uri]
    rows = [row for path in corrected for row in _rows(path, columns, of_json, order, dialect)]
    header = [] if dialect.columns and not dialect.replaces_header else [order]
    # Lines and records that the options of the run skip.
    footer = [("footer",)] * dialect.skip_footer
    text = io.StringIO("\n" * dialect.skip_lines)
    text.seek(0, io.SEEK_END)
    # Otherwise a cell may look like a comment, or like none.
    quoting = {"quoting": csv.QUOTE_ALL} if dialect.quote and (dialect.comment or dialect.is_whitespace) else {}
    try:
        writer = csv.writer(text, lineterminator="\n", **{**dialect.csv_format, **quoting})
        writer.writerows([*header, *rows, *footer])
        content = text.getvalue().encode(dialect.encoding)
    except (csv.Error, UnicodeEncodeError) as error:
        raise DataError(f"{out}: cannot be written in the format of the run: {error}") from error
    storage.write_new(out, content)
    return len(rows)


def _rows(
    path: str, columns: Mapping[str, Sequence[str]], of_json: Collection[str], order: Sequence[str], dialect: Dialect
) -> Iterator[tuple[str, ...]]:
    """Yield the corrected records of a file of JSON lines, with their fields in this order of the columns."""
    try:
        lines = storage.read_bytes(path).decode().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            reject = json.loads(line)
            names = columns[reject["file"]]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: line {number}: not a reject of this run: {error!r}") from error
        if reject["file"] in of_json:
            told = f"a line of JSON Lines, not CSV: `jq -r .text {path}` turns such rejects into JSON Lines"
            raise DataError(f"{path}: line {number}: {told}")
        if "text" not in reject:
            what = "replace 'base64' with" if "base64" in reject else "the run has --redact_columns; add"
            raise DataError(f"{path}: line {number}: 'text' is missing: {what} the corrected record")
        try:
            text = io.StringIO(reject["text"], newline="")
            found = [row for row in csv.reader(text, strict=True, **dialect.csv_format) if row]
            if dialect.trailing_delimiter:
                found = [row[:-1] if len(row) == len(names) + 1 and not row[-1] else row for row in found]
        except csv.Error as error:
            raise DataError(f"{path}: line {number}: {error}") from error
        if len(found) != 1 or len(found[0]) != len(names):
            fields = " and ".join(f"{len(row)} fields" for row in found) or "no record"
            raise DataError(f"{path}: line {number}: 'text' has {fields}, the header has {len(names)}")
        row = dict(zip(names, found[0], strict=True))
        yield tuple(row[name] for name in order)


if __name__ == "__main__":
    sys.exit(main())
