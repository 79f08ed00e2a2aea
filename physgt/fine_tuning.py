"""Learning on from a trained simulator, on other cases or by other settings."""

from __future__ import annotations

from typing import Any

from physgt.declared_fields import Field
from physgt.errors import PhysgtError
from physgt.simulator import Simulator


def start_from(simulator: Simulator, trained: Simulator) -> None:
    """Give `simulator` the weights and the scales of `trained`.

    The scales too: weights mean nothing in other units. Boundary conditions, where stated values
    come from, and which surfaces feel each other from how far may differ. Raises PhysgtError,
    naming it, where anything else does.
    """
    ours, theirs = _nature(simulator), _nature(trained)
    for name, value in ours.items():
        if value != theirs[name]:
            raise PhysgtError(
                f"the model to start from has {name} {theirs[name]}, but the case {value}; they "
                "have to agree: change the case, or train from nothing."
            )
    simulator.load_state_dict(trained.state_dict())


def _nature(simulator: Simulator) -> dict[str, Any]:
    """What the weights of a simulator are made for, by its name in a case file."""
    task = simulator.task
    return {
        "meshes of dimension": simulator.space_dimension,
        "dt": task.dt,
        "targets": [(type(t).__name__, t.location, *_quantity(t)) for t in task.targets],
        "forcings": [_quantity(forcing) for forcing in task.forcings],
        "boundary motion in columns": task.motion_columns,
        "columns seen ahead": task.seen_ahead,
        "contact": task.contact is not None,
        "model": {"name": simulator.model_name, **simulator.model_options},
    }


def _quantity(field: Field) -> tuple[str, int, str]:
    return field.name, field.components, field.units
