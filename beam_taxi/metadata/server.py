"""The former name of `beam_taxi.cli.serve_metadata`: `python -m beam_taxi.metadata.server` still works."""

import sys

from beam_taxi.cli.serve_metadata import main

if __name__ == "__main__":
    sys.exit(main(prog="python -m beam_taxi.metadata.server"))
