"""What the launcher of the Flex Template runs: `beam-taxi run` with the arguments that it gets.

The launcher writes the description of the job and exits, so a worker must record the run; and the workers run the image
in which the launcher itself runs, BEAM_TAXI_IMAGE.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from beam_taxi.cli.run import main
from beam_taxi.launch.beam_flags import known_beam_flags
from beam_taxi.launch.options import options

_CONDITION = re.compile(r"(?:[^;'\"`]|'[^']*'|\"[^\"]*\"|`[^`]*`)+")


def arguments(argv: Sequence[str], image: str) -> list[str]:
    """Return the arguments for the run: without empty parameters, and without flags that a newer launcher may add.

    Several inputs are separated by commas, and several conditions by semicolons outside of quotes. An empty quote means
    that no field is quoted.
    """
    ours = {text: option for option in options() for text in option.strings}
    known = {*ours, *known_beam_flags()}
    kept = []
    for word in argv:
        flag, _, value = word.partition("=")
        if flag not in known and flag.replace("--no_", "--", 1) not in known:
            print(f"beam_taxi: warning: ignored {flag}, an unknown flag of the launcher", file=sys.stderr)
        elif flag in ours and ours[flag].is_switch and value:
            kept += [flag] if value.lower() == "true" else []
        elif flag == "--input":
            kept += [f"{flag}={uri}" for uri in re.split(r",(?=gs://|bq://)", value) if uri]
        elif flag == "--split_by":
            kept += [f"{flag}={one.strip()}" for one in _CONDITION.findall(value) if one.strip()]
        elif value or "=" not in word or flag == "--quote":
            kept.append(word)
    given = {word.partition("=")[0] for word in kept}
    if "--metadata_store" in given:
        kept.append("--record_on=worker")
    if image and not given & {"--sdk_container_image", "--setup_file"}:
        kept += [f"--sdk_container_image={image}", "--sdk_location=container"]
    return kept


if __name__ == "__main__":
    sys.exit(main(arguments(sys.argv[1:], os.environ.get("BEAM_TAXI_IMAGE", ""))))
