"""Write the Flex Template's metadata, which follows from the options: `python scripts/flex_template/metadata.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from beam_taxi.dialect import DELIMITER_NAMES, WHITESPACE
from beam_taxi.flags import INTEGER, Group, Option
from beam_taxi.launch.options import DESCRIPTION, options
from beam_taxi.settings import FAIL_ON, NAME, NOTHING, PREVIOUS

FILE = Path(__file__).with_name("metadata.json")
# What the launcher or the script of the template decides, and what launches no job.
_LEFT_OUT = {
    *("runner", "project", "record_on", "log_format", "shared_filesystem"),
    *("plan", "preflight", "no_wait", "cache", "explain_cache", "dialect"),
}
_KINDS = {
    **dict.fromkeys(("input", "schema", "checks"), "GCS_READ_FILE"),
    "output": "GCS_WRITE_FOLDER",
}
_REQUIRED = {"output"}
_HELP = {
    "input": "CSV, Parquet, JSON Lines or TFRecord files, gs://BUCKET/PATTERN, or tables, "
    "bq://PROJECT.DATASET.TABLE; several are separated "
    "by commas",
    "output": "folder in which each run creates its own, gs://BUCKET/FOLDER",
    "split_by": "a row goes to the first split whose condition holds, else to the last split, which has none; several "
    "are separated by semicolons: day < 20260101; day < 20260201",
    "schema": "Schema proto, gs://BUCKET/FILE, or a run, gs://BUCKET/FOLDER: sets the column types, and validates the "
    "data",
    "checks": "YAML file with your own checks of the data, gs://BUCKET/FILE",
    "baseline": "run to compare the data with, gs://BUCKET/FOLDER, or `previous`: the last accepted run of the "
    "pipeline in metadata_store",
    "metadata_store": "mysql://USER@HOST:PORT/DB or grpc://HOST:PORT, which the workers can reach, or none",
    "metadata_password_file": "the password of the store: projects/PROJECT/secrets/SECRET/versions/latest, or "
    "gs://BUCKET/FILE",
}
"""Help for options of which a template takes only some values."""
_LIMITS = {
    "max_rejects": (0, 10**12),
    "num_shards": (1, 99_999),
    "unit_bytes": (1, 1 << 40),
    "batch_bytes": (1, 1 << 30),
    "max_field_bytes": (1, 1 << 28),
    "skip_lines": (0, 1_000_000),
    "skip_footer": (0, 1000),
    "histogram_buckets": (1, 10_000),
    "quantile_buckets": (1, 10_000),
    "top_k": (1, 1_000_000),
    "gzip_level": (0, 3),
    "offenders": (0, 1000),
    "window": (1, 3660),
    "allow_missing": (0, 3659),
}
"""The least and the greatest value that a flag takes."""
_NAME_PATTERN = NAME.pattern
_OBJECT = r"gs://[a-z0-9]([a-z0-9._-]*[a-z0-9])?/[^/].*"
_SHARE = r"(0+(\.[0-9]*)?|\.[0-9]+|0*1(\.0*)?)([eE][+-]?0{1,3})?"
_SMALL_SHARE = r"0*([0-9](\.[0-9]*)?|\.[0-9]+)[eE]-([0-9]{0,2}[1-9]|[0-9]?[1-9][0-9]|[1-9][0-9]{2})"
_CHARACTER = r"[\x01-\x09\x0b\x0c\x0e-\x7f]"


def _below(digits: str) -> Iterator[str]:
    """Yield patterns of the numbers without leading zeros, above zero, up to the one with these digits."""
    if len(digits) > 1:
        yield f"[1-9][0-9]{{0,{len(digits) - 2}}}"
    for place, digit in enumerate(digits):
        least = 1 if place == 0 else 0
        if int(digit) > least:
            rest = len(digits) - place - 1
            yield f"{digits[:place]}[{least}-{int(digit) - 1}]" + f"[0-9]{{{rest}}}" * bool(rest)
    yield digits


def _between(least: int, most: int) -> str:
    """Return the pattern of the whole numbers from `least`, 0 or 1, to `most`; they may have leading zeros."""
    return "0*(" + "|".join(["0"] * (least == 0) + list(_below(str(most)))) + ")"


_KINDS_OF_RESULTS = f"({'|'.join(word for word in FAIL_ON if word != NOTHING)})"
_SPLIT = f"{_NAME_PATTERN}:{_between(1, 1 << 24)}"
_REGEXES = {
    **{name: f"^{_between(*limits)}$" for name, limits in _LIMITS.items()},
    "input": r"^(gs://[a-z0-9]([a-z0-9._-]*[a-z0-9])?(/([^/].*)?)?|bq://.+)$",
    "output": r"^gs://[a-z0-9]([a-z0-9._-]*[a-z0-9])?(/([^/].*)?)?$",
    "schema": f"^{_OBJECT}$",
    "checks": f"^{_OBJECT}$",
    "baseline": f"^({_OBJECT}|{PREVIOUS})$",
    "fail_on": f"^({_KINDS_OF_RESULTS}(,{_KINDS_OF_RESULTS})*|{NOTHING})$",
    "run_id": f"^{_NAME_PATTERN}$",
    "pipeline_name": f"^{_NAME_PATTERN}$",
    "splits": f"^({_SPLIT}(,{_SPLIT})*|{_NAME_PATTERN}(,{_NAME_PATTERN})*)$",
    "max_reject_ratio": f"^({_SHARE}|{_SMALL_SHARE})$",
    "date": r"^(today|yesterday|(19[7-9][0-9]|[2-9][0-9]{3})-[0-9]{2}-[0-9]{2})$",
    "delimiter": f"^({_CHARACTER}|{'|'.join(map(re.escape, [*DELIMITER_NAMES, WHITESPACE]))})$",
    "escape": f"^{_CHARACTER}?$",
    "comment": f"^{_CHARACTER}?$",
    "quote": f"^{_CHARACTER}?$",
    "metadata_store": r"^((mysql|grpc)://.+|none)$",
    "metadata_password_file": f"^({_OBJECT}|projects/[^/]+/secrets/[^/]+/versions/[^/]+)$",
}
"""What the flag takes, as far as it can work in a template."""


def metadata() -> dict[str, object]:
    """Return the metadata, as `gcloud dataflow flex-template build` reads it."""
    by_group = sorted(options(), key=lambda option: list(Group).index(option.flag.group))
    return {
        "name": "beam_taxi",
        "description": DESCRIPTION,
        "streaming": False,
        "parameters": [_parameter(option) for option in by_group if option.name not in _LEFT_OUT],
    }


def _parameter(option: Option) -> dict[str, object]:
    kind = _kind(option)
    found: dict[str, object] = {
        "name": option.name,
        "label": option.name.replace("_", " ").capitalize(),
        "helpText": _HELP.get(option.name, option.help),
        "groupName": option.flag.group.value,
        "paramType": kind,
        "isOptional": option.name not in _REQUIRED,
    }
    regex = _REGEXES.get(option.name, {"BOOLEAN": "^(true|false)$"}.get(kind))
    if regex:
        found["regexes"] = [regex]
    # A default that depends on other options is not one of the parameter, which would be passed with every launch.
    default = "false" if option.is_switch else "" if option.flag.default else option.default_text
    if default:
        found["defaultValue"] = default
    if option.flag.choices:
        found["enumOptions"] = [{"value": value} for value in option.flag.choices]
    return found


def _kind(option: Option) -> str:
    """Return the type of a parameter, as the service names it."""
    if option.name in _KINDS:
        return _KINDS[option.name]
    if option.is_switch:
        return "BOOLEAN"
    if option.flag.choices:
        return "ENUM"
    return "NUMBER" if option.flag.value is INTEGER else "TEXT"


def text() -> str:
    """Return the content of metadata.json."""
    return json.dumps(metadata(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
