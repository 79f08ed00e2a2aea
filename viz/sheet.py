"""A small picture of each of many trajectories on one sheet, in the same colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from physgt.errors import PhysgtError
from physgt.files import written_whole
from physgt.trajectory import Trajectory
from physgt.viz.canvas import FAINT_INK, INK
from physgt.viz.output import checked_path
from physgt.viz.picture import PICTURE_SUFFIXES
from physgt.viz.planar import PlanarPainter, PlanarView
from physgt.viz.scales import FIELD_COLOURS, Scale, apart, colours_of, finite_range
from physgt.viz.scene import Scene, make_scene
from physgt.viz.solid import SolidPainter, SolidView
from physgt.viz.surface import seen_surface

WIDTH, DPI = 12.0, 130
"""Inches of the sheet, and pixels an inch."""


def picture_sheet(
    trajectories: Mapping[str, Trajectory],
    path: Path | str,
    *,
    field: str | None = None,
    time: float | None = None,
) -> Path:
    """Draw one field of each at the time nearest to `time` seconds, the last one if None.

    field: the first on nodes or cells that all have, without it. Raises PhysgtError where there is
    no such field, and as render does.
    """
    path = checked_path(path, PICTURE_SUFFIXES)
    name = field or _shared_field(trajectories)
    scenes = {title: make_scene(t, name).at(time) for title, t in trajectories.items()}
    ranges = np.array([finite_range(s.panels(0)[0].values) for s in scenes.values()])
    low, high = float(np.fmin.reduce(ranges[:, 0])), float(np.fmax.reduce(ranges[:, 1]))
    if np.isnan(low):
        raise PhysgtError(f"field '{name}' has no finite value at any drawn time.")
    scale = Scale(*apart(low, high), colours_of(FIELD_COLOURS))
    figure = _draw(scenes, scale)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=DPI)
    return path


def _shared_field(trajectories: Mapping[str, Trajectory]) -> str:
    names = [
        [
            f.name
            for f in t.declared(over_time=True)
            if f.location != "global" and f.name != "points"
        ]
        for t in trajectories.values()
    ]
    first = names[0] if names else []
    shared = [n for n in first if n != "points" and all(n in others for others in names)]
    if not shared:
        raise PhysgtError("no field is in all cases; name one (--field) for those that have it.")
    return shared[0]


def _draw(scenes: Mapping[str, Scene], scale: Scale) -> Figure:
    boxes = {title: _seen_box(scene) for title, scene in scenes.items()}
    aspect = float(np.median([width / height for _, (width, height) in boxes.values()]))
    columns = int(np.clip(np.ceil(np.sqrt(len(scenes) / max(aspect, 0.2))), 1, 8))
    columns = min(columns, len(scenes))
    rows = -(-len(scenes) // columns)
    cell_width = WIDTH / columns
    cell_height = min(cell_width / aspect, 6.0) + 0.3
    height = rows * cell_height + 0.8
    figure = Figure((WIDTH, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    for number, (title, scene) in enumerate(scenes.items()):
        row, column = divmod(number, columns)
        bottom = height - 0.7 - (row + 1) * cell_height
        axes = figure.add_axes(
            (
                (column + 0.03) * cell_width / WIDTH, (bottom + 0.03) / height,
                0.94 * cell_width / WIDTH, (cell_height - 0.28) / height,
            )
        )  # fmt: skip
        _paint(axes, scene, boxes[title], scale)
        figure.text(
            (column + 0.04) * cell_width / WIDTH, (bottom + cell_height - 0.22) / height, title,
            size=7.5, color=FAINT_INK, parse_math=False,
        )  # fmt: skip
    label = next(iter(scenes.values())).quantity.label
    heading = f"{label}, {len(scenes)} cases"
    figure.text(0.02, 1 - 0.38 / height, heading, size=11, color=INK, parse_math=False)
    bar = figure.colorbar(
        ScalarMappable(scale.norm, scale.colours),
        cax=figure.add_axes((0.62, 1 - 0.36 / height, 0.35, 0.1 / height)),
        orientation="horizontal",
    )
    bar.ax.tick_params(labelsize=7.5)
    return figure


def _paint(axes: Axes, scene: Scene, box: tuple[np.ndarray, np.ndarray], scale: Scale) -> None:
    centre, sides = box
    axes.set_axis_off()
    extent = axes.get_window_extent()
    # As much of the plane as the axes' shape asks for, so that lengths are true.
    page = np.array([extent.width, extent.height])
    low, high = (centre + sign * 0.5 * (sides / page).max() * page for sign in (-1, 1))
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    mesh = scene.trajectory.mesh
    solid = mesh.dimension == 3
    painter = (SolidPainter if solid else PlanarPainter)(axes, seen_surface(mesh), scale)
    painter.paint(scene.panels(0)[0], on_cells=scene.quantity.on_cells)
    if isinstance(painter, SolidPainter):
        painter.plotter.close()


def _seen_box(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """(centre, sides) of what is seen of a case."""
    mesh = scene.trajectory.mesh
    view = SolidView() if mesh.dimension == 3 else PlanarView()
    seen = view.project(scene.panels(0)[0].points[np.unique(seen_surface(mesh).triangles)])
    low, high = np.nanmin(seen, axis=0), np.nanmax(seen, axis=0)
    sides = np.maximum(high - low, 1e-3 * (high - low).max())
    return (low + high) / 2, 1.02 * sides
