"""A planar mesh in its axes, drawn by matplotlib: needs no OpenGL and no screen."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection, LineCollection

from physgt.viz.scales import Scale
from physgt.viz.scene import Panel
from physgt.viz.surface import Surface

OUTLINE_COLOUR = "0.25"


class PlanarView:
    """Sees points (N, 2) as they are."""

    def project(self, points: np.ndarray) -> np.ndarray:
        return points


class PlanarPainter:
    """Colours blended between nodes, one colour a cell for fields on cells.

    Blending colours is as good as blending values where the mesh resolves the field; across one
    triangle that spans much of the scale the colours between its nodes are only about right.
    """

    def __init__(self, axes: Axes, surface: Surface, scale: Scale) -> None:
        self.axes, self.surface, self.scale = axes, surface, scale
        self.outline = surface.outline()
        self.points = np.empty(0)
        self.artists: list[Collection] = []

    def paint(self, panel: Panel, *, on_cells: bool) -> None:
        """Replaces what was painted before."""
        values = panel.values
        if on_cells:
            values = np.ma.masked_invalid(values[self.surface.cells])
        # Where a mesh stays, its colours alone change: anew, all took a quarter of a film's time.
        if np.array_equal(self.points, panel.points):
            self.artists[0].set_array(values)
            return
        for artist in self.artists:
            artist.remove()
        x, y = panel.points.T
        colours = self.axes.tripcolor(
            x, y, values, triangles=self.surface.triangles,
            shading="flat" if on_cells else "gouraud",
            cmap=self.scale.colours, norm=self.scale.norm, rasterized=True,
        )  # fmt: skip
        lines = self.axes.add_collection(
            LineCollection(panel.points[self.outline], colors=OUTLINE_COLOUR, linewidths=0.5)
        )
        self.points, self.artists = panel.points, [colours, lines]
