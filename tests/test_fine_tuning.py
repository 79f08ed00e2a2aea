"""Learning on from a trained simulator: what is taken over, and what has to agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from heat_case import heat_trajectory
from physgt import PhysgtError, Simulator, Trajectory
from physgt.case import Case, read_case
from physgt.cli import main
from physgt.datasets import write_trajectory
from physgt.rollout import rollout
from physgt.training import Report, train
from test_training import TRAIN, heat_case

STILL = {"learning_rate": 1e-12, "weight_decay": 0.0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Simulator:
    folder = tmp_path_factory.mktemp("trained")
    case = heat_case(folder, steps=150, learning_rate=5e-3, validate_every=150)
    return train(case, TRAIN, folder / "run")


def hotter(seed: int) -> Trajectory:
    """The heat case, in degrees a third as large and from another zero."""
    case = heat_trajectory(seed)
    values = 3.0 * case.fields["temperature"].values + 200.0
    return Trajectory.from_arrays(
        case.mesh, case.times, {"temperature": values}, units={"temperature": "degC"}
    )


def test_it_begins_as_the_model_it_starts_from_whatever_the_new_data_are(trained, tmp_path):
    case = heat_case(tmp_path, steps=1, **STILL)
    tuned = train(case, {"hot": hotter(7)}, tmp_path / "run", start=trained)
    start = heat_trajectory(seed=8)
    ours, theirs = (rollout(s, start, 5).fields["temperature"] for s in (tuned, trained))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_a_few_steps_on_new_cases_bring_it_further_than_as_many_from_nothing(trained, tmp_path):
    errors = []
    for name, start in [("tuned", trained), ("new", None)]:
        case = heat_case(tmp_path, steps=10, validate_every=10, learning_rate=1e-3)
        seen: list[Report] = []
        train(
            case,
            {"a": heat_trajectory(5), "b": heat_trajectory(6)},
            tmp_path / name,
            validation={"unseen": heat_trajectory(9)},
            start=start,
            report=seen.append,
        )
        errors.append(seen[-1].validation)
    assert errors[0] < errors[1] / 2


def changed(case: Case, old: str, new: str, folder: Path) -> Case:
    path = folder / "changed.toml"
    path.write_text(case.text.replace(old, new))
    return read_case(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dt = 0.1", "dt = 0.2", "has dt 0.1, but the case 0.2"),
        ("width = 16", "width = 24", "has model .*'width': 16.*, but the case .*'width': 24"),
        (
            "[boundary.rim]",
            "[task.forcings.wind]\nvalue = 1.0\n[boundary.rim]",
            r"has forcings \[\], but the case \[\('wind', 1, ''\)\]",
        ),
        ('"degC"', '"K"', "has targets .*'degC'.*, but the case .*'K'"),
    ],
)
def test_what_the_weights_were_not_made_for_is_an_error(
    trained, tmp_path, old, new, message
) -> None:
    case = changed(heat_case(tmp_path), old, new, tmp_path)
    with pytest.raises(PhysgtError, match=message):
        train(case, TRAIN, tmp_path / "run", start=trained)
    assert not (tmp_path / "run").exists()


def test_the_command_takes_a_model_file_and_not_beside_resume(
    trained, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    trained.save("heat.physgt")
    write_trajectory(hotter(7), "hot.vtkhdf")
    heat_case(tmp_path, steps=1, **STILL)
    words = ["train", "heat.toml", "-o", "run", "--start-from", "heat.physgt"]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert not stop.value.code
    tuned = Simulator.load("run/last.physgt")
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(tuned.state_dict()[name], value, rtol=1e-6, atol=1e-9)

    with pytest.raises(SystemExit) as stop:
        main([*words, "--resume"])
    assert stop.value.code == 2
    assert "goes on with its own weights: leave out --start-from" in capsys.readouterr().err
