"""The settings of a run: frozen, validated, JSON both ways; each is declared once, with its flag."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal

from beam_taxi.columns import ColumnSettings as ColumnSettings
from beam_taxi.columns import suggestion as suggestion
from beam_taxi.dates import DateSettings as DateSettings
from beam_taxi.dialect import WHITESPACE as WHITESPACE
from beam_taxi.dialect import Dialect as Dialect
from beam_taxi.errors import UsageError
from beam_taxi.example_formats import FORMATS, TFRECORD_GZIP
from beam_taxi.flags import INTEGER, NAMES, NUMBER, Group, flag, values_of
from beam_taxi.splitting import DEFAULTS, NAME_RULE, SPLITS
from beam_taxi.splitting import NAME as NAME
from beam_taxi.splitting import Split as Split
from beam_taxi.splitting import SplitSettings as SplitSettings
from beam_taxi.splitting import default_splits as default_splits

NO_INFLUENCE = ("run_uri", "run_id", "project", "batch_bytes")
"""Settings that do not decide the content of a run's files."""

GIVEN_SCHEMA, GIVEN_CHECKS = "given_schema.pbtxt", "given_checks.yaml"
"""The files that `command_line` names as `--schema` and `--checks`: settings have their texts, not their paths."""

ANOMALIES, CHECKS, DRIFT = "anomalies", "checks", "drift"
KINDS = (ANOMALIES, CHECKS, DRIFT)
"""The kinds of results of a validation."""

PREVIOUS = "previous"
"""The value of `--baseline` for the last accepted run of the pipeline."""

SCHEMA_FILE, CHECKS_FILE = "schema.pbtxt", "checks.yaml"
"""The names of the schema and of the checks in results."""

WARNINGS, NOTHING = "warnings", "none"
FAIL_ON = (*KINDS, WARNINGS, NOTHING)
"""The words of `--fail_on`."""

MOST_SHARDS = 99_999
"""The names of shards have five digits."""
BY_NAME = "by_name"
"""The value of `--union`."""


@dataclass(frozen=True)
class StatisticsSettings:
    """What TFDV computes: buckets of each numeric feature, the `top_k` values of each string feature."""

    histogram_buckets: int = field(
        default=10, metadata=flag("number of equal-width buckets", Group.STATISTICS, INTEGER)
    )
    quantile_buckets: int = field(default=50, metadata=flag("number of quantile buckets", Group.STATISTICS, INTEGER))
    top_k: int = field(default=20, metadata=flag("number of most frequent values", Group.STATISTICS, INTEGER))
    weight_feature: str | None = field(
        default=None, metadata=flag("example-weight column (numeric)", Group.STATISTICS, metavar="COLUMN")
    )
    features: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "only these columns, and those of --slice_features, --weight_feature and --label: a,b,…",
            Group.STATISTICS,
            NAMES,
            "stats_features",
            "COLUMNS",
        ),
    )
    slice_features: tuple[str, ...] = field(
        default=(),
        metadata=flag(
            "also statistics for each value of these columns: a,b,…", Group.STATISTICS, NAMES, metavar="COLUMNS"
        ),
    )

    label: str | None = field(
        default=None,
        metadata=flag(
            "column to predict; the report looks at its balance and at what gives it away",
            Group.STATISTICS,
            metavar="COLUMN",
        ),
    )

    def described_columns(self) -> list[str]:
        """Return the columns that statistics are of, with those of other options; none if they are of all."""
        if not self.features:
            return []
        return sorted({*self.features, *self.slice_features, *filter(None, [self.weight_feature, self.label])})


