import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import physgt
from heat_case import heat_trajectory
from physgt.cli import main
from physgt.datasets import open_trajectory
from physgt.datasets.vtkhdf import write_vtkhdf

CASE = """
name = "heat"
[data]
train = "train/*.vtkhdf"
validation = "validation/*.vtkhdf"
[task]
dt = 0.1
[task.targets.temperature]
units = "degC"
[boundary.rim]
temperature = "held"
[model]
name = "physgto"
width = 16
heads = 2
tokens = 4
blocks = 1
mlp_width = 16
[training]
steps = 6
validate_every = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a case file and data, as a user stands in it."""
    for name, seeds in (("train", (0, 1)), ("validation", (7,))):
        for seed in seeds:
            write_vtkhdf(heat_trajectory(seed), tmp_path / name / f"heat-{seed}.vtkhdf")
    (tmp_path / "heat.toml").write_text(CASE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> int:
    """The exit status of `physgt WORDS`."""
    try:
        main(list(words))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_the_whole_line_from_files_to_a_film(folder, capsys):
    start = "validation/heat-7.vtkhdf"
    assert run("train", "heat.toml", "-o", "run") == 0
    assert run("rollout", "run/best.physgt", start, "--steps", "30", "-o", "out.vtkhdf") == 0
    assert open_trajectory("out.vtkhdf").num_steps == 30
    assert run("score", "out.vtkhdf", start, "--json", "scores.json") == 0
    printed = capsys.readouterr().out
    assert "persistence" in printed
    assert "step 10" in printed
    scores = json.loads((folder / "scores.json").read_text())
    assert np.shape(scores["data_vars"]["rmse"]["data"]) == (3, 1, 30)
    (folder / "q.toml").write_text('[outputs.heat]\nkind = "volume_mean"\nfield = "temperature"\n')
    options = ["--quantities", "q.toml", "--align", "0.3", "--plot", "scores.png", "--on", "NORMAL"]
    assert run("score", "out.vtkhdf", start, *options, "--json", "scores.json") == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("phase-aligned", "heat", "amplitude", "scores.png"))
    scores = json.loads((folder / "scores.json").read_text())
    assert len(scores["histories"]["reference"]["data_vars"]["heat"]["data"]) == 31
    assert run("render", "out.vtkhdf", "temperature", "-o", "t.png") == 0
    film = ["render", "out.vtkhdf", "temperature", "-o", "t.gif", "--reference", start]
    assert run(*film) == 0
    made = {"out.vtkhdf", "scores.json", "scores.png", "t.png", "t.gif", "run"}
    assert made <= {path.name for path in folder.iterdir()}
    assert not list(folder.rglob("*partial*"))


def test_a_stopped_rollout_goes_on_by_the_name_of_its_output(folder, capsys):
    start = "validation/heat-7.vtkhdf"
    assert run("train", "heat.toml", "-o", "run") == 0
    options = ["--steps", "12", "--every", "2", "--fields", "temperature"]
    assert run("rollout", "run/best.physgt", start, *options, "-o", "whole.vtkhdf") == 0
    guard = ["--guard", "distance=stop:1e-3"]
    assert run("rollout", "run/best.physgt", start, *options, *guard, "-o", "out.vtkhdf") == 2
    told = capsys.readouterr().err
    assert "guard 'distance': 'temperature' at node" in told
    assert "step 1, time 0.1 s" in told
    assert run("rollout", "--resume", "out.vtkhdf", "--every", "3") == 2
    assert "leave out all but --steps and --guard" in capsys.readouterr().err
    assert run("rollout", "--resume", "out.vtkhdf", "--guard", "distance=warn:1e-3") == 0
    assert "physgt: guard 'distance'" in capsys.readouterr().err
    whole, resumed = (open_trajectory(name) for name in ("whole.vtkhdf", "out.vtkhdf"))
    np.testing.assert_array_equal(whole.times, resumed.times)
    np.testing.assert_array_equal(whole.fields["temperature"], resumed.fields["temperature"])
    assert run("rollout", "--resume", "out.vtkhdf") == 2
    assert "no stopped rollout to go on with" in capsys.readouterr().err
    assert run("rollout", "run/best.physgt", start, "--steps", "3") == 2
    assert "needs MODEL START --steps N -o OUTPUT" in capsys.readouterr().err


def test_a_training_resumes_on_the_command_line(folder, capsys):
    assert run("train", "heat.toml", "-o", "run") == 0
    before = (folder / "run" / "last.physgt").read_bytes()
    assert run("train", "heat.toml", "-o", "run", "--resume") == 0
    assert (folder / "run" / "last.physgt").read_bytes() == before


def test_info_shows_counts_sets_fields_and_times(folder, capsys):
    assert run("info", "train/heat-0.vtkhdf") == 0
    printed = capsys.readouterr().out
    for word in ("36", "50", "triangle", "rim", "temperature", "degC", "31"):
        assert word in printed


