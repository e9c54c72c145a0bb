"""Rows per second of `beam_taxi.open_run`, as ratios to TensorFlow's own reading of the same files.

    python scripts/benchmarks/reading.py RUN [--split train] [--repeat 3]

`RUN` is the folder of a finished run whose Examples are TFRecords. The yardstick is `tf.data.TFRecordDataset` with
`tf.io.parse_example` of batches of 256 rows, as TensorFlow's guide has it. All run in turn in this process; each line
is the median, in rows per second and as a ratio to the yardstick.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import tensorflow as tf

import beam_taxi
from beam_taxi.readers import Run

BATCH = 256


def contenders(run: Run, split: str) -> dict[str, Callable[[], int]]:
    """Return what is measured, by name: each reads the whole split and returns the number of its rows."""
    files = sorted(
        f"{run.uri}/examples/{file.path}" for file in run.manifest.artifacts["examples"].files if file.split == split
    )
    spec = run.feature_spec
    compression = "GZIP" if run.manifest.settings.example_format == "tfrecord_gzip" else ""

    def yardstick() -> int:
        records = tf.data.TFRecordDataset(files, compression).batch(BATCH)
        parsed = records.map(lambda some: tf.io.parse_example(some, spec), num_parallel_calls=tf.data.AUTOTUNE)
        return sum(1 for _ in parsed.prefetch(tf.data.AUTOTUNE))

    found: dict[str, Callable[[], int]] = {
        "TFRecordDataset, parse_example, batches": yardstick,
        ".tf, batches": lambda: sum(1 for _ in run.tf(split, BATCH)),
        ".tf, batches, shuffled": lambda: sum(1 for _ in run.tf(split, BATCH, shuffle=10_000)),
        ".tf, rows (inside tf.data)": lambda: int(run.tf(split).reduce(0, lambda count, _: count + 1)),
        ".arrow": lambda: sum(len(batch) for batch in run.arrow(split)),
    }
    if find_spec("torch") is not None:
        # As for a model: a tensor for each row that may lack a value takes long.
        zero = {"INT": 0, "FLOAT": 0.0, "BYTES": ""}
        defaults = {one.name: zero[one.type.value] for one in run.features if one.shape == ()}
        found[".torch, batches, with defaults"] = lambda: sum(1 for _ in run.torch(split, BATCH, defaults=defaults))
        found[".torch, batches, shuffled, with defaults"] = lambda: sum(
            1 for _ in run.torch(split, BATCH, shuffle=10_000, defaults=defaults)
        )
        found[".torch, rows, with defaults"] = lambda: sum(1 for _ in run.torch(split, defaults=defaults))
    return found


def main(arguments: list[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--split", default="train")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args(arguments)
    run = beam_taxi.open_run(options.run)
    measured = contenders(run, options.split)
    seconds: dict[str, list[float]] = {name: [] for name in measured}
    for round_ in range(options.repeat + 1):
        for name, read in measured.items():
            start = time.perf_counter()
            read()
            # The first round warms the caches.
            if round_:
                seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(some) for name, some in seconds.items()}
    first = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:42} {run.splits[options.split] / median:12,.0f} rows/s {first / median:6.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
