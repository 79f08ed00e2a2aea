"""A trajectory in a window, to turn, zoom and step through with the mouse."""

from __future__ import annotations

import os
import sys

import numpy as np
import pyvista as pv

from physgt.datasets.vtk_bridge import to_pyvista, with_three_components
from physgt.errors import PhysgtError
from physgt.trajectory import Trajectory
from physgt.viz.off_screen import load_before_opengl
from physgt.viz.scales import make_scales
from physgt.viz.scene import Scene, make_scene


def show(
    trajectory: Trajectory,
    field: str,
    *,
    component: int | str | None = None,
    colour_map: str | None = None,
) -> None:
    """Open a window with `field` on the mesh and a slider over its times; returns when it closes.

    The arguments mean what they mean for render. Raises PhysgtError as render does, and where
    there is no screen.
    """
    scene = make_scene(trajectory, field, component)
    if sys.platform == "linux" and "DISPLAY" not in os.environ:
        raise PhysgtError("there is no screen (DISPLAY is not set); use render or animate instead.")
    make_plotter(scene, colour_map).show()


def make_plotter(scene: Scene, colour_map: str | None, *, off_screen: bool = False) -> pv.Plotter:
    """The window before it opens."""
    load_before_opengl()
    scale = make_scales(scene, colour_map, None)[0]
    grid = to_pyvista(scene.trajectory.mesh)
    data = grid.cell_data if scene.quantity.on_cells else grid.point_data
    label = scene.quantity.label
    solid = scene.trajectory.mesh.dimension == 3
    plotter = pv.Plotter(off_screen=off_screen)

    def move_to(slider: float) -> None:
        k = int(np.abs(scene.times - slider).argmin())
        panel = scene.panels(k)[0]
        grid.points = with_three_components(panel.points)
        data[label] = panel.values

    move_to(scene.times[0])
    plotter.add_mesh(
        grid, scalars=label, cmap=scale.colours, clim=(scale.low, scale.high), lighting=solid,
        nan_color=scale.colours.get_bad()[:3],
    )  # fmt: skip
    if len(scene) > 1:
        span = (scene.times[0], scene.times[-1])
        plotter.add_slider_widget(
            move_to,  # type: ignore[arg-type]
            span,
            value=span[0],
            title="time (s)",
            style="modern",
        )
    if solid:
        plotter.show_axes()  # type: ignore[call-arg]
    else:
        plotter.camera_position = "xy"
    return plotter
