"""The interface that the preCICE Micro Manager calls, driven as it does."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from heat_case import SMALL_MODELS, heat_trajectory
from physgt import BoundaryCondition, Field, Forcing, PhysgtError, Simulator, Task
from physgt.coupling.micro_manager import micro_simulation
from physgt.datasets import open_trajectory
from physgt.datasets.vtkhdf import write_vtkhdf

GRAIN = Task(
    targets=(Field("temperature", units="degC"),),
    dt=0.1,
    forcings=(Forcing("power", units="W", over_time=True),),
    boundary=(BoundaryCondition("rim", "temperature", "prescribed"),),
)
CONFIG = """
model = "grain.physgt"
start = "start.vtkhdf"
output = "grain.vtkhdf"
[read]
macro_temperature = { field = "temperature", nodes = "rim" }
macro_power = { field = "power" }
[write]
mean = "mean"
[outputs.mean]
kind = "volume_mean"
field = "temperature"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    Simulator(GRAIN, 2, "physgto", SMALL_MODELS["physgto"]).save(tmp_path / "grain.physgt")
    write_vtkhdf(heat_trajectory(0).initial(), tmp_path / "start.vtkhdf")
    (tmp_path / "micro.toml").write_text(CONFIG)
    return tmp_path


def macro(temperature: float) -> dict[str, float]:
    return {"macro_temperature": temperature, "macro_power": 2.0}


def test_a_step_repeated_from_its_state_gives_the_same_micro_data(folder):
    grain = micro_simulation(folder / "micro.toml")(0)
    start = grain.initialize()
    state = grain.get_state()
    first = grain.solve(macro(50.0), 0.1)
    second = grain.solve(macro(60.0), 0.1)
    grain.set_state(state)
    assert grain.solve(macro(50.0), 0.1) == first
    assert grain.solve(macro(60.0), 0.1) == second
    assert start["mean"] != first["mean"] != second["mean"]


def test_a_state_may_travel_to_the_same_simulation_of_another_process(folder):
    simulation = micro_simulation(folder / "micro.toml")
    one, other = simulation(0), simulation(1)
    one.solve(macro(50.0), 0.1)
    other.set_state(pickle.loads(pickle.dumps(one.get_state())))
    assert one.solve(macro(60.0), 0.1) == other.solve(macro(60.0), 0.1)


def test_simulations_are_independent_of_each_other(folder):
    simulation = micro_simulation(folder / "micro.toml")
    one, other, alone = (simulation(number) for number in range(3))
    one.solve(macro(50.0), 0.1)
    assert other.solve(macro(90.0), 0.1) == alone.solve(macro(90.0), 0.1)
    one.set_global_id(7)
    assert (one.get_global_id(), other.get_global_id()) == (7, 1)


def test_output_appends_to_a_file_of_the_simulation(folder):
    grain = micro_simulation(folder / "micro.toml")(4)
    for _ in range(2):
        grain.solve(macro(50.0), 0.1)
        grain.output()
    written = open_trajectory(folder / "grain-4.vtkhdf")
    np.testing.assert_allclose(written.times, [0.1, 0.2])
    rim = written.mesh.node_sets["rim"]
    assert (written.fields["temperature"].values[:, rim] == 50.0).all()


def test_macro_data_for_what_the_model_advances_is_refused(folder):
    (folder / "micro.toml").write_text(CONFIG.replace(', nodes = "rim"', ""))
    with pytest.raises(PhysgtError, match=r"'macro_temperature' can't be read.*advances it on 16"):
        micro_simulation(folder / "micro.toml")(0)


def test_without_a_file_output_writes_nothing(folder):
    """The Micro Manager calls it after every time window (micro_output_n is 1 if not given)."""
    (folder / "micro.toml").write_text(CONFIG.replace('output = "grain.vtkhdf"\n', ""))
    before = sorted(folder.iterdir())
    grain = micro_simulation(folder / "micro.toml")(0)
    grain.solve(macro(50.0), 0.1)
    grain.output()
    assert sorted(folder.iterdir()) == before


def test_macro_data_that_is_missing_and_micro_data_that_is_a_field_are_named(folder):
    grain = micro_simulation(folder / "micro.toml")(0)
    with pytest.raises(PhysgtError, match=r"macro data \['macro_power'\].*wasn't given"):
        grain.solve({"macro_temperature": 3.0}, 0.1)
    (folder / "micro.toml").write_text(CONFIG.replace('mean = "mean"', 'mean = "temperature"'))
    with pytest.raises(PhysgtError, match="'temperature' can't be micro data, which is one value"):
        micro_simulation(folder / "micro.toml")(0)
