"""Rotary position embedding: queries and keys turned by angles that grow with the coordinates.

Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", arXiv 2104.09864, with
the coordinates of a point instead of the place in a sentence: a score then depends on where the
nodes lie relative to each other, not on where both lie.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor

from physgt.errors import PhysgtError

OCTAVES = 7
"""Wavelengths go from 2, twice the mesh, down by so many halvings, to 1/64 of it."""


def rotary_angles(points: Tensor, channels: int) -> Tensor:
    """(N, 1, A): the angles of A <= channels / 2 planes, equally many for each coordinate.

    points (N, D), about in [0, 1]. Raises PhysgtError where a head has fewer channels than 2 D.
    """
    per_axis = channels // (2 * points.shape[1])
    octaves = torch.linspace(0, OCTAVES, per_axis, dtype=points.dtype, device=points.device)
    return (points[..., None] * (pi * 2**octaves)).flatten(1)[:, None]


def require_rotary_channels(channels: int, space_dimension: int) -> None:
    """Raises PhysgtError where a head has no plane for every coordinate."""
    if channels < 2 * space_dimension:
        raise PhysgtError(
            f"rotary = true needs at least {2 * space_dimension} channels a head in "
            f"{space_dimension} dimensions, found {channels}. Raise width, or lower heads."
        )


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """x (N, H, c): channels k and A + k turned by angle k of angles (N, 1, A), the rest as is."""
    planes = angles.shape[-1]
    a, b, rest = x.split([planes, planes, x.shape[-1] - 2 * planes], dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos, rest], dim=-1)
