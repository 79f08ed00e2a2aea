"""CalculiX results (.frd), text or binary, with the sets of the input file beside them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from physgt.datasets.abaqus import read_sets
from physgt.datasets.frd_blocks import (
    ELEMENTS,
    MODES,
    CellsBlock,
    FrdFile,
    NodesBlock,
    ResultBlock,
)
from physgt.datasets.main_cells import keep_main_cells
from physgt.datasets.naming import errors_name
from physgt.datasets.snapshots import Snapshot, trajectory_of
from physgt.errors import PhysgtError
from physgt.mesh import Mesh
from physgt.trajectory import Trajectory


def read_frd(path: Path) -> Trajectory:
    """All times of a file. Fields are on nodes, under CalculiX's names: DISP, STRESS, NDTEMP, ...

    The points are the original ones: displacements are a field and don't move the mesh. The node
    and element sets of NAME.inp, if it lies beside NAME.frd, become node and cell sets. What the
    components of a field are called stands in the attribute `component_names`. Where a field is
    not on all nodes, the others have nan. The last time of a file without an end is left out.
    """
    with errors_name(path):
        file = FrdFile(path)
        mesh, numbers, elements = _mesh(file)
        mesh = _with_sets(mesh, numbers, elements, path.with_suffix(".inp"))
        mesh, _ = keep_main_cells(mesh, {})
        results = [block for block in file.blocks if isinstance(block, ResultBlock)]
        _check_times(results)
        at: dict[tuple[int, float], list[ResultBlock]] = defaultdict(list)
        for block in results:
            at[block.step, block.time].append(block)
        if not file.whole and at:
            at.popitem()
        if not file.whole and not at:
            raise PhysgtError("truncated before the end of its first time; run or copy it again.")
    times = [time for _, time in at] or [0.0]
    frames = list(at.values()) or [[]]

    def read(i: int) -> Snapshot:
        with errors_name(path):
            fields = {block.name: _values(file, block, numbers) for block in frames[i]}
            return Snapshot(mesh, fields)

    trajectory = trajectory_of(path, times, read)
    names = {block.name: list(block.components) for block in results if len(block.components) > 1}
    return replace(trajectory, attributes={**trajectory.attributes, "component_names": names})


def _check_times(results: list[ResultBlock]) -> None:
    for block in results:
        if block.analysis in MODES:
            raise PhysgtError(
                f"{block.name} of increment {block.step} is a shape of a "
                f"{MODES[block.analysis]} analysis, not a state at a time; run the steps over time "
                "alone, so that the file holds nothing else."
            )


def _mesh(file: FrdFile) -> tuple[Mesh, np.ndarray, np.ndarray]:
    """The mesh, the numbers of its nodes, and those of its elements."""
    nodes = [block for block in file.blocks if isinstance(block, NodesBlock)]
    cells = [block for block in file.blocks if isinstance(block, CellsBlock)]
    if not nodes or not cells:
        raise PhysgtError("no nodes or no elements, so not a CalculiX result or truncated.")
    numbers, points = file.numbers_and_values(nodes[0], 3)
    if len(np.unique(numbers)) < len(numbers):
        raise PhysgtError("two nodes have the same number; the file is damaged.")
    found = [element for block in cells for element in file.cells(block)]
    connectivity = []
    for number, kind, members in found:
        if kind not in ELEMENTS or len(members) != ELEMENTS[kind].size:
            raise PhysgtError(
                f"element {number} of type {kind} has {len(members)} nodes; the file is damaged."
            )
        connectivity.append(members[list(ELEMENTS[kind].order)])
    kinds = [ELEMENTS[kind].name for _, kind, _ in found]
    blocks = [
        (name, np.array([c for c, k in zip(connectivity, kinds, strict=True) if k == name]))
        for name in dict.fromkeys(kinds)
    ]
    order = [i for name in dict.fromkeys(kinds) for i, k in enumerate(kinds) if k == name]
    elements = np.array([found[i][0] for i in order])
    indexed = [(name, _index(nodes, numbers)) for name, nodes in blocks]
    return Mesh.from_blocks(points, indexed), numbers, elements


def _index(wanted: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Where in `numbers` the wanted numbers stand."""
    order = np.argsort(numbers)
    place = order[np.searchsorted(numbers, wanted, sorter=order).clip(max=len(numbers) - 1)]
    missing = wanted[numbers[place] != wanted]
    if missing.size:
        raise PhysgtError(f"number {missing.flat[0]} is named, but doesn't exist; it is damaged.")
    return place


def _values(file: FrdFile, block: ResultBlock, numbers: np.ndarray) -> np.ndarray:
    nodes, values = file.numbers_and_values(block, len(block.components))
    if np.array_equal(nodes, numbers):
        found = values.astype(np.float32)
    else:
        found = np.full((len(numbers), values.shape[1]), np.nan, dtype=np.float32)
        found[_index(nodes, numbers)] = values
    return found[:, 0] if found.shape[1] == 1 else found


def _with_sets(mesh: Mesh, numbers: np.ndarray, elements: np.ndarray, inp: Path) -> Mesh:
    if not inp.is_file():
        return mesh
    node_sets, element_sets = read_sets(inp)
    return replace(
        mesh,
        node_sets={n.upper(): _index(ids, numbers) for n, ids in _there(node_sets, numbers)},
        cell_sets={n.upper(): _index(ids, elements) for n, ids in _there(element_sets, elements)},
    )


def _there(sets: dict[str, np.ndarray], numbers: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """The sets that have members in the results: CalculiX writes no unused nodes."""
    kept = ((name, ids[np.isin(ids, numbers)]) for name, ids in sets.items())
    return [(name, ids) for name, ids in kept if ids.size]
