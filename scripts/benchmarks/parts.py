"""What the job calls on each batch, in a loop, without a runner: `parts.py --input FILE --output UNUSED`."""

from __future__ import annotations

import io
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators.stats_generator import CombinerStatsGenerator

from beam_taxi.launch.command import parse
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.memory import keep_freed_memory
from beam_taxi.sources.plan import plan_input
from beam_taxi.sources.reading import TableReader
from beam_taxi.statistics.histograms import replace_those_of_tfdv
from beam_taxi.statistics.options import stats_options
from beam_taxi.tfexample.batches import encode_rows, filter_rows, to_list_columns
from beam_taxi.tfexample.split import assign_splits
from beam_taxi.tfexample.tfrecord import TFRecordGzipWriter, frame_records

times: Counter[str] = Counter()


@contextmanager
def timed(part: str) -> Iterator[None]:
    """Add the time of the block to a part."""
    start = time.perf_counter()
    yield
    times[part] += time.perf_counter() - start


keep_freed_memory()
replace_those_of_tfdv()
settings = parse(sys.argv[1:]).settings
weights = [split.weight or 0 for split in settings.splits]
plan = plan_input(settings, {})
with timed("first pass"):
    data, units = plan_table(plan, settings)
combiners = []
for _ in weights:
    generators = [
        generator
        for generator in stats_impl.get_generators(stats_options(settings.statistics), in_memory=True)
        if isinstance(generator, CombinerStatsGenerator)
    ]
    combiner = stats_impl._CombinerStatsGeneratorsCombineFn(generators)
    combiners.append((combiner, combiner.create_accumulator()))
for unit in units:
    writers = [TFRecordGzipWriter(io.BytesIO(), settings.gzip_level) for _ in weights]
    batches = TableReader(plan, data).read(unit)
    while True:
        with timed("parse"):
            batch = next(batches, None)
        if batch is None:
            break
        with timed("encode, split, frame"):
            encoded = encode_rows(batch.rows)
            frames, splits = frame_records(*encoded), assign_splits(encoded.checksums, weights)
        for number, writer in enumerate(writers):
            chosen = splits == number
            with timed("gzip"):
                writer.write(filter_rows(frames, chosen))
            with timed("list columns"):
                lists = to_list_columns(filter_rows(batch.rows, chosen))
            with timed("TFDV's combiner"):
                combiners[number][0].add_input(combiners[number][1], lists)
    with timed("gzip"):
        for writer in writers:
            writer.close()
with timed("TFDV's combiner"):
    for combiner, accumulator in combiners:
        combiner.extract_output(combiner.compact(accumulator))
seconds = sum(times.values()) - times["first pass"]
print(json.dumps({"seconds": seconds, "parts": times}))
