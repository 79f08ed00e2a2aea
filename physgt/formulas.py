"""Formulas that users write: arithmetic and comparisons of names, and nothing that runs code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from physgt.errors import PhysgtError

AXES = ("x", "y", "z")

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.And: operator.and_, ast.Or: operator.or_, ast.Not: operator.invert,
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Div: operator.truediv, ast.Pow: operator.pow, ast.Mod: operator.mod, ast.USub: operator.neg,
}  # fmt: skip
"""All operators that a formula may use, besides numbers, names and FUNCTIONS."""

FUNCTIONS: dict[str, np.ufunc] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "exp": np.exp, "log": np.log, "sqrt": np.sqrt,
    "tanh": np.tanh, "abs": np.abs, "min": np.minimum, "max": np.maximum,
}  # fmt: skip
"""All functions that a formula may use; min and max take two numbers."""

CONSTANTS: dict[str, Any] = {"pi": np.float64(np.pi)}


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """What a formula gives, with numpy's arithmetic; arrays in, arrays out.

    Raises ValueError, naming the part, where the text isn't a formula of `names`, OPERATORS and
    FUNCTIONS. The text is parsed, and only what these list is computed.
    """
    try:
        with np.errstate(all="ignore"):
            return _value(_parsed(text), {**CONSTANTS, **names})
    except (SyntaxError, KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"can't understand '{text}'") from error


def where(condition: str, points: np.ndarray) -> np.ndarray:
    """(N,) bool: the points (N, D) at which a condition on x, y and z holds.

    Raises PhysgtError where the text isn't such a condition.
    """
    coordinates = dict(zip(AXES, points.T, strict=False))
    axes = ", ".join(coordinates)
    try:
        found = evaluate(condition, coordinates)
    except ValueError as error:
        raise PhysgtError(
            f"{error}; write comparisons (<, <=, >, >=) of {axes} and numbers, joined by 'and', "
            "'or', 'not'."
        ) from error
    if np.shape(found) != (len(points),) or found.dtype != bool:
        raise PhysgtError(f"'{condition}' isn't a condition on {axes}, such as x<0.01.")
    return np.asarray(found)


def points_where(condition: str, points: np.ndarray) -> np.ndarray:
    """The numbers of the points at which `condition` holds: see `where`; one or more.

    Raises PhysgtError, telling where the points lie, where it holds at none.
    """
    chosen = np.flatnonzero(where(condition, points))
    if not chosen.size:
        low, high = (_point(bound(axis=0)) for bound in (points.min, points.max))
        raise PhysgtError(f"no node obeys it; the mesh reaches from {low} to {high}.")
    return chosen


@lru_cache(maxsize=1024)
def _parsed(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(int() | float() as number):
            # numpy's float overflows to inf where Python's whole numbers would grow for ever.
            return np.float64(number)
        case ast.Name(name):
            return names[name]
        case ast.UnaryOp(sign, operand):
            return OPERATORS[type(sign)](_value(operand, names))
        case ast.BinOp(left, sign, right):
            return OPERATORS[type(sign)](_value(left, names), _value(right, names))
        case ast.BoolOp(sign, parts):
            found = [_value(part, names) for part in parts]
            for part in found[1:]:
                found[0] = OPERATORS[type(sign)](found[0], part)
            return found[0]
        case ast.Compare(left, signs, rights):
            # A chain such as 0.1 < x < 0.2 holds where each of its comparisons does.
            sides = [_value(side, names) for side in (left, *rights)]
            pairs = zip(signs, sides, sides[1:], strict=False)
            return np.logical_and.reduce([OPERATORS[type(s)](a, b) for s, a, b in pairs])
        case ast.Call(ast.Name(name), arguments, []) if len(arguments) == FUNCTIONS[name].nin:
            # With one more, numpy would write the result there: into the points of a mesh.
            return FUNCTIONS[name](*(_value(argument, names) for argument in arguments))
    raise KeyError(type(node).__name__)


def _point(point: np.ndarray) -> str:
    return f"({', '.join(f'{x:g}' for x in point)})"
