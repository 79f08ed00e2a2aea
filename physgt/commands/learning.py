"""Commands that train and measure models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from physgt.commands.apps import app, out

if TYPE_CHECKING:
    from physgt.training import Report


@app.command
def train(
    case: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    data: Path | None = None,
    start_from: str | None = None,
    resume: bool = False,
    device: str = "cpu",
) -> None:
    """Train the model of a case file.

    Example: physgt train cylinder.toml -o runs/cylinder --data data

    Parameters
    ----------
    case
        The case file (TOML), or the name of a case that comes with physgt: cylinder.
    output
        The run's folder: best.physgt, last.physgt, TensorBoard events.
    data
        The folder that the case's patterns start from; the case file's own without it.
    start_from
        A trained model of the same task, file or name, to learn on from; from nothing without it.
    resume
        Go on with the run in OUTPUT exactly where it was saved last.
    device
        cpu, or cuda where there is one.
    """
    from physgt.case import find_case, read_case
    from physgt.device import find_device
    from physgt.progress import progress_bar
    from physgt.simulator import Simulator
    from physgt.training import open_trajectories
    from physgt.training import train as train_case

    path = find_case(case)
    settings = read_case(path)
    root = data or path.parent
    training = open_trajectories(root, settings.data.train)
    validation = {}
    if settings.data.validation is not None:
        validation = open_trajectories(root, settings.data.validation)
    with progress_bar(f"training {settings.name}") as update:

        def report(result: Report) -> None:
            note = f"loss {result.loss:.3g}"
            if result.validation is not None:
                out.print(f"step {result.step}: free rollout, relative L2 {result.validation:.4f}")
            update(result.step, result.num_steps, note)

        train_case(
            settings,
            training,
            output,
            validation=validation,
            device=find_device(device),
            start=None if start_from is None else Simulator.load(start_from),
            resume=resume,
            report=report,
        )
    out.print(f"wrote {output / 'best.physgt'}")


@app.command
def bench(
    *,
    model: list[str] | None = None,
    nodes: list[int] | None = None,
    dimension: int = 2,
    threads: int | None = None,
    device: str = "cpu",
    bfloat16: bool = False,
    output: Path | None = None,
) -> None:
    """Measure a step of the models on this machine: time, memory, share of the floor.

    The floor is the time of the matrix products alone, at this machine's own rate.

    Example: physgt bench --model physgto --nodes 2000 --nodes 20000 --output bench.png

    Parameters
    ----------
    model
        A model to measure, in its default size; all of them without it.
    nodes
        Numbers of nodes; 2000 and 20000 without it.
    dimension
        2 for triangles, 3 for tetrahedra.
    threads
        Threads of a step; as many as torch takes without it.
    device
        cpu, cuda or cuda:N.
    bfloat16
        Matrix products in bfloat16.
    output
        A plot of time over nodes, .png or .svg.
    """
    from rich.table import Table

    from physgt.bench import bench as measure_all
    from physgt.models import MODELS
    from physgt.viz.scaling import plot_scaling

    options: dict[str, Any] = {"threads": threads, "device": device, "bfloat16": bfloat16}
    table = Table("model", "nodes", "edges", "ms per step", "MiB", "share of floor")
    found = []
    for m in measure_all(
        model or sorted(MODELS), nodes or [2000, 20000], dimension=dimension, **options
    ):
        found.append(m)
        figures = f"{m.milliseconds:.1f}", f"{m.memory:.0f}", f"{m.floor:.0%}"
        table.add_row(m.model, str(m.num_nodes), str(m.num_edges), *figures)
    out.print(table)
    if output is not None:
        plot_scaling(found, output, f"one step, {dimension}-D, {device}")
        out.print(f"wrote {output}")
