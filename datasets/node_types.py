"""Node types from an array of the file, from its named sets, or from where nodes lie."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from physgt.errors import PhysgtError
from physgt.formulas import points_where
from physgt.mesh import NUM_NODE_TYPES, NodeType
from physgt.trajectory import Trajectory


def node_types(trajectory: Trajectory, rules: Sequence[str]) -> np.ndarray:
    """(N,) int32: the node types of the mesh after the rules; where rules overlap, the later wins.

    field:NAME       whole numbers on the nodes, at the first time
    set:NAME=TYPE    all nodes of a node set, or of the cells of a cell set
    CONDITION=TYPE   nodes where a condition on x, y, z holds: x<0.01=INFLOW,
                     "(x-0.2)**2 + (y-0.2)**2 < 0.051**2 = OBSTACLE", "x>0 and y<=1 = WALL_BOUNDARY"

    TYPE is a name of NodeType, in any case, or its number. Raises PhysgtError for a rule that
    can't be understood, or that no node obeys.
    """
    types = trajectory.mesh.node_type.copy()
    for rule in rules:
        if rule.startswith("field:"):
            types = _from_field(trajectory, rule)
            continue
        where, equals, name = rule.rpartition("=")
        if not equals:
            raise PhysgtError(
                f"node type rule '{rule}' has no '='; write field:NAME, set:NAME=TYPE or "
                "a condition such as x<0.01=INFLOW."
            )
        number = _type_number(rule, name.strip())
        try:
            if where.startswith("set:"):
                chosen = trajectory.mesh.nodes_of_set(where.removeprefix("set:").strip())
            else:
                chosen = points_where(where.strip(), trajectory.mesh.points)
        except PhysgtError as error:
            raise PhysgtError(f"node type rule '{rule}': {error}") from error
        types[chosen] = number
    return types


def _from_field(trajectory: Trajectory, rule: str) -> np.ndarray:
    name = rule.removeprefix("field:")
    on_nodes = {f.name for f in trajectory.declared() if (f.location, f.components) == ("node", 1)}
    if name not in on_nodes:
        raise PhysgtError(
            f"node type rule '{rule}': no such field of one number a node; "
            f"there are {sorted(on_nodes) or 'none'}."
        )
    values = trajectory.frame(0, [name])[name]
    types = np.nan_to_num(values, nan=-1).astype(np.int32)
    bad = np.flatnonzero((types != values) | (types < 0) | (types >= NUM_NODE_TYPES))
    if bad.size:
        raise PhysgtError(
            f"node type rule '{rule}': node {bad[0]} has {values[bad[0]]:g}, expected a whole "
            f"number from 0 to {NUM_NODE_TYPES - 1}."
        )
    return types


def _type_number(rule: str, name: str) -> int:
    if name.upper() in NodeType.__members__:
        return int(NodeType[name.upper()])
    if name.isdigit() and int(name) < NUM_NODE_TYPES:
        return int(name)
    raise PhysgtError(
        f"node type rule '{rule}': unknown type '{name}'; known are "
        f"{', '.join(NodeType.__members__)} and the numbers 0 to {NUM_NODE_TYPES - 1}."
    )
