"""Files of formats that are not read, recognized by their first bytes in order to name them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from beam_taxi.errors import DataError
from beam_taxi.settings import Settings
from beam_taxi.sources.formats import FileFormat, Sample
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.source import AnySource

_AS_CSV = "save it as CSV"
_AS_PARQUET = "convert it to Parquet"
_FORMATS = {
    rb"PK\x03\x04.*(\[Content_Types\]\.xml|xl/)": f"an Excel workbook; {_AS_CSV}",
    rb"PK\x03\x04.*mimetypeapplication/vnd\.oasis": f"an OpenDocument file; {_AS_CSV}",
    rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": f"an Excel workbook or another Office file; {_AS_CSV}",
    rb"ARROW1\0\0|FEA1": f"a Feather (Arrow) file; {_AS_PARQUET}",
    rb"\xff\xff\xff\xff.{3}\0\x10\0\0\0": f"an Arrow stream; {_AS_PARQUET}",
    rb"ORC[\x00-\x1f\x80-\xff]": f"an ORC file; {_AS_PARQUET}",
    rb"Obj\x01": f"an Avro file; {_AS_PARQUET}",
    rb"\x89HDF\r\n\x1a\n": f"an HDF5 file; {_AS_PARQUET}",
    rb"\x93NUMPY": f"a NumPy array; {_AS_CSV} or {_AS_PARQUET}",
    rb"\x80[\x02-\x05][\x80-\xff}\]\(c]": f"a Python pickle; {_AS_CSV} or {_AS_PARQUET}",
    rb"SQLite format 3\0": f"a SQLite database; {_AS_CSV}",
    rb"%PDF-": "a PDF document",
    rb"version https://git-lfs\.github\.com/spec/": "a pointer of Git LFS, not the data; run `git lfs pull`",
    rb"/annex/objects/": "a pointer of git-annex, not the data; run `git annex get`",
    rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype\s+html|html|head|body)\b": "an HTML page; was it downloaded without a login?",
    rb"(\xef\xbb\xbf)?\s*<\?xml\b": "an XML document",
    rb"(\xef\xbb\xbf)?\s*\[\s*(\[|\{\s*[\"}])": (
        "a JSON array, not a table; convert it to JSON Lines, one object per line: jq -c '.[]'"
    ),
    rb'(\xef\xbb\xbf)?\s*\{\s*"(\\.|[^"\\])*"\s*:': (
        "a JSON document, not a table; convert it to JSON Lines, one object per line: jq -c ."
    ),
}


class ForeignFormat(FileFormat):
    """Formats that are not read."""

    def recognizes(self, sample: Sample) -> bool:
        """Return whether a file is known to be none that is read."""
        return _name(sample.head) is not None

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> AnySource:
        """Raise DataError."""
        raise DataError(f"{sample.file.uri}: is {_name(sample.head)}")


def _name(head: bytes) -> str | None:
    return next((name for magic, name in _FORMATS.items() if re.match(magic, head, re.DOTALL)), None)
