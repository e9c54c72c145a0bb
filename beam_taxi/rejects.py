"""The former name of `beam_taxi.cli.rejects`: `python -m beam_taxi.rejects` goes on working."""

import sys

from beam_taxi.cli.rejects import main

if __name__ == "__main__":
    sys.exit(main())
