"""The former name of `beam_taxi.samples.taxi`: `python -m beam_taxi.taxi` goes on working."""

import sys

from beam_taxi.samples.taxi import main

if __name__ == "__main__":
    sys.exit(main())
