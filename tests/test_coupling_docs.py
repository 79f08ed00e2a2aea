"""What docs/coupling.md shows is run, and its files are read, as they stand there."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from heat_case import SMALL_MODELS, heat_trajectory
from physgt import BoundaryCondition, Field, Mesh, Simulator, Task, Trajectory
from physgt.cli import main
from physgt.coupling import OUTPUTS
from physgt.coupling.micro_manager import MicroSettings
from physgt.coupling.precice import PreciceSettings
from physgt.datasets.vtkhdf import write_vtkhdf

PAGE = (Path(__file__).parents[1] / "docs" / "coupling.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def plate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the files that the page names, as a user stands in it."""
    heat = heat_trajectory(0)
    mesh = Mesh(
        heat.mesh.points, heat.mesh.connectivity, heat.mesh.offsets, heat.mesh.cell_types,
        heat.mesh.node_type, {"interface": np.flatnonzero(heat.mesh.points[:, 0] == 1)},
    )  # fmt: skip
    rule = BoundaryCondition("interface", "temperature", "prescribed")
    task = Task((Field("temperature", units="degC"),), dt=0.1, boundary=(rule,))
    torch.manual_seed(0)
    Simulator(task, 2, "physgto", SMALL_MODELS["physgto"]).save(tmp_path / "plate.physgt")
    write_vtkhdf(Trajectory(mesh, heat.initial().fields), tmp_path / "start.vtkhdf")
    monkeypatch.chdir(tmp_path)


def test_the_example_in_memory_runs_ten_steps(plate):
    variables: dict[str, object] = {}
    exec(compile(blocks("python")[0], "coupling.md", "exec"), variables)
    stepper = variables["plate"]
    assert stepper.time == pytest.approx(1.0)
    assert (stepper.get_field("temperature", on="interface") == 300.0).all()


def test_the_component_of_the_page_is_written_and_runs(plate, tmp_path, capsys):
    Path("outputs.toml").write_text(blocks("toml")[2])
    command = re.findall(r"^physgt (export fmu .*)$", PAGE, flags=re.MULTILINE)[0]
    with pytest.raises(SystemExit) as end:
        main(command.split())
    assert end.value.code == 0
    variables: dict[str, object] = {}
    exec(compile(blocks("python")[2], "coupling.md", "exec"), variables)
    result = variables["result"]
    assert result.dtype.names == ("time", "flux", "middle")
    assert len(result) == 11
    assert np.isfinite(result["flux"]).all()


def test_the_files_are_valid(tmp_path):
    texts = blocks("toml")[:2]
    for text, settings in zip(texts, (PreciceSettings, MicroSettings), strict=True):
        path = tmp_path / "coupling.toml"
        path.write_text(text)
        model = tmp_path / tomllib.loads(text)["model"]
        model.touch()
        assert settings.from_file(path).model == model


def test_every_kind_of_output_is_in_the_table():
    kinds = re.findall(r"^\| (`.*?`) \|", PAGE, flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(kinds))) == set(OUTPUTS)
