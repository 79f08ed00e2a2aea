"""What docs/rollouts.md shows is run, with fewer steps; its tables list what there is."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from heat_case import SMALL_MODELS, square_mesh
from physgt import Field, Forcing, Mesh, Simulator, Task, Trajectory
from physgt.cli import main
from physgt.datasets import open_trajectory, write_trajectory
from physgt.normalizer import Moments
from physgt.rollout import GUARDS, METRICS
from physgt.rollout.guards import ACTIONS

PAGE = (Path(__file__).parents[1] / "docs" / "rollouts.md").read_text()
TASK = Task(
    (Field("velocity", 2, "m/s"), Field("pressure", units="m^2/s^2")),
    dt=0.05,
    forcings=(Forcing("conductivity"),),
)


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    fewer = re.sub(r"--steps \d+", "--steps 20", "".join(blocks))
    return [shlex.split(line)[1:] for line in fewer.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of a flow and two starts, as the page names them."""
    square = square_mesh(5)
    mesh = Mesh(
        square.points, square.connectivity, square.offsets, square.cell_types, square.node_type,
        {"cylinder": square.node_sets["rim"]},
    )  # fmt: skip
    times, n = 0.05 * np.arange(21), mesh.num_points
    random = np.random.default_rng(0)
    flow = Trajectory.from_arrays(
        mesh,
        times,
        {
            "velocity": random.normal(size=(21, n, 2)).astype("f4"),
            "pressure": random.normal(size=(21, n)).astype("f4"),
        },
        static={"conductivity": 0.1},
        attributes={"density": 1.0, "speed": 2.0, "diameter": 0.1},
    )
    torch.manual_seed(0)
    simulator = Simulator(TASK, 2, "physgto", SMALL_MODELS["physgto"])
    moments = Moments(3)
    moments.update(random.normal(size=(100, 3)) * 3)
    simulator.state.set(moments)
    for name in ("best.physgt", "plate.physgt"):
        simulator.save(tmp_path / name)
    for name in ("start.vtkhdf", "other_start.vtkhdf", "reference.vtkhdf"):
        write_trajectory(flow, tmp_path / name)
    (table,) = re.findall(r"```\n(name,.*?)```", PAGE, flags=re.DOTALL)
    (quantities,) = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "conductivities.csv").write_text(table)
    (tmp_path / "quantities.toml").write_text(quantities)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_commands_of_the_page_run_one_after_the_other(folder, capsys):
    # Going on after a stop and the report of a run have tests of their own.
    run = [w for w in commands() if "--resume" not in w and w[0] != "report"]
    assert [words[0] for words in run] == ["rollout", "rollout", "ensemble", "sweep", "score"]
    for words in run:
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 0, capsys.readouterr().err
    assert open_trajectory("spread.vtkhdf").fields["velocity_q05"].shape[0] == 21
    assert {path.name for path in (folder / "sweep").iterdir()} == {
        "thin.vtkhdf", "thick.vtkhdf", "summary.csv",
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("drag", "energy", "wake_y", "phase-aligned"))


def test_the_tables_of_the_page_list_what_there_is():
    first_cells = set(re.findall(r"^\| `([\w-]+)` \|", PAGE, flags=re.MULTILINE))
    actions = {action.replace("_", "-") for action in ACTIONS}
    assert first_cells == {*GUARDS, *actions, *METRICS}
