"""What the README shows is run as it stands there."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

import physgt.pretrained
from heat_case import HEAT, SMALL_MODELS, heat_trajectory
from physgt import Simulator
from physgt.case import read_case
from physgt.cli import main
from physgt.datasets import open_trajectory, write_trajectory

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def run(*words: str) -> None:
    """Run `physgt WORDS`, which must succeed."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 0


def test_the_python_example_and_the_quick_starts_rollout_give_the_same(tmp_path, monkeypatch):
    torch.manual_seed(0)
    Simulator(HEAT, 2, "physgto", SMALL_MODELS["physgto"]).save(tmp_path / "cylinder.physgt")
    monkeypatch.setattr(physgt.pretrained, "FOLDER", tmp_path)
    write_trajectory(heat_trajectory(seed=0), tmp_path / "flow/start.vtkhdf")
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    by_python = open_trajectory("again.vtkhdf").fields["temperature"].values
    command = re.search(r"^physgt (rollout cylinder .*)$", README, flags=re.MULTILINE)
    assert command is not None
    run(*command[1].split())
    by_command = open_trajectory("again.vtkhdf").fields["temperature"].values
    assert len(by_python) == 251
    np.testing.assert_array_equal(by_python, by_command)


def test_the_case_file_of_the_readme_is_valid(tmp_path):
    (text,) = blocks("toml")
    (tmp_path / "pipe.toml").write_text(text)
    case = read_case(tmp_path / "pipe.toml")
    assert case.task().dt == tomllib.loads(text)["task"]["dt"]
    assert Simulator(case.task(), 2, case.model_name, case.model_options).task == case.task()


def test_every_command_of_the_readme_exists(capsys):
    words = set(re.findall(r"^physgt (\w+) ", "\n".join(blocks("sh")), flags=re.MULTILINE))
    assert {"demo", "models", "info", "convert", "train", "rollout", "score", "render"} <= words
    for word in words:
        run(word, "--help")
        assert f"physgt {word}" in capsys.readouterr().out
