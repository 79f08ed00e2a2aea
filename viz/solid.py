"""The surface of a mesh in three dimensions, drawn by VTK off screen and put into its axes."""

from __future__ import annotations

import numpy as np
import pyvista as pv
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from physgt.viz.off_screen import prepare_off_screen_rendering
from physgt.viz.scales import Scale
from physgt.viz.scene import Panel
from physgt.viz.surface import Surface

TOWARD = np.array([0.5, -1.0, 0.6])
"""From the mesh to the eye: from the front, a little from the right and above; z is up."""
EDGE_COLOUR = (0.25, 0.25, 0.25)
SHARP = 30.0
"""Degrees between two faces from which their common edge is drawn."""


class SolidView:
    """Sees points (N, 3) in parallel projection, so that lengths don't depend on depth."""

    toward = TOWARD / np.linalg.norm(TOWARD)
    right = np.cross([0.0, 0.0, 1.0], toward) / np.linalg.norm(np.cross([0.0, 0.0, 1.0], toward))
    up = np.cross(toward, right)

    def project(self, points: np.ndarray) -> np.ndarray:
        return points @ np.stack([self.right, self.up], axis=1)


class SolidPainter:
    """Values linear between nodes, one colour a cell for fields on cells; sharp edges as lines.

    Raises PhysgtError where VTK finds no OpenGL.
    """

    def __init__(self, axes: Axes, surface: Surface, scale: Scale) -> None:
        prepare_off_screen_rendering()
        self.axes, self.surface, self.scale = axes, surface, scale
        self.box = (*axes.get_xlim(), *axes.get_ylim())
        extent = axes.get_window_extent()
        self.plotter = pv.Plotter(
            off_screen=True, window_size=[round(extent.width), round(extent.height)]
        )
        self.plotter.enable_anti_aliasing("ssaa")
        self.artists: list[AxesImage] = []

    def paint(self, panel: Panel, *, on_cells: bool) -> None:
        """Replaces what was painted before."""
        skin = pv.PolyData.from_regular_faces(panel.points, self.surface.triangles)
        data = skin.cell_data if on_cells else skin.point_data
        data["values"] = panel.values[self.surface.cells] if on_cells else panel.values
        self.plotter.add_mesh(
            skin, name="skin", scalars="values", cmap=self.scale.colours,
            clim=(self.scale.low, self.scale.high), nan_color=self.scale.colours.get_bad()[:3],
            show_scalar_bar=False, ambient=0.55, diffuse=0.5,
        )  # fmt: skip
        edges = skin.extract_feature_edges(
            feature_angle=SHARP, non_manifold_edges=False, clear_data=True
        )
        if edges.n_cells:
            self.plotter.add_mesh(edges, name="edges", color=EDGE_COLOUR, line_width=1.0)
        self._look(panel.points)
        picture = np.asarray(self.plotter.screenshot(transparent_background=True))
        for artist in self.artists:
            artist.remove()
        self.artists = [self.axes.imshow(picture, extent=self.box, aspect="auto")]

    def _look(self, points: np.ndarray) -> None:
        left, right, bottom, top = self.box
        depth = points @ SolidView.toward
        in_plane = (left + right) / 2 * SolidView.right + (bottom + top) / 2 * SolidView.up
        camera = self.plotter.camera
        camera.parallel_projection = True
        camera.parallel_scale = (top - bottom) / 2
        camera.focal_point = in_plane + depth.mean() * SolidView.toward
        camera.position = in_plane + (depth.max() + top - bottom) * SolidView.toward
        camera.up = SolidView.up
        self.plotter.renderer.ResetCameraClippingRange()
