from pathlib import Path

import pytest

from physgt import BoundaryCondition, Field, Forcing, PhysgtError
from physgt.case import read_case

CASE = """
name = "pipe"
[data]
train = "train/*.vtkhdf"
[task]
dt = 0.02
[task.targets.velocity]
components = 2
units = "m/s"
[task.targets.pressure]
[task.forcings.inlet_speed]
over_time = true
[boundary.inflow]
velocity = "prescribed"
[boundary.wall]
velocity = [0.0, 0.0]
[boundary.outflow]
pressure = 0.0
[model]
name = "physgto"
width = 32
[training]
steps = 10
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "case.toml"
    path.write_text(text)
    return path


def test_a_case_file_says_task_model_and_training(tmp_path):
    case = read_case(written(tmp_path, CASE))
    task = case.task()
    assert task.targets == (Field("velocity", 2, "m/s"), Field("pressure"))
    assert task.forcings == (Forcing("inlet_speed", over_time=True),)
    assert task.dt == 0.02
    assert task.boundary == (
        BoundaryCondition("inflow", "velocity", "prescribed"),
        BoundaryCondition("wall", "velocity", (0.0, 0.0)),
        BoundaryCondition("outflow", "pressure", 0.0),
    )
    assert (case.model_name, case.model_options) == ("physgto", {"width": 32})
    assert (case.training.steps, case.training.unroll) == (10, {0: 1})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 10", "stepz = 10", r"\[training\] unknown key 'stepz'; expected steps, batch"),
        ("[data]", "[dta]", "unknown key 'dta'; expected name, data, task, boundary"),
        ('train = "train/*.vtkhdf"', "", r"\[data\] the key 'train' is missing"),
        ("steps = 10", "", r"\[training\] the key 'steps' is missing"),
        ("steps = 10", "steps = -1", r"\[training\] steps = -1: .*greater than 0"),
        (
            "steps = 10",
            "steps = 10\nunroll = { 5 = 2 }",
            r"unroll.*curriculum says how it begins",
        ),
        ("steps = 10", "steps = 10\nunroll = 0", r"\[training.unroll\] 0 = 0: .*greater than 0"),
        ("steps = 10", "steps = 10\nseed = -1", r"\[training\] seed = -1: .*greater than or equal"),
        ("steps = 10", "steps = 10\nnoise = inf", r"\[training\] noise = inf: .*finite number"),
        ("dt = 0.02", "dt = inf", r"\[task\] dt = inf: .*finite number"),
        (
            "steps = 10",
            "steps = 10\npush_forward = true",
            r"\[training\] push_forward = True: .*set unroll to 2 or more",
        ),
        (
            "steps = 10",
            "steps = 10\nstep_discount = 0.5",
            r"\[training\] step_discount = 0.5: .*set unroll to 2 or more",
        ),
        (
            "steps = 10",
            "steps = 10\nunroll = 2\npush_forward = true\nstep_discount = 0.5",
            r"step_discount = 0.5: .*only the last time step has a weight",
        ),
        (
            "steps = 10",
            "steps = 10\npretraining_steps = 10",
            r"\[training\] pretraining_steps = 10: .*steps must be more",
        ),
        ("dt = 0.02", 'dt = "fast"', r"\[task\] dt = 'fast': .*number"),
        ("components = 2", "component = 2", r"\[task.targets.velocity\] unknown key 'component'"),
        ('"prescribed"', '"fixed"', r"\[boundary.inflow\] velocity: 'fixed' is none of free, held"),
        ("[0.0, 0.0]", "[0.0]", "boundary 'wall', field 'velocity': 1 values for a field of 2"),
        ("pressure = 0.0", "presure = 0.0", r"field 'presure', but the targets are .*'pressure'"),
        ('name = "physgto"', "", r"\[model\] needs a name"),
        ("name = ", "name == ", "not valid TOML"),
    ],
)
def test_a_mistake_in_a_case_file_is_one_line_with_file_and_key(old, new, message, tmp_path):
    assert old in CASE
    path = written(tmp_path, CASE.replace(old, new, 1))
    with pytest.raises(PhysgtError, match=message) as error:
        read_case(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_gradients_may_have_any_length(tmp_path):
    path = written(tmp_path, CASE.replace("steps = 10", "steps = 10\ngradient_clip = inf"))
    assert read_case(path).training.gradient_clip == float("inf")


def test_a_missing_case_file_is_named(tmp_path):
    with pytest.raises(PhysgtError, match=r"nowhere\.toml: no such case file"):
        read_case(tmp_path / "nowhere.toml")
