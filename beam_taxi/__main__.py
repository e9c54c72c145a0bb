"""`python -m beam_taxi VERB`, the same as `beam-taxi VERB`."""

from beam_taxi.cli import command

if __name__ == "__main__":
    command()
