"""The report of a run that has just been completed."""

from __future__ import annotations

from beam_taxi.report import html, model, results
from beam_taxi.run.folder import REPORT, RunFolder
from beam_taxi.run.manifest import RunManifest


def write_report(manifest: RunManifest) -> None:
    """Render the report of a run from its manifest and artifacts, and publish it in its folder."""
    page = html.render(model.build(results.read_run(manifest.run_uri, manifest)))
    folder = RunFolder(manifest.run_uri)
    with folder.publish(REPORT, lambda _: True) as file:
        file.write(page)
    folder.remove_staging()
