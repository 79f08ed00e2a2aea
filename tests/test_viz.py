"""Pictures show the right colour at the right place; films the right times; errors what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import matplotlib
import numpy as np
import pytest
from PIL import Image

from physgt.datasets import write_trajectory
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory
from physgt.viz import animate, off_screen, picture_sheet, render, show
from physgt.viz.canvas import Canvas
from physgt.viz.film import film_suffix
from physgt.viz.layout import make_layout
from physgt.viz.off_screen import prepare_off_screen_rendering
from physgt.viz.scales import ERROR_COLOURS, FIELD_COLOURS, make_scales
from physgt.viz.scene import make_scene
from physgt.viz.surface import seen_surface
from physgt.viz.window import make_plotter
from test_derived import cube_of_tetrahedra

SIZE = 400
viridis = matplotlib.colormaps[FIELD_COLOURS]
magma = matplotlib.colormaps[ERROR_COLOURS]


def strip(length: float = 4.0, cells: int = 8) -> Mesh:
    """[0, length] x [0, 1] in one row of quadrilaterals; node i and i + cells + 1 share their x."""
    x = np.linspace(0, length, cells + 1)
    points = np.concatenate([np.stack([x, np.full_like(x, y)], axis=1) for y in (0.0, 1.0)])
    i, up = np.arange(cells), cells + 1
    return Mesh.from_blocks(points, [("quad", np.stack([i, i + 1, i + 1 + up, i + up], axis=1))])


def over_time(mesh: Mesh, field: Callable[[np.ndarray, float], np.ndarray], times=(0.0, 1.0, 2.0)):
    """A trajectory of the field u = field(points, t)."""
    values = np.stack([field(mesh.points, t) for t in times])
    return Trajectory.from_arrays(mesh, np.array(times), {"u": values}, units={"u": "K"})


@pytest.fixture
def ramp() -> Trajectory:
    """u = x (1 + t) on a strip of length 4: 0 to 4 first, 0 to 12 in the end."""
    return over_time(strip(), lambda points, t: points[:, 0] * (1 + t))


@pytest.fixture
def cube() -> Trajectory:
    """The unit cube as one hexahedron, u = z."""
    corners = [[0, 0], [1, 0], [1, 1], [0, 1]]
    points = np.array([[*xy, z] for z in (0, 1) for xy in corners], dtype=float)
    mesh = Mesh.from_blocks(points, [("hexahedron", np.arange(8)[None])])
    return over_time(mesh, lambda points, t: points[:, 2] + t)


@pytest.fixture
def open_gl() -> None:
    try:
        prepare_off_screen_rendering()
    except PhysgtError as error:
        pytest.skip(str(error))


def canvas_of(trajectory: Trajectory, field: str = "u", *, error_limit=None, **how) -> Canvas:
    scene = make_scene(trajectory, field, **how)
    return Canvas(scene, make_scales(scene, None, error_limit), SIZE)


def colour(canvas: Canvas, k: int, panel: int, right: float, up: float = 0.5) -> np.ndarray:
    """RGB in [0, 1] of time k at a place of a panel, in parts of its width and height."""
    pixels, box, dpi = canvas.pixels(k), canvas.layout.panels[panel], canvas.figure.dpi
    column = round((box.left + right * box.width) * dpi)
    row = len(pixels) - round((box.bottom + up * box.height) * dpi)
    return pixels[row, column, :3] / 255


def same_colour(found: np.ndarray, expected: tuple[float, ...]) -> bool:
    return np.allclose(found, expected[:3], atol=0.03)


def test_a_linear_field_shows_the_colour_map_from_end_to_end():
    canvas = canvas_of(over_time(strip(cells=40), lambda points, t: points[:, 0], times=(0.0,)))
    for place in (0.05, 0.3, 0.5, 0.7, 0.95):
        assert same_colour(colour(canvas, 0, 0, place), viridis(place))


def test_the_colours_of_a_film_span_all_its_times(ramp: Trajectory):
    film = canvas_of(ramp)
    assert same_colour(colour(film, 0, 0, 0.9), viridis(0.9 * 4 / 12))
    assert same_colour(colour(film, 2, 0, 0.9), viridis(0.9))


def test_a_cell_field_has_one_colour_a_cell():
    mesh = strip(2.0, cells=2)
    trajectory = Trajectory.from_arrays(
        mesh, np.zeros(1), {}, cell_fields={"u": np.array([[3.0, 5.0]])}
    )
    canvas = canvas_of(trajectory)
    for place, expected in [(0.05, 0.0), (0.45, 0.0), (0.55, 1.0), (0.95, 1.0)]:
        assert same_colour(colour(canvas, 0, 0, place), viridis(expected))


def test_values_that_are_not_finite_are_grey_and_leave_the_colour_scale_alone(ramp: Trajectory):
    values = ramp.fields["u"].values.copy()
    values[:, ramp.mesh.points[:, 0] < 2] = np.nan
    values[:, ramp.mesh.points[:, 0] > 3.9] = np.inf
    canvas = canvas_of(Trajectory.from_arrays(ramp.mesh, ramp.times, {"u": values}))
    assert same_colour(colour(canvas, 0, 0, 0.2), (0.75, 0.75, 0.75))
    # 3.5 (1 + 2) is the largest finite value, 2 the smallest.
    scale = make_scales(canvas.scene, None, None)[0]
    assert (scale.low, scale.high) == (2.0, 10.5)


def test_a_constant_field_is_drawn_in_the_middle_of_its_colours():
    canvas = canvas_of(over_time(strip(), lambda points, t: np.full(len(points), 7.0)))
    assert same_colour(colour(canvas, 0, 0, 0.5), viridis(0.5))


def test_a_vector_is_drawn_by_its_magnitude_and_by_a_component_where_one_is_named():
    vectors = over_time(strip(), lambda points, t: np.tile([3.0, -4.0], (len(points), 1)))
    for component, expected, label in [
        (None, 5.0, "u magnitude (K)"), ("y", -4.0, "u y (K)"), (0, 3.0, "u x (K)"),
    ]:  # fmt: skip
        scene = make_scene(vectors, "u", component)
        assert scene.quantity.label == label
        assert np.all(scene.panels(0)[0].values == expected)


def test_reference_and_prediction_share_the_colour_scale_of_the_reference(ramp: Trajectory):
    doubled = over_time(ramp.mesh, lambda points, t: 2 * points[:, 0] * (1 + t))
    canvas = canvas_of(doubled, reference=ramp)
    assert same_colour(colour(canvas, 2, 0, 0.8), viridis(0.8))
    assert same_colour(colour(canvas, 2, 1, 0.4), viridis(0.8))
    assert same_colour(colour(canvas, 2, 1, 0.9), viridis(1.0))


def test_an_error_as_large_as_half_the_range_has_the_colour_halfway_of_its_scale(ramp: Trajectory):
    # The reference ranges from 0 to 12.
    off_by_six = over_time(ramp.mesh, lambda points, t: points[:, 0] * (1 + t) - 6)
    canvas = canvas_of(off_by_six, reference=ramp)
    assert same_colour(colour(canvas, 1, 2, 0.5), magma(0.5))
    canvas = canvas_of(off_by_six, reference=ramp, error_limit=8)
    assert same_colour(colour(canvas, 1, 2, 0.5), magma(0.75))


def test_the_error_of_a_vector_is_the_length_of_the_difference_not_of_the_lengths():
    mesh = strip()
    there = over_time(mesh, lambda points, t: np.tile([3.0, 4.0], (len(points), 1)))
    back = over_time(mesh, lambda points, t: np.tile([-3.0, -4.0], (len(points), 1)))
    reference, prediction, error = make_scene(back, "u", None, there).panels(0)
    assert np.all(reference.values == prediction.values)
    assert np.all(error.values == 10)


def test_times_are_matched_by_value_where_the_reference_is_finer(ramp: Trajectory):
    finer = over_time(
        ramp.mesh, lambda points, t: points[:, 0] * (1 + t), times=np.linspace(0, 3, 31)
    )
    scene = make_scene(ramp, "u", None, finer)
    assert list(scene.times) == [0, 1, 2]
    for k in range(len(scene)):
        assert np.allclose(scene.panels(k)[2].values, 0)


def test_the_picture_is_of_the_stored_time_nearest_to_the_one_asked_for(ramp: Trajectory):
    scene = make_scene(ramp, "u")
    assert [scene.at(t).times.tolist() for t in (None, 0.0, 0.9, 1.6)] == [[2], [0], [1], [2]]


@pytest.mark.parametrize("field", ["on_nodes", "on_cells"])
@pytest.mark.parametrize("speed", [0.0, 0.2])
def test_a_page_does_not_depend_on_what_was_drawn_on_it_before(field: str, speed: float):
    mesh, times, random = strip(), np.arange(4.0), np.random.default_rng(0)
    on_nodes, on_cells = (random.uniform(size=(4, n)) for n in (mesh.num_points, mesh.num_cells))
    on_nodes[2, 3] = on_cells[2, 3] = np.nan
    points = mesh.points + speed * times[:, None, None]
    trajectory = Trajectory.from_arrays(
        mesh, times, {"points": points, "on_nodes": on_nodes}, cell_fields={"on_cells": on_cells}
    )
    page = canvas_of(trajectory, field)
    for k in (0, 1, 2, 3, 1):
        np.testing.assert_array_equal(page.pixels(k), canvas_of(trajectory, field).pixels(k))


def test_a_moving_mesh_is_drawn_where_it_is():
    # A square that moves from [0, 1] to [3, 4].
    mesh, times = strip(1.0, cells=1), np.array([0.0, 1.0])
    moved = mesh.points + np.array([[[0.0, 0.0]], [[3.0, 0.0]]])
    trajectory = Trajectory.from_arrays(mesh, times, {"points": moved, "u": np.ones((2, 4))})
    canvas = canvas_of(trajectory)
    white = (1.0, 1.0, 1.0)
    for k, place, drawn in [(0, 0.1, True), (0, 0.9, False), (1, 0.1, False), (1, 0.9, True)]:
        assert same_colour(colour(canvas, k, 0, place), white) != drawn


@pytest.mark.parametrize(
    ("cell", "nodes"),
    [("quad", 4), ("quad8", 8), ("quad9", 9), ("polygon", 4), ("triangle_strip", 4)],
)
def test_every_planar_cell_is_covered_once_by_its_triangles(cell: str, nodes: int):
    points = np.array(
        [[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [0.5, 0.5]]
    )
    order = [0, 1, 3, 2] if cell == "triangle_strip" else list(range(nodes))
    surface = seen_surface(Mesh.from_blocks(points, [(cell, [order]), ("line", [[0, 1]])]))
    a, b, c = points[surface.triangles.T]
    (ax, ay), (bx, by) = (b - a).T, (c - a).T
    assert np.abs(ax * by - ay * bx).sum() / 2 == pytest.approx(1.0)
    assert set(surface.cells) == {0}


def test_of_a_volume_only_the_skin_is_seen(cube: Trajectory):
    surface = seen_surface(cube.mesh)
    a, b, c = cube.mesh.points[surface.triangles.T]
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 == pytest.approx(6.0)


def test_the_triangles_of_a_skin_go_the_same_way_round_where_cells_are_inside_out():
    # Each edge is then gone through once in each direction.
    triangles = seen_surface(cube_of_tetrahedra()).triangles
    directed = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(np.unique(directed, axis=0)) == len(directed)


def test_the_outline_is_the_rim_and_not_the_edges_inside():
    # 2 ends and 8 edges along each of the long sides.
    assert len(seen_surface(strip(cells=8)).outline()) == 18


def test_a_channel_has_its_panels_one_below_the_other_and_a_square_side_by_side():
    channel, square = make_layout(1.6 / 0.41, 3), make_layout(1.0, 3)
    assert len({box.left for box in channel.panels}) == 1
    assert len({box.bottom for box in square.panels}) == 1


@pytest.mark.parametrize("aspect", [0.1, 0.5, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("num_panels", [1, 3])
def test_nothing_on_the_page_overlaps_or_leaves_it(aspect: float, num_panels: int):
    layout = make_layout(aspect, num_panels)
    boxes = layout.panels + layout.bars
    for i, a in enumerate(boxes):
        assert 0 <= a.left <= layout.width - a.width
        assert 0 <= a.bottom <= layout.height - a.height
        for b in boxes[:i]:
            apart_x = a.left + a.width <= b.left or b.left + b.width <= a.left
            apart_y = a.bottom + a.height <= b.bottom or b.bottom + b.height <= a.bottom
            assert apart_x or apart_y
    for panel in layout.panels:
        assert panel.width / panel.height == pytest.approx(aspect)


def test_a_picture_has_the_asked_size_and_is_what_a_film_shows_at_that_time(
    ramp: Trajectory, tmp_path: Path
):
    path = render(ramp, "u", tmp_path / "ramp.png", reference=ramp, size=SIZE)
    picture = np.asarray(Image.open(path))
    assert max(picture.shape[:2]) == SIZE
    # The picture has the colours of its own time; at the last time both ranges agree.
    assert np.array_equal(picture, canvas_of(ramp, reference=ramp).pixels(2))


@pytest.mark.parametrize("width", [0.1, 0.25, 1.0, 4.0])
def test_no_text_of_a_page_runs_into_another_or_leaves_it(width: float):
    name, mesh = "turbulent_kinetic_energy_dissipation", strip(width)
    values = np.tile(np.linspace(0.2, 0.6, 9), 2)[None]
    trajectory = Trajectory.from_arrays(mesh, np.zeros(1), {name: values}, units={name: "m2/s3"})
    canvas = canvas_of(trajectory, name, reference=trajectory)
    canvas.draw(0)
    bars = [axes for axes in canvas.figure.axes if axes.axison]
    numbers = [t for axes in bars for t in axes.get_xticklabels()]
    shown = [t for t in [*canvas.figure.texts, *numbers] if t.get_text() and t.get_visible()]
    boxes = [t.get_window_extent() for t in shown]
    for i, box in enumerate(boxes):
        assert canvas.figure.bbox.x0 <= box.x0
        assert box.x1 <= canvas.figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_a_name_with_two_dollars_is_a_name_and_no_formula(tmp_path: Path):
    values = {"price_$^$": np.ones((1, 18))}
    trajectory = Trajectory.from_arrays(strip(), np.zeros(1), values, units={"price_$^$": "$\\a$"})
    assert render(trajectory, "price_$^$", tmp_path / "a.png", size=SIZE).is_file()
    assert picture_sheet({"case_$^$": trajectory}, tmp_path / "b.png").is_file()


@pytest.mark.usefixtures("open_gl")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_grey_on_a_solid_too(cube: Trajectory, value: float):
    top = np.where(cube.mesh.points[:, 2] == 1, value, np.linspace(0, 1, 8))[None]
    canvas = canvas_of(Trajectory.from_arrays(cube.mesh, np.zeros(1), {"u": top}))
    red, green, blue = colour(canvas, 0, 0, 0.4, 0.85)
    assert max(red, green, blue) - min(red, green, blue) < 0.05  # the light is a little warm


def test_a_sheet_shows_a_constant_in_the_middle_of_its_colours_and_refuses_what_is_not_finite(
    ramp: Trajectory, tmp_path: Path
):
    def sheet(value: float) -> Path:
        case = over_time(ramp.mesh, lambda points, t: np.full(len(points), value))
        return picture_sheet({"case": case}, tmp_path / "sheet.png")

    pixels = np.asarray(Image.open(sheet(1e-9)).convert("RGB"))
    assert same_colour(pixels[len(pixels) * 2 // 3, pixels.shape[1] // 2] / 255, viridis(0.5))
    with pytest.raises(PhysgtError, match="no finite value"):
        sheet(np.nan)


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_a_picture_for_print_is_written_by_its_suffix(ramp: Trajectory, tmp_path: Path, suffix):
    path = render(ramp, "u", tmp_path / f"ramp{suffix}", size=SIZE)
    assert {".pdf": b"%PDF", ".svg": b"<?xml"}[suffix] == path.read_bytes()[
        : 4 + (suffix == ".svg")
    ]


def test_an_mp4_has_a_frame_for_each_time_and_shows_it(ramp: Trajectory, tmp_path: Path):
    done = []
    path = animate(
        ramp, "u", tmp_path / "ramp.mp4", reference=ramp, size=SIZE,
        progress=lambda *counts: done.append(counts),
    )  # fmt: skip
    assert done == [(1, 3), (2, 3), (3, 3)]
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    frames = [np.frombuffer(f, np.uint8).reshape(height, width, 3) for f in reader]
    canvas = canvas_of(ramp, reference=ramp)
    assert len(frames) == 3
    for k, frame in enumerate(frames):
        # H.264 loses a little, most of it at the edges of letters.
        assert np.abs(frame - canvas.pixels(k)[..., :3].astype(float)).mean() < 3


def test_a_gif_has_each_second_time_where_every_is_two(ramp: Trajectory, tmp_path: Path):
    path = animate(ramp, "u", tmp_path / "ramp.gif", every=2, size=SIZE, frames_per_second=10)
    gif = Image.open(path)
    assert gif.n_frames == 2
    assert gif.info["duration"] == 100
    gif.seek(1)
    shown = np.asarray(gif.convert("RGB"), dtype=float)
    assert np.abs(shown - canvas_of(ramp).pixels(2)[..., :3]).mean() < 6


def test_a_film_that_fails_leaves_the_old_one_and_nothing_else(ramp: Trajectory, tmp_path: Path):
    path = tmp_path / "film.gif"
    path.write_text("old")

    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        animate(ramp, "u", path, size=SIZE, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["film.gif"]
    assert path.read_text() == "old"


def test_what_is_not_there_is_named_beside_what_is(ramp: Trajectory, tmp_path: Path):
    with pytest.raises(PhysgtError, match=r"no field 'v' .*\['u'\]"):
        render(ramp, "v", tmp_path / "a.png")
    with pytest.raises(PhysgtError, match=r"no component 3; choose one of 0 \(x\)\."):
        render(ramp, "u", tmp_path / "a.png", component=3)
    with pytest.raises(PhysgtError, match=r"unknown suffix '\.bmp', expected one of \.png"):
        render(ramp, "u", tmp_path / "a.bmp")
    with pytest.raises(PhysgtError, match=r"unknown suffix '\.png', expected one of \.mp4, \.gif"):
        animate(ramp, "u", tmp_path / "a.png")
    with pytest.raises(PhysgtError, match="no folder"):
        render(ramp, "u", tmp_path / "nowhere" / "a.png")
    with pytest.raises(PhysgtError, match=r"time 9 s is not drawable: .* from 0 to 2 s"):
        render(ramp, "u", tmp_path / "a.png", time=9.0)
    with pytest.raises(PhysgtError, match="no colour map 'rainboww'"):
        render(ramp, "u", tmp_path / "a.png", colour_map="rainboww")
    assert not list(tmp_path.iterdir())


def test_a_reference_of_another_mesh_or_other_times_is_refused(ramp: Trajectory, tmp_path: Path):
    other_mesh = over_time(strip(cells=4), lambda points, t: points[:, 0])
    with pytest.raises(PhysgtError, match="18 nodes and 8 cells and of 10 nodes and 4 cells"):
        render(ramp, "u", tmp_path / "a.png", reference=other_mesh)
    later = over_time(ramp.mesh, lambda points, t: points[:, 0], times=(7.0, 8.0))
    with pytest.raises(PhysgtError, match="no time is in both"):
        render(ramp, "u", tmp_path / "a.png", reference=later)


def test_without_ffmpeg_the_error_says_how_to_get_it(ramp, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PhysgtError, match=r"pip install 'physgt\[movie\]'"):
        animate(ramp, "u", tmp_path / "a.mp4")
    assert film_suffix() == ".gif"


def test_without_opengl_planar_meshes_are_drawn_and_solid_ones_name_the_package_to_install(
    ramp, cube, tmp_path, monkeypatch
):
    monkeypatch.setattr(off_screen, "can_render", lambda window: False)
    monkeypatch.setattr(sys, "platform", "linux")
    prepare_off_screen_rendering.cache_clear()
    render(ramp, "u", tmp_path / "planar.png", size=SIZE)
    with pytest.raises(PhysgtError, match="apt-get install libegl1 libgl1-mesa-dri"):
        render(cube, "u", tmp_path / "solid.png")
    prepare_off_screen_rendering.cache_clear()


def test_another_process_tells_whether_opengl_works():
    assert not off_screen.can_render("vtkNoSuchRenderWindow") or sys.platform != "linux"


@pytest.mark.usefixtures("open_gl")
def test_a_solid_is_seen_from_the_front_and_above(cube: Trajectory):
    canvas = canvas_of(cube.select(slice(0, 1)))
    # Seen from above, the top face fills the upper part of the panel; u = z is 1 all over it.
    # Light makes colours darker or lighter: compare hues.
    top, middle, bottom = (colour(canvas, 0, 0, 0.4, up) for up in (0.85, 0.45, 0.1))
    assert top[0] / top[2] > middle[0] / middle[2]
    assert np.argmax(top) in (0, 1)
    assert np.argmax(bottom) == 2
    assert same_colour(colour(canvas, 0, 0, 0.01, 0.01), (1.0, 1.0, 1.0))


@pytest.mark.usefixtures("open_gl")
def test_triton_can_be_imported_after_a_solid_was_drawn(cube: Trajectory, tmp_path: Path):
    pytest.importorskip("triton", reason="needs Triton, as torch for CUDA brings it")
    write_trajectory(cube, tmp_path / "cube.vtkhdf")
    program = (
        "from physgt.datasets import open_trajectory; from physgt.viz import render; "
        "render(open_trajectory('cube.vtkhdf'), 'u', 'cube.png'); import triton; print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "alive", done.stderr


def test_a_window_needs_a_screen(ramp: Trajectory, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(PhysgtError, match="no screen"):
        show(ramp, "u")


@pytest.mark.usefixtures("open_gl")
def test_the_slider_of_a_window_moves_through_time(ramp: Trajectory):
    plotter = make_plotter(make_scene(ramp, "u"), None, off_screen=True)
    first = plotter.screenshot()
    slider = plotter.widgets.slider_widgets[0]
    slider.GetRepresentation().SetValue(2.0)
    slider.InvokeEvent("EndInteractionEvent")
    assert np.asarray(plotter.mesh["u (K)"]).max() == 12
    plotter.render()
    assert (plotter.screenshot() != first).any()
    plotter.close()
