"""The command line: one function a command."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from physgt.errors import PhysgtError
from physgt.options import assignment, seed_range

if TYPE_CHECKING:
    from physgt.coupling.export import StepProgram
    from physgt.training import Report

# Modules that need torch or VTK are imported by the commands that use them: help comes at once.

app = App(
    name="physgt",
    help="Learn the time steps of a simulation on an unstructured mesh, and run it.",
    help_epilogue="Start: physgt info FILE shows what a file holds; physgt COMMAND --help.",
)
couple = App(name="couple", help="Take part in a coupled simulation.")
app.command(couple)
export = App(name="export", help="Write one step of a trained model for other programs.")
app.command(export)
out = Console()


@app.command
def info(
    path: Path,
    /,
    *,
    pictures: Path | None = None,
    field: str | None = None,
) -> None:
    """Show what is in a file, a case folder or a data set: mesh, sets, fields, times.

    Of a folder of converted files it tells cases, splits, ranges over all, and what is odd:
    outliers, equal cases, values that aren't finite, files that can't be read.

    Example: physgt info data --pictures sheet.png

    Parameters
    ----------
    path
        Any file that physgt reads (`physgt formats` lists them), or a folder of .vtkhdf files.
    pictures
        Also draw a small picture of each case of a folder to this file.
    field
        The field of the pictures; the first that all cases have, without it.
    """
    from physgt.datasets.data_set import is_data_set, summarise
    from physgt.datasets.data_set_table import data_set_table
    from physgt.datasets.info import describe, table
    from physgt.progress import progress_bar

    if not is_data_set(path):
        if pictures is not None:
            raise PhysgtError(f"{path}: --pictures wants a folder of .vtkhdf files; see render.")
        out.print(table(describe(path)))
        return
    with progress_bar("reading") as update:
        summary = summarise(path, progress=update)
    out.print(data_set_table(summary))
    if pictures is not None:
        from physgt.datasets import open_trajectory
        from physgt.viz import picture_sheet

        cases = {case.name: open_trajectory(path / case.name) for case in summary.readable}
        out.print(f"wrote {picture_sheet(cases, pictures, field=field)}")


@app.command
def formats() -> None:
    """List the formats that physgt reads and writes.

    Example: physgt formats
    """
    from rich.table import Table

    from physgt.datasets import FORMATS

    listing = Table("format", "reads", "writes")
    for entry in FORMATS.values():
        listing.add_row(entry.description, "yes", "yes" if entry.write else "")
    out.print(listing)


@app.command
def convert(
    sources: list[Path],
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    fields: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    node_type: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    to_nodes: bool = False,
    start: float | None = None,
    stop: float | None = None,
    time_unit: float = 1.0,
    remap: str | None = None,
) -> None:
    """Convert solver results to a VTKHDF trajectory (or, by the suffix of OUTPUT, export one).

    Example: physgt convert pipe.foam -o pipe.vtkhdf --node-type set:inlet=INFLOW "x>1.6=OUTFLOW"

    Parameters
    ----------
    sources
        A file, case folder, or numbered series ("out/flow_*.vtu") of a solver; several of them, or
        a data set of many trajectories, if OUTPUT is a folder.
    output
        The file to write: .vtkhdf to train on and for ParaView, .pvd for older readers. Or a
        folder, for one .vtkhdf file a trajectory; a pattern is then as many sources as it matches.
    fields
        The fields to take; all without it.
    node_type
        Rules, later ones win: field:NAME, set:NAME=TYPE, or a comparison such as "x<0.01=INFLOW".
    to_nodes
        Fields of cells become fields of nodes, the mean over the cells around each node.
    start
        The first time to take, in s.
    stop
        The last time to take, in s.
    time_unit
        Seconds that one unit of the source's time stands for; for numbered files, the time step.
    remap
        Where the mesh changes from time to time: interpolate all times onto the mesh of the first
        (--remap first), or onto that of a file (--remap mesh.vtu).
    """
    from math import inf

    from physgt.datasets.convert import convert as convert_file
    from physgt.datasets.convert_many import convert_all, is_folder
    from physgt.progress import progress_bar

    options: dict[str, Any] = {
        "fields": fields,
        "node_type": node_type,
        "to_nodes": to_nodes,
        "start": -inf if start is None else start,
        "stop": inf if stop is None else stop,
        "time_unit": time_unit,
        "remap": remap,
    }
    with progress_bar("converting") as update:
        if is_folder(sources, output):
            written = convert_all(sources, output, progress=update, **options)
        else:
            written = [convert_file(sources[0], output, progress=update, **options)]
    out.print(f"wrote {written[0]}" if len(written) == 1 else f"wrote {len(written)} to {output}")


@app.command
def families(name: str | None = None, /) -> None:
    """List the case families that generate simulates, or one family's parameters as TOML.

    Example: physgt families cylinder > cylinder.toml

    Parameters
    ----------
    name
        The family whose parameters to print, with their defaults.
    """
    from rich.table import Table

    from physgt.datasets.case_family import parameters_as_toml
    from physgt.datasets.generate import GENERATORS, make_family

    if name is not None:
        print(parameters_as_toml(make_family(name, {})))
        return
    listing = Table("family", "what it simulates")
    for known, family in GENERATORS.items():
        listing.add_row(known, str(family.__doc__).splitlines()[0])
    out.print(listing)


@app.command
def generate(
    family: str,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    seeds: str = "0:8",
    workers: int | None = None,
    parameters: Path | None = None,
    set_: Annotated[list[str] | None, Parameter("--set", consume_multiple=True)] = None,
) -> None:
    """Simulate cases of a family with a real solver, to train on. Goes on where it was stopped.

    Example: physgt generate cylinder -o data/train --seeds 0:40 --set num_steps=200

    Parameters
    ----------
    family
        The case family; `physgt families` lists them.
    output
        The folder to write one VTKHDF file a seed to.
    seeds
        FIRST:LAST, LAST left out, or one number.
    workers
        Cases simulated at a time; as many as there are cores without it.
    parameters
        A TOML file of family parameters, ranges as [LOW, HIGH]; `physgt families NAME` prints one.
    set_
        NAME=VALUE of a family parameter, ranges as LOW,HIGH; wins over the file.
    """
    import os

    from physgt.datasets.case_family import read_parameters
    from physgt.datasets.generate import generate as generate_cases
    from physgt.progress import progress_bar

    chosen = {} if parameters is None else read_parameters(parameters)
    chosen |= dict(assignment(text) for text in set_ or [])
    with progress_bar(f"simulating {family}") as update:
        paths = generate_cases(
            family,
            output,
            seed_range(seeds),
            workers=workers or os.cpu_count() or 1,
            progress=update,
            **chosen,
        )
    out.print(f"{len(paths)} cases in {output}")


@app.command
def train(
    case: Path,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    data: Path | None = None,
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
    resume
        Go on with the run in OUTPUT exactly where it was saved last.
    device
        cpu, or cuda where there is one.
    """
    from physgt.case import find_case, read_case
    from physgt.device import find_device
    from physgt.progress import progress_bar
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
            resume=resume,
            report=report,
        )
    out.print(f"wrote {output / 'best.physgt'}")


