"""Names of runners, as Beam takes them: in any case, without `Runner`, or as the path of a class."""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib.util import find_spec

from beam_taxi.launch.beam_flags import source_of_options

_DEFAULT = "FnApiRunner"
# Beam's DirectRunner tries Prism first, for which it downloads a binary. The pipeline is one that FnApiRunner runs,
# which is what the name has meant before.
_ALIASES = {"DirectRunner": _DEFAULT, "SwitchingDirectRunner": _DEFAULT}


def canonical_runner(name: str) -> str:
    """Return the name by which a runner is known here; a class that is not one of Beam's keeps its path.

    The rules are those of `create_runner` in apache_beam/runners/runner.py. Raises ValueError if there is no such
    runner.

    canonical_runner("dataflow")  # "DataflowRunner"
    """
    known = {one.lower(): one for one in known_runners()}
    known |= {lower.removesuffix("runner"): one for lower, one in known.items()}
    module, dot, last = name.rpartition(".")
    if not dot or module.split(".")[0] == "apache_beam":
        found = known.get(last.lower())
        if found is not None:
            return _ALIASES.get(found, found)
    if not dot:
        close = difflib.get_close_matches(name.lower(), known, 1)
        hint = f"did you mean {known[close[0]]}?" if close else f"use one of {', '.join(known_runners())}"
        raise ValueError(f"unknown runner; {hint}")
    if not all(part.isidentifier() for part in name.split(".")) or find_spec(name.split(".")[0]) is None:
        raise ValueError(f"there is no module {module}")
    return name


@cache
def known_runners() -> tuple[str, ...]:
    """Return the names of Beam's own runners, read from its source: importing it takes seconds."""
    declared = re.search(r"ALL_KNOWN_RUNNERS = \((.*?)\)", source_of_options(), re.S)
    return tuple(re.findall(r"\.(\w+)'", declared[1])) if declared else (_DEFAULT,)
