"""The former name of `beam_taxi.cli.runs`: `python -m beam_taxi.runs` goes on working."""

import sys

from beam_taxi.cli.runs import main

if __name__ == "__main__":
    sys.exit(main())
