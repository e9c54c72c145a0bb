"""The former name of `beam_taxi.cli.record`: `python -m beam_taxi.record` goes on working."""

import sys

from beam_taxi.cli.record import main

if __name__ == "__main__":
    sys.exit(main())