@app.command
def rollout(
    model: Path | None = None,
    start: Path | None = None,
    /,
    *,
    steps: int | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    resume: Path | None = None,
    prescribed: Path | None = None,
    boundary: Path | None = None,
    every: int = 1,
    fields: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    guard: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    device: str = "cpu",
    bfloat16: bool = False,
) -> None:
    """Run a trained model from one state, step by step, and write the trajectory.

    Reads the first time of START and nothing later. Boundary values come from the model's task.

    Example: physgt rollout runs/cylinder/best.physgt start.vtkhdf --steps 200 -o prediction.vtkhdf
    After a stop: physgt rollout --resume prediction.vtkhdf

    Parameters
    ----------
    model
        A .physgt file that train wrote.
    start
        Any readable file with the mesh and one state.
    steps
        Number of time steps.
    output
        The .vtkhdf file to write; NAME.partial.vtkhdf while the rollout runs.
    resume
        The .vtkhdf file of a rollout that was stopped or killed: goes on with what it was started
        with, as if it had never stopped. Only --steps and --guard may be given anew.
    prescribed
        A trajectory with the values over time that the task prescribes.
    boundary
        A TOML file of boundary conditions and forcings to state anew, see docs/boundaries.md.
    every
        Keep the start and each EVERY-th step.
    fields
        The targets to keep; all without it.
    guard
        NAME=ACTION or NAME=ACTION:LIMIT. Names: bounds, growth, balance, distance. Actions: warn,
        stop, clamp (bounds alone), hand-back (end with the step before).
    device
        cpu, or cuda where there is one.
    bfloat16
        Matrix products in bfloat16: quicker where the processor has it, increments to about 1 %.
    """
    from physgt.progress import progress_bar
    from physgt.rollout.command import RolloutCommand

    if resume is not None:
        if not (model is None and start is None and output is None):
            raise PhysgtError("--resume OUTPUT knows its model and start; leave them out.")
        output = resume
        command = RolloutCommand.stopped(resume).with_changes(steps, guard)
    elif model is None or start is None or steps is None or output is None:
        raise PhysgtError(
            "a rollout needs MODEL START --steps N -o OUTPUT, or --resume OUTPUT of a stopped one."
        )
    else:
        command = RolloutCommand(
            str(model),
            str(start),
            steps,
            prescribed=None if prescribed is None else str(prescribed),
            boundary=None if boundary is None else str(boundary),
            every=every,
            fields=None if fields is None else tuple(fields),
            guards=tuple(guard or ()),
            device=device,
            bfloat16=bfloat16,
        )
    with progress_bar("rolling out") as update:
        command.run(output, resume=resume is not None, progress=update)
    out.print(f"wrote {output}")


