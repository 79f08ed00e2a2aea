"""A hyperelastic solid in plane strain, on quadratic triangles, in its reference configuration.

Compressible neo-Hookean material, energy per reference volume in J/m3:

    W = mu/2 (F : F - 2 - 2 ln J) + lambda/2 (ln J)^2,    J = det F,    F = I + du/dX

(Bonet and Wood, "Nonlinear Continuum Mechanics for Finite Element Analysis", 2nd ed., 2008,
section 6.4.3). Everything is per metre of depth: forces in N/m.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from physgt.datasets.finite_elements import mass, skfem

Array = NDArray[np.float64]

# The corners of the reference triangle, where stresses are shown.
CORNERS = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


class NeoHookeanSolid:
    """n nodes: the mesh's points and the middles of its edges. Displacements are (n, 2), in m.

    positions (n, 2) in the reference configuration; `vertices`: the numbers of the mesh's points
    among the nodes; `mass` (n, n) in kg/m, of one component. youngs_modulus in Pa, density in
    kg/m3. The degree of freedom of node i along axis k is 2 i + k.
    """

    def __init__(
        self,
        points: Array,
        triangles: NDArray[np.int64],
        *,
        youngs_modulus: float,
        poisson_ratio: float,
        density: float = 1.0,
    ) -> None:
        self.youngs_modulus = youngs_modulus
        self.shear_modulus = youngs_modulus / (2 * (1 + poisson_ratio))
        self.lame = 2 * self.shear_modulus * poisson_ratio / (1 - 2 * poisson_ratio)
        self.density = density
        self.mesh = skfem.MeshTri(points.T.copy(), triangles.T.copy())
        self.basis = skfem.Basis(self.mesh, skfem.ElementTriP2(), intorder=4)
        self.positions: Array = self.basis.doflocs.T
        self.vertices = self.basis.nodal_dofs[0]
        self.mass = density * mass(self.basis)
        self._cell_nodes = self.basis.element_dofs.T
        dofs = 2 * self._cell_nodes[:, :, None] + np.arange(2)
        self._cell_dofs = dofs.reshape(len(dofs), -1)
        self._gradients = _gradients(self.basis)
        at_corners = skfem.Basis(self.mesh, self.basis.elem, quadrature=(CORNERS, np.ones(3)))
        self._corner_gradients = _gradients(at_corners)

    @property
    def num_nodes(self) -> int:
        return len(self.positions)

    def nodes_on(self, edges: NDArray[np.int64]) -> NDArray[np.int64]:
        """The nodes on edges of the mesh, by the edges' numbers: ends and middles, sorted."""
        return np.asarray(self.basis.get_dofs(edges).flatten())

    def surface_lengths(self, edges: NDArray[np.int64]) -> Array:
        """(n,) in m: the length of the edges that each node stands for, by Simpson's rule."""
        surface = skfem.FacetBasis(self.mesh, self.basis.elem, facets=edges, intorder=2)
        return np.asarray(skfem.LinearForm(lambda v, w: v).assemble(surface))

    def energy(self, displacement: Array) -> float:
        """Elastic energy in J/m; infinite where the solid is turned inside out."""
        gradient, jacobian, _ = self._deformation(displacement, self._gradients)
        if not (jacobian > 0).all():
            return np.inf
        log = np.log(jacobian)
        shear = (gradient**2).sum(axis=(-2, -1)) - 2 - 2 * log
        density = 0.5 * self.shear_modulus * shear + 0.5 * self.lame * log**2
        return float((density * self.basis.dx).sum())

    def is_valid(self, displacement: Array) -> bool:
        """Whether no part of the solid is turned inside out."""
        return bool((self._deformation(displacement, self._gradients)[1] > 0).all())

    def internal_force(self, displacement: Array) -> Array:
        """(n, 2) in N/m: the derivative of the energy by each displacement."""
        stress = self._first_piola_kirchhoff(displacement, self._gradients)
        weighted = stress * self.basis.dx[..., None, None]
        per_cell = np.einsum("eqbJ,eqiJ->ebi", self._gradients, weighted, optimize=True)
        force = np.zeros((self.num_nodes, 2))
        np.add.at(force, self._cell_nodes, per_cell)
        return force

    def tangent(self, displacement: Array) -> sparse.csc_matrix:
        """(2 n, 2 n) in N/m2: the derivative of the internal force."""
        _, jacobian, inverse = self._deformation(displacement, self._gradients)
        # dP_iJ / dF_kL, row iJ and column kL, with G = F^-T:
        # mu d_ik d_JL + lambda G_iJ G_kL + (mu - lambda ln J) G_iL G_kJ.
        outer = inverse[..., :, :, None, None] * inverse[..., None, None, :, :]
        swapped = np.swapaxes(outer, -3, -1)
        falling = self.shear_modulus - self.lame * np.log(jacobian)
        moduli = self.lame * outer + falling[..., None, None, None, None] * swapped
        moduli = moduli.reshape(*jacobian.shape, 4, 4) + self.shear_modulus * np.eye(4)
        moduli *= self.basis.dx[..., None, None]
        strain = _strain_matrices(self._gradients)
        per_cell = np.swapaxes(strain, -2, -1) @ moduli @ strain
        return self._assemble(per_cell.sum(axis=1))

    def von_mises(self, displacement: Array) -> Array:
        """Von Mises stress in Pa at the mesh's points, the mean over the triangles around each.

        From the Cauchy stress P F^T / J in the plane and lambda ln J / J across it.
        """
        gradient, jacobian, _ = self._deformation(displacement, self._corner_gradients)
        stress = self._first_piola_kirchhoff(displacement, self._corner_gradients)
        stress = stress @ np.swapaxes(gradient, -2, -1) / jacobian[..., None, None]
        xx, yy, xy = stress[..., 0, 0], stress[..., 1, 1], stress[..., 0, 1]
        zz = self.lame * np.log(jacobian) / jacobian
        squares = 0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3 * xy**2
        areas = np.repeat(self.basis.dx.sum(axis=1), 3)
        points = self.mesh.t.T.ravel()
        total = np.bincount(points, areas * np.sqrt(squares).ravel())
        return np.asarray(total / np.bincount(points, areas))

    def _deformation(self, displacement: Array, gradients: Array) -> tuple[Array, Array, Array]:
        """F (M, Q, 2, 2), J (M, Q) and F^-T (M, Q, 2, 2) at Q points of M triangles."""
        cells = displacement[self._cell_nodes]
        gradient = np.swapaxes(cells, 1, 2)[:, None] @ gradients + np.eye(2)
        a, b, c, d = (gradient[..., i, j] for i in range(2) for j in range(2))
        jacobian = a * d - b * c
        cofactors = np.stack([np.stack([d, -c], -1), np.stack([-b, a], -1)], -2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return gradient, jacobian, cofactors / jacobian[..., None, None]

    def _first_piola_kirchhoff(self, displacement: Array, gradients: Array) -> Array:
        """P = mu (F - F^-T) + lambda ln J F^-T, (M, Q, 2, 2) in Pa."""
        gradient, jacobian, inverse = self._deformation(displacement, gradients)
        falling = self.shear_modulus - self.lame * np.log(jacobian)
        return self.shear_modulus * gradient - falling[..., None, None] * inverse

    def _assemble(self, per_cell: Array) -> sparse.csc_matrix:
        rows = np.repeat(self._cell_dofs, 12, axis=1).ravel()
        columns = np.tile(self._cell_dofs, (1, 12)).ravel()
        shape = (2 * self.num_nodes, 2 * self.num_nodes)
        return sparse.coo_matrix((per_cell.ravel(), (rows, columns)), shape=shape).tocsc()


def _gradients(basis: skfem.Basis) -> Array:
    """dN_b / dX_J (M, Q, 6, 2) of the six shape functions at the basis's points."""
    shape = (2, *basis.dx.shape)
    found = [np.broadcast_to(functions[0].grad, shape) for functions in basis.basis]
    return np.ascontiguousarray(np.moveaxis(np.stack(found), (0, 1), (2, 3)))


def _strain_matrices(gradients: Array) -> Array:
    """(M, Q, 4, 12): from the displacements of a triangle's nodes to du_i / dX_J, row iJ."""
    matrices = np.zeros((*gradients.shape[:2], 2, 2, 6, 2))
    for axis in range(2):
        matrices[:, :, axis, :, :, axis] = np.swapaxes(gradients, -2, -1)
    return matrices.reshape(*gradients.shape[:2], 4, 12)
