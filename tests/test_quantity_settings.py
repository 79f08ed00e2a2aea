"""Quantities as TOML states them, and those that the cases of physgt state."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heat_case import square_mesh
from physgt import Field, PhysgtError, Task, Trajectory
from physgt.case import find_case, read_case
from physgt.datasets.generate import GENERATORS
from physgt.quantities import build_outputs, check_outputs, history, stated_numbers, with_fields
from physgt.rollout import compare_histories
from physgt.rollout.assessment import assess, read_quantities

SQUARE = square_mesh(4)
TASK = Task((Field("velocity", 2, "m/s"),), dt=0.1)
FRAME = {"velocity": SQUARE.points * [3.0, 4.0]}
CASES = {path.stem: path for path in find_case("heat").parent.glob("*.toml")}
QUICK: dict[str, dict[str, Any]] = {
    "cylinder": {"num_steps": 11, "spin_up": 0.0},
    "heat": {"num_steps": 11, "spin_up": 0.0},
    "block3d": {"num_steps": 11, "spin_up": 0.0},
    "pipe3d": {"num_steps": 11, "spin_up": 0.0, "refinement": 0.7},
    "airfoil": {"num_steps": 11, "spin_up": 0.0, "refinement": 0.5},
    "beam3d": {"num_steps": 11},
    "hyperelastic": {"num_steps": 11, "refinement": 0.5},
}


def value(numbers: dict[str, float] | None = None, **options: Any) -> Any:
    table = {"kind": "volume_mean", "field": "velocity", **options}
    output = build_outputs(SQUARE, TASK, {"speed": table}, numbers)["speed"]
    return output.evaluate(FRAME), output


def test_along_takes_the_component_in_a_direction_and_per_divides_it():
    np.testing.assert_allclose(value()[0], [1.5, 2.0])
    found, output = value(along=[3, 4])
    assert found == pytest.approx(1.5 * 0.6 + 2.0 * 0.8)
    assert (output.components, output.units) == (1, "m/s")
    found, output = value(along=[1, 0], per=0.5)
    assert found == pytest.approx(3.0)
    assert output.units == ""


def test_a_text_in_place_of_a_number_is_a_formula_of_what_the_case_states():
    found, output = value({"speed": 2.0, "angle": 90.0}, along=["cos(angle * pi / 180)", 1],
                          per="2 * speed", time_scale="1 / speed")  # fmt: skip
    assert found == pytest.approx(0.5)
    assert output.time_scale == 0.5


def test_the_numbers_that_a_trajectory_states_are_attributes_and_values_that_stay():
    flow = Trajectory.from_arrays(
        SQUARE, np.zeros(1), {"velocity": FRAME["velocity"][None]},
        static={"viscosity": 1e-3, "heating": np.zeros(SQUARE.num_points)},
        attributes={"radius": 0.1, "seed": 3, "solver": "none", "velocity": (1, 2)},
    )  # fmt: skip
    assert stated_numbers(flow) == {"radius": 0.1, "seed": 3.0, "viscosity": pytest.approx(1e-3)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"along": [1, 0, 0]}, r"\[outputs.speed\] along = .* a direction of 2 components"),
        ({"along": [0, 0]}, "a direction of 2 components"),
        ({"per": 0}, r"\[outputs.speed\] per = 0.0: nothing can be divided by it"),
        ({"per": "2 * speed"}, r"per: can't understand '2 \* speed'; it may name \['radius'\]"),
        ({"per": True}, "per = True: expected a number"),
        ({"spam": 1}, r"a volume_mean takes \['field', 'along', 'per', 'time_scale'\]"),
    ],
)
def test_a_mistake_in_an_output_is_named(options, message):
    with pytest.raises(PhysgtError, match=message):
        value({"radius": 1.0}, **options)


def test_outputs_that_are_no_tables_are_named():
    with pytest.raises(PhysgtError, match=r"drag = 3: expected a table \[outputs.drag\]"):
        check_outputs({"drag": 3})  # type: ignore[dict-item]


def test_a_frequency_times_the_time_scale_is_a_strouhal_number():
    times = 0.02 * np.arange(151)
    swing = np.sin(2 * np.pi * 2.5 * times)[:, None, None] * np.ones((1, SQUARE.num_points, 2))
    flow = Trajectory.from_arrays(SQUARE, times, {"velocity": swing})
    mean = {"kind": "volume_mean", "field": "velocity", "along": [1, 0]}
    found = history(flow, {"scaled": {**mean, "time_scale": 0.08}, "plain": mean})
    compared = compare_histories(found, found)["strouhal"].sel(forecast="reference")
    assert float(compared.sel(quantity="scaled")) == pytest.approx(0.2, rel=5e-3)
    assert np.isnan(compared.sel(quantity="plain"))


@pytest.fixture(scope="module", params=sorted(GENERATORS))
def of_family(request: pytest.FixtureRequest) -> tuple[str, Trajectory]:
    return request.param, GENERATORS[request.param](**QUICK[request.param]).simulate(seed=2)


def test_each_family_has_the_quantities_that_its_case_states(of_family):
    name, made = of_family
    outputs = read_case(CASES[name]).outputs
    assert outputs
    found, rest = with_fields(made, outputs)
    over_time = history(found, rest)
    fields = set(found.fields.data_vars) - set(made.fields.data_vars)
    told = fields | {str(key).removesuffix("_x").removesuffix("_y").removesuffix("_z")
                     for key in over_time.data_vars}  # fmt: skip
    assert told == set(outputs)
    assert all(np.isfinite(over_time[key]).all() for key in over_time.data_vars)


def test_a_perfect_prediction_of_a_family_has_no_error_in_its_quantities(of_family):
    name, made = of_family
    found = assess(made, made, settings=read_case(CASES[name]).outputs)
    assert float(found.scores["rmse"].sel(forecast="prediction").max()) == 0
    assert found.histories is not None
    compared = compare_histories(*found.histories)["mean"]
    np.testing.assert_array_equal(*(compared.sel(forecast=f) for f in compared["forecast"]))


def test_quantities_are_read_from_a_file_of_their_own_or_from_a_case(tmp_path: Path):
    assert read_quantities(Path("cylinder")) == read_case(CASES["cylinder"]).outputs
    own = tmp_path / "own.toml"
    own.write_text('[outputs.energy]\nkind = "kinetic_energy"\ndensity = 1.0\n')
    assert read_quantities(own) == {"energy": {"kind": "kinetic_energy", "density": 1.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"own\.toml: expected tables \[outputs\.NAME\] and nothing else, found \[\]"),
        ("[output.energy]\n", "expected tables"),
        ('[outputs.energy]\nkind = "energy"\n', r"own\.toml: \[outputs.energy\] kind = 'energy'"),
        ("[outputs\n", r"own\.toml: not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_of_quantities_is_named(text, message, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(PhysgtError, match=message):
        read_quantities(own)


def test_a_file_of_quantities_that_is_not_there_is_named():
    with pytest.raises(PhysgtError, match="none: no such file of quantities, and no case of that"):
        read_quantities(Path("none"))
