"""`python -m beam_taxi VERB`, the same as `beam-taxi VERB`."""

import sys

from beam_taxi.cli import main

if __name__ == "__main__":
    sys.exit(main())
