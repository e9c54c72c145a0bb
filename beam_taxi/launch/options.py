"""What a launch is given: the settings of the run, how it is launched, and Beam's own flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from beam_taxi.flags import VERBOSE, Group, Option, Parser, Value, add_options, flag, options_of
from beam_taxi.launch.beam_flags import BeamFlags
from beam_taxi.launch.runner_names import canonical_runner
from beam_taxi.metadata.address import StoreAddress
from beam_taxi.settings import Settings
from beam_taxi.sources.days import Days

DESCRIPTION = "Turn tables into TFRecords of tf.Example, TFDV statistics, a schema and an ML Metadata record."


@dataclass(frozen=True)
class LaunchOptions:
    """How a run is launched, watched and recorded; nothing here decides the content of its files."""

    runner: str = field(
        default="FnApiRunner",
        metadata=flag(
            "Apache Beam runner; the default runs here, and so does DirectRunner, which is the same",
            Group.RUN,
            Value(canonical_runner),
        ),
    )
    metadata_store: str | None = field(
        default=None,
        metadata=flag(
            "sqlite:///PATH, mysql://USER@HOST:PORT/DB, mysql+socket:///SOCKET?user=USER&db=DB, grpc://HOST:PORT or "
            "none",
            Group.RUN,
            metavar="URI",
            default="metadata.sqlite in --output",
        ),
    )
    metadata_password_file: str | None = field(
        default=None,
        metadata=flag(
            "password of the store: a file, gs://BUCKET/FILE or projects/PROJECT/secrets/SECRET/versions/VERSION",
            Group.RUN,
            metavar="FILE",
            default="the variable BEAM_TAXI_METADATA_PASSWORD",
        ),
    )
    log_format: str = field(
        default="text",
        metadata=flag("json: print the result, or the error, as one line of JSON", Group.RUN, choices=("text", "json")),
    )
    record_on: str = field(
        default="launcher",
        metadata=flag(
            "which process records the end of the run; use `worker` when no launcher waits",
            Group.RUN,
            choices=("launcher", "worker"),
        ),
    )
    shared_filesystem: bool = field(
        default=False,
        metadata=flag("the workers see --input and --output under the same local paths", Group.RUN, sets=True),
    )
    cache: bool = field(
        default=False,
        metadata=flag(
            "reuse the artifacts of an earlier run with the same content, options and code", Group.RUN, sets=True
        ),
    )
    explain_cache: bool = field(
        default=False, metadata=flag("explain, field by field, why the cache missed", Group.RUN, sets=True)
    )
    plan: bool = field(
        default=False,
        metadata=flag("show what a run would read and write, then exit", Group.RUN, aliases=("dry_run",), sets=True),
    )
    dialect: str | None = field(
        default=None,
        metadata=flag("auto: propose how to read the CSV files, with reasons, then exit", Group.CSV, choices=("auto",)),
    )
    preflight: bool = field(default=False, metadata=flag("run all checks, then exit", Group.RUN, sets=True))
    no_wait: bool = field(
        default=False, metadata=flag("exit after launching the job; not for a local run", Group.RUN, sets=True)
    )

    @property
    def is_json(self) -> bool:
        """Whether the result is printed as JSON."""
        return self.log_format == "json"

    @property
    def records_on_worker(self) -> bool:
        """Whether a worker records the end of the run."""
        return self.record_on == "worker"


@dataclass(frozen=True)
class Launch:
    """One launch: `beam` are the words that go to Beam, `store` is None if nothing is recorded.

    `sources` are the paths of the schema and of the checks, by the names that results have for them. `days` has the
    files of the days to read, once they were found.
    """

    settings: Settings
    options: LaunchOptions
    beam: BeamFlags
    store: StoreAddress | None
    sources: Mapping[str, str] = field(default_factory=dict)
    days: Days = field(default_factory=Days)

    @property
    def store_uri(self) -> str:
        """The URI of the ML Metadata store, `none` if nothing is recorded."""
        return "none" if self.store is None else self.store.uri


def options() -> list[Option]:
    """Return all of our options; every other flag belongs to Apache Beam."""
    return [*options_of(Settings), *options_of(LaunchOptions)]


def known_flags() -> set[str]:
    """Return all of our flags, as they are written."""
    return {"-h", "--help", *VERBOSE, *(text for option in options() for text in option.strings)}


def parser(prog: str = "beam-taxi run") -> Parser:
    """Return the parser of our options."""
    made = Parser(
        prog=prog,
        description=DESCRIPTION,
        epilog="Every option of Apache Beam passes through, e.g. --runner DataflowRunner --setup_file ./setup.py.",
        allow_abbrev=False,
    )
    add_options(made, options())
    return made
