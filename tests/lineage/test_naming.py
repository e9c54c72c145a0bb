"""The names of datasets, and which files are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from beam_taxi.dates import DateSettings, is_dated
from beam_taxi.lineage.inputs import inputs_of
from beam_taxi.lineage.naming import dataset_name, to_uri
from beam_taxi.run.manifest import InputEntry
from tests.metadata import runs

NAMES = {
    "a local file": ("/data/a.csv", "file", "/data/a.csv", "file:///data/a.csv"),
    "spaces and signs": ("/my data/100%#ä.csv", "file", "/my data/100%#ä.csv", "file:///my%20data/100%25%23%C3%A4.csv"),
    "a file URI": ("file:///data/a.csv", "file", "/data/a.csv", "file:///data/a.csv"),
    "a folder": ("/data/in/", "file", "/data/in", "file:///data/in/"),
    "the root": ("/", "file", "/", "file:///"),
    "an object": ("gs://bucket/in/a b.csv", "gs://bucket", "in/a b.csv", "gs://bucket/in/a%20b.csv"),
    "a folder of objects": ("gs://bucket/in/", "gs://bucket", "in", "gs://bucket/in/"),
    "a bucket": ("gs://bucket", "gs://bucket", "/", "gs://bucket"),
    "S3": ("s3://bucket/a.csv", "s3://bucket", "a.csv", "s3://bucket/a.csv"),
    "HDFS": ("hdfs://host:8020/data/a.csv", "hdfs://host:8020", "/data/a.csv", "hdfs://host:8020/data/a.csv"),
    "a table": ("bq://project.dataset.table", "bigquery", "project.dataset.table", "bq://project.dataset.table"),
    "a project of a domain": ("bq://example.com:p.d.t", "bigquery", "example.com:p.d.t", "bq://example.com:p.d.t"),
    "a query": ("bq://query/0123", "bigquery", "query/0123", "bq://query/0123"),
}


@pytest.mark.parametrize(("uri", "namespace", "name", "escaped"), NAMES.values(), ids=NAMES)
def test_the_name_of_a_dataset(uri: str, namespace: str, name: str, escaped: str):
    assert dataset_name(uri) == (namespace, name)
    assert to_uri(uri) == escaped


DATASETS = {
    "a file": (["/d/a.csv"], ["/d/a.csv"], ["/d/a.csv"]),
    "two files": (["/d/a.csv", "/d/b.csv"], ["/d/a.csv", "/d/b.csv"], ["/d/a.csv", "/d/b.csv"]),
    "a pattern": (["/d/*.csv"], ["/d/a.csv", "/d/b.csv"], ["/d"]),
    "a pattern of one file": (["/d/*.csv"], ["/d/a.csv"], ["/d"]),
    "a folder": (["/d/"], ["/d/x/a.csv", "/d/b.csv"], ["/d"]),
    "a pattern of folders": (
        ["gs://b/in/day=*/*.csv"],
        ["gs://b/in/day=1/a.csv", "gs://b/in/day=2/a.csv"],
        ["gs://b/in"],
    ),
    "a pattern in a bucket": (["gs://b/*.csv"], ["gs://b/a.csv"], ["gs://b"]),
    "two days": (["gs://b/1/*", "gs://b/2/*"], ["gs://b/1/a", "gs://b/2/a", "gs://b/2/b"], ["gs://b/1", "gs://b/2"]),
    "a template of dates": (["/d/day={YYYY}-{MM}-{DD}/*.csv"], ["/d/day=2026-11-24/a.csv"], ["/d"]),
    "a table of each day": (["bq://p.d.t_{SPAN}"], ["bq://p.d.t_20781"], ["bq://p.d.t_20781"]),
    "a file of a folder that is given, too": (["/d/*", "/d/x/a"], ["/d/b", "/d/x/a"], ["/d", "/d/x/a"]),
    "names with the same beginning": (["/d/a", "/d/ab"], ["/d/a", "/d/ab"], ["/d/a", "/d/ab"]),
    "a name with brackets": (["/d/a[1].csv"], ["/d/a[1].csv"], ["/d/a[1].csv"]),
    "a table and files": (["bq://p.d.t", "/d/*"], ["bq://p.d.t", "/d/a"], ["bq://p.d.t", "/d"]),
    "a query": ([], ["bq://query/01"], ["bq://query/01"]),
    "a relative path": (["d/a.csv"], ["/here/d/a.csv"], ["/here/d/a.csv"]),
    "a relative path from above": (["../d/./a.csv"], ["/d/a.csv"], ["/d/a.csv"]),
    "a relative pattern": (["d/*/*.csv"], ["/here/d/1/a.csv", "/here/d/2/a.csv"], ["/here/d"]),
    "a pattern here": (["*.csv"], ["/here/a.csv", "/here/b.csv"], ["/here"]),
    "a relative folder": (["d"], ["/here/d/1/a.csv", "/here/d/b.csv"], ["/here/d"]),
    "a relative path that occurs twice": (["d/*.csv"], ["/d/d/a.csv"], ["/d/d"]),
    "this folder": (["."], ["/here/a.csv", "/here/b.csv"], ["/here"]),
    "a path with two dots": (["/here/../d/a.csv"], ["/d/a.csv"], ["/d/a.csv"]),
}


@pytest.mark.parametrize(("given", "files", "datasets"), DATASETS.values(), ids=DATASETS)
def test_which_files_are_one_dataset(given: Sequence[str], files: Sequence[str], datasets: Sequence[str]):
    manifest = runs.manifest("r")
    dates = DateSettings("2026-11-24") if any(map(is_dated, given)) else DateSettings()
    settings = replace(manifest.settings, input=tuple(given), query=None if given else "SELECT 1", dates=dates)
    entries = tuple(InputEntry(uri, "csv", 1) for uri in files)
    found = inputs_of(replace(manifest, settings=settings, inputs=entries))
    assert [one.uri.rstrip("/") for one in found] == datasets
    assert sum(len(one.entries) for one in found) == len(files)


def test_the_version_of_a_dataset_follows_from_its_content():
    manifest = replace(runs.manifest("r"), settings=replace(runs.manifest("r").settings, input=("/data/*.csv",)))
    (both,) = inputs_of(manifest)
    one, other = manifest.inputs
    changed = replace(manifest, inputs=(one, replace(other, content_hash="sha256:9")))
    (single,) = inputs_of(replace(manifest, inputs=(one,)))
    (unread,) = inputs_of(replace(manifest, inputs=(one, replace(other, content_hash=None))))
    assert both.version is not None
    assert both.version != inputs_of(changed)[0].version
    assert (single.version, unread.version) == (one.content_hash, None)
