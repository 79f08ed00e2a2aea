"""Models that come with physgt: made by one command, found by name, shown in a demonstration."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import physgt.pretrained
from heat_case import HEAT, SMALL_MODELS, heat_trajectory
from physgt import PhysgtError, Simulator
from physgt.case import TrainingSettings, find_case, read_case
from physgt.cli import main
from physgt.datasets import open_trajectory, write_trajectory
from physgt.pretrained import make as maker
from physgt.pretrained import read_card, read_record
from physgt.pretrained.card import headline, render_card
from physgt.pretrained.recipes import RECIPES
from physgt.pretrained.scores import _periodic_summary

SHIPPED = physgt.pretrained.names()
# A coarse mesh and a short history, in which the flow sheds all the same.
QUICK = {"refinement": 0.7, "num_steps": 80, "dt": 0.02, "substeps": 4, "spin_up": 1.0}
SEEDS = {"train": (0, 1), "refinement": (1, 2), "validation": (900, 901), "test": (950, 952)}
REFINEMENT = {"steps": 1, "mirror": ["y"]}


def run(*words: object) -> int:
    """The exit status of `physgt WORDS`."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cylinder that is made like the real one, but for size and time."""
    work = tmp_path_factory.mktemp("made")
    case = read_case(find_case("cylinder"))
    training = TrainingSettings(steps=2, validation_steps=2)
    small = {"name": "physgto", **SMALL_MODELS["physgto"]}
    case = case.model_copy(update={"training": training, "model": small})
    with pytest.MonkeyPatch.context() as patch:
        recipe = replace(RECIPES["cylinder"], seeds=SEEDS, parameters=QUICK, refinement=REFINEMENT)
        patch.setitem(RECIPES, "cylinder", recipe)
        patch.setattr(maker, "read_case", lambda path: case)
        maker.make("cylinder", work, workers=1)
    return work


