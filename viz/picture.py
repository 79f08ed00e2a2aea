"""One time of one field as a picture."""

from __future__ import annotations

from pathlib import Path

from physgt.files import written_whole
from physgt.trajectory import Trajectory
from physgt.viz.canvas import Canvas
from physgt.viz.output import checked_path
from physgt.viz.scales import make_scales
from physgt.viz.scene import make_scene

PICTURE_SUFFIXES = (".png", ".pdf", ".svg")
SIZE = 1280


def render(
    trajectory: Trajectory,
    field: str,
    path: Path | str,
    *,
    time: float | None = None,
    reference: Trajectory | None = None,
    component: int | str | None = None,
    colour_map: str | None = None,
    error_limit: float | None = None,
    size: int = SIZE,
) -> Path:
    """Draw `field` at the stored time nearest to `time` seconds, the last one if None.

    With `reference` three panels show reference, prediction and the length of their difference.
    The reference's range colours both; the error's colours begin at 0 and span as much, or end at
    `error_limit` where one is given. Vectors are drawn by magnitude unless `component` (a number
    from 0, or x, y, z) picks one. `size` is the longer side in pixels; colour_map is one of
    matplotlib's. PDF and SVG keep lines and letters sharp at any size.

    Planar meshes need neither a screen nor OpenGL; a mesh in three dimensions is seen by its
    surface and needs OpenGL, but no screen.

    Raises PhysgtError for a suffix, field, component or time that isn't there, for two meshes
    that differ, and where no OpenGL is found.
    """
    path = checked_path(path, PICTURE_SUFFIXES)
    scene = make_scene(trajectory, field, component, reference).at(time)
    canvas = Canvas(scene, make_scales(scene, colour_map, error_limit), size)
    canvas.draw(0)
    with written_whole(path) as temporary:
        canvas.figure.savefig(temporary, dpi=canvas.figure.dpi)
    return path
