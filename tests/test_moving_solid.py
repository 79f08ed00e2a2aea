"""A solid in three dimensions that swings, computed by another program."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from physgt import Mesh, Trajectory
from physgt.case import read_case
from physgt.models import MODELS
from physgt.rollout import rollout
from physgt.training import train
from test_moving_meshes import SMALL

CASE = """
name = "beam"
[data]
train = "*.vtkhdf"
[task]
dt = 7.06690649
[task.targets.points]
components = 3
order = 2
initial_rate = "velocity"
[task.contact]
radius = 0.3
hops = 2
[boundary.handle]
points = "held"
[model]
name = "MODEL"
OPTIONS
[training]
steps = 2
unroll = 2
validate_every = 2
validation_steps = 2
"""


def beam(shared_data: Path) -> Trajectory:
    with h5py.File(shared_data / "solver" / "block3d" / "beam_1.h5") as file:
        mesh = Mesh.from_blocks(
            file["mesh/pos"][:],
            [("tetra", file["mesh/cells"][:])],
            node_type=file["mesh/node_type"][:],
        )
        fields = {
            "points": file["fields/world_pos"][:9],
            "velocity": file["fields/velocity"][:9],
        }
        return Trajectory.from_arrays(mesh, file["time"][:9], fields)


@pytest.mark.parametrize("model", MODELS)
def test_a_beam_trains_and_rolls_out_with_its_clamped_end_in_place(
    model: str, shared_data: Path, tmp_path: Path
) -> None:
    reference = beam(shared_data)
    options = {k: v for k, v in SMALL[model].items() if k != "rotary"}
    lines = "\n".join(f"{key} = {value}" for key, value in options.items())
    text = CASE.replace("MODEL", model).replace("OPTIONS", lines)
    (tmp_path / "beam.toml").write_text(text)
    case = read_case(tmp_path / "beam.toml")
    simulator = train(case, {"a": reference}, tmp_path / "run", validation={"a": reference})
    prediction = rollout(simulator, reference.initial(), 3)
    moved = prediction.fields["points"].values
    clamped = reference.mesh.nodes_of("handle")
    assert len(clamped) == 25
    np.testing.assert_array_equal(moved[:, clamped], np.repeat(moved[:1, clamped], 4, axis=0))
    inside = np.setdiff1d(np.arange(reference.mesh.num_points), clamped)
    assert (np.abs(moved[3, inside] - moved[0, inside]).max(axis=1) > 0).all()
