"""Which files are of which format, and a format of the tests' own that runs through the whole job."""

from __future__ import annotations

import bz2
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from beam_taxi import storage
from beam_taxi.main import main
from beam_taxi.metadata.queries import artifacts_of, get_run
from beam_taxi.run.folder import read_manifest
from beam_taxi.settings import Settings
from beam_taxi.sources import registry
from beam_taxi.sources.content import Content
from beam_taxi.sources.formats import FileFormat, Sample
from beam_taxi.sources.kinds import Kind
from beam_taxi.sources.plan import plan_input
from beam_taxi.sources.source import Batch, Joined, Part, Progress, Scan, SourceInfo, no_progress
from beam_taxi.sources.stored_file import StoredFile


def parquet_bytes() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1, 2]}), sink)
    return bytes(sink.getvalue())


FILES = {
    "Parquet": (parquet_bytes(), "parquet", ("a",)),
    "a name like Parquet's mark": (b"PAR1,PAR2\n1,2\n", "csv", ("PAR1", "PAR2")),
    "text that ends like Parquet": (b"PAR1,b\n1,PAR1", "csv", ("PAR1", "b")),
    "bzip2": (bz2.compress(b"a,b\n1,2\n"), "csv", ("a", "b")),
    "a name like bzip2's mark": (b"BZhour,b\n1,2\n", "csv", ("BZhour", "b")),
    "a name like bzip2's mark and level": (b"BZh9,b\n1,2\n", "csv", ("BZh9", "b")),
}


@pytest.mark.parametrize(("content", "format_", "columns"), FILES.values(), ids=FILES)
def test_formats_are_known_by_their_content(tmp_path: Path, content: bytes, format_: str, columns: tuple[str, ...]):
    (tmp_path / "x").write_bytes(content)
    (source,) = plan_input(Settings((str(tmp_path / "x"),), "unused", "run"), {}).sources
    assert (source.info.format, source.info.columns) == (format_, columns)


class NumbersFormat(FileFormat):
    """A mark of four bytes, and then numbers of eight bytes, little-endian: one column `n`."""

    def recognizes(self, sample: Sample) -> bool:
        return sample.head.startswith(b"NUM8")

    def open(self, sample: Sample, settings: Settings, declared: Mapping[str, Kind]) -> NumbersFile:
        file = sample.file
        return NumbersFile(SourceInfo(file.uri, "numbers", file.size, ("n",)), file.version)


@dataclass(frozen=True)
class NumbersFile(StoredFile[int, Joined[int]]):
    """Positions are numbers of rows."""

    info: SourceInfo
    version: str

    def numbers(self) -> np.ndarray:
        return np.frombuffer(storage.read_bytes(self.info.uri)[4:], "<i8")

    def scan(self, part: Part, assumption: int | None = None, progress: Progress = no_progress) -> Scan[Joined[int]]:
        rows = len(self.numbers())
        digest = hashlib.sha256(storage.read_bytes(self.info.uri)).digest()
        cuts = (cut * rows // self.info.size for cut in part.cuts)
        return Scan(part, Content(digest, rows, kinds={"n": Kind.INT}), Joined((0, *cuts, rows)))

    def join(self, joints: Sequence[Joined[int]]) -> Joined[int]:
        return joints[0]

    def reader(self, kinds: Mapping[str, Kind], has_rejects: bool, with_places: bool = False) -> NumbersReader:
        return NumbersReader(self)


class NumbersReader:
    def __init__(self, file: NumbersFile) -> None:
        self.file = file

    def read(self, start: int, end: int) -> Iterator[Batch]:
        yield Batch(pa.RecordBatch.from_arrays([pa.array(self.file.numbers()[start:end])], ["n"]))

    def close(self) -> None:
        pass


def test_a_source_in_one_file_runs_through_the_whole_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "FILE_FORMATS", [NumbersFormat(), *registry.FILE_FORMATS])
    (tmp_path / "1.num").write_bytes(b"NUM8" + np.arange(300, dtype="<i8").tobytes())
    (tmp_path / "2.csv").write_text("n\n" + "".join(f"{i}\n" for i in range(300, 400)))
    store = f"sqlite:///{tmp_path}/m.sqlite"
    arguments = ["--input", str(tmp_path / "?.*"), "--output", str(tmp_path), "--run_id", "run", "--num_shards", "3"]
    assert main([*arguments, "--metadata_store", store]) == 0
    manifest = read_manifest(str(tmp_path / "run"))
    assert [(entry.format, entry.rows) for entry in manifest.inputs] == [("numbers", 300), ("csv", 100)]
    files = [str(path) for path in tmp_path.glob("run/examples/*/*.gz")]
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    found = [tf.train.Example.FromString(one).features.feature["n"].int64_list.value[0] for one in records]
    assert sorted(found) == list(range(400))
    artifacts = artifacts_of(store, get_run(store, "run"))
    assert [artifacts[f"input/{number}"].type for number in (0, 1)] == ["NumbersFile", "CsvFile"]
