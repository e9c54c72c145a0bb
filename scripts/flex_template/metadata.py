"""Write the Flex Template's metadata, which follows from the options: `python scripts/flex_template/metadata.py`."""

from __future__ import annotations

import json
from pathlib import Path

from beam_taxi.flags import INTEGER, Group, Option
from beam_taxi.launch.options import DESCRIPTION, options

FILE = Path(__file__).with_name("metadata.json")
# What the launcher or the script of the template decides, and what launches no job.
_LEFT_OUT = {
    *("runner", "project", "record_on", "log_format"),
    *("plan", "preflight", "no_wait", "cache", "explain_cache"),
}
_KINDS = {"input": "GCS_READ_FILE", "schema": "GCS_READ_FILE", "output": "GCS_WRITE_FOLDER"}
_REQUIRED = {"output"}
_REGEXES = {
    "input": r"^(gs|bq)://.+$",
    "output": r"^gs://[^/]+/.+$",
    "schema": r"^gs://[^/]+/.+$",
    "run_id": r"^[A-Za-z0-9._-]+$",
    "splits": r"^[^:,]+:[0-9]+(,[^:,]+:[0-9]+)*$",
    "max_reject_ratio": r"^(0(\.[0-9]+)?|1(\.0+)?)$",
}


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
        "helpText": option.help,
        "groupName": option.flag.group.value,
        "paramType": kind,
        "isOptional": option.name not in _REQUIRED,
    }
    regex = _REGEXES.get(option.name, {"NUMBER": "^[0-9]+$", "BOOLEAN": "^(true|false)$"}.get(kind))
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