@dataclass(frozen=True)
class ValidationSettings:
    """How the data are judged, in addition to `Settings.schema`.

    `checks` is the text of a file of checks, and `check_files` has the texts of the files that it names. `baseline` is
    the URI of a run, a split or a file of statistics. `history` has the URIs of earlier runs, from which limits are
    learned.
    """

    checks: str | None = field(
        default=None, metadata=flag("YAML file with your own checks of the data", Group.VALIDATION, metavar="FILE")
    )
    check_files: Mapping[str, str] = field(default_factory=dict)
    environment: str | None = field(
        default=None,
        metadata=flag("environment of the schema to validate the data in", Group.VALIDATION, metavar="NAME"),
    )
    baseline: str | None = field(
        default=None,
        metadata=flag(
            "run, split or file of statistics to compare the data with, or `previous`: the last accepted run of the "
            "pipeline in --metadata_store",
            Group.VALIDATION,
            metavar="RUN",
        ),
    )
    history: tuple[str, ...] = ()
    fail_on: tuple[str, ...] | None = field(
        default=None,
        metadata=flag(
            f"results that end the run with exit status 4: any of {','.join(FAIL_ON[:-1])}, or {NOTHING}",
            Group.VALIDATION,
            NAMES,
            metavar="KINDS",
            default="anomalies with --schema, checks with --checks",
        ),
    )
    offenders: int = field(
        default=20,
        metadata=flag("number of rows to list for each anomaly or violated check", Group.VALIDATION, INTEGER),
    )

    quarantine: bool = field(
        default=False,
        metadata=flag(
            "reject rows that violate the schema or a row check, as many as --max_rejects or --max_reject_ratio allows",
            Group.VALIDATION,
            sets=True,
        ),
    )

    @property
    def baseline_files(self) -> tuple[str, ...]:
        """The URI of the baseline that workers read, if there is one."""
        return () if self.baseline in (None, PREVIOUS) else (str(self.baseline),)

    def faults(self, has_schema: bool) -> Iterator[str]:
        """Yield what is wrong, by option."""
        if self.quarantine and not has_schema and self.checks is None:
            yield "--quarantine requires --schema or --checks"
        unknown = [word for word in self.fail_on or () if word not in FAIL_ON]
        if unknown or self.fail_on == ():
            yield f"--fail_on {','.join(unknown)}: must be one or more of {', '.join(FAIL_ON)}"
        if NOTHING in (self.fail_on or ()) and len(self.fail_on or ()) > 1:
            yield f"--fail_on {','.join(self.fail_on or ())}: {NOTHING} cannot be combined with others"
        if self.environment is not None and not has_schema:
            yield "--environment requires --schema"


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a run produces. `schema` is the text of a Schema proto, or None to infer types.

    `unit_bytes` counts stored bytes, `batch_bytes` bytes of text; `num_shards` overrides `unit_bytes`.
    Of these only `batch_bytes` has no influence on the files.
    """

    input: tuple[str, ...] = field(
        metadata=flag(
            "CSV, Parquet, JSON Lines or TFRecord files: paths, folders or patterns, also gs://; or tables: "
            "bq://PROJECT.DATASET.TABLE",
            Group.DATA,
            metavar="PATTERN",
            repeats=True,
        )
    )
    run_uri: str = field(
        metadata=flag(
            "folder in which each run creates its own, also gs://", Group.DATA, name="output", metavar="FOLDER"
        )
    )
    run_id: str = field(
        metadata=flag("name of the run and its folder", Group.DATA, default="the day or the time, and a random part")
    )
    pipeline_name: str = field(default="beam_taxi", metadata=flag("name in ML Metadata", Group.DATA))
    query: str | None = field(
        default=None, metadata=flag("BigQuery SQL whose rows are an input", Group.DATA, metavar="SQL")
    )
    project: str | None = field(
        default=None, metadata=flag("Google Cloud project that pays for Dataflow and BigQuery", Group.RUN)
    )
    examples: bool = field(
        default=True,
        metadata=flag(
            "write only statistics and schema",
            Group.EXAMPLES,
            name="no_examples",
            sets=False,
        ),
    )
    splits: tuple[Split, ...] = field(
        default=default_splits(examples=True),
        metadata=flag(
            "split names and weights, or only names with --split_column or --split_by",
            Group.EXAMPLES,
            SPLITS,
            default=DEFAULTS,
        ),
    )
    dates: DateSettings = field(default_factory=DateSettings)
    splitting: SplitSettings = field(default_factory=SplitSettings)
    schema: str | None = field(
        default=None,
        metadata=flag(
            "Schema proto (text or binary) or the folder of a run: sets the column types, and validates the data",
            Group.DATA,
            metavar="FILE",
        ),
    )
    flatten: bool = field(
        default=False,
        metadata=flag(
            "turn fields of structs or objects into columns named STRUCT.FIELD (Parquet, BigQuery, JSON Lines)",
            Group.DATA,
            sets=True,
        ),
    )
    union: str | None = field(
        default=None,
        metadata=flag(
            f"{BY_NAME}: files may have different columns; those that a file lacks are missing in its rows",
            Group.DATA,
            choices=(BY_NAME,),
            default="all files must have the same columns",
        ),
    )
    columns: ColumnSettings = field(default_factory=ColumnSettings)
    dialect: Dialect = field(default_factory=Dialect)
    max_rejects: int | None = field(
        default=None,
        metadata=flag("skip up to N bad rows", Group.CSV, INTEGER, default="refuse the first"),
    )
    max_reject_ratio: float | None = field(
        default=None, metadata=flag("skip up to this share of the rows, 0 to 1", Group.CSV, NUMBER, metavar="R")
    )
    num_shards: int | None = field(
        default=None, metadata=flag("shards of each split", Group.EXAMPLES, INTEGER, default="by size")
    )
    unit_bytes: int | None = field(
        default=None,
        metadata=flag(
            "bytes of stored input for each shard", Group.EXAMPLES, INTEGER, default="33554432, more beyond 512 GiB"
        ),
    )
    batch_bytes: int = field(
        default=4 << 20,
        metadata=flag(
            "bytes of text that are parsed at once",
            Group.EXAMPLES,
            INTEGER,
            default="4194304, more for over 512 columns of CSV",
        ),
    )
    gzip_level: int = field(
        default=1, metadata=flag("compression level of the shards, 0 to 3", Group.EXAMPLES, INTEGER)
    )
    example_format: str = field(
        default=TFRECORD_GZIP, metadata=flag("format of the shards", Group.EXAMPLES, choices=tuple(FORMATS))
    )
    statistics: StatisticsSettings = field(default_factory=StatisticsSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise UsageError("; ".join(faults))

    def _faults(self) -> Iterator[str]:
        if not self.input and self.query is None:
            yield "--input or --query is required"
        for option, name in (("--run_id", self.run_id), ("--pipeline_name", self.pipeline_name)):
            if not NAME.fullmatch(name):
                yield f"{option} {name!r}: {NAME_RULE}"
        yield from self.splitting.faults(self.splits, self.statistics.label)
        yield from self.dates.faults(self.input, self.query)
        yield from self.columns.faults()
        shown = sorted(set(self.columns.redacted) & set(self.statistics.slice_features))
        if shown:
            yield f"--slice_features {','.join(shown)}: the names of slices have values that --redact_columns hides"
        yield from self.dialect.faults()
        yield from self.validation.faults(has_schema=self.schema is not None)
        if self.validation.quarantine and self.max_rejects is None and self.max_reject_ratio is None:
            yield "--quarantine requires --max_rejects or --max_reject_ratio: how many rows may be rejected"
        if self.max_reject_ratio is not None and not 0 <= self.max_reject_ratio <= 1:
            yield f"--max_reject_ratio {self.max_reject_ratio}: must be between 0 and 1"
        if self.example_format not in FORMATS:
            yield f"--example_format {self.example_format}: must be one of {', '.join(FORMATS)}"
        elif self.example_format != TFRECORD_GZIP and self.gzip_level != 1:
            yield f"--gzip_level cannot be combined with --example_format {self.example_format}"
        if self.num_shards is not None and self.unit_bytes is not None:
            yield "--num_shards and --unit_bytes exclude each other"
        limited = {
            "--max_rejects": (self.max_rejects, 0, 10**12),
            "--num_shards": (self.num_shards, 1, MOST_SHARDS),
            "--unit_bytes": (self.unit_bytes, 1, 1 << 40),
            # Arrow's offsets of text have 31 bits.
            "--batch_bytes": (self.batch_bytes, 1, 1 << 30),
            "--max_field_bytes": (self.dialect.max_field_bytes, 1, 1 << 28),
            "--histogram_buckets": (self.statistics.histogram_buckets, 1, 10_000),
            "--quantile_buckets": (self.statistics.quantile_buckets, 1, 10_000),
            "--top_k": (self.statistics.top_k, 1, 1_000_000),
            "--gzip_level": (self.gzip_level, 0, 3),
            "--offenders": (self.validation.offenders, 0, 1000),
        }
        yield from (
            f"{option} {value}: must be between {low} and {high}"
            for option, (value, low, high) in limited.items()
            if value is not None and not low <= value <= high
        )

    @property
    def fail_on(self) -> tuple[str, ...]:
        """The kinds of results because of which the run is not accepted."""
        if self.validation.fail_on is not None:
            return self.validation.fail_on
        given = {ANOMALIES: self.schema, CHECKS: self.validation.checks}
        return tuple(kind for kind, text in given.items() if text is not None)

    @property
    def is_validated(self) -> bool:
        """Whether there is something to judge the data by."""
        given = (self.schema, self.validation.checks, self.validation.baseline)
        wants_splits = WARNINGS in self.fail_on and self.splitting.may_leak
        return any(one is not None for one in given) or DRIFT in self.fail_on or wants_splits

    def allowed_rejects(self, records: int) -> int:
        """Return how many of `records` records may be rejected: none unless an option allows it."""
        limits = [] if self.max_rejects is None else [self.max_rejects]
        limits += [] if self.max_reject_ratio is None else [int(Decimal(repr(self.max_reject_ratio)) * records)]
        return min(limits, default=0)

    def describe_splitting(self) -> str:
        """Return in words what decides the split of a row."""
        return self.splitting.describe(self.splits, self.statistics.label)

    def to_json(self) -> dict[str, object]:
        """Return the settings as JSON values."""
        values: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return values

    def sha256(self) -> str:
        """Return the hash of what decides the content: all settings but NO_INFLUENCE."""
        values = self.to_json()
        for key in NO_INFLUENCE:
            del values[key]
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def command_line(settings: Settings) -> list[str]:
    """Return the arguments that give the settings again, for a new run beside this one: a new `--run_id`.

    command_line(manifest.settings)  # ["--input", "/data/a.csv", "--output", "/out", "--no_examples"]

    A given schema is named GIVEN_SCHEMA, whose content must be that of `settings.schema`.
    """
    words = []
    for option, value in values_of(settings):
        default = option.default
        if option.name == "run_id":
            continue
        if option.name == "output":
            value = settings.run_uri.rpartition("/")[0] or "/"
        elif option.name == "schema":
            value = None if settings.schema is None else GIVEN_SCHEMA
        elif option.name == "checks":
            value = None if settings.validation.checks is None else GIVEN_CHECKS
        elif option.name == "splits":
            default = default_splits(settings.examples, settings.splitting.by_hash)
        if value != default:
            words += option.words(value)
    return words


_SAID_ELSEWHERE = (*NO_INFLUENCE, "input", "output", "query", "pipeline_name", "splits", "schema", "checks")


def given_options(settings: Settings) -> dict[str, object]:
    """Return the options that shape the data and are not at their defaults, by name, as JSON values.

    Inputs, splits and the texts of files are left out.

        given_options(settings)  # {"delimiter": ";", "max_rejects": 5, "drop_columns": ["a"], "flatten": True}
    """
    found = {
        option.name: True if option.is_switch else value
        for option, value in values_of(settings)
        if option.name not in _SAID_ELSEWHERE and value != option.default
    }
    values: dict[str, object] = json.loads(json.dumps(found))
    return values
