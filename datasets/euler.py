"""Inviscid compressible flow in two dimensions: the Euler equations on triangles.

    dU/dt + div F(U) = 0,    U = (rho, rho u, rho v, E),    p = (gamma - 1) (E - rho |u|^2 / 2)

Finite volumes: one mean value a cell. Second order in space by linear reconstruction of density,
velocity and pressure (MUSCL), from least-squares gradients over all cells that share a corner,
limited so that shocks don't ring (Venkatakrishnan, "Convergence to steady state solutions of the
Euler equations on unstructured grids with limiters", J. Comput. Phys. 118, 1995). Fluxes: HLLC
(Toro, Spruce and Speares, Shock Waves 4, 1994). Time: the two-stage strong-stability-preserving
Runge-Kutta method. Numbers are of order one: lengths in a length of the problem, densities in that
of the far field, speeds in its speed of sound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from physgt.datasets.triangulation import triangle_areas
from physgt.errors import PhysgtError

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

GAMMA = 1.4
COURANT = 0.5  # with 0.7 the flow around a nose of small cells (0.3 % of the chord) diverges
# Changes within a cell below (LIMITER_THRESHOLD * cell size)^1.5 are left as they are.
LIMITER_THRESHOLD = 0.3


class TriangleFaces:
    """The edges of triangles as faces of finite volumes: K of them, M cells.

    cells (K, 2): the cells that a face leads from and to, the second -1 on the boundary;
    normals (K, 2) of length 1 from the first to the second; lengths (K,), middles (K, 2);
    of_cell (M, 3): each cell's faces, outwards (M, 3): +1 where the normal leads out, else -1.
    """

    def __init__(self, points: Array, triangles: Indices) -> None:
        sides = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
        _, first, self.of_cell = np.unique(
            np.sort(sides, axis=1), axis=0, return_index=True, return_inverse=True
        )
        self.of_cell = self.of_cell.reshape(-1, 3)
        cell = np.repeat(np.arange(len(triangles)), 3)
        self.nodes = sides[first]
        self.cells = np.stack([cell[first], np.full(len(first), -1)], axis=1)
        second = np.setdiff1d(np.arange(len(sides)), first)
        self.cells[self.of_cell.ravel()[second], 1] = cell[second]
        self.outwards = np.where(
            self.cells[self.of_cell, 0] == np.arange(len(triangles))[:, None], 1, -1
        )
        start, end = points[self.nodes[:, 0]], points[self.nodes[:, 1]]
        self.lengths: Array = np.linalg.norm(end - start, axis=1)
        along = (end - start) / self.lengths[:, None]
        self.normals: Array = np.stack([along[:, 1], -along[:, 0]], axis=1)
        self.middles: Array = 0.5 * (start + end)

    @property
    def boundary(self) -> Indices:
        return np.flatnonzero(self.cells[:, 1] < 0)


class CompressibleFlow:
    """One flow. `state` (M, 4) holds density, velocity and pressure of each cell at `time`.

    On the boundary faces `walls`, by number, the flow slips along; beyond the others is `far`
    (4,), of which what travels inwards comes in.
    """

    def __init__(
        self, points: Array, triangles: Indices, initial: Array, walls: Indices, far: Array
    ) -> None:
        self.faces = faces = TriangleFaces(points, triangles)
        self.areas = triangle_areas(points, triangles)
        self.centers: Array = points[triangles].mean(axis=1)
        self.walls, self.time = walls, 0.0
        self._far_faces = np.setdiff1d(faces.boundary, walls)
        self._far = far
        self._conserved = conserved(np.broadcast_to(initial, (len(triangles), 4)))
        self._inner = faces.cells[:, 1] >= 0
        self._neighbours = self._cells_around()
        self._gradient = self._gradient_operators(triangles)
        offsets = faces.middles[faces.of_cell] - self.centers[:, None]
        self._to_middles = offsets[..., None]
        perimeter = faces.lengths[faces.of_cell].sum(axis=1)
        self._size = 4 * self.areas / perimeter  # diameter of the inscribed circle
        self._threshold = ((LIMITER_THRESHOLD * np.sqrt(self.areas)) ** 3)[:, None, None]

    @property
    def state(self) -> Array:
        return primitive(self._conserved)

    def advance(self, duration: float) -> None:
        """Go on for `duration`, in steps as large as is stable."""
        end = self.time + duration
        while self.time < end:
            remaining = end - self.time
            count = np.ceil(remaining / self._stable_steps().min())
            self._step(remaining / count)
            self.time = end if count == 1 else self.time + remaining / count

    def relax(self, steps: int) -> None:
        """Towards the steady flow: each cell in steps as large as is stable for it, out of time."""
        for _ in range(steps):
            self._step(self._stable_steps()[:, None])

    def wall_force(self) -> Array:
        """(2,) the pressure above that of the far field, integrated over the walls."""
        ahead = self._reconstructed(self.state)[0][self.walls]
        pressure = (ahead[:, 3] - self._far[3]) * self.faces.lengths[self.walls]
        return np.asarray(pressure @ self.faces.normals[self.walls])

    def _stable_steps(self) -> Array:
        """(M,) in time."""
        state = self.state
        speed = np.hypot(state[:, 1], state[:, 2]) + sound_speed(state)
        return np.asarray(COURANT * self._size / speed)

    def _step(self, dt: float | Array) -> None:
        one = self._conserved + dt * self._rate(self._conserved)
        self._conserved = 0.5 * (self._conserved + one + dt * self._rate(one))
        self._check()

    def _rate(self, conserved_values: Array) -> Array:
        """dU/dt (M, 4): what flows in through the faces, per area."""
        faces = self.faces
        here, there = self._reconstructed(primitive(conserved_values))
        flux = hllc(here, there, faces.normals) * faces.lengths[:, None]
        outflow = (flux[faces.of_cell] * faces.outwards[..., None]).sum(axis=1)
        return -outflow / self.areas[:, None]

    def _reconstructed(self, state: Array) -> tuple[Array, Array]:
        """The state on both sides of each face's middle (K, 4), from its first and second cell."""
        faces = self.faces
        extended = self._with_ghosts(state)
        gradient = [operator @ extended for operator in self._gradient]
        change = gradient[0][:, None] * self._to_middles[:, :, 0]
        change += gradient[1][:, None] * self._to_middles[:, :, 1]
        at_faces = state[:, None] + self._limiter(state, extended, change)[:, None] * change
        # Where density or pressure would not be positive, the cell's mean serves.
        bad = (at_faces[..., [0, 3]] <= 0).any(axis=-1)
        at_faces[bad] = np.broadcast_to(state[:, None], at_faces.shape)[bad]
        here, there = np.empty((2, len(faces.cells), 4))
        first = faces.outwards > 0
        here[faces.of_cell[first]] = at_faces[first]
        there[faces.of_cell[~first]] = at_faces[~first]
        there[self.walls] = _mirrored(here[self.walls], faces.normals[self.walls])
        there[self._far_faces] = self._far
        return here, there

    def _with_ghosts(self, state: Array) -> Array:
        """The states of all cells, and of an imagined one beyond each boundary face."""
        faces = self.faces
        beyond = np.empty((len(faces.cells), 4))
        first = state[faces.cells[:, 0]]
        beyond[self.walls] = _mirrored(first[self.walls], faces.normals[self.walls])
        beyond[self._far_faces] = self._far
        return np.concatenate([state, beyond[faces.boundary]])

    def _limiter(self, state: Array, extended: Array, change: Array) -> Array:
        """(M, 4) in 0 to 1: how much of the gradient each cell keeps; Venkatakrishnan's."""
        around = extended[self._neighbours]
        rise = np.maximum(around.max(axis=1) - state, 0)[:, None]
        fall = np.minimum(around.min(axis=1) - state, 0)[:, None]
        allowed = np.where(change > 0, rise, fall)
        above = allowed**2 + 2 * change * allowed + self._threshold
        below = allowed**2 + 2 * change**2 + allowed * change + self._threshold
        return np.asarray((above / below).min(axis=1))

    def _cells_around(self) -> Indices:
        """(M, 3) the cell beyond each face of a cell, or the number of its ghost."""
        faces, count = self.faces, len(self.areas)
        beyond = np.full(len(faces.cells), -1)
        beyond[faces.boundary] = count + np.arange(len(faces.boundary))
        second = np.where(self._inner, faces.cells[:, 1], beyond)
        return np.where(faces.outwards > 0, second[faces.of_cell], faces.cells[faces.of_cell, 0])

    def _gradient_operators(self, triangles: Indices) -> list[sparse.csr_matrix]:
        """d/dx and d/dy (M, M + ghosts): least squares over cells that share a corner."""
        faces, count = self.faces, len(triangles)
        cells = np.repeat(np.arange(count), 3)
        at_corners = sparse.csr_matrix((np.ones(3 * count), (cells, triangles.ravel())))
        pairs = (at_corners @ at_corners.T).tocoo()
        distinct = pairs.row != pairs.col
        boundary = faces.boundary
        inside = faces.cells[boundary, 0]
        to_face = ((faces.middles[boundary] - self.centers[inside]) * faces.normals[boundary]).sum(
            1
        )
        ghosts = self.centers[inside] + 2 * to_face[:, None] * faces.normals[boundary]
        positions = np.concatenate([self.centers, ghosts])
        rows = np.concatenate([pairs.row[distinct], inside])
        columns = np.concatenate([pairs.col[distinct], count + np.arange(len(boundary))])
        offsets = positions[columns] - self.centers[rows]
        weights = 1 / (offsets**2).sum(axis=1)
        products = weights[:, None, None] * offsets[:, :, None] * offsets[:, None, :]
        normal_matrix = np.zeros((count, 2, 2))
        np.add.at(normal_matrix, rows, products)
        solved = np.linalg.inv(normal_matrix)[rows] @ offsets[:, :, None]
        shape = (count, len(positions))
        operators = []
        for axis in range(2):
            entries = weights * solved[:, axis, 0]
            difference = sparse.csr_matrix((entries, (rows, columns)), shape=shape)
            own = sparse.diags(np.asarray(difference.sum(axis=1)).ravel(), shape=shape)
            operators.append((difference - own).tocsr())
        return operators

    def _check(self) -> None:
        state = self.state
        if not (np.isfinite(state).all() and (state[:, [0, 3]] > 0).all()):
            raise PhysgtError(
                f"the flow solver diverged at t = {self.time:g}: density or pressure is not "
                "positive. Refine the mesh, or lower the Mach number."
            )


