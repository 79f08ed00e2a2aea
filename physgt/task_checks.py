"""What a task may not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from physgt.boundary import BoundaryCondition
from physgt.declared_fields import POINTS
from physgt.errors import PhysgtError

if TYPE_CHECKING:
    from physgt.task import Task


def check_task(task: Task) -> None:
    """Raise PhysgtError where what a task declares contradicts itself."""
    if not task.targets:
        raise PhysgtError("a task needs at least one target field to advance.")
    if not task.dt > 0:
        raise PhysgtError(f"dt = {task.dt}, expected a time step greater than 0 s.")
    names = [f.name for f in (*task.targets, *task.forcings)]
    if len(set(names)) < len(names):
        raise PhysgtError(f"each field may be declared once, found {names}.")
    _check_locations(task)
    for rule in task.boundary:
        _check_rule(task, rule)
    if task.contact is not None and not task.moves:
        raise PhysgtError(
            f"[task.contact] is for meshes that move; declare [task.targets.{POINTS}]."
        )
    changing = [forcing.name for forcing in task.forcings if forcing.over_time]
    if task.loaded_by_boundary and changing:
        raise PhysgtError(
            f"target '{POINTS}' has order = 0, so that its driven boundary is the only load, "
            f"but the forcing '{changing[0]}' changes over time; use order = 1, or leave the "
            "forcing out."
        )


def _check_locations(task: Task) -> None:
    for target in task.targets:
        if target.location == "global" or target.location != task.location:
            raise PhysgtError(
                f"target '{target.name}' lives on {target.location}s and "
                f"'{task.targets[0].name}' on {task.location}s, but a task is on nodes or on "
                "cells; convert the source with --to-nodes, or leave one of them out."
            )
        if target.name == POINTS and target.location == "cell":
            raise PhysgtError(f"target '{POINTS}': points are those of nodes, not of cells.")
    for forcing in task.forcings:
        if forcing.location not in (task.location, "global"):
            raise PhysgtError(
                f"forcing '{forcing.name}' lives on {forcing.location}s, but the targets on "
                f"{task.location}s; give all of them the same location."
            )


def _check_rule(task: Task, rule: BoundaryCondition) -> None:
    targets = {target.name: target for target in task.targets}
    if rule.field not in targets:
        raise PhysgtError(
            f"boundary '{rule.nodes}' names the field '{rule.field}', "
            f"but the targets are {sorted(targets)}."
        )
    components = targets[rule.field].components
    if rule.component is not None and not 0 <= rule.component < components:
        raise PhysgtError(f"{rule.name}: the field has {components} components, numbered from 0.")
    try:
        rule.condition.check(components if rule.component is None else 1)
    except PhysgtError as error:
        raise PhysgtError(f"{rule.name}: {error}") from error
