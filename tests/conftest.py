"""Fixtures that more than one test file uses."""

from pathlib import Path

import pytest
import torch

from heat_case import HEAT, SMALL_MODELS, heat_trajectory
from physgt import Simulator, Trajectory


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real simulation data, kept beside the repository rather than in it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the simulation data in {folder}")
    return folder


@pytest.fixture
def heat() -> Trajectory:
    return heat_trajectory(seed=0)


@pytest.fixture(params=SMALL_MODELS)
def simulator(request: pytest.FixtureRequest) -> Simulator:
    """An untrained simulator of heat, with scales as a training would find them."""
    torch.manual_seed(0)
    simulator = Simulator(HEAT, 2, request.param, SMALL_MODELS[request.param])
    simulator.state.mean.fill_(50.0)
    simulator.state.std.fill_(17.0)
    simulator.increment.std.fill_(1.5)
    simulator.edge_length.fill_(0.2)
    return simulator.eval()