def primitive(conserved_values: Array) -> Array:
    """(n, 4) density, velocity and pressure of conserved quantities."""
    density, x, y, energy = conserved_values.T
    pressure = (GAMMA - 1) * (energy - 0.5 * (x**2 + y**2) / density)
    return np.stack([density, x / density, y / density, pressure], axis=1)


def conserved(state: Array) -> Array:
    """(n, 4) density, momentum and energy per volume: the inverse of `primitive`."""
    density, u, v, pressure = state.T
    energy = pressure / (GAMMA - 1) + 0.5 * density * (u**2 + v**2)
    return np.stack([density, density * u, density * v, energy], axis=1)


def sound_speed(state: Array) -> Array:
    return np.asarray(np.sqrt(GAMMA * state[..., 3] / state[..., 0]))


def hllc(here: Array, there: Array, normals: Array) -> Array:
    """Flux (K, 4) through faces along normals (K, 2) between two states (K, 4)."""
    across = [(state[:, 1:3] * normals).sum(axis=1) for state in (here, there)]
    slowest, fastest = _wave_speeds(here, there, *across)
    mass = [
        s[:, 0] * (wave - u)
        for s, wave, u in zip((here, there), (slowest, fastest), across, strict=True)
    ]
    contact = there[:, 3] - here[:, 3] + mass[0] * across[0] - mass[1] * across[1]
    contact = contact / (mass[0] - mass[1])
    sides = []
    for state, wave, u in ((here, slowest, across[0]), (there, fastest, across[1])):
        outside = conserved(state)
        flux = outside * u[:, None]
        flux[:, 1:3] += state[:, 3:] * normals
        flux[:, 3] += state[:, 3] * u
        inside = outside.copy()
        inside[:, 1:3] += (state[:, 0] * (contact - u))[:, None] * normals
        inside[:, 3] += (contact - u) * (state[:, 0] * contact + state[:, 3] / (wave - u))
        inside *= ((wave - u) / (wave - contact))[:, None]
        sides.append((flux, flux + wave[:, None] * (inside - outside)))
    (from_here, star_here), (from_there, star_there) = sides
    star = np.where((contact >= 0)[:, None], star_here, star_there)
    outer = np.where((slowest >= 0)[:, None], from_here, from_there)
    return np.where(((slowest < 0) & (fastest > 0))[:, None], star, outer)


