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
def heat(examples: None) -> ModuleType:
    return import_module("conjugate_heat")


@pytest.fixture(scope="module")
def cylinder(examples: None) -> ModuleType:
    return import_module("cylinder_on_spring")


def test_two_halves_by_finite_elements_are_the_whole_plate(heat: ModuleType) -> None:
    """So what the example finds to differ is the model's, not the coupling's."""

    class SolvedHalf:
        def __init__(self) -> None:
            self.mesh, self.solver = heat.right_half()
            self.now = np.full(self.mesh.num_points, heat.SURROUNDINGS)
            self.cold = np.full(len(self.mesh.node_sets["cold"]), heat.SURROUNDINGS)

        def begin_step(self) -> None:
            self.before = self.now

        def attempt(self, interface: np.ndarray) -> np.ndarray:
            self.now = self.solver.step(self.before, np.concatenate([interface, self.cold]))
            return -self.solver.entering(self.before, self.now)[self.mesh.node_sets["interface"]]

        def temperature(self) -> np.ndarray:
            return self.now

    left_mesh, right = heat.half_mesh(0.0, seed=2), SolvedHalf()
    run = heat.couple(left_mesh, right, num_steps=20)
    left, whole_right = heat.solve_whole(left_mesh, right.mesh)
    np.testing.assert_allclose(run.left, left[:21], atol=2 * heat.TOLERANCE)
    np.testing.assert_allclose(run.right, whole_right[:21], atol=2 * heat.TOLERANCE)
    assert run.left.max() > heat.SURROUNDINGS + 50


def test_the_learned_half_couples_to_finite_elements_over_200_steps(
    heat: ModuleType, tmp_path: Path
) -> None:
    found = heat.compare(Simulator.load(FOLDER / "half_plate.physgt"))
    assert len(found.run.iterations) == 200
    assert found.run.iterations.min() > 1  # steps are repeated, from saved states
    errors = found.errors()
    assert errors["whole field, coupled"] < 0.05
    assert errors["interface temperature, coupled"] < 0.05
    assert errors["right half, surrogate alone"] < 0.05
    early, late = "second quarter of the steps", "last quarter of the steps"
    assert errors[f"whole field, {late}"] < 1.5 * errors[f"whole field, {early}"]
    assert errors["heat flux given and not taken, largest in a step"] < 0.01
    assert errors["heat that the right half makes or loses"] < 0.01
    assert errors["interface heat flux, coupled"] < 0.05
    heat.draw(found, tmp_path / "heat.png")
    assert (tmp_path / "heat.png").stat().st_size > 50_000


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


def test_the_models_can_be_trained_again(
    heat: ModuleType, cylinder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = heat.train_half(tmp_path / "half", short("half_plate.toml"), num_histories=2)
    tiny = {"refinement": 0.6, "spin_up": 0.05, "num_steps": 12}
    monkeypatch.setattr(cylinder, "TRAINING", cylinder.TRAINING | tiny)
    flow = cylinder.train_flow(tmp_path / "flow", short("cylinder_flow.toml"), num_flows=1)
    for path, shipped in (half, "half_plate.physgt"), (flow, "cylinder_flow.physgt"):
        theirs, ours = Simulator.load(FOLDER / shipped), Simulator.load(path)
        assert ours.task.targets == theirs.task.targets
        assert ours.task.forcings == theirs.task.forcings
        assert ours.task.dt == theirs.task.dt
        assert ours.model_options == theirs.model_options


def test_the_coupled_case_is_none_of_the_training(heat: ModuleType) -> None:
    """No random course of the training comes near the coupled one, in K."""
    left_mesh, (right_mesh, _) = heat.half_mesh(0.0, seed=2), heat.right_half()
    interface = right_mesh.node_sets["interface"]
    coupled = heat.solve_whole(left_mesh, right_mesh)[1][:, interface].mean(axis=1)
    for seed in range(60):
        course = heat.history(seed).fields["temperature"].values[:, interface].mean(axis=1)
        assert np.abs(course - coupled).max() > 10
