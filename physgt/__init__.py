"""Learned time steps of simulations on unstructured meshes.

Nouns are imported from here; verbs from their rooms: `physgt.datasets`,
`physgt.rollout` and `physgt.viz`.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from physgt.errors import PhysgtError

if TYPE_CHECKING:
    from physgt.graph import Graph
    from physgt.mesh import Mesh, NodeType
    from physgt.simulator import Simulator
    from physgt.task import BoundaryCondition, Field, Forcing, Task
    from physgt.trajectory import Trajectory

__version__ = version("physgt")

__all__ = [
    "BoundaryCondition",
    "Field",
    "Forcing",
    "Graph",
    "Mesh",
    "NodeType",
    "PhysgtError",
    "Simulator",
    "Task",
    "Trajectory",
]

_HOMES = {
    "BoundaryCondition": "task",
    "Field": "task",
    "Forcing": "task",
    "Graph": "graph",
    "Mesh": "mesh",
    "NodeType": "mesh",
    "Simulator": "simulator",
    "Task": "task",
    "Trajectory": "trajectory",
}


def __getattr__(name: str) -> Any:
    """Nouns are loaded at first use, so that reading files doesn't wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'physgt' has no attribute '{name}'")
    return getattr(import_module(f"physgt.{_HOMES[name]}"), name)
