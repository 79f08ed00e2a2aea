"""The examples of coupled simulations, as they are shipped, against finite elements."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from physgt import Simulator
from physgt.case import Case, read_case

FOLDER = Path(__file__).parents[1] / "examples" / "coupling"


@pytest.fixture(scope="module")
def examples() -> Iterator[None]:
    """The folder of the examples first on the path, as for a user who runs one."""
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    for name in ("conjugate_heat", "cylinder_on_spring", "heat_picture", "plates"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def cylinder(examples: None) -> ModuleType:
    return import_module("cylinder_on_spring")


def test_the_cylinder_moves_in_the_learned_flow_as_in_the_solvers(
    cylinder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cylinder, "SECONDS", 1.6)
    found = cylinder.compare(Simulator.load(FOLDER / "cylinder_flow.physgt"))
    rows = found.rows()
    solver, _, learned = rows["lift, frequency in Hz"]
    assert learned == pytest.approx(solver, rel=0.06)
    solver, _, learned = rows["lift, amplitude in N/m"]
    assert learned == pytest.approx(solver, rel=0.25)
    _, integral, learned = rows["drag, mean in N/m"]
    assert learned == pytest.approx(integral, rel=0.05)
    cylinder.draw(found, tmp_path / "cylinder.png")
    assert (tmp_path / "cylinder.png").stat().st_size > 50_000


def test_springs_answer_a_steady_and_a_swinging_force_as_the_formula_says(
    cylinder: ModuleType,
) -> None:
    times, frequency, forced = np.linspace(0, 20, 4001), 2.0, 3.0
    load = np.stack([np.full_like(times, 0.7), np.sin(2 * np.pi * forced * times)], axis=1)
    motion = cylinder.respond(times, load, frequency)[-1000:]
    stiffness = cylinder.MASS * (2 * np.pi * frequency) ** 2
    ratio = forced / frequency
    magnified = 1 / np.hypot(1 - ratio**2, 2 * cylinder.DAMPING * ratio)
    np.testing.assert_allclose(motion[:, 0], 0.7 / stiffness, rtol=1e-4)
    assert np.ptp(motion[:, 1]) / 2 == pytest.approx(magnified / stiffness, rel=1e-3)


def short(name: str) -> Case:
    case = read_case(FOLDER / name)
    settings = {"steps": 2, "validate_every": 2, "validation_steps": 2}
    return case.model_copy(update={"training": case.training.model_copy(update=settings)})


def test_the_flow_can_be_trained_again(
    cylinder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {"refinement": 0.6, "spin_up": 0.05, "num_steps": 12}
    monkeypatch.setattr(cylinder, "TRAINING", cylinder.TRAINING | tiny)
    path = cylinder.train_flow(tmp_path / "flow", short("cylinder_flow.toml"), num_flows=1)
    theirs, ours = Simulator.load(FOLDER / "cylinder_flow.physgt"), Simulator.load(path)
    assert ours.task.targets == theirs.task.targets
    assert ours.task.dt == theirs.task.dt
    assert ours.model_options == theirs.model_options
