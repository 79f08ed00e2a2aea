"""The pictures of docs/attention_masks.md: whom a node sees, and how far a network sees.

Run it where physgt is installed: python docs/make_mask_pictures.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from PIL import Image
from scipy.sparse import csr_array

from physgt.attention_masks import KHop, Union
from physgt.datasets.cylinder import CylinderFamily, cylinder_mesh
from physgt.graph import build_graph
from physgt.mesh import Mesh
from physgt.models.neighbourhoods import Neighbourhoods

IMAGES = Path(__file__).parent / "images"
HEADS, BLOCKS = 4, 15
CENTRE = (0.75, 0.2)  # the node whose view is shown is the nearest to this point
SEEN, OWN, GREY = "#1f6fb4", "#d62728", "#c8c8c8"
PANELS: dict[str, dict[str, Any]] = {
    "the mesh's neighbours (default)": {},
    "k_hop = 3": {"k_hop": 3},
    "k_hop = 3, max_neighbors = 8": {"k_hop": 3, "max_neighbors": 8},
    "window of dilations = [2]": {"dilations": [2]},
    "window of dilations = [4]": {"dilations": [4]},
    "global_nodes = 8": {"global_nodes": 8},
    'global_nodes = 0.3, global_node_sets = ["inflow"]': {
        "global_nodes": 0.3,
        "global_node_sets": ["inflow"],
    },
    "random_jumpers = 0.2 (light: those of others)": {"random_jumpers": 0.2},
}
REACH: dict[str, dict[str, Any]] = {
    "default": {},
    "dilations = [2]": {"dilations": [2]},
    "dilations = [4]": {"dilations": [4]},
    "k_hop = 3": {"k_hop": 3},
    "random_jumpers = 0.2": {"random_jumpers": 0.2},
    "global_nodes = 8": {"global_nodes": 8},
}


def main() -> None:
    mesh = cylinder_mesh(CylinderFamily().draw(seed=0))
    plt.rcParams.update({"font.size": 8, "axes.titlesize": 8})
    draw_views(mesh)
    draw_reach(mesh)
    print_costs(mesh)


def draw_views(mesh: Mesh) -> None:
    """One panel a mask: in red a node, in blue whom it sees."""
    figure, axes = plt.subplots(4, 2, figsize=(8.6, 6.2), layout="constrained")
    for axis, (title, options) in zip(axes.flat, PANELS.items(), strict=True):
        draw_view(axis, mesh, options)
        axis.set_title(title)
    save(figure, "mask_neighbours.png")


def draw_view(axis: Axes, mesh: Mesh, options: dict[str, Any]) -> None:
    neighbourhoods = Neighbourhoods(HEADS, BLOCKS, **options)
    mask = (neighbourhoods.near or KHop(1)) if not options.get("dilations") else None
    senders, receivers = (mask or neighbourhoods.windows[0])(mesh)
    node = shown_node(mesh)
    draw_mesh(axis, mesh)
    if "random_jumpers" in options:
        lengths = np.linalg.norm(mesh.points[senders] - mesh.points[receivers], axis=1)
        for a, b in zip(senders[lengths > 0.15], receivers[lengths > 0.15], strict=True):
            axis.plot(*mesh.points[[a, b]].T, color="#c3dcf2", linewidth=0.12, zorder=1)
    for seen in senders[receivers == node]:
        axis.plot(*mesh.points[[node, seen]].T, color=SEEN, linewidth=0.5, zorder=2)
    axis.scatter(*mesh.points[senders[receivers == node]].T, s=7, color=SEEN, zorder=3)
    axis.scatter(*mesh.points[node], s=14, color=OWN, zorder=4)


def draw_reach(mesh: Mesh) -> None:
    """Above, after how many blocks one node knows of the others; below, of how many in the mean."""
    figure, axes = plt.subplot_mosaic(
        [["0", "1"], ["2", "3"], ["4", "5"], ["curves", "curves"]],
        figsize=(8.6, 7.2), height_ratios=[1, 1, 1, 1.7], layout="constrained",
    )  # fmt: skip
    levels = BoundaryNorm(np.arange(0.5, BLOCKS + 1), plt.get_cmap("viridis_r").N)
    for number, (title, options) in enumerate(REACH.items()):
        reached = blocks_until_reached(mesh, options)
        axis = axes[str(number)]
        draw_mesh(axis, mesh)
        of_node = reached[shown_node(mesh)]
        found = (of_node > 0) & np.isfinite(of_node)
        points = axis.scatter(
            *mesh.points[found].T, s=5, c=of_node[found], cmap="viridis_r", norm=levels
        )
        axis.scatter(*mesh.points[shown_node(mesh)], s=14, color=OWN)
        axis.set_title(title)
        share = [100 * np.mean(reached <= blocks) for blocks in range(BLOCKS + 1)]
        axes["curves"].plot(share, label=title, marker=".")
    figure.colorbar(
        points, ax=[axes[str(k)] for k in range(6)], label="blocks", ticks=[1, 5, 10, 15]
    )
    axes["curves"].set(xlabel="blocks", ylabel="nodes in view, % (mean over all nodes)")
    figure.legend(*axes["curves"].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    save(figure, "mask_receptive_field.png")


def blocks_until_reached(mesh: Mesh, options: dict[str, Any]) -> np.ndarray:
    """(N, N): after how many of the BLOCKS node i is influenced by node j; inf for never."""
    neighbourhoods = Neighbourhoods(HEADS, BLOCKS, **options)
    graph = build_graph(mesh, masks=neighbourhoods.masks)
    influenced = np.eye(mesh.num_points, dtype=bool)
    reached = np.where(influenced, 0.0, np.inf)
    for block, lists in enumerate(neighbourhoods.of(graph), start=1):
        for edges in [part.edge_index.numpy() for part in lists]:
            sees = csr_array((np.ones(edges.shape[1], np.float32), edges[::-1]), reached.shape)
            influenced |= sees @ (reached < block).astype(np.float32) > 0
        reached[influenced & np.isinf(reached)] = block
    return reached


def print_costs(mesh: Mesh) -> None:
    """The table of neighbours a node."""
    print(f"{mesh.num_points} nodes")
    for title, options in PANELS.items():
        neighbourhoods = Neighbourhoods(HEADS, BLOCKS, **options)
        masks = neighbourhoods.windows or (neighbourhoods.near or KHop(1),)
        print(f"{Union(masks)(mesh).shape[1] / mesh.num_points:6.1f} neighbours a node: {title}")


def shown_node(mesh: Mesh) -> int:
    return int(np.linalg.norm(mesh.points - CENTRE, axis=1).argmin())


def draw_mesh(axis: Axes, mesh: Mesh) -> None:
    triangles = mesh.connectivity.reshape(-1, 3)
    axis.triplot(*mesh.points.T, triangles, color=GREY, linewidth=0.3, zorder=0)
    axis.set_aspect("equal")
    axis.axis("off")


def save(figure: plt.Figure, name: str) -> None:
    """As a PNG of few colours, a quarter of the size of one of millions."""
    figure.savefig(IMAGES / name, dpi=110)
    with Image.open(IMAGES / name) as picture:
        # This method keeps colours that few pixels have, such as the red of one node.
        few_colours = picture.convert("RGB").quantize(96, Image.Quantize.MAXCOVERAGE)
    few_colours.save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main()
