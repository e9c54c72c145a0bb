"""Time what grows with the size of the input: the steps before, between and after the passes, without the data.

Usage: .venv/bin/python scripts/benchmarks/planning.py [--blocks 300000] [--files 300]

The input is imagined: so many blocks of 32 MiB in so many files of equal size, 300,000 blocks being 10 TB. The
functions are those of the job, in the order of the graph, given what the passes would have found in trips like those of
`beam-taxi sample`. For each step: seconds of one core, the memory that it takes at most beyond that of the steps
before, and the size of its result as it is sent or written. The exit status is 1 if a step takes over 60 s or 2 GB.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from beam_taxi import pipeline as graph
from beam_taxi.launch.command import parse
from beam_taxi.launch.job import planned_manifest
from beam_taxi.metadata import recorder
from beam_taxi.report.write import write_report
from beam_taxi.run.folder import EXAMPLES, PLAN, REPORT, RunFolder, shard_path
from beam_taxi.run.manifest import Artifact, ArtifactFile, RunManifest
from beam_taxi.settings import Settings
from beam_taxi.sources import plan_file
from beam_taxi.sources.csv.file import CsvFile
from beam_taxi.sources.csv.positions import LocalPosition
from beam_taxi.sources.first_pass import plan_table
from beam_taxi.sources.plan import Opened, TablePlan, plan_input, plan_sources
from beam_taxi.sources.plan_file import store_plan
from beam_taxi.sources.reading import TableReader
from beam_taxi.sources.source import AnySource, Part
from beam_taxi.sources.stored_file import PART_BYTES
from beam_taxi.sources.units import DataPlan
from beam_taxi.tfexample.batches import to_list_columns
from beam_taxi.transforms.combining import FANOUT
from beam_taxi.transforms.compute_profile import CountRows
from beam_taxi.transforms.read_table import AnyScan, MergeContent, _JoinParts, _Parts, _PlanUnits
from beam_taxi.transforms.reconcile import UnitCounts, reconcile

MOST_SECONDS, MOST_BYTES = 60, 2 << 30
SAMPLE_ROWS = 100_000
Result = TypeVar("Result")
failed = False


def step(name: str, work: Callable[[], Result], crossing: Callable[[Result], int] | None = None) -> Result:
    """Return the result of a step, and print what it takes."""
    global failed
    gc.collect()
    # What earlier steps have freed must not be taken for memory that this one need not ask for.
    ctypes.CDLL(None).malloc_trim(0)
    before = memory("VmRSS")
    # From now on the peak is that of this step.
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    result = work()
    seconds, grown = time.process_time() - start, memory("VmHWM") - before
    is_over = seconds > MOST_SECONDS or grown > MOST_BYTES
    failed |= is_over
    sent = "" if crossing is None else f"{crossing(result) / 1e6:14,.3f}"
    print(f"{name:44}{seconds:8.1f}{grown / 1e6:11,.0f}{sent:14}{'  over the limit' if is_over else ''}", flush=True)
    return result


def memory(which: str) -> int:
    """Return a figure of this process in bytes: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{which}:"))


def pickled(value: object) -> int:
    """Return the size of a value as Beam sends it."""
    return len(pickle.dumps(value))


def pickled_one_by_one(values: Iterable[object]) -> int:
    """Return the size of the elements of a collection as Beam sends them."""
    return sum(map(pickled, values))


def files_like(source: CsvFile, count: int, size: int) -> Iterator[CsvFile]:
    """Yield imagined files with the header of a real one, each with objects of its own, as when it is opened."""
    for number in range(count):
        uri = f"gs://a-bucket-of-trips/chicago/2024/part-{number:06d}-of-{count:06d}.csv"
        one: CsvFile = pickle.loads(pickle.dumps(source))
        yield replace(one, info=replace(one.info, uri=uri, size=size), version=str(1_700_000_000_000_000 + number))


def scan_like(scan: AnyScan, part: Part) -> AnyScan:
    """Return what the scan of a part would find: the content of a real one, and as many joints as units begin."""
    inside, outside = (
        replace(one, starts=tuple(LocalPosition(cut, 100) for cut in part.cuts), first=LocalPosition(part.start, 1))
        for one in scan.joint.boundaries
    )
    joint = replace(scan.joint, boundaries=(inside, outside), end=part.end)
    return replace(scan, part=part, joint=joint, content=replace(scan.content, sha256=part.start.to_bytes(32, "big")))