@app.command
def ensemble(
    model: Path,
    start: Path,
    /,
    *,
    steps: int,
    output: Annotated[Path, Parameter(alias="-o")],
    also: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    members: int = 8,
    perturbation: float = 0.01,
    quantiles: Annotated[list[float] | None, Parameter(consume_multiple=True)] = None,
    member_folder: Path | None = None,
    prescribed: Path | None = None,
    boundary: Path | None = None,
    every: int = 1,
    batch_size: int = 8,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Run many rollouts together and write their mean, spread and quantiles as fields.

    Example: physgt ensemble best.physgt start.vtkhdf --steps 200 --members 16 -o spread.vtkhdf

    Parameters
    ----------
    model
        A .physgt file that train wrote.
    start
        Any readable file with the mesh and one state.
    steps
        Number of time steps.
    output
        The .vtkhdf file to write: of each target u, u_mean, u_spread and u_q05 for quantile 0.05.
    also
        Further models of the same task, trained from other seeds, say: each runs all members.
    members
        Starts a model: the given one, and copies of it with noise.
    perturbation
        Standard deviation of the noise, in those of each target in the training data.
    quantiles
        Numbers from 0 to 1.
    member_folder
        Also write each member to this folder.
    prescribed
        A trajectory with the values over time that the task prescribes.
    boundary
        A TOML file of boundary conditions and forcings to state anew, see docs/boundaries.md.
    every
        Keep the start and each EVERY-th step.
    batch_size
        Members that are advanced together.
    seed
        Of the noise.
    device
        cpu, or cuda where there is one.
    """
    from physgt import Simulator
    from physgt.boundary_file import Scenario, read_scenario
    from physgt.datasets import open_trajectory
    from physgt.device import find_device
    from physgt.progress import progress_bar
    from physgt.rollout import Member, perturbed
    from physgt.rollout import ensemble as roll_out

    stated = None if prescribed is None else open_trajectory(prescribed)
    scenario = Scenario((), {}) if boundary is None else read_scenario(boundary)
    initial = open_trajectory(start)
    chosen = []
    for number, path in enumerate([model, *(also or [])]):
        simulator = Simulator.load(path, find_device(device))
        starts = perturbed(simulator, initial, members, perturbation, seed)
        chosen += [
            Member(f"model{number}-start{k:03d}", simulator, moved, stated, *scenario)
            for k, moved in enumerate(starts)
        ]
    with progress_bar("rolling out") as update:
        roll_out(
            chosen,
            steps,
            output,
            quantiles=quantiles or (),
            member_folder=member_folder,
            every=every,
            batch_size=batch_size,
            progress=update,
        )
    out.print(f"wrote {output}: {len(chosen)} members")


@app.command
def sweep(
    model: Path,
    start: Path,
    table: Path,
    /,
    *,
    steps: int,
    output: Annotated[Path, Parameter(alias="-o")],
    every: int = 1,
    batch_size: int = 8,
    device: str = "cpu",
) -> None:
    """Run a table of cases and write a trajectory a case and one summary.

    Example: physgt sweep plate.physgt start.vtkhdf conductivities.csv --steps 100 -o sweep

    Parameters
    ----------
    model
        A .physgt file that train wrote.
    start
        Any readable file with the mesh and one state.
    table
        CSV with a line a case. Columns: forcings of the model (conductivity, gravity_x), and if
        you like name, and start for a file of its own.
    steps
        Number of time steps.
    output
        The folder for NAME.vtkhdf of each case and summary.csv.
    every
        Keep the start and each EVERY-th step.
    batch_size
        Cases that are advanced together.
    device
        cpu, or cuda where there is one.
    """
    from physgt import Simulator
    from physgt.datasets import open_trajectory
    from physgt.device import find_device
    from physgt.progress import progress_bar
    from physgt.rollout import read_sweep, sweep_table
    from physgt.rollout import sweep as roll_out

    simulator = Simulator.load(model, find_device(device))
    cases = read_sweep(table, simulator, open_trajectory(start))
    with progress_bar("rolling out") as update:
        summary = roll_out(
            cases, steps, output, every=every, batch_size=batch_size, progress=update
        )
    out.print(sweep_table(summary))
    out.print(f"wrote {output / 'summary.csv'} and {len(cases)} trajectories")


@app.command
def score(
    prediction: Path,
    reference: Path,
    /,
    *,
    on: str | None = None,
    threshold: float = 0.2,
    quantities: Path | None = None,
    align: float | None = None,
    json_: Annotated[Path | None, Parameter("--json")] = None,
    plot: Path | None = None,
) -> None:
    """Print the errors of a prediction against a reference, beside those of simple forecasts.

    persistence: nothing changes. dynamic_modes: a linear model fitted to the first half of the
    reference itself, scored in the second.

    Example: physgt score prediction.vtkhdf reference.vtkhdf --json scores.json

    Parameters
    ----------
    prediction
        A trajectory that rollout wrote.
    reference
        The solver's trajectory on the same mesh; it may have more times.
    on
        A node set or node type whose nodes alone count: NORMAL are those inside.
    threshold
        The relative error up to which a prediction counts as valid.
    quantities
        A TOML file with tables [outputs.NAME] of forces, fluxes, means, energies, probes: their
        means, amplitudes, frequencies, drifts and phase errors are printed as well.
    align
        Seconds, best half a period: also print the errors to the closest state of the reference
        within that time, and by how much time it is apart.
    json_
        Also write every score at every time to this file.
    plot
        Also draw errors and quantities over time to this file: .png, .pdf or .svg.
    """
    from physgt.files import write_text
    from physgt.rollout.assessment import assess, read_quantities
    from physgt.viz.scores import plot_scores

    settings = {} if quantities is None else read_quantities(quantities)
    found = assess(prediction, reference, on=on, settings=settings, window=align)
    for table in found.tables(threshold):
        out.print(table)
    if json_ is not None:
        write_text(json_, json.dumps(found.plain(), indent=1))
        out.print(f"wrote {json_}")
    if plot is not None:
        plot_scores(found, plot)
        out.print(f"wrote {plot}")


@app.command
def render(
    path: Path,
    field: str,
    /,
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    reference: Path | None = None,
    component: str | None = None,
    time: float | None = None,
    every: int = 1,
    error_limit: float | None = None,
) -> None:
    """Draw a field: a picture (PNG, PDF, SVG) of one time or a film (MP4, GIF) of all.

    Example: physgt render prediction.vtkhdf velocity -o velocity.mp4 --reference reference.vtkhdf

    Parameters
    ----------
    path
        The trajectory.
    field
        The field; a vector is drawn by its length unless --component names one of x, y, z.
    output
        The file to write: .png, .pdf, .svg, .mp4 or .gif.
    reference
        A trajectory on the same mesh: draws reference, prediction and error together.
    component
        One component of a vector: x, y or z.
    time
        The time of a picture in s; the last without it.
    every
        A film takes each EVERY-th time.
    error_limit
        Where the colours of the error end; as wide as the field's own range without it.
    """
    from physgt.datasets import open_trajectory
    from physgt.progress import progress_bar
    from physgt.viz import PICTURE_SUFFIXES, animate
    from physgt.viz import render as draw

    trajectory = open_trajectory(path)
    shared: dict[str, Any] = {
        "reference": None if reference is None else open_trajectory(reference),
        "component": component,
        "error_limit": error_limit,
    }
    if output.suffix.lower() in PICTURE_SUFFIXES:
        draw(trajectory, field, output, time=time, **shared)
    else:
        with progress_bar("drawing") as update:
            animate(trajectory, field, output, every=every, progress=update, **shared)
    out.print(f"wrote {output}")


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


@couple.command
def precice(config: Path, /) -> None:
    """Run a trained model as a participant of a coupling by preCICE 3.

    Example: physgt couple precice solid.toml

    Parameters
    ----------
    config
        A TOML file: model, start, preCICE's configuration, meshes; docs/coupling.md describes it.
    """
    from physgt.coupling.precice import couple as take_part

    time = take_part(config)
    out.print(f"coupled until {time:g} s")


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


def _one_line(error: Exception | str) -> str:
    return " ".join(str(error).split())


def main(arguments: list[str] | None = None) -> None:
    """Run `physgt ARGUMENTS`, by default those of the process.

    A user's mistake is one line on standard error and exit status 2; a warning is one line.
    """
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            app(
                sys.argv[1:] if arguments is None else arguments,
                exit_on_error=False,
                print_error=False,
            )
    except CycloptsError as error:
        print(f"physgt: {_one_line(error)} See physgt COMMAND --help.", file=sys.stderr)
        sys.exit(2)
    except (PhysgtError, OSError) as error:
        print(f"physgt: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("physgt: interrupted", file=sys.stderr)
        sys.exit(130)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    print(f"physgt: {_one_line(message)}", file=sys.stderr)


if __name__ == "__main__":
    main()
