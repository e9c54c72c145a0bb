"""Packaging of beam_taxi; also what Dataflow's workers install with `--setup_file ./setup.py`."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    """Return `__version__` of the package, read as text: importing it would need what is being installed."""
    text = (ROOT / "beam_taxi" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, flags=re.MULTILINE)
    if match is None:
        raise RuntimeError('beam_taxi/__init__.py has no line __version__ = "..."')
    return match.group(1)


def read_long_description() -> str:
    """Return the README, or nothing where it was not shipped."""
    readme = ROOT / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="beam_taxi",
    version=read_version(),
    description="Tables to TFRecords, TFDV statistics, a schema and ML Metadata in one Apache Beam graph",
    long_description=read_long_description(),
    long_description_content_type="text/markdown",
    packages=find_packages(include=["beam_taxi", "beam_taxi.*"]),
    package_data={"beam_taxi": ["py.typed", "**/*.j2", "**/*.css", "**/*.js", "**/*.json"]},
    python_requires=">=3.10,<3.14",
    # Ranges that admit both tested stacks; requirements.txt is the lock of the default one. What has no range
    # here follows from what the others require.
    install_requires=[
        "apache-beam[gcp]>=2.72.0,<3",
        "tensorflow-data-validation>=1.16.1,<1.22",
        "tensorflow-metadata>=1.16.1,<1.22",
        "ml-metadata>=1.17.1,<1.22",
        "google-cloud-storage>=2.19,<4",
        "pymysql>=1.1.1",
        # tfx_bsl imports dill without requiring it, and Apache Beam requires it only in an extra.
        "dill",
        "isal>=1.7",
        "google-crc32c>=1.5",
        "rich",
        "jinja2>=3.1",
        "markupsafe>=2.0",
        "numpy",
        "pyarrow>=10",
        "protobuf",
        "pyyaml",
    ],
    extras_require={
        # Examples in ArrayRecord files, on the workers too.
        "array_record": ["array_record>=0.5"],
        # requirements-notebook.txt is its lock.
        "notebook": ["jupyterlab>=4.4,<5", "ipykernel>=6.29,<8"],
        "mlflow": ["mlflow-skinny>=3,<4"],
    },
    entry_points={"console_scripts": ["beam-taxi = beam_taxi.cli:command"]},
)
