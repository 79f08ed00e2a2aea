"""Commands that run trained models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from physgt.commands.apps import app, out
from physgt.errors import PhysgtError


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
    every: int | None = None,
    fields: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    guard: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
    device: str | None = None,
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
        Keep the start and each EVERY-th step; all without it.
    fields
        The targets to keep; all without it.
    guard
        NAME=ACTION or NAME=ACTION:LIMIT. Names: bounds, growth, balance, distance. Actions: warn,
        stop, clamp (bounds alone), hand-back (end before that step).
    device
        cpu, also without it, or cuda where there is one.
    bfloat16
        Matrix products in bfloat16: quicker where the processor has it, increments to about 1 %.
    """
    from physgt.progress import progress_bar
    from physgt.rollout.command import RolloutCommand

    if resume is not None:
        known = (model, start, output, prescribed, boundary, every, fields, device)
        if bfloat16 or any(option is not None for option in known):
            raise PhysgtError(
                "--resume OUTPUT knows its model, start and options; leave out all but --steps "
                "and --guard."
            )
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
            every=1 if every is None else every,
            fields=None if fields is None else tuple(fields),
            guards=tuple(guard or ()),
            device=device or "cpu",
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
