"""Write the Flex Template's metadata, which follows from the options: `python scripts/flex_template/metadata.py`."""

from __future__ import annotations

import json
from pathlib import Path

from beam_taxi.flags import INTEGER, Group, Option
from beam_taxi.launch.options import DESCRIPTION, options
from beam_taxi.settings import NAME

FILE = Path(__file__).with_name("metadata.json")
# What the launcher or the script of the template decides, and what launches no job.
_LEFT_OUT = {
    *("runner", "project", "record_on", "log_format", "shared_filesystem"),
    *("plan", "preflight", "no_wait", "cache", "explain_cache"),
}
_KINDS = {"input": "GCS_READ_FILE", "schema": "GCS_READ_FILE", "output": "GCS_WRITE_FOLDER"}
_REQUIRED = {"output"}
_HELP = {
    "input": "CSV or Parquet files, gs://BUCKET/PATTERN, or tables, bq://PROJECT.DATASET.TABLE; several are separated "
    "by commas",
    "output": "folder in which each run creates its own, gs://BUCKET/FOLDER",
    "schema": "file with a Schema proto, which gives the types instead of the data, gs://BUCKET/FILE",
    "metadata_store": "mysql://USER@HOST:PORT/DB or grpc://HOST:PORT, which the workers can reach, or none",
    "metadata_password_file": "the password of the store: projects/PROJECT/secrets/SECRET/versions/latest, or "
    "gs://BUCKET/FILE",
}
"""Help for options of which a template takes only some values."""
_NAME_PATTERN = NAME.pattern
_OBJECT = r"gs://[a-z0-9]([a-z0-9._-]*[a-z0-9])?/[^/].*"
_CHARACTER = r"[\x01-\x09\x0b\x0c\x0e-\x7f]"
_REGEXES = {
    "input": r"^(gs://[a-z0-9]([a-z0-9._-]*[a-z0-9])?(/([^/].*)?)?|bq://.+)$",
    "output": r"^gs://[a-z0-9]([a-z0-9._-]*[a-z0-9])?(/([^/].*)?)?$",
    "schema": f"^{_OBJECT}$",
    "run_id": f"^{_NAME_PATTERN}$",
    "pipeline_name": f"^{_NAME_PATTERN}$",
    "splits": f"^{_NAME_PATTERN}:0*[1-9][0-9]*(,{_NAME_PATTERN}:0*[1-9][0-9]*)*$",
    "max_rejects": "^[0-9]+$",
    "max_reject_ratio": r"^(0+(\.[0-9]*)?|\.[0-9]+|0*1(\.0*)?|[0-9]+(\.[0-9]*)?[eE]-[0-9]+)$",
    "gzip_level": "^0*[0-3]$",
    "delimiter": f"^{_CHARACTER}$",
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
    regex = _REGEXES.get(option.name, {"NUMBER": "^0*[1-9][0-9]*$", "BOOLEAN": "^(true|false)$"}.get(kind))
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
