"""The scales of a simulator, from the trajectories that it learns from."""

from __future__ import annotations

import numpy as np
import torch

from physgt.normalizer import Moments
from physgt.samples import Samples
from physgt.simulator import Simulator


def fit_normalizers(simulator: Simulator, samples: Samples) -> None:
    """Set every scale of `simulator` from the training trajectories, in one pass over them.

    Increments are measured where the model has a say: on free components.
    """
    task = simulator.task
    state, increment, forcing = (
        Moments(len(scales.mean))
        for scales in (simulator.state, simulator.increment, simulator.forcing)
    )
    for graph, before, after, given in samples.steps():
        state.update(before)
        device = simulator.device
        start, end = (torch.as_tensor(s, device=device)[graph.order] for s in (before, after))
        start = simulator.seeing_ahead(graph, start, end)
        added = simulator.increment_between(graph, start, end)
        increment.update(added.masked_fill(~graph.free, torch.nan).cpu().numpy())
        forcing.update(given)
    simulator.state.set(state)
    simulator.increment.set(increment)
    simulator.forcing.set(forcing)
    meshes = [trajectory.mesh.points for trajectory in samples.trajectories]
    if task.moves:  # each graph begins at its own lower corner
        meshes = [points - points.min(axis=0) for points in meshes]
    points = np.concatenate(meshes)
    lengths = torch.cat([torch.linalg.vector_norm(g.edge_vectors, dim=1) for g in samples.graphs])
    simulator.origin.copy_(torch.as_tensor(points.min(axis=0)))
    simulator.extent.copy_(torch.as_tensor(np.ptp(points, axis=0).max()))
    simulator.edge_length.copy_(lengths.mean())
