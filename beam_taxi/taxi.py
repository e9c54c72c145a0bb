"""The former name of `beam_taxi.cli.sample`: `python -m beam_taxi.taxi` goes on working."""

import sys

from beam_taxi.cli.sample import main

if __name__ == "__main__":
    sys.exit(main())
