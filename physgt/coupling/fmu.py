"""FMUs: a trained model and a start, packed as a component for simulators of systems."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from physgt.coupling.fmu_slave import NAME_FILE, SETTINGS_FILE, inputs
from physgt.datasets import open_trajectory
from physgt.datasets.vtkhdf import write_vtkhdf
from physgt.errors import PhysgtError
from physgt.files import written_whole
from physgt.pretrained import find_model
from physgt.quantities import build_outputs
from physgt.rates import start_alone
from physgt.simulator import Simulator
from physgt.task import Task
from physgt.trajectory import Trajectory

SCRIPT = """from physgt.coupling.fmu_slave import SimulatorSlave, hold

hold(globals())
"""


def write_fmu(
    model: Path | str, start: Path | str, output: Path | str, *, outputs: Path | str | None = None
) -> None:
    """Pack a model and the first state of a start as an FMU for co-simulation, FMI 2.0.

    outputs: a TOML file with the tables [outputs.NAME] of derived outputs, see
        physgt.quantities.derived; without it the mean of every target over the mesh.

    Raises PhysgtError for outputs that aren't numbers, and where the start lacks a forcing.
    """
    from pythonfmu.builder import FmuBuilder

    output = Path(output)
    if output.suffix != ".fmu" or not output.stem.isidentifier():
        raise PhysgtError(
            f"{output}: an FMU is named by letters, digits and _, and ends in .fmu: plate.fmu."
        )
    simulator = Simulator.load(model)
    initial = start_alone(simulator.task, open_trajectory(start))
    tables = _mean_of_targets(simulator.task) if outputs is None else _read_outputs(Path(outputs))
    _check(simulator.task, initial, tables)
    with tempfile.TemporaryDirectory() as name, written_whole(output) as temporary:
        folder = Path(name)
        shutil.copyfile(find_model(model), folder / "model.physgt")
        write_vtkhdf(initial, folder / "start.vtkhdf")
        (folder / SETTINGS_FILE).write_text(_settings_text(tables))
        (folder / NAME_FILE).write_text(output.stem)
        resources = set(folder.iterdir())
        script = folder / "physgt_slave.py"
        script.write_text(SCRIPT)
        with _imports_undone(script.stem):
            FmuBuilder.build_FMU(
                script,
                temporary,
                resources,
                canGetAndSetFMUstate=True,
                canSerializeFMUstate=True,
            )


def _mean_of_targets(task: Task) -> dict[str, dict[str, Any]]:
    return {f"mean_{t.name}": {"kind": "volume_mean", "field": t.name} for t in task.targets}


def _read_outputs(path: Path) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(path.read_text())
    except OSError as error:
        raise PhysgtError(f"{path}: no such file of outputs.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhysgtError(f"{path}: not valid TOML: {error}.") from error
    if set(tables) != {"outputs"}:
        raise PhysgtError(f"{path}: expected tables [outputs.NAME] alone, found {sorted(tables)}.")
    found: dict[str, dict[str, Any]] = tables["outputs"]
    return found


def _check(task: Task, initial: Trajectory, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """What would fail inside of the FMU is told here."""
    inputs(task, initial)
    for name, output in build_outputs(initial.mesh, task, tables).items():
        if output.ids is not None:
            raise PhysgtError(
                f"[outputs.{name}] a {tables[name]['kind']} is one value a node, but FMI's outputs "
                "are numbers; take a probe, a mean or an integral."
            )


def _settings_text(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """The TOML file that the FMU reads its stepper from."""
    lines = ['model = "model.physgt"', 'start = "start.vtkhdf"', "interpolate = true"]
    for name, table in tables.items():
        # Texts, numbers and lists of them are written in JSON as in TOML.
        lines.append(f"[outputs.{json.dumps(name)}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


@contextmanager
def _imports_undone(module: str) -> Iterator[None]:
    """pythonfmu imports the script by name and leaves its folder on the path."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before
        sys.modules.pop(module, None)