@pytest.fixture
def package(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The made model as the one pretrained model, and an empty folder to stand in."""
    folder = tmp_path / "package"
    folder.mkdir()
    for path in made.glob("cylinder.*"):
        shutil.copy(path, folder)
    monkeypatch.setattr(physgt.pretrained, "FOLDER", folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def test_one_command_makes_the_model_its_record_and_its_card(made):
    record = json.loads((made / "cylinder.json").read_text())
    assert (made / "cylinder.md").read_text() == render_card(record)
    best, shipped = made / "refinement" / "best.physgt", made / "cylinder.physgt"
    assert shipped.read_bytes() == best.read_bytes()
    assert record["data"]["seeds"] == {part: list(seeds) for part, seeds in SEEDS.items()}
    first, second = record["trainings"]
    assert first["cpu_seconds"] > 0
    assert (first["steps"], first["cases"]) == (2, 1)
    assert (second["steps"], second["cases"], second["changed"]) == (1, 2, REFINEMENT)
    assert record["costs"]["ratio"] == record["costs"]["solver"] / record["costs"]["learned"]


def test_the_scores_of_a_card_are_those_that_physgt_score_prints(made, capsys):
    record = json.loads((made / "cylinder.json").read_text())
    means = []
    for seed in range(*SEEDS["test"]):
        name = f"test/cylinder-0{seed}.vtkhdf"
        assert run("score", made / name, made / "data" / name, "--json", made / "scores.json") == 0
        scores = json.loads((made / "scores.json").read_text())
        field = scores["coords"]["field"]["data"].index("velocity")
        means.append(np.mean(scores["data_vars"]["relative_l2"]["data"][:2], axis=2)[:, field])
    rows = record["scores"]["fields"]["velocity"]
    found = [rows[forecast]["mean"] for forecast in ("prediction", "persistence")]
    np.testing.assert_allclose(found, np.mean(means, axis=0), rtol=1e-12)
    assert rows["dynamic_modes"]["first_step"] is None
    assert rows["dynamic_modes"]["second_half"] > 0


def test_a_phase_that_not_every_case_has_is_no_mean_of_the_others():
    case = {"aligned": {"velocity": 0.1}, "phase": 10.0, "swing": 1.0, "frequency": 1.0}
    assert _periodic_summary([case, case])["phase"] == 10.0
    summary = _periodic_summary([case, case | {"phase": np.nan}])
    assert summary["phase"] is None
    record = read_record("cylinder")
    record["scores"]["periodic"] = summary
    assert "not all cases still swing at the end" in render_card(record)


def test_making_again_goes_on_from_what_is_there(made, tmp_path, monkeypatch):
    """A run that is trained already is scored and shipped, not trained again."""
    before = (made / "run" / "last.physgt").read_bytes()
    case = read_case(find_case("cylinder"))
    monkeypatch.setitem(
        RECIPES, "cylinder", replace(RECIPES["cylinder"], seeds=SEEDS, parameters=QUICK)
    )
    monkeypatch.setattr(maker, "read_case", lambda path: case)
    with pytest.raises(PhysgtError, match=r"run.*was trained with"):
        maker.make("cylinder", tmp_path, data=made / "data", run=made / "run")
    assert (made / "run" / "last.physgt").read_bytes() == before


def test_a_pretrained_model_is_found_by_its_name_and_a_file_of_that_name_wins(package):
    assert Simulator.load("cylinder").task.targets[0].name == "velocity"
    Path("cylinder").mkdir()  # a folder is no model
    assert Simulator.load("cylinder").task.targets[0].name == "velocity"
    Path("cylinder").rmdir()
    torch.manual_seed(0)
    Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"]).save("cylinder")
    assert Simulator.load("cylinder").task.targets[0].name == "temperature"


def test_an_unknown_name_is_told_the_names_there_are(package, capsys):
    write_trajectory(heat_trajectory(seed=0), "start.vtkhdf")
    assert run("rollout", "cylindre", "start.vtkhdf", "--steps", "1", "-o", "out.vtkhdf") == 2
    told = capsys.readouterr().err
    assert "cylindre: no such file, and no pretrained model of that name" in told
    assert "one of cylinder." in told
    assert run("models", "cylindre") == 2
    assert "the pretrained models are cylinder." in capsys.readouterr().err


def test_a_rollout_by_name_is_that_of_the_file_and_goes_on_from_another_folder(
    package, made, tmp_path, monkeypatch
):
    start = made / "data/test/cylinder-0950.vtkhdf"
    by_file = [package / "cylinder.physgt", start, "--steps", "3", "-o", "by_file.vtkhdf"]
    assert run("rollout", *by_file) == 0
    guard = ["--guard", "distance=stop:1e-9"]
    by_name = ["cylinder", start, "--steps", "3", "-o", "by_name.vtkhdf"]
    assert run("rollout", *by_name, *guard) == 2
    monkeypatch.chdir(tmp_path)
    assert run("rollout", "--resume", "here/by_name.vtkhdf", "--guard", "distance=warn:1e9") == 0
    ours, theirs = (open_trajectory(f"here/by_{name}.vtkhdf") for name in ("name", "file"))
    np.testing.assert_array_equal(ours.fields["velocity"], theirs.fields["velocity"])


def test_models_lists_the_headlines_and_shows_a_card(package, capsys):
    assert run("models") == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "cylinder" in listed
    assert "Flow past a cylinder in a channel" in listed
    assert run("models", "cylinder") == 0
    card = capsys.readouterr().out
    for word in (
        "Scores",
        "Limits",
        "persistence",
        "radius = [0.03, 0.065]",
        "Apache-2.0",
        "950:952",
    ):
        assert word in card


def test_the_demonstration_films_a_cylinder_of_ones_choice(package, capsys):
    words = ["--radius", "0.04", "--center", "0.35,0.22", "--speed", "1.6", "--seconds", "0.4"]
    assert run("demo", *words, "-o", "demo") == 0
    printed = " ".join(capsys.readouterr().out.split())
    for words in ("Reynolds number 85", "The solver makes the start", "times as fast", "Strouhal"):
        assert words in printed
    prediction, reference = (
        open_trajectory(f"demo/{name}.vtkhdf") for name in ("prediction", "solver")
    )
    assert prediction.num_steps == reference.num_steps == 10
    np.testing.assert_allclose(prediction.times, reference.times, atol=1e-12)
    np.testing.assert_array_equal(prediction.fields["velocity"][0], reference.fields["velocity"][0])
    on_cylinder = prediction.mesh.points[prediction.mesh.node_sets["cylinder"]]
    np.testing.assert_allclose(np.hypot(*(on_cylinder - [0.35, 0.22]).T), 0.04)
    (film,) = Path("demo").glob("flow.*")
    assert film.stat().st_size > 10_000


def test_the_demonstration_says_where_the_model_has_not_been(package, capsys, monkeypatch):
    monkeypatch.setattr("physgt.pretrained.demo.draw", lambda *_: Path("none"))
    assert run("demo", "--radius", "0.07", "--seconds", "0.08", "-o", "demo") == 0
    told = capsys.readouterr().err
    assert "radius = 0.07, but the model has learned from 0.03 to 0.065" in told
    assert run("demo", "--radius", "0.2", "-o", "demo") == 2
    assert "cylinder: center_x = (0.3, 0.3) with radius up to 0.2 m" in capsys.readouterr().err
    assert run("demo", "--center", "0.3", "-o", "demo") == 2
    assert "--center 0.3: expected two numbers, such as 0.3,0.2" in capsys.readouterr().err


def test_there_is_a_recipe_for_each_model_that_is_shipped():
    assert set(SHIPPED) <= set(RECIPES)
    assert sum(path.stat().st_size for path in physgt.pretrained.FOLDER.glob("*.physgt")) < 8e6


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shipped_is_what_one_command_made(name):
    record = read_record(name)
    assert read_card(name) == render_card(record)
    simulator = Simulator.load(name)
    assert record["model"]["task"] == json.loads(json.dumps(simulator.task.to_dict()))
    assert record["model"]["options"] == read_case(find_case(name)).model_options
    for rows in record["scores"]["fields"].values():
        assert rows["prediction"]["mean"] < rows["persistence"]["mean"]
    assert headline(record) in read_card(name)
