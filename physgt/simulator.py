"""The learned time step in physical units, its inverse, and its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from physgt.coinciding import require_joined
from physgt.errors import PhysgtError
from physgt.files import written_whole
from physgt.graph import Graph, build_graph
from physgt.mesh import Mesh
from physgt.models import MODELS
from physgt.normalizer import Normalizer
from physgt.ordering import hilbert_order
from physgt.pretrained import find_model
from physgt.rates import motion_directions
from physgt.task import POINTS, Task
from physgt.tensor_files import read_safetensors

FILE_VERSION = 2
READABLE = (1, 2)
"""Version 1 has boundary conditions of a word and a constant, and steps that see those of t."""
FROM_TASK = ("moving", "world_edges")
"""Arguments of models that follow from the task, and so are no options of the user's."""


class Simulator(nn.Module):
    """(graph, state, forcing) -> next state, in physical units.

    The model inside sees numbers without units: normalised state and forcing, points in about
    [0, 1], edges in typical edge lengths. On a mesh that moves it sees displacements, points from
    the lower corner of the reference configuration, and edges in both configurations.
    """

    origin: Tensor
    extent: Tensor
    edge_length: Tensor
    second_order: Tensor
    seen_ahead: Tensor
    forgotten: Tensor
    model: Any  # an nn.Module of the table MODELS; typed as such, its attributes would be unknown

    def __init__(
        self,
        task: Task,
        space_dimension: int,
        model: str,
        model_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises PhysgtError for a model or an option of it that doesn't exist."""
        super().__init__()
        self.task = task
        self.space_dimension = space_dimension
        self.model_name = model
        self.model_options = dict(model_options or {})
        if model not in MODELS:
            raise PhysgtError(f"no model '{model}'; the models are {sorted(MODELS)}.")
        options = [
            p.name
            for p in signature(MODELS[model]).parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.name not in FROM_TASK
        ]
        for name in self.model_options:
            if name not in options:
                raise PhysgtError(
                    f"[model] {model} has no option '{name}'; its options are {', '.join(options)}."
                )
        forcing_size = task.forcing_size + len(motion_directions(task))
        try:
            self.model = MODELS[model](
                task.state_size,
                forcing_size + len(task.second_order),
                space_dimension,
                moving=task.moves,
                world_edges=task.contact is not None,
                **self.model_options,
            )
        except (TypeError, ValueError) as error:
            raise PhysgtError(f"[model] {model}: {error}") from error
        self.state = Normalizer(task.state_size + len(task.second_order))
        self.increment = Normalizer(task.state_size)
        self.forcing = Normalizer(forcing_size)
        second_order = torch.tensor(task.second_order, dtype=torch.int64)
        self.register_buffer("second_order", second_order, persistent=False)
        ahead = torch.tensor([*task.seen_ahead, *[False] * len(second_order)])
        self.register_buffer("seen_ahead", ahead, persistent=False)
        forgotten = torch.tensor([*task.forgotten, *[False] * len(second_order)])
        self.register_buffer("forgotten", forgotten, persistent=False)
        self.register_buffer("origin", torch.zeros(space_dimension))
        self.register_buffer("extent", torch.ones(()))
        self.register_buffer("edge_length", torch.ones(()))

    def build_graph(self, mesh: Mesh) -> Graph:
        """The graph of a mesh as this simulator wants it, on its device: built once per mesh.

        Its nodes lie along a Hilbert curve: Graph.from_mesh and Graph.to_mesh convert values.
        Raises PhysgtError where the mesh has another dimension or lacks what the task names, and
        where each cell has nodes of its own.
        """
        if mesh.dimension != self.space_dimension:
            raise PhysgtError(
                f"the mesh has {mesh.dimension} dimensions, but the model was trained "
                f"in {self.space_dimension}."
            )
        require_joined(mesh)
        sites = self.task.sites(mesh)
        graph = build_graph(
            sites,
            self.task.free_mask(mesh),
            self.dtype,
            order=hilbert_order(sites.points),
            # Where a case that moves lies in space makes no difference.
            origin=mesh.points.min(axis=0) if self.task.moves else None,
            masks=self.model.masks,
            encodings=self.model.encodings,
            contact=self.task.contact,
        )
        return graph.to(self.device)

    def step(self, graph: Graph, state: Tensor, forcing: Tensor) -> Tensor:
        """The state (N, S + R) one dt later. What isn't free keeps its value.

        forcing: (N, F + K), the forcings and how far the boundary moves points in this step, see
            physgt.rates.motion.
        """
        return self.advanced(graph, state, self.predict(graph, state, forcing))

    def on_fixed_mesh(self, graph: Graph) -> Callable[[Tensor, Tensor], Tensor]:
        """`step` for one graph and fixed weights: (state, forcing) -> state.

        What the network derives from the mesh alone is computed once, here, unless the mesh moves.
        """
        if self.task.moves:
            return lambda state, forcing: self.step(graph, state, forcing)
        scaled = graph.scaled(self.origin, self.extent, self.edge_length)
        geometry = self.model.embed_geometry(scaled)

        def step(state: Tensor, forcing: Tensor) -> Tensor:
            inputs = self._model_inputs(self.remembered(graph, state), forcing)
            return self.advanced(graph, state, self.model(scaled, *inputs, geometry))

        return step

    def predict(self, graph: Graph, state: Tensor, forcing: Tensor) -> Tensor:
        """The normalised increment (N, S) of one step: what training compares with `target`.

        Of components of second order it is the increment of the rate.
        """
        state = self.remembered(graph, state)
        if self.task.moves:
            graph = graph.moved(state[:, self.task.columns(POINTS)])
        scaled = graph.scaled(self.origin, self.extent, self.edge_length)
        normalized: Tensor = self.model(scaled, *self._model_inputs(state, forcing))
        return normalized

    def remembered(self, graph: Graph, state: Tensor) -> Tensor:
        """`state` (N, S + R) as the model sees it: 0 where it is free and has no memory."""
        if not any(self.task.forgotten):
            return state
        return state.masked_fill(self.with_rates(graph.free) & self.forgotten, 0.0)

    def _model_inputs(self, state: Tensor, forcing: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised targets (N, S), and all else that a node is given: (N, F + K + R)."""
        size = self.task.state_size
        targets, rates = self.state.normalize(state).tensor_split([size], dim=1)
        given = self.forcing.normalize(forcing)
        return targets, torch.cat([given, rates], 1) if len(self.second_order) else given

    def seeing_ahead(self, graph: Graph, state: Tensor, next_state: Tensor) -> Tensor:
        """`state` with what isn't free as a step sees it: where the task says so, as it will be."""
        ahead = self.seen_ahead & ~self.with_rates(graph.free)
        return torch.where(ahead, next_state, state)

    def advanced(self, graph: Graph, state: Tensor, normalized: Tensor) -> Tensor:
        """The state (N, S + R) to which a normalised increment leads."""
        added = self.increment.denormalize(normalized) * self.unit(graph, state)
        change = added + self._carried(state)
        targets = self.remembered(graph, state)[:, : self.task.state_size]
        advanced = torch.where(graph.free, targets + change, targets)
        if not len(self.second_order):
            return advanced
        rates = torch.where(graph.free, change, torch.zeros_like(change))
        return torch.cat([advanced, rates.index_select(1, self.second_order)], 1)

    def target(self, graph: Graph, state: Tensor, next_state: Tensor) -> Tensor:
        """The inverse of step: the normalised increment that leads from `state` to `next_state`.

        0 where the model has no say, so that a loss may run over all nodes.
        """
        added = self.increment_between(graph, state, next_state)
        normalized = self.increment.normalize(added)
        return torch.where(graph.free, normalized, torch.zeros_like(normalized))

    def increment_between(self, graph: Graph, state: Tensor, next_state: Tensor) -> Tensor:
        """(N, S) what a model has to add to `state` so that the step ends at `next_state`.

        In the units that `unit` tells.
        """
        size = self.task.state_size
        before = self.remembered(graph, state)[:, :size]
        added = next_state[:, :size] - before - self._carried(state)
        if not self.task.loaded_by_boundary:
            return added
        return added / self.unit(graph, state).clamp(min=torch.finfo(added.dtype).tiny)

    def unit(self, graph: Graph, state: Tensor) -> Tensor:
        """(N, S), or 1: in what the model measures what it adds to a state.

        Where the boundary is all that loads a body without memory, it is how far the boundary has
        moved at most: a body that nothing has moved is at rest, small motions are as precise as
        large ones, and a linear body takes no learning of how far.
        """
        if not self.task.loaded_by_boundary:
            return state.new_ones(())
        columns = self.task.columns(POINTS)
        driven = state[:, columns].masked_fill(graph.free[:, columns], 0.0)
        ways = torch.linalg.vector_norm(driven, dim=1)
        longest = ways.new_zeros(graph.num_graphs)
        longest = longest.scatter_reduce(0, graph.graph_index, ways, "amax")[graph.graph_index]
        size = self.task.state_size
        return torch.where(self.forgotten[:size], longest[:, None], longest.new_ones(()))

    def _carried(self, state: Tensor) -> Tensor:
        """(N, S), or 0: the change of targets in a step if the model adds nothing."""
        if not len(self.second_order):
            return state.new_zeros(())
        size = self.task.state_size
        still = state.new_zeros(len(state), size)
        return still.index_copy(1, self.second_order, state[:, size:])

    def with_rates(self, mask: Tensor) -> Tensor:
        """(N, S) -> (N, S + R): what is said of a component holds for its rate."""
        if not len(self.second_order):
            return mask
        return torch.cat([mask, mask.index_select(1, self.second_order)], 1)

    @property
    def device(self) -> torch.device:
        return self.origin.device

    @property
    def dtype(self) -> torch.dtype:
        return self.origin.dtype

    def save(self, path: Path | str) -> None:
        """Write weights and description to one safetensors file: reading it never runs code."""
        description = {
            "version": FILE_VERSION,
            "task": self.task.to_dict(),
            "space_dimension": self.space_dimension,
            "model": self.model_name,
            "model_options": self.model_options,
        }
        weights = {name: w.detach().cpu().contiguous() for name, w in self.state_dict().items()}
        with written_whole(Path(path)) as temporary:
            temporary.write_bytes(save(weights, {"physgt": json.dumps(description)}))

    @classmethod
    def load(cls, path: Path | str, device: torch.device | str = "cpu") -> Simulator:
        """The inverse of save; `path` may be the name of a pretrained model, a file wins.

        Raises PhysgtError where there is neither, and where the file isn't a whole physgt model.
        """
        path = find_model(path)
        description, weights = read_safetensors(path, "physgt")
        if description.get("version") not in READABLE:
            raise PhysgtError(
                f"{path}: file version {description.get('version')}, but this physgt reads "
                f"{READABLE}; install the physgt that wrote it, or train again."
            )
        simulator = cls(
            Task.from_dict(description["task"]),
            description["space_dimension"],
            description["model"],
            description["model_options"],
        )
        try:
            simulator.load_state_dict(weights)
        except RuntimeError as error:
            problem = " ".join(str(error).split())
            raise PhysgtError(f"{path}: weights don't fit the model it names: {problem}") from error
        return simulator.to(device).eval()