def rows_of(plan: TablePlan, settings: Settings) -> Iterator[tuple[bool, pa.RecordBatch]]:
    """Yield the rows of a plan, as the profile counts them."""
    data, units = plan_table(plan, settings)
    for unit in units:
        yield from ((False, to_list_columns(batch.rows)) for batch in TableReader(plan, data).read(unit))


def outputs(results: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Return the elements of the main output of a DoFn, and those of the other one."""
    main, other = list[Any](), list[Any]()
    for one in results:
        if isinstance(one, TaggedOutput):
            other.append(one.value)
        else:
            main.append(one)
    return main, other


def build(plan: TablePlan, planned: RunManifest) -> bytes:
    """Return the job graph as it is sent to a service."""
    pipeline = beam.Pipeline()
    graph.build(pipeline, plan, planned)
    content: bytes = pipeline.to_runner_api().SerializeToString()
    return content


def merged(combine: beam.CombineFn, inputs: Iterable[Any]) -> bytes:
    """Return an accumulator of inputs, as it is sent."""
    accumulator = combine.create_accumulator()
    for one in inputs:
        accumulator = combine.add_input(accumulator, one)
    return pickle.dumps(combine.compact(accumulator))


def merged_again(combine: beam.CombineFn, accumulators: Iterable[bytes]) -> Any:
    """Merge accumulators on one worker."""
    return combine.merge_accumulators(map(pickle.loads, accumulators))


def main() -> int:
    """Take every step, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=300_000, help="blocks of 32 MiB (default: %(default)s)")
    parser.add_argument("--files", type=int, default=300, help="files that have them (default: %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        take_steps(args.blocks, args.files, Path(temporary))
    return int(failed)


@dataclass(frozen=True)
class Imagined:
    """What the steps are given: a plan, the manifest before the run, and a real run on a few of the same trips."""

    plan: TablePlan
    planned: RunManifest
    scan: AnyScan
    profile: bytes
    real: RunManifest


def take_steps(blocks: int, files: int, folder: Path) -> None:
    """Take every step for an input of so many blocks in so many files."""
    print(f"{blocks:,} blocks, {blocks * PART_BYTES / 1e12:.2f} TB in {files:,} files")
    print(f"{'':44}{'seconds':>8}{'more MB':>11}{'MB':>14}")
    imagined = launch(blocks * PART_BYTES // files, files, folder)
    data = plan_the_units(imagined)
    close(imagined, data, folder)


def launch(size: int, files: int, folder: Path) -> Imagined:
    """Take the steps of the launcher."""
    trips = folder / "trips.csv"
    run_program("sample", "--rows", str(SAMPLE_ROWS), "--out", str(trips))
    run_program("run", "--input", str(trips), "--output", str(folder), "--run_id", "real", "--metadata_store", "none")
    started = parse(["--input", str(trips), "--output", str(folder), "--run_id", "imagined"])
    settings, run_uri = started.settings, started.settings.run_uri
    RunFolder(run_uri).claim()
    small = plan_input(settings, {})
    source, scan = small.sources[0], small.sources[0].scan(next(small.parts(0)))
    assert isinstance(source, CsvFile)
    sources: list[AnySource] = list(files_like(source, files, size))
    plan = step("plan", lambda: plan_sources(Opened(sources, []), settings, {}), pickled)
    print(f"{plan.n_units:,} units of {plan.size / plan.n_units / 1e6:,.0f} MB")
    planned = step("manifest before the run", lambda: planned_manifest(started, plan), pickled)
    step("job graph", lambda: build(plan, planned), len)
    if Path(run_uri, PLAN).exists():
        told("plan in its file", Path(run_uri, PLAN).stat().st_size)
        stored = pickle.dumps(store_plan(plan, run_uri, PLAN))
        plan_file._read.cache_clear()
        plan = step("plan from its file, once in each process", lambda: pickle.loads(stored))
    real = RunFolder(str(folder / "real")).read_manifest()
    return Imagined(plan, planned, scan, merged(CountRows(), rows_of(small, settings)), real)


def plan_the_units(imagined: Imagined) -> DataPlan:
    """Take the steps between the passes."""
    plan, combine = imagined.plan, MergeContent()
    parts = step("list the parts", lambda: list(_Parts(plan).process(b"")), pickled_one_by_one)
    scans = [scan_like(imagined.scan, part) for _, part in parts]
    told("scans, read by as many workers", pickled_one_by_one(scans))
    by_source = groupby(scans, key=lambda scan: scan.part.source)
    joints = {source: [(scan.part.index, scan.joint) for scan in some] for source, some in by_source}
    told("joints, grouped by source", pickled_one_by_one(joints.values()))
    join = _JoinParts(plan)
    joined = step("join the parts", lambda: dict(one for item in joints.items() for one in join.process(item)), pickled)
    share = [merged(combine, [one]) for one in scans[::FANOUT]]
    step(f"merge content, 1 of {FANOUT} shares", lambda: merged_again(combine, share), pickled)
    shares = [merged(combine, scans[number::FANOUT]) for number in range(FANOUT)]
    content = step(f"merge content, {FANOUT} shares", lambda: merged_again(combine, shares), pickled)
    cut = _PlanUnits(plan, imagined.planned.settings)
    tasks, (data, for_units) = step("cut into units", lambda: outputs(cut.process((None, content), joined)))
    told("tasks, spread over the workers", pickled_one_by_one(tasks))
    told("data plan, for the end of the run", pickled(data))
    told("data plan, for each task", pickled(for_units))
    assert isinstance(data, DataPlan)
    return data


def close(imagined: Imagined, data: DataPlan, folder: Path) -> None:
    """Take the steps after the passes."""
    plan, planned, real = imagined.plan, imagined.planned, imagined.real
    profiles = [imagined.profile] * -(-plan.n_units // FANOUT)
    step(f"merge profiles, 1 of {FANOUT} shares", lambda: merged_again(CountRows(), profiles), pickled)
    profiles = profiles[:1] * FANOUT
    step(f"merge profiles, {FANOUT} shares", lambda: merged_again(CountRows(), profiles), pickled)
    counts, artifacts = list(written(plan, planned, data)), list(artifacts_of(plan, planned, real))
    told("counts and artifacts", pickled_one_by_one([*counts, *artifacts]))
    manifest = step("reconcile", lambda: reconcile(plan, planned, data, counts, artifacts))
    manifest = replace(manifest, profile_file=real.profile_file)
    text = step("manifest to JSON", manifest.to_json_text, len)
    step("manifest from JSON", lambda: RunManifest.from_json(json.loads(text)))
    report = folder / "real" / REPORT
    report.unlink()
    step("report", lambda: write_report(replace(manifest, run_uri=real.run_uri)), lambda _: report.stat().st_size)
    store = folder / "store.sqlite"
    uri = f"sqlite:///{store}"
    step("record of the start", lambda: recorder.start(planned, uri, "DataflowRunner", False))
    step("record of the end", lambda: recorder.record(manifest, uri), lambda _: store.stat().st_size)


def told(what: str, size: int) -> None:
    """Print the size of something that is sent or written."""
    print(f"{what:63}{size / 1e6:14,.3f}", flush=True)


def run_program(*arguments: str) -> None:
    """Run a verb of `beam_taxi` in a process of its own."""
    subprocess.run([sys.executable, "-m", "beam_taxi", *arguments], check=True, stdout=subprocess.DEVNULL)


def written(plan: TablePlan, planned: RunManifest, data: DataPlan) -> Iterator[UnitCounts]:
    """Yield the counts of each unit: the rows of each source, shared out over the units that read it."""
    units = [UnitCounts(index) for index in range(plan.n_units)]
    for number, base in enumerate(plan.bases[:-1]):
        first = plan.first_unit(base) - 1 if base else 0
        last = max(plan.first_unit(plan.bases[number + 1]), first + 1)
        rows = data.totals[number].rows or 0
        for index in range(first, last):
            share = rows * (index + 1 - first) // (last - first) - rows * (index - first) // (last - first)
            units[index].add_rows(number, [share, *[0] * (len(planned.splits) - 1)])
    yield from units


def artifacts_of(plan: TablePlan, planned: RunManifest, real: RunManifest) -> Iterator[Artifact]:
    """Yield the shards of each unit, and what else a run has."""
    for index in range(plan.n_units):
        files = (
            ArtifactFile(
                shard_path(split.name, index, plan.n_units),
                123_456_789,
                f"{index:064x}",
                split.name,
                None,
                f"{index:064x}",
            )
            for split in planned.splits
        )
        yield Artifact(EXAMPLES, "Examples", tuple(files))
    for key, artifact in real.artifacts.items():
        if key != EXAMPLES:
            yield replace(artifact, files=tuple(replace(file, rows=None) for file in artifact.files))


if __name__ == "__main__":
    sys.exit(main())
