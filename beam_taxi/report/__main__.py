"""The former name of `beam_taxi.cli.report`: `python -m beam_taxi.report` still works."""

import sys

from beam_taxi.cli.report import main

if __name__ == "__main__":
    sys.exit(main())
