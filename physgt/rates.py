"""Second order in time: what a state holds beyond its targets, and what a step is given.

A state (N, S + R) holds the S components of the targets and, for the R of second order, the rate:
by how much each changed in the last step, in its own units. The model adds to the rate, and the
rate is added to the component, x(t + dt) = x(t) + (x(t) - x(t - dt)) + a. Carrying the rate rather
than x(t - dt) keeps the digits that the difference of two positions would lose.

Source: Sanchez-Gonzalez et al., "Learning to Simulate Complex Physics with Graph Networks", ICML
2020, section 3.2 (semi-implicit Euler steps, the acceleration in units of dt^2).
"""

from __future__ import annotations

import numpy as np

from physgt.boundary import MeshBoundary
from physgt.declared_fields import require_fields
from physgt.errors import PhysgtError
from physgt.task import POINTS, Forcing, SecondOrder, Task
from physgt.trajectory import Frame, Trajectory


def rates_between(task: Task, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """(N, R) how the second-order components of targets (N, S) changed in the last dt."""
    columns = task.second_order
    return now[:, columns] - before[:, columns]


def stated_rates(task: Task, frame: Frame, num_nodes: int) -> np.ndarray:
    """(N, R) the rates as a first frame states them: at rest, or by a field."""
    rates = [np.zeros((num_nodes, 0))]
    for target in task.targets:
        if isinstance(target, SecondOrder):
            rate = frame.get(target.initial_rate, np.zeros(()))
            rates.append(np.zeros((num_nodes, target.components)))
            rates[-1] += task.dt * rate.reshape(-1, target.components if rate.ndim else 1)
    return np.concatenate(rates, axis=1)


def joined(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Columns (N, A) and (N, B) side by side, in the precision of the first."""
    return np.concatenate([left, right], axis=1, dtype=left.dtype) if right.shape[1] else left


def needs_history(task: Task) -> bool:
    """Whether a rollout starts from two states dt apart."""
    return any(isinstance(t, SecondOrder) and t.initial_rate == "history" for t in task.targets)


def rate_fields(task: Task) -> list[Forcing]:
    """The fields of a first frame that are rates: known, as forcings are."""
    return [
        Forcing(target.initial_rate, target.components, location=target.location)
        for target in task.targets
        if isinstance(target, SecondOrder) and target.initial_rate not in ("at_rest", "history")
    ]


def start_alone(task: Task, start: Trajectory) -> Trajectory:
    """All that a rollout reads of `start`: its first time, or from there to dt later."""
    if not needs_history(task) or start.num_times < 2:
        return start.initial()
    stride = start.stride(task.dt)
    return start.select(slice(0, stride + 1, stride))


def start_and_rates(task: Task, start: Trajectory) -> tuple[Trajectory, np.ndarray]:
    """`start` from the first time of a rollout on, and the rates (N, R) then.

    That is its own first time or, where the task goes on from a history, the time dt after it.
    Raises PhysgtError where `start` doesn't state the rates.
    """
    if not needs_history(task):
        fields = rate_fields(task)
        require_fields("the start", start.declared(), fields, where="initial_rate")
        frame = start.frame(0, [field.name for field in fields])
        rates = stated_rates(task, frame, task.sites(start.mesh).num_points)
    else:
        if start.num_times < 2:
            raise PhysgtError(
                "the start has one time, but the task goes on from a history: it needs two, "
                f"dt = {task.dt:g} s apart."
            )
        require_fields("the start", start.declared(), task.targets, where="the model's task")
        alone = start_alone(task, start)
        names = [target.name for target in task.targets]
        before, now = (task.pack_state(alone.frame(i, names), start.mesh) for i in (0, 1))
        rates = rates_between(task, before, now)
        start = alone.select(slice(1, 2))
    bad = np.argwhere(~np.isfinite(rates))
    if len(bad):
        raise PhysgtError(f"the start's rate is not finite at node {bad[0][0]}.")
    return start, rates


def motion_directions(task: Task) -> list[int | None]:
    """For each of the K columns of `motion` the column of a state along which it lies.

    None: along no direction, it is a size.
    """
    columns: list[int | None] = [*task.motion_columns, *task.motion_columns]
    if task.loaded_by_boundary:
        columns += [*range(task.state_size)[task.columns(POINTS)], None]
    return columns


def motion(task: Task, boundary: MeshBoundary, state: np.ndarray, coming: np.ndarray) -> np.ndarray:
    """(N, K) how far the boundary moves each node in the coming step, and the mean of all it moves.

    It is given to the model: where the boundary drives a node to is stated, not predicted
    (Pfaff et al., "Learning Mesh-Based Simulation with Graph Networks", ICLR 2021, section A.1).
    The first half of the columns is 0 where a component is free. The second, the same at every
    node, tells those far away, which a slow solid moves within the same step.

    Of points without memory (Quasistatic) it is the motion from the reference configuration on, in
    units of how far the boundary has moved at most, so that small motions have clear directions;
    then at every node the way to the middle of what is driven, and that unit.
    """
    columns, free = task.motion_columns, boundary.free
    before = np.where(task.forgotten, 0.0, state[:, : task.state_size])
    moves = np.where(free[:, columns], 0.0, coming[:, columns] - before[:, columns])
    moved = moves[(moves != 0).any(axis=1)]
    mean = moved.mean(axis=0) if len(moved) else np.zeros(len(columns))
    # The rounding of what cancels is no motion: scaled by its deviation it would be a loud noise.
    mean = np.where(np.abs(mean) > 1e-6 * np.abs(moves).max(initial=0.0), mean, 0.0)
    everywhere = np.broadcast_to(mean, moves.shape)
    told = np.concatenate([moves, everywhere], axis=1)
    if task.loaded_by_boundary:
        farthest = np.full((len(told), 1), np.linalg.norm(moves, axis=1).max())
        told = np.divide(told, farthest, out=np.zeros_like(told), where=farthest > 0)
        way = _way_to_driven(boundary, coming, task.columns(POINTS))
        told = np.concatenate([told, way, farthest], axis=1)
    return told.astype(state.dtype)


def _way_to_driven(boundary: MeshBoundary, coming: np.ndarray, columns: slice) -> np.ndarray:
    """(N, D) from each node to the middle of the driven ones; free nodes as if they were at rest.

    columns: of points in a state.
    """
    free, held = boundary.free[:, columns], boundary.held[:, columns]
    now = boundary.points + np.where(free, 0.0, coming[:, columns])
    driven = (~free & ~held).any(axis=1)
    return now[driven].mean(axis=0) - now if driven.any() else np.zeros_like(now)
