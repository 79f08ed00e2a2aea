"""An ensemble: the mean, spread and quantiles of several rollouts, as fields over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from physgt.datasets.vtkhdf import VTKHDFWriter, read_vtkhdf
from physgt.errors import PhysgtError, require_one_or_more
from physgt.rollout.engine import Progress, static_fields
from physgt.rollout.members import Member, States, integrate_members
from physgt.task import Field, Task
from physgt.trajectory import Frame, Trajectory


def ensemble(
    members: Sequence[Member],
    num_steps: int,
    output: Path | str,
    *,
    quantiles: Sequence[float] = (),
    member_folder: Path | str | None = None,
    every: int = 1,
    batch_size: int = 8,
    progress: Progress | None = None,
) -> Trajectory:
    """Roll out all members and write their statistics at each every-th step to `output`.

    For a target u: u_mean; u_spread, the standard deviation (of a sample, n - 1); and u_q05 for
    the quantile 0.05, linear between members. `members` (a number a time) tells how many were still
    finite. Points of a moving mesh are those of the mean. member_folder: also write each member
    to FOLDER/NAME.vtkhdf.
    """
    output = Path(output)
    require_one_or_more(
        members=len(members), num_steps=num_steps, every=every, batch_size=batch_size
    )
    _check(output, quantiles)
    task = members[0].simulator.task
    partial = output.with_suffix(".partial.vtkhdf")
    initial = members[0].initial
    with ExitStack() as stack:
        statistics = stack.enter_context(
            VTKHDFWriter(partial, initial.mesh, _fields(task, quantiles))
        )
        writers = (
            [] if member_folder is None
            else stack.enter_context(member_files(members, Path(member_folder)))
        )  # fmt: skip
        for states in integrate_members(members, num_steps, batch_size=batch_size):
            if states.step % every == 0:
                statistics.append(states.time, _statistics(task, initial, states, quantiles))
                append_members(writers, members, states)
            if progress is not None and states.step:
                progress(states.step, num_steps, "")
    partial.replace(output)
    return read_vtkhdf(output)


@contextmanager
def member_files(members: Sequence[Member], folder: Path) -> Iterator[list[VTKHDFWriter]]:
    """One writer a member, to FOLDER/NAME.partial.vtkhdf; all become NAME.vtkhdf at the end."""
    with ExitStack() as stack:
        yield [stack.enter_context(_member_writer(member, folder)) for member in members]
    for member in members:
        _partial(folder, member).replace(folder / f"{member.name}.vtkhdf")


def _member_writer(member: Member, folder: Path) -> VTKHDFWriter:
    task, initial = member.simulator.task, member.initial
    return VTKHDFWriter(
        _partial(folder, member),
        initial.mesh,
        task.targets,
        static=static_fields(task, initial),
        attributes=initial.attributes,
    )


def _partial(folder: Path, member: Member) -> Path:
    return folder / f"{member.name}.partial.vtkhdf"


def append_members(
    writers: Sequence[VTKHDFWriter], members: Sequence[Member], states: States
) -> None:
    """Add a time to the files of the members that are still finite."""
    for number, writer in enumerate(writers):
        if states.alive[number]:
            member = members[number]
            frame = member.simulator.task.unpack_state(states.values[number], member.initial.mesh)
            writer.append(states.time, frame)


def _statistics(
    task: Task, initial: Trajectory, states: States, quantiles: Sequence[float]
) -> Frame:
    found: Frame = {"members": np.array(states.alive.sum(), dtype=np.int32)}
    alive = states.values[states.alive].astype(np.float64)
    if not len(alive):
        alive = np.full((1, *states.values.shape[1:]), np.nan)
    spread = alive.std(axis=0, ddof=1) if len(alive) > 1 else np.zeros(alive.shape[1:])
    kinds = {"mean": alive.mean(axis=0), "spread": spread}
    kinds |= {_name(q): np.quantile(alive, q, axis=0) for q in quantiles}
    for kind, values in kinds.items():
        for name, field in task.unpack_state(values, initial.mesh).items():
            if name == "points" and kind == "mean":
                found["points"] = field
            if name == "points" and kind == "spread":
                field = field - initial.mesh.points  # of displacements: no place on the mesh
            found[f"{name}_{kind}"] = field.astype(np.float32)
    return found


def _fields(task: Task, quantiles: Sequence[float]) -> list[Field]:
    kinds = ["mean", "spread", *(_name(q) for q in quantiles)]
    fields = [replace(t, name=f"{t.name}_{kind}") for t in task.targets for kind in kinds]
    moving = [t for t in task.targets if t.name == "points"]
    return [*moving, *fields, Field("members", location="global", dtype="int32")]


def _name(quantile: float) -> str:
    """q05 for 0.05, q02_5 for 0.025, q99_99 for 0.9999."""
    whole, _, rest = f"{100 * quantile:.10f}".rstrip("0").partition(".")
    return f"q{whole:0>2}" + (f"_{rest}" if rest else "")


def _check(output: Path, quantiles: Sequence[float]) -> None:
    if output.suffix != ".vtkhdf":
        raise PhysgtError(f"{output}: an ensemble is written as .vtkhdf.")
    for quantile in quantiles:
        if not 0 <= quantile <= 1:
            raise PhysgtError(f"quantile {quantile}, expected a number from 0 to 1.")
