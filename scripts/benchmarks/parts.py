"""What the job calls on each batch, in a loop, without a runner: `parts.py --input FILE --output UNUSED`."""

from __future__ import annotations

import io
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_data_validation.statistics.generators.stats_generator import CombinerStatsGenerator

from beam_taxi.launch.command import parse
from beam_taxi.sources.memory import keep_freed_memory
from beam_taxi.sources.pieces import PieceReader
from beam_taxi.sources.plan import iter_blocks, plan_input, scan
from beam_taxi.sources.units import plan_units
from beam_taxi.statistics.histograms import replace_those_of_tfdv
from beam_taxi.tfexample.encode import encode_examples
from beam_taxi.tfexample.split import assign_splits
from beam_taxi.tfexample.tfrecord import TFRecordGzipWriter, frame_records, record_checksums
from beam_taxi.transforms.statistics import stats_options
from beam_taxi.transforms.write import to_list_columns

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
weights = [split.weight for split in settings.splits]
plan = plan_input(settings, {})
with timed("first pass"):
    data, units = plan_units(plan, settings, [scan(plan, block) for block in iter_blocks(plan, 0)])
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
    for piece in unit.pieces:
        batches = PieceReader(plan, data).read(piece)
        while True:
            with timed("parse"):
                read = next(batches, None)
            if read is None:
                break
            with timed("encode, split, frame"):
                records = encode_examples(read[0])
                checksums = record_checksums(records)
                splits = assign_splits(checksums, weights)
                frames = frame_records(records, checksums)
            for number, writer in enumerate(writers):
                chosen = pa.array(splits == number)
                with timed("gzip"):
                    writer.write(frames.filter(chosen))
                with timed("list columns"):
                    lists = to_list_columns(read[0].filter(chosen))
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
