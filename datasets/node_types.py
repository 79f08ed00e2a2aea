"""Node types from an array of the file, from its named sets, or from where nodes lie."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from physgt.errors import PhysgtError
from physgt.fields import AXES
from physgt.mesh import NUM_NODE_TYPES, Mesh, NodeType
from physgt.trajectory import Trajectory

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.And: operator.and_, ast.Or: operator.or_, ast.Not: operator.invert,
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow, ast.USub: operator.neg,
}  # fmt: skip
"""All that a geometric rule may say, besides numbers and the coordinates x, y, z."""


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
        if where.startswith("set:"):
            chosen = _nodes_of_set(trajectory.mesh, where.removeprefix("set:").strip())
        else:
            chosen = np.flatnonzero(_where(rule, where.strip(), trajectory.mesh.points))
        if not chosen.size:
            raise PhysgtError(
                f"node type rule '{rule}': no node obeys it; the mesh reaches from "
                f"{_point(trajectory.mesh.points.min(axis=0))} to "
                f"{_point(trajectory.mesh.points.max(axis=0))}."
            )
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


def _nodes_of_set(mesh: Mesh, name: str) -> np.ndarray:
    if name in mesh.node_sets:
        return mesh.node_sets[name]
    if name not in mesh.cell_sets:
        raise PhysgtError(
            f"no set '{name}'; the mesh has the node sets {sorted(mesh.node_sets) or 'none'} "
            f"and the cell sets {sorted(mesh.cell_sets) or 'none'}."
        )
    chosen = np.isin(np.arange(mesh.num_cells), mesh.cell_sets[name])
    return np.unique(mesh.connectivity[np.repeat(chosen, np.diff(mesh.offsets))])


def _type_number(rule: str, name: str) -> int:
    if name.upper() in NodeType.__members__:
        return int(NodeType[name.upper()])
    if name.isdigit() and int(name) < NUM_NODE_TYPES:
        return int(name)
    raise PhysgtError(
        f"node type rule '{rule}': unknown type '{name}'; known are "
        f"{', '.join(NodeType.__members__)} and the numbers 0 to {NUM_NODE_TYPES - 1}."
    )


def _where(rule: str, condition: str, points: np.ndarray) -> np.ndarray:
    """(N,) bool. The text is parsed, and only what OPERATORS lists is computed."""
    coordinates = dict(zip(AXES, points.T, strict=False))
    try:
        with np.errstate(all="ignore"):
            found = _value(ast.parse(condition, mode="eval").body, coordinates)
    except (SyntaxError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise PhysgtError(
            f"node type rule '{rule}': can't understand '{condition}'; write comparisons (<, <=, "
            f">, >=) of {', '.join(coordinates)} and numbers, joined by 'and', 'or', 'not'."
        ) from error
    if np.shape(found) != (len(points),) or found.dtype != bool:
        raise PhysgtError(
            f"node type rule '{rule}': '{condition}' isn't a condition on "
            f"{', '.join(coordinates)}, such as x<0.01."
        )
    return found


def _value(node: ast.expr, coordinates: dict[str, np.ndarray]) -> Any:
    match node:
        case ast.Constant(int() | float() as number):
            # numpy's float overflows to inf where Python's whole numbers would grow for ever.
            return np.float64(number)
        case ast.Name(name):
            return coordinates[name]
        case ast.UnaryOp(sign, operand):
            return OPERATORS[type(sign)](_value(operand, coordinates))
        case ast.BinOp(left, sign, right):
            return OPERATORS[type(sign)](_value(left, coordinates), _value(right, coordinates))
        case ast.BoolOp(sign, parts):
            found = [_value(part, coordinates) for part in parts]
            for part in found[1:]:
                found[0] = OPERATORS[type(sign)](found[0], part)
            return found[0]
        case ast.Compare(left, signs, rights):
            # A chain such as 0.1 < x < 0.2 holds where each of its comparisons does.
            sides = [_value(side, coordinates) for side in (left, *rights)]
            pairs = zip(signs, sides, sides[1:], strict=False)
            return np.logical_and.reduce([OPERATORS[type(s)](a, b) for s, a, b in pairs])
    raise KeyError(type(node).__name__)


def _point(point: np.ndarray) -> str:
    return f"({', '.join(f'{x:g}' for x in point)})"
