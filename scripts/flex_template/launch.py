"""What the Flex Template's launcher runs, as a script: beam_taxi.main with the arguments that it gets.

The launcher makes the job's description and leaves, so that a worker must record the run; and the workers run the image
that the launcher itself runs in, BEAM_TAXI_IMAGE.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from beam_taxi.launch import options
from beam_taxi.main import main


def arguments(argv: Sequence[str], image: str) -> list[str]:
    """Return main's arguments: without parameters left empty, and without flags that a newer launcher may add."""
    ours = {option: action for action in options.parser()._actions for option in action.option_strings}
    known = {*ours, *options.beam_flags()}
    kept = []
    for word in argv:
        flag, _, value = word.partition("=")
        if flag not in known and flag.replace("--no_", "--", 1) not in known:
            print(f"beam_taxi: warning: the launcher's {flag} is not known, and left out", file=sys.stderr)
        elif flag in ours and ours[flag].nargs == 0 and value:
            kept += [flag] if value.lower() == "true" else []
        elif value or "=" not in word:
            kept.append(word)
    given = {word.partition("=")[0] for word in kept}
    if "--metadata_store" in given:
        kept.append("--record_on=worker")
    if image and not given & {"--sdk_container_image", "--setup_file"}:
        kept += [f"--sdk_container_image={image}", "--sdk_location=container"]
    return kept


if __name__ == "__main__":
    sys.exit(main(arguments(sys.argv[1:], os.environ.get("BEAM_TAXI_IMAGE", ""))))