def _wave_speeds(here: Array, there: Array, u_here: Array, u_there: Array) -> tuple[Array, Array]:
    """The slowest and fastest wave, by Roe's average of the two states (Einfeldt's estimate)."""
    root = np.sqrt(there[:, 0] / here[:, 0])
    mean_velocity = (here[:, 1:3] + root[:, None] * there[:, 1:3]) / (1 + root)[:, None]
    mean_u = (u_here + root * u_there) / (1 + root)
    enthalpies = [
        GAMMA / (GAMMA - 1) * s[:, 3] / s[:, 0] + 0.5 * (s[:, 1:3] ** 2).sum(axis=1)
        for s in (here, there)
    ]
    enthalpy = (enthalpies[0] + root * enthalpies[1]) / (1 + root)
    sound = np.sqrt((GAMMA - 1) * (enthalpy - 0.5 * (mean_velocity**2).sum(axis=1)))
    return (
        np.minimum(u_here - sound_speed(here), mean_u - sound),
        np.maximum(u_there + sound_speed(there), mean_u + sound),
    )


def _mirrored(state: Array, normals: Array) -> Array:
    mirrored = state.copy()
    across = (state[:, 1:3] * normals).sum(axis=1)
    mirrored[:, 1:3] -= 2 * across[:, None] * normals
    return mirrored
