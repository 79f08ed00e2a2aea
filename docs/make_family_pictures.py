"""The pictures of docs/families.md and of the pages of families: one result of each.

Run it where physgt is installed: python docs/make_family_pictures.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyvista as pv
from PIL import Image

from physgt.datasets.airfoil import AirfoilFamily
from physgt.datasets.beam3d import Beam3DFamily
from physgt.datasets.block3d import Block3DFamily
from physgt.datasets.heat import HeatFamily
from physgt.datasets.hyperelastic import HyperelasticFamily
from physgt.datasets.pipe3d import Pipe3DFamily
from physgt.datasets.vtk_bridge import to_pyvista
from physgt.trajectory import Trajectory
from physgt.viz import render
from physgt.viz.off_screen import prepare_off_screen_rendering

IMAGES = Path(__file__).parent / "images"
SIZE = (800, 480)


def main() -> None:
    prepare_off_screen_rendering()
    render(HeatFamily().simulate(seed=0), "temperature", IMAGES / "family_heat.png", size=640)
    draw_block()
    draw_beam()
    draw_pipe()
    draw_airfoil()
    draw_hyperelastic()


def grid_of(trajectory: Trajectory, index: int, field: str) -> pv.UnstructuredGrid:
    values = trajectory.frame(index, [field])[field]
    return to_pyvista(trajectory.mesh, {field: values}, {})


def draw_block() -> None:
    """The temperature at the end, cut along the bore."""
    made = Block3DFamily(refinement=1.5).simulate(seed=3)
    grid = grid_of(made, -1, "temperature")
    bore = made.attributes["bore"]
    # The nearer half is taken away.
    cut = grid.clip(normal=(0, -1, 0), origin=(*bore, 0.0))
    plotter = new_plotter()
    plotter.add_mesh(
        cut, scalars="temperature", cmap="inferno", show_edges=True, scalar_bar_args=bar("K")
    )
    plotter.view_vector((0.5, -1.0, 0.6), viewup=(0, 0, 1))
    finish(plotter, "family_block3d.png")


def draw_beam() -> None:
    """The beam at rest as an outline, and on its way back, coloured by its speed."""
    made = Beam3DFamily(refinement=1.5).simulate(seed=1)
    points = made.fields["points"].values
    farthest = int(np.linalg.norm(points - points[0], axis=2).mean(axis=1).argmax())
    index = min(farthest + 4, made.num_steps)
    plotter = new_plotter()
    rest = to_pyvista(made.mesh, {}, {})
    plotter.add_mesh(rest.extract_feature_edges(30), color="grey", line_width=2)
    grid = grid_of(made, index, "velocity")
    grid["speed"] = np.linalg.norm(grid["velocity"], axis=1)
    grid.points = points[index].astype(np.float64)
    plotter.add_mesh(
        grid, scalars="speed", cmap="viridis", show_edges=True, scalar_bar_args=bar("m/s")
    )
    plotter.view_vector((0.3, -1.0, 0.3), viewup=(0, 0, 1))
    finish(plotter, "family_beam3d.png")


def draw_pipe() -> None:
    """The speed in the section through the axis and the bulge, and half of the wall."""
    made = Pipe3DFamily(num_steps=10).simulate(seed=1)
    grid = grid_of(made, -1, "velocity")
    grid["speed"] = np.linalg.norm(grid["velocity"], axis=1)
    angle = made.attributes["shift_angle"]
    across = np.array([-np.sin(angle), np.cos(angle), 0.0])
    plotter = new_plotter()
    # The skin first: a clipped volume would have the section as a part of its own.
    skin = grid.extract_surface(algorithm="dataset_surface")
    wall = skin.clip(normal=across, origin=(0, 0, 0), invert=True)
    plotter.add_mesh(wall, color="lightgrey", show_edges=True)
    section = grid.slice(normal=across, origin=(0, 0, 0))
    plotter.add_mesh(section, scalars="speed", cmap="viridis", scalar_bar_args=bar("m/s"))
    plotter.view_vector(across + 0.5 * np.array([np.cos(angle), np.sin(angle), 0.0]))
    plotter.camera.up = (np.cos(angle), np.sin(angle), 0.0)
    finish(plotter, "family_pipe3d.png")


def draw_airfoil() -> None:
    """The pressure on the cells around a section at Mach 0.78."""
    family = AirfoilFamily(
        mach=(0.78, 0.78), angle_of_attack=(2.0, 2.0), thickness=(0.12, 0.12), refinement=0.6,
        num_steps=50,
    )  # fmt: skip
    made = family.simulate(seed=0)
    grid = to_pyvista(made.mesh, {}, {"kPa": made.frame(-1, ["pressure"])["pressure"] / 1000})
    grid = grid.clip_box((-0.6, 1.6, -0.6, 0.6, -1.0, 1.0), invert=False)
    plotter = new_plotter()
    plotter.add_mesh(
        grid, scalars="kPa", cmap="viridis", show_edges=True, scalar_bar_args=bar("kPa")
    )
    plotter.view_xy()
    finish(plotter, "family_airfoil.png")


def draw_hyperelastic() -> None:
    """One plate of each scenario where it is bent most, with its stress."""
    plotter = new_plotter(shape=(1, 3), size=(1100, 340))
    for column, scenario in enumerate(("pull", "press", "cantilever")):
        shares = {name: float(name == scenario) for name in ("pull", "press", "cantilever")}
        made = HyperelasticFamily(**shares, num_holes=(1, 1)).simulate(seed=4)
        moved = np.linalg.norm(made.fields["points"] - made.mesh.points, axis=2).mean(axis=1)
        index = int(moved.argmax())
        values = {"kPa": made.frame(index, ["stress"])["stress"] / 1000}
        grid = to_pyvista(made.mesh, values, {}, points=made.points_at(index))
        plotter.subplot(0, column)
        plotter.add_mesh(
            grid, scalars="kPa", cmap="viridis", show_edges=True, copy_mesh=True,
            scalar_bar_args={**bar("kPa"), "title": f"{scenario}, kPa", "vertical": False},
        )  # fmt: skip
        plotter.view_xy()
        plotter.enable_parallel_projection()
    finish(plotter, "family_hyperelastic.png")


def new_plotter(shape: tuple[int, int] = (1, 1), size: tuple[int, int] = SIZE) -> pv.Plotter:
    plotter = pv.Plotter(off_screen=True, window_size=list(size), shape=shape, border=False)
    plotter.background_color = "white"
    plotter.enable_anti_aliasing("ssaa")
    return plotter


def bar(units: str) -> dict[str, object]:
    return {"title": units, "color": "black", "n_labels": 3, "vertical": True, "fmt": "%.3g"}


def finish(plotter: pv.Plotter, name: str) -> None:
    plotter.enable_parallel_projection()
    plotter.camera.zoom(1.1)
    picture = np.asarray(plotter.screenshot(return_img=True))
    plotter.close()
    Image.fromarray(without_margin(picture)).quantize(128).save(IMAGES / name, optimize=True)


def without_margin(picture: np.ndarray) -> np.ndarray:
    drawn = (picture < 250).any(axis=-1)
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


if __name__ == "__main__":
    main()
