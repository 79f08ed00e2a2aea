"""Commands that write a step for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from physgt.commands.apps import export, out

if TYPE_CHECKING:
    from physgt.coupling.export import StepProgram


@export.command(name="torch")
def export_torch(
    model: Path,
    mesh: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    any_mesh: bool = False,
) -> None:
    """Write a step for torch.export.load, in Python without physgt.

    Example: physgt export torch best.physgt start.vtkhdf -o step.pt2

    Parameters
    ----------
    model
        A .physgt file that train wrote.
    mesh
        Any readable file with the mesh.
    output
        The .pt2 file to write.
    any_mesh
        The mesh becomes an input: for meshes of any size, see docs/export.md.
    """
    _step_program(model, mesh, any_mesh).save(output)
    out.print(f"wrote {output}")


@export.command(name="compiled")
def export_compiled(
    model: Path,
    mesh: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    any_mesh: bool = False,
    device: str = "cpu",
) -> None:
    """Write a step as machine code for C++, C and Fortran. Needs a C++ compiler.

    Example: physgt export compiled best.physgt start.vtkhdf -o step.pt2

    Parameters
    ----------
    model
        A .physgt file that train wrote.
    mesh
        Any readable file with the mesh.
    output
        The .pt2 package to write.
    any_mesh
        The mesh becomes an input: for meshes of any size, see docs/export.md.
    device
        Where the step will run: cpu, or cuda where there is one.
    """
    _step_program(model, mesh, any_mesh, device).compile(output)
    out.print(f"wrote {output}")


@export.command(name="onnx")
def export_onnx(
    model: Path,
    mesh: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    any_mesh: bool = False,
) -> None:
    """Write a step as ONNX.

    Example: physgt export onnx best.physgt start.vtkhdf -o step.onnx

    Parameters
    ----------
    model
        A .physgt file that train wrote.
    mesh
        Any readable file with the mesh.
    output
        The .onnx file to write.
    any_mesh
        The mesh becomes an input: for meshes of any size, see docs/export.md.
    """
    _step_program(model, mesh, any_mesh).save_onnx(output)
    out.print(f"wrote {output}")


@export.command
def fmu(
    model: Path,
    start: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    outputs: Path | None = None,
) -> None:
    """Write a component for simulators of systems: co-simulation by FMI 2.0.

    Inputs are the forcings and prescribed boundary values, one number each.

    Example: physgt export fmu best.physgt start.vtkhdf -o plate.fmu --outputs outputs.toml

    Parameters
    ----------
    model
        A .physgt file that train wrote.
    start
        Any readable file with the mesh, one state, and the forcings to start with.
    output
        The .fmu file to write; its name is that of the component.
    outputs
        A TOML file with tables [outputs.NAME], as docs/coupling.md describes them; without it the
        outputs are the means of the targets over the mesh.
    """
    from physgt.coupling.fmu import write_fmu

    write_fmu(model, start, output, outputs=outputs)
    out.print(f"wrote {output}")


def _step_program(model: Path, mesh: Path, any_mesh: bool, device: str = "cpu") -> StepProgram:
    from physgt import Simulator
    from physgt.coupling.export import StepProgram
    from physgt.datasets import open_trajectory
    from physgt.device import find_device

    simulator = Simulator.load(model, find_device(device))
    make = StepProgram.for_any_mesh if any_mesh else StepProgram.for_mesh
    return make(simulator, open_trajectory(mesh).mesh)
