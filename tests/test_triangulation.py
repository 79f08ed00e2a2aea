"""Triangles fill a domain exactly, join edge to edge, and are never thin."""

import numpy as np
import pytest

from physgt.datasets.triangulation import (
    circle_points,
    contains,
    polygon_points,
    triangle_areas,
    triangle_edges,
    triangulate,
)
from physgt.errors import PhysgtError

CORNERS = [(0.0, 0.0), (3.0, 0.0), (3.0, 1.0), (0.0, 1.0)]
CENTER, RADIUS, COUNT = np.array([0.8, 0.45]), 0.2, 24


def graded_size(points):
    distance = np.hypot(*(points - CENTER).T) - RADIUS
    return np.minimum(2 * np.pi * RADIUS / COUNT + 0.15 * distance, 0.2)


@pytest.fixture(scope="module")
def loops():
    return [polygon_points(CORNERS, graded_size), circle_points(CENTER, RADIUS, COUNT)]


@pytest.fixture(scope="module")
def mesh(loops):
    return triangulate(loops, graded_size)


def test_the_area_is_that_of_the_rectangle_less_the_regular_polygon(mesh):
    polygon = 0.5 * COUNT * RADIUS**2 * np.sin(2 * np.pi / COUNT)
    areas = triangle_areas(*mesh)
    assert areas.min() > 0
    assert areas.sum() == pytest.approx(3.0 - polygon, rel=1e-12)


def test_an_edge_belongs_to_two_triangles_or_is_an_edge_of_the_given_boundary(mesh, loops):
    _, triangles = mesh
    sides = np.sort(np.vstack([triangles[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
    edges, count = np.unique(sides, axis=0, return_counts=True)
    assert count.max() == 2
    given, first = set(), 0
    for loop in loops:
        numbers = np.arange(first, first + len(loop))
        given |= {tuple(sorted(pair)) for pair in zip(numbers, np.roll(numbers, -1), strict=True)}
        first += len(loop)
    assert {tuple(edge) for edge in edges[count == 1].tolist()} == given


def test_points_less_edges_plus_triangles_is_zero_for_a_domain_with_one_hole(mesh):
    points, triangles = mesh
    assert len(points) - len(triangle_edges(triangles)) + len(triangles) == 0


def test_every_point_belongs_to_a_triangle_and_the_boundary_points_come_first_unmoved(mesh, loops):
    points, triangles = mesh
    assert np.array_equal(np.unique(triangles), np.arange(len(points)))
    given = np.vstack(loops)
    assert np.array_equal(points[: len(given)], given)


def test_no_angle_is_below_25_degrees(mesh):
    points, triangles = mesh
    corners = points[triangles]
    a, b = np.roll(corners, -1, axis=1) - corners, np.roll(corners, -2, axis=1) - corners
    cosine = (a * b).sum(axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    assert np.degrees(np.arccos(cosine)).min() > 25


def test_edges_have_the_wanted_length_within_a_factor_of_two(mesh):
    points, triangles = mesh
    ends = points[triangle_edges(triangles)]
    lengths = np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)
    ratio = lengths / graded_size(ends.mean(axis=1))
    assert ratio.min() > 0.5
    assert ratio.max() < 2
    assert np.median(ratio) == pytest.approx(1.0, abs=0.15)


def test_the_same_seed_gives_the_same_mesh_and_another_seed_another(mesh, loops):
    again, other = (triangulate(loops, graded_size, seed) for seed in (0, 1))
    assert np.array_equal(again[0], mesh[0])
    assert np.array_equal(again[1], mesh[1])
    assert other[0].shape != mesh[0].shape or not np.array_equal(other[0], mesh[0])


def test_a_concave_domain_is_filled_without_its_notch():
    corners = [(0, 0), (2, 0), (2, 2), (1, 2), (1, 1), (0, 1)]
    points, triangles = triangulate(
        [polygon_points(corners, lambda p: np.full(len(p), 0.15))],
        lambda p: np.full(len(p), 0.15),
    )
    assert triangle_areas(points, triangles).sum() == pytest.approx(3.0, rel=1e-12)
    middles = points[triangles].mean(axis=1)
    assert not ((middles[:, 0] < 1) & (middles[:, 1] > 1)).any()


def test_contains_agrees_with_the_radius_for_a_circle_of_many_points():
    loop = circle_points([1.0, -2.0], 0.5, 5000)
    points = np.random.default_rng(0).uniform([0.3, -2.7], [1.7, -1.3], (2000, 2))
    assert np.array_equal(contains(loop, points), np.hypot(*(points - [1.0, -2.0]).T) < 0.5)


def test_a_gap_narrower_than_the_spacing_of_a_boundary_is_one_clear_error():
    """A hole with edges of 1 lies 0.01 above a wall whose points are 0.05 apart."""
    wall = polygon_points(CORNERS, lambda p: np.full(len(p), 0.05))
    hole = np.array([(1.0, 0.01), (2.0, 0.01), (2.0, 0.5), (1.0, 0.5)])
    with pytest.raises(PhysgtError, match=r"cover an area of .*smaller mesh size"):
        triangulate([wall, hole], lambda p: np.full(len(p), 0.1))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (0.0, r"mesh size at .* is 0, expected a finite length above 0"),
        (-1.0, "is -1, expected"),
        (np.nan, "is nan, expected"),
        (np.inf, "is inf, expected"),
        (1e-5, r"more than 5,000,000 points over 3; give a larger"),
    ],
)
def test_a_size_that_no_mesh_can_have_is_one_clear_error(loops, wanted, message):
    with pytest.raises(PhysgtError, match=message):
        triangulate(loops, lambda p: np.where(p[:, 0] < 0.5, wanted, 0.1))
    with pytest.raises(PhysgtError, match="triangulation"):
        polygon_points(CORNERS, lambda p: np.full(len(p), wanted / 1000))
