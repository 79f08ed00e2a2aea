"""Functions of a mesh that models ask for: attention masks and encodings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import numpy as np
from scipy.sparse import csr_array

from physgt.errors import PhysgtError
from physgt.mesh import Mesh, mesh_edges


class MeshFunction(ABC):
    """A mesh -> an array, which is kept for as long as the mesh lives and is read-only.

    Subclasses are frozen dataclasses: with equal parameters they are equal, and share results.
    """

    def __call__(self, mesh: Mesh) -> np.ndarray:
        results = _results.setdefault(mesh, {})
        if self not in results:
            results[self] = self.compute(mesh)
            results[self].flags.writeable = False
        return results[self]

    @abstractmethod
    def compute(self, mesh: Mesh) -> np.ndarray: ...


_results: WeakKeyDictionary[Mesh, dict[MeshFunction, np.ndarray]] = WeakKeyDictionary()


def adjacency(mesh: Mesh) -> csr_array:
    """(N, N) bool: row i is true for the nodes that share a mesh edge with node i."""
    senders, receivers = mesh_edges(mesh)
    ones = np.ones(len(senders), dtype=bool)
    return csr_array((ones, (receivers, senders)), shape=(mesh.num_points, mesh.num_points))


@contextmanager
def naming_option(option: str, value: object) -> Iterator[None]:
    """Errors inside speak of a function's own parameters: the option that set them comes first."""
    try:
        yield
    except PhysgtError as error:
        raise PhysgtError(f"{option} = {value!r}: {error}") from error
