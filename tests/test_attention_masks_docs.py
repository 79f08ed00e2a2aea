"""What docs/attention_masks.md says."""

from __future__ import annotations

import re
import tomllib
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pytest

from physgt.datasets.cylinder import CylinderFamily, cylinder_mesh
from physgt.models import MODELS
from physgt.models.neighbourhoods import Neighbourhoods

PAGE = (Path(__file__).parents[1] / "docs" / "attention_masks.md").read_text()
BASIC = {"num_node_types", "width", "heads", "blocks"}
BY_THE_TASK = {"moving", "world_edges"}  # set by what the case says of its mesh


@pytest.mark.parametrize("name", ["masked_transformer", "near_far_transformer"])
def test_the_page_names_every_option(name: str) -> None:
    parameters = signature(MODELS[name]).parameters.values()
    options = {p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY} - BASIC - BY_THE_TASK
    assert [option for option in options if f"`{option}" not in PAGE] == []


def test_the_example_is_a_model() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    options = tomllib.loads(example)["model"]
    model = MODELS[options.pop("name")](3, 0, 2, **options)
    assert len(model.masks) == 2


def test_the_python_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    mesh = cylinder_mesh(CylinderFamily().draw(seed=0))
    names = {"mesh": mesh}
    exec(example, names)
    assert len(names["senders"]) > 2 * mesh.num_points


def test_neighbours_a_node_are_as_in_the_table() -> None:
    mesh = cylinder_mesh(CylinderFamily().draw(seed=0))
    rows = re.findall(r"^\| `(\w+ = [^`]+)` \|.*\| ([\d.]+) \|$", PAGE, flags=re.MULTILINE)
    assert len(rows) == 6
    for text, expected in rows:
        options = tomllib.loads(text)
        options |= {"k_hop": 3} if "max_neighbors" in options else {}
        neighbourhoods = Neighbourhoods(4, 15, **options)
        edges = neighbourhoods.masks[0](mesh)
        assert np.round(edges.shape[1] / mesh.num_points, 1) == float(expected), text
