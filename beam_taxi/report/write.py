"""The report of a run that has just been completed."""

from __future__ import annotations

from beam_taxi.report import html, junit, model, results
from beam_taxi.run.folder import JUNIT, REPORT, RunFolder
from beam_taxi.run.manifest import RunManifest


def write_report(manifest: RunManifest) -> None:
    """Render the report of a run, and its judgement for CI systems, and publish them in its folder."""
    found = results.read_run(manifest.run_uri, manifest)
    folder = RunFolder(manifest.run_uri)
    if found.validation is not None:
        folder.publish_first(JUNIT, junit.render(found.validation))
    folder.publish_first(REPORT, html.render(model.build(found)))
    folder.remove_staging()