def test_convert_copies_a_file_of_another_format(folder, capsys):
    assert run("convert", "train/heat-0.vtkhdf", "-o", "export/heat.pvd") == 0
    assert run("convert", "export/heat.pvd", "-o", "back.vtkhdf") == 0
    ours, theirs = open_trajectory("back.vtkhdf"), open_trajectory("train/heat-0.vtkhdf")
    np.testing.assert_array_equal(ours.fields["temperature"], theirs.fields["temperature"])
    np.testing.assert_allclose(ours.times, theirs.times)


def test_generate_writes_one_file_a_seed_and_goes_on(tmp_path, capsys):
    words = ["generate", "cylinder", "-o", str(tmp_path), "--workers", "1"]
    words += ["--set", "num_steps=2", "spin_up=0.02", "refinement=0.6", "radius=0.05,0.06"]
    assert run(*words, "--seeds", "3") == 0
    assert run(*words, "--seeds", "3:5") == 0
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["cylinder-0003.vtkhdf", "cylinder-0004.vtkhdf"]
    made = open_trajectory(tmp_path / files[0])
    assert made.num_steps == 2
    assert 0.05 <= made.attributes["radius"] <= 0.06


def test_the_parameters_that_families_prints_are_read_by_generate(tmp_path, capsys):
    assert run("families", "cylinder") == 0
    text = capsys.readouterr().out
    assert "radius = [0.03, 0.065]" in text
    file = tmp_path / "quick.toml"
    file.write_text(text.replace("num_steps = 300", "num_steps = 2").replace("spin_up = 2.0", ""))
    words = ["--set", "spin_up=0.02", "refinement=0.6", "--seeds", "3", "--workers", "1"]
    run("generate", "cylinder", "-o", str(tmp_path), "--parameters", str(file), *words)
    assert open_trajectory(tmp_path / "cylinder-0003.vtkhdf").num_steps == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", "nothing.vtu"], "nothing.vtu"),
        (["convert", "nothing.vtu", "-o", "x.vtkhdf"], "nothing.vtu"),
        (["train", "nothing.toml", "-o", "run"], "nothing.toml: no such case file"),
        (["train", "heat.toml", "-o", "run", "--data", "elsewhere"], "elsewhere/train"),
        (["train", "heat.toml", "-o", "run", "--resume"], "run/training_state.safetensors"),
        (["train", "heat.toml"], "--output"),
        (["train", "heat.toml", "-o", "run", "--device", "abacus"], "no device 'abacus'"),
        (["train", "heat.toml", "-o", "run", "--epochs", "3"], "--epochs"),
        (["rollout", "heat.toml", "train/heat-0.vtkhdf", "--steps", "3", "-o", "x"], "heat.toml"),
        (["score", "train/heat-0.vtkhdf", "nothing.vtkhdf"], "nothing.vtkhdf"),
        (["render", "train/heat-0.vtkhdf", "speed", "-o", "x.png"], "'speed'"),
        (["render", "train/heat-0.vtkhdf", "temperature", "-o", "x.bmp"], "x.bmp"),
        (["render", "train/heat-0.vtkhdf", "temperature", "-o", "x.gif", "--time", "1"], "--time"),
        (
            ["render", "train/heat-0.vtkhdf", "temperature", "-o", "x.png", "--every", "2"],
            "--every",
        ),
        (["generate", "bridge", "-o", "x"], "bridge"),
        (["generate", "cylinder", "-o", "x", "--seeds", "many"], "--seeds many"),
        (["generate", "cylinder", "-o", "x", "--set", "radius=big"], "--set radius=big"),
        (["generate", "cylinder", "-o", "x", "--set", "colour=3"], "colour"),
        (["generate", "cylinder", "-o", "x", "--parameters", "no.toml"], "no.toml: no such file"),
        (["families", "bridge"], "unknown case family 'bridge'"),
        (["fly"], "fly"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(words, message, folder, capsys):
    assert run(*words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("physgt: ")
    assert message in lines[0]


COMMANDS = [
    "demo",
    "models",
    "info",
    "formats",
    "convert",
    "families",
    "generate",
    "train",
    "rollout",
    "score",
    "render",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command, capsys):
    assert run(command, "--help") == 0
    assert f"Example: physgt {command}" in capsys.readouterr().out


def test_help_comes_without_loading_torch_or_vtk():
    program = (
        "import sys; from physgt.cli import app; app(['--help'], exit_on_error=False); "
        "assert not {'torch', 'vtkmodules', 'xarray'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "rollout" in result.stdout


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "physgt", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == physgt.__version__


def test_the_version_is_that_of_the_package(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out.strip() == physgt.__version__
