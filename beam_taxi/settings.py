"""The settings of a run: frozen, validated, JSON both ways."""

from __future__ import annotations

import codecs
import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from beam_taxi.errors import UsageError

NO_INFLUENCE = ("run_uri", "run_id", "project", "batch_bytes")
"""Settings that do not decide the content of a run's files."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Split:
    """A named part of the rows; its share is `weight` over the sum of the weights."""

    name: str
    weight: int


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    `quote` is empty where nothing is quoted. `null_values` are spellings of a missing value besides the empty cell.
    `columns` are the names where the file has no header. A record may have four times `max_field_bytes`.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    null_values: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    max_field_bytes: int = 16 << 20

    @property
    def delimiter_byte(self) -> int:
        """The delimiter as a byte."""
        return ord(self.delimiter)

    @property
    def quote_byte(self) -> int | None:
        """The quote as a byte, None where nothing is quoted."""
        return ord(self.quote) if self.quote else None

    @property
    def csv_format(self) -> dict[str, Any]:
        """The arguments that tell Python's csv module."""
        quoting = {"quotechar": self.quote} if self.quote else {"quoting": csv.QUOTE_NONE}
        return {"delimiter": self.delimiter, **quoting}

    @property
    def max_record_bytes(self) -> int:
        """The longest record that is read, in bytes."""
        return 4 * self.max_field_bytes

    @property
    def is_utf8(self) -> bool:
        """Tell whether the text is UTF-8, or ASCII as a part of it."""
        return codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig", "ascii")

    @property
    def is_single_byte(self) -> bool:
        """Tell whether a byte is a character, those of ASCII as there: records can be found in the stored bytes."""
        every_byte = bytes(range(256)).decode(self.encoding, "replace")
        return len(every_byte) == 256 and every_byte[:128] == bytes(range(128)).decode("ascii")

    def faults(self) -> Iterator[str]:
        """Yield what is wrong, by option."""
        if len(self.delimiter) != 1 or self.delimiter in "\r\n" or not self.delimiter.isascii():
            yield f"--delimiter {self.delimiter!r}: one ASCII character other than a line break"
        if len(self.quote) > 1 or self.quote in ("\r", "\n", self.delimiter) or not self.quote.isascii():
            yield f"--quote {self.quote!r}: one ASCII character other than the delimiter or a line break, or empty"
        try:
            "".encode(codecs.lookup(self.encoding).name)
        except LookupError:
            yield f"--encoding {self.encoding!r}: Python knows no such text encoding"
        if len(set(self.columns)) < len(self.columns) or not all(self.columns):
            yield f"--column_names {','.join(self.columns)}: must be different and not empty"
        if self.max_field_bytes < 1:
            yield f"--max_field_bytes {self.max_field_bytes}: must be above 0"


@dataclass(frozen=True)
class StatisticsSettings:
    """What TFDV computes: buckets per numeric feature, `top_k` values per string feature."""

    histogram_buckets: int = 10
    quantile_buckets: int = 50
    top_k: int = 20
    weight_feature: str | None = None
    features: tuple[str, ...] = ()
    slice_features: tuple[str, ...] = ()

    def described_columns(self) -> list[str]:
        """Return the columns that statistics are of, with those that slice or weigh; none if they are of all."""
        if not self.features:
            return []
        return sorted({*self.features, *self.slice_features, *filter(None, [self.weight_feature])})


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run makes. `schema` is the text of a Schema proto, or None to infer types.

    `unit_bytes` counts bytes as they are stored, `batch_bytes` bytes of text; `num_shards` overrides `unit_bytes`.
    Of these only `batch_bytes` has no influence on the files.
    """

    input: tuple[str, ...]
    run_uri: str
    run_id: str
    pipeline_name: str = "beam_taxi"
    query: str | None = None
    project: str | None = None
    examples: bool = True
    splits: tuple[Split, ...] = (Split("train", 2), Split("eval", 1))
    split_key: str | None = None
    schema: str | None = None
    dialect: Dialect = field(default_factory=Dialect)
    max_rejects: int | None = None
    max_reject_ratio: float | None = None
    num_shards: int | None = None
    unit_bytes: int | None = None
    batch_bytes: int = 4 << 20
    gzip_level: int = 1
    statistics: StatisticsSettings = field(default_factory=StatisticsSettings)

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise UsageError("; ".join(faults))

    def _faults(self) -> Iterator[str]:
        if not self.input and self.query is None:
            yield "--input or --query is missing"
        for option, name in (("--run_id", self.run_id), ("--pipeline_name", self.pipeline_name)):
            if not _NAME.fullmatch(name):
                yield f"{option} {name!r}: letters, digits, '.', '_' and '-' only"
        names = [split.name for split in self.splits]
        if not names or len(set(names)) < len(names) or not all(_NAME.fullmatch(n) for n in names):
            yield f"--splits: names {names} must be different, of letters, digits, '.', '_' and '-'"
        if any(split.weight < 1 for split in self.splits):
            yield "--splits: weights must be whole numbers above 0"
        yield from self.dialect.faults()
        if self.max_rejects is not None and self.max_rejects < 0:
            yield f"--max_rejects {self.max_rejects}: must not be below 0"
        if self.max_reject_ratio is not None and not 0 <= self.max_reject_ratio <= 1:
            yield f"--max_reject_ratio {self.max_reject_ratio}: 0 to 1"
        if self.num_shards is not None and self.unit_bytes is not None:
            yield "--num_shards and --unit_bytes: give one of them"
        positive = {
            "--num_shards": self.num_shards,
            "--unit_bytes": self.unit_bytes,
            "--batch_bytes": self.batch_bytes,
            "--histogram_buckets": self.statistics.histogram_buckets,
            "--quantile_buckets": self.statistics.quantile_buckets,
            "--top_k": self.statistics.top_k,
        }
        yield from (
            f"{option} {value}: must be above 0"
            for option, value in positive.items()
            if value is not None and value < 1
        )
        if not 0 <= self.gzip_level <= 3:
            yield f"--gzip_level {self.gzip_level}: 0 to 3"

    def allowed_rejects(self, records: int) -> int:
        """Return how many of so many records may be set aside; none unless an option says so."""
        limits = [] if self.max_rejects is None else [self.max_rejects]
        limits += [] if self.max_reject_ratio is None else [int(self.max_reject_ratio * records)]
        return min(limits, default=0)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values; `from_json` is the inverse."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return values

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Settings:
        """Return the settings that `to_json` wrote; raises UsageError or TypeError on anything else."""
        statistics = dict(values["statistics"])
        for key in ("features", "slice_features"):
            statistics[key] = tuple(statistics[key])
        dialect = {**values["dialect"]}
        for key in ("null_values", "columns"):
            dialect[key] = tuple(dialect[key])
        return Settings(
            **{
                **values,
                "input": tuple(values["input"]),
                "dialect": Dialect(**dialect),
                "splits": tuple(Split(**split) for split in values["splits"]),
                "statistics": StatisticsSettings(**statistics),
            }
        )

    def sha256(self) -> str:
        """Return the hash of what decides the content: all but place, run id, paying project and batch size."""
        values = self.to_json()
        for key in NO_INFLUENCE:
            del values[key]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
