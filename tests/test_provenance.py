import platform
import sys
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from heat_case import HEAT, SMALL_MODELS, heat_trajectory
from physgt import PhysgtError, Simulator, Trajectory
from physgt.case import read_case
from physgt.provenance import read_record, recorded
from physgt.rollout.restart import fingerprint


def heat(seed: int, num_steps: int, /, **attributes: object) -> Trajectory:
    return replace(heat_trajectory(seed, num_steps=num_steps), attributes=attributes)


DATA = {
    "training": {
        "a.vtkhdf": heat(0, 30, speed=2.0, solver="ours"),
        "b.vtkhdf": heat(1, 20, speed=1, seed=3),
    },
    "validation": {},
}
CASE = """# A comment stays.
name = "heat"
[data]
train = "train/*.vtkhdf"
[task]
dt = 0.1
[task.targets.temperature]
[model]
name = "physgto"
[training]
steps = 3
"""
CPU = torch.device("cpu")


@pytest.fixture
def case(tmp_path: Path):
    path = tmp_path / "heat.toml"
    path.write_text(CASE)
    return read_case(path)


def test_a_run_states_case_data_versions_machine_and_time(case, tmp_path):
    with recorded(tmp_path, case, DATA, CPU):
        torch.ones(10)
    found = read_record(tmp_path)
    assert found["case_file"] == CASE
    assert found["case"]["training"]["steps"] == 3
    assert found["case"]["training"]["seed"] == 0
    assert found["data"]["training"] == {
        "cases": ["a.vtkhdf", "b.vtkhdf"],
        "nodes": [36, 36],
        "cells": [50, 50],
        "times": [21, 31],
        "seconds": [pytest.approx(2.0), pytest.approx(3.0)],
        "numbers": {"speed": [1.0, 2.0]},
    }
    assert found["data"]["validation"] == {"cases": [], "numbers": {}}
    (session,) = found["sessions"]
    assert session["command"] == sys.argv
    assert session["versions"]["python"] == platform.python_version()
    assert session["versions"]["torch"] == version("torch")
    assert session["device"]
    assert session["threads"] == torch.get_num_threads()
    assert session["cpu_seconds"] >= 0
    assert datetime.fromisoformat(session["ended"]) >= datetime.fromisoformat(session["started"])


def test_a_run_that_goes_on_adds_a_session(case, tmp_path):
    for _ in range(2):
        with recorded(tmp_path, case, DATA, CPU, resume=True):
            pass
    assert len(read_record(tmp_path)["sessions"]) == 2


def test_a_run_that_starts_anew_forgets_an_attempt_that_saved_nothing(case, tmp_path):
    for _ in range(2):
        with recorded(tmp_path, case, DATA, CPU):
            pass
    assert len(read_record(tmp_path)["sessions"]) == 1


def test_a_run_that_goes_on_still_says_which_model_it_started_from(case, tmp_path):
    trained = Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"])
    with recorded(tmp_path, case, DATA, CPU, start=trained):
        pass
    with recorded(tmp_path, case, DATA, CPU, resume=True):
        pass
    first, second = read_record(tmp_path)["sessions"]
    assert first["started_from"] == fingerprint(trained)
    assert "started_from" not in second


def test_a_session_that_fails_has_its_times_and_one_under_way_has_none(case, tmp_path):
    def failing() -> None:
        with recorded(tmp_path, case, DATA, CPU):
            assert "ended" not in read_record(tmp_path)["sessions"][0]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert "ended" in read_record(tmp_path)["sessions"][0]


def test_a_case_made_in_python_has_no_text(case, tmp_path):
    made = type(case).model_validate(case.model_dump(by_alias=True))
    with recorded(tmp_path, made, DATA, CPU):
        pass
    assert read_record(tmp_path)["case_file"] == ""


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(PhysgtError, match=r"run\.json: no such file; expected the folder"):
        read_record(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(PhysgtError, match="not valid JSON"):
        read_record(tmp_path)
    (tmp_path / "run.json").write_text('{"case": {}, "data": {}}')
    with pytest.raises(PhysgtError, match=r"run\.json: lacks case_file, sessions, so it isn't"):
        read_record(tmp_path)
