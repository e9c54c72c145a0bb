"""Make the Flex Template's metadata from the options: `python scripts/flex_template/metadata.py`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from beam_taxi.launch import options

FILE = Path(__file__).with_name("metadata.json")
# What the launcher or the script of the template decides, and what makes no job.
_LEFT_OUT = {
    *("help", "runner", "project", "record_on", "log_format"),
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


def metadata() -> dict[str, Any]:
    """Return the metadata, as gcloud dataflow flex-template build reads it."""
    parser = options.parser()
    return {
        "name": "beam_taxi",
        "description": parser.description,
        "streaming": False,
        "parameters": list(_parameters(parser)),
    }


def _parameters(parser: argparse.ArgumentParser) -> Iterator[dict[str, Any]]:
    for group in parser._action_groups:
        for action in group._group_actions:
            if action.dest not in _LEFT_OUT:
                yield _parameter(action, group.title or "")


def _parameter(action: argparse.Action, group: str) -> dict[str, Any]:
    name = action.dest
    is_switch = action.nargs == 0
    kind = "BOOLEAN" if is_switch else "ENUM" if action.choices else "NUMBER" if action.type is int else "TEXT"
    kind = _KINDS.get(name, kind)
    found: dict[str, Any] = {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "helpText": (action.help or "") % {"default": action.default},
        "groupName": group,
        "paramType": kind,
        "isOptional": name not in _REQUIRED,
    }
    regex = _REGEXES.get(name, {"NUMBER": "^[0-9]+$", "BOOLEAN": "^(true|false)$"}.get(kind))
    found |= {"regexes": [regex]} if regex else {}
    if is_switch:
        found["defaultValue"] = "false"
        return found
    found |= {"defaultValue": str(action.default)} if action.default not in (None, "") else {}
    found |= {"enumOptions": [{"value": value} for value in action.choices]} if action.choices else {}
    return found


def text() -> str:
    """Return the content of metadata.json."""
    return json.dumps(metadata(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
