"""What docs/lineage.md says of variables, facets and names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from beam_taxi.lineage import receiver
from beam_taxi.lineage.naming import dataset_name
from tests.lineage.specification import schemas

PAGE = (Path(__file__).parents[2] / "docs" / "lineage.md").read_text()


def section(title: str) -> str:
    return PAGE.split(f"# {title}\n")[1].split("\n#")[0]


def test_every_variable_is_on_the_page():
    names = {receiver.URL, receiver.ENDPOINT, receiver.API_KEY, receiver.NAMESPACE, receiver.DISABLED}
    assert set(re.findall(r"^\| `(OPENLINEAGE_\w+)`", PAGE, re.MULTILINE)) == names


def test_every_facet_is_on_the_page():
    told = set(re.findall(r"`(\w+)`", section("What the events say")))
    facets = {name for schema in schemas().values() for name in schema.get("properties", {})}
    assert facets <= told


NAMES = re.findall(r"^\| `(\S+://\S+|/\S+)` \| `(\S+)` \| `(\S+)` \|$", section("How datasets are named"), re.MULTILINE)


def test_the_page_names_datasets():
    assert len(NAMES) == 3


@pytest.mark.parametrize(("uri", "namespace", "name"), NAMES)
def test_the_names_of_datasets(uri: str, namespace: str, name: str):
    assert dataset_name(uri) == (namespace, name)
