"""One step of a simulator as a program that runs where physgt isn't.

A program takes tensors and gives the state one dt later. Where a boundary holds or prescribes, the
state keeps the values it came with: stating those is up to the caller, as in a rollout.
"""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from physgt.errors import PhysgtError
from physgt.files import written_whole
from physgt.graph import Graph, build_graph
from physgt.mesh import Mesh
from physgt.ops.neighbours import Neighbours
from physgt.simulator import Simulator

DESCRIPTION = "physgt"
"""Under this name every file keeps a JSON text: dt in s, inputs, and the columns of each field."""


@dataclass(frozen=True)
class StepProgram:
    """A step captured by torch.export, in torch's own operators, and what it means.

    Its inputs are the tensors state (N, S), forcing (N, F) and, for any mesh, those of MeshInputs
    in their order; its output is the next state (N, S). Rows are nodes in the order of the mesh,
    numbers have the precision and the device of the simulator.
    """

    program: ExportedProgram
    description: dict[str, Any]

    @classmethod
    @torch.no_grad()
    def for_mesh(cls, simulator: Simulator, mesh: Mesh) -> StepProgram:
        """A program for one mesh, which is part of it: (state, forcing) -> next state."""
        _require_still(simulator)
        step = MeshStep(simulator, mesh)
        inputs = _example(simulator, mesh)
        return cls(torch.export.export(step, inputs), _describe(simulator, ["state", "forcing"]))

    @classmethod
    @torch.no_grad()
    def for_any_mesh(cls, simulator: Simulator, example: Mesh) -> StepProgram:
        """A program for meshes of any size: (state, forcing, *MeshInputs) -> next state.

        `example` is any mesh of the task, not so small that the model's attention sees nothing.
        """
        _require_still(simulator)
        mesh_inputs = MeshInputs.of(simulator, example)
        inputs = (*_example(simulator, example), *mesh_inputs)
        nodes, edges = Dim("nodes"), Dim("edges")
        shapes = [
            {0: nodes},
            {0: nodes},
            *MeshInputs(
                points={0: nodes},
                edge_index={1: 2 * edges},
                edge_vectors={0: 2 * edges},
                oriented={0: edges},
                node_type={0: nodes},
                free={0: nodes},
                encodings={0: nodes},
                attention=tuple(
                    {1: Dim(f"attention_{number}")} for number in range(len(mesh_inputs.attention))
                ),
            ),
        ]
        step = AnyMeshStep(simulator)
        program = torch.export.export(step, inputs, dynamic_shapes=shapes)
        return cls(program, _describe(simulator, ["state", "forcing", *MeshInputs._fields]))

    def save(self, path: Path | str) -> None:
        """Write a .pt2 file for torch.export.load."""
        description = {f"{DESCRIPTION}.json": json.dumps(self.description)}
        with written_whole(_checked(path, ".pt2")) as temporary:
            torch.export.save(self.program, temporary, extra_files=description)

    def compile(self, path: Path | str) -> None:
        """Write a .pt2 package of machine code, for torch::inductor::AOTIModelPackageLoader in C++.

        Takes a C++ compiler, and runs on processors and torch versions like this one.
        Raises PhysgtError where there is no compiler.
        """
        from torch import _inductor

        _require_compiler()
        metadata = {DESCRIPTION: json.dumps(self.description)}
        with written_whole(_checked(path, ".pt2")) as temporary:
            _inductor.aoti_compile_and_package(
                self.program,
                package_path=str(temporary),
                inductor_configs={"aot_inductor.metadata": metadata},
            )

    def save_onnx(self, path: Path | str) -> None:
        """Write an .onnx file; attention lists are inputs named attention_0 and on."""
        path = _checked(path, ".onnx")
        for module in ("onnx", "onnxscript"):
            _require(module)
        with _quiet("torch.onnx", "onnx_ir"):
            converted = torch.onnx.export(self.program, dynamo=True, verbose=False)
        assert converted is not None, "with dynamo=True it returns the program"
        converted.model.metadata_props[DESCRIPTION] = json.dumps(self.description)
        with written_whole(path) as temporary:
            converted.save(temporary)


class MeshInputs(NamedTuple):
    """What a program for any mesh is told about the mesh, see Graph for the conventions.

    points (N, D), edge_index (2, 2E), edge_vectors (2E, D), oriented (E,), node_type (N,),
    free (N, S), encodings (N, P), attention: an edge_index of its own for each list that the
    model asks for. E counts every edge of the mesh once.
    """

    points: Any
    edge_index: Any
    edge_vectors: Any
    oriented: Any
    node_type: Any
    free: Any
    encodings: Any
    attention: tuple[Any, ...]

    @classmethod
    def of(cls, simulator: Simulator, mesh: Mesh) -> MeshInputs:
        graph = build_graph(
            simulator.task.sites(mesh),
            simulator.task.free_mask(mesh),
            simulator.dtype,
            masks=simulator.model.masks,
            encodings=simulator.model.encodings,
        ).to(simulator.device)
        return cls(
            graph.points,
            graph.edge_index,
            graph.edge_vectors,
            graph.oriented,
            graph.node_type,
            graph.free,
            graph.encodings,
            tuple(neighbours.edge_index for neighbours in graph.attention),
        )


class MeshStep(nn.Module):
    """A simulator's step on one mesh, in the order of that mesh."""

    order: Tensor
    inverse: Tensor

    def __init__(self, simulator: Simulator, mesh: Mesh) -> None:
        super().__init__()
        graph = simulator.build_graph(mesh)
        self.simulator = simulator
        self.step = simulator.on_fixed_mesh(graph)
        self.register_buffer("order", graph.order)
        self.register_buffer("inverse", graph.order.argsort())

    def forward(self, state: Tensor, forcing: Tensor) -> Tensor:
        advanced = self.step(state.index_select(0, self.order), forcing.index_select(0, self.order))
        return advanced.index_select(0, self.inverse)


class AnyMeshStep(nn.Module):
    """A simulator's step on a mesh that comes as tensors."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__()
        self.simulator = simulator

    def forward(
        self,
        state: Tensor,
        forcing: Tensor,
        points: Tensor,
        edge_index: Tensor,
        edge_vectors: Tensor,
        oriented: Tensor,
        node_type: Tensor,
        free: Tensor,
        encodings: Tensor,
        attention: tuple[Tensor, ...],
    ) -> Tensor:
        graph = Graph(
            points,
            edge_index,
            edge_vectors,
            oriented,
            node_type,
            free,
            graph_index=torch.zeros_like(node_type),
            order=torch.zeros_like(node_type),  # the model doesn't see it
            encodings=encodings,
            # The transpose, which only gradients need, isn't computed.
            attention=tuple(Neighbours.symmetric(a, points.shape[0]) for a in attention),
        )
        advanced: Tensor = self.simulator.step(graph, state, forcing)
        return advanced


def _example(simulator: Simulator, mesh: Mesh) -> tuple[Tensor, Tensor]:
    """A state and a forcing that have the shapes of the mesh's."""
    zeros = simulator.origin.new_zeros
    task = simulator.task
    size = task.sites(mesh).num_points
    return zeros(size, task.state_size), zeros(size, task.forcing_size)


def _describe(simulator: Simulator, inputs: list[str]) -> dict[str, Any]:
    task = simulator.task
    states = {t.name: (task.columns(t.name), t.units) for t in task.targets}
    forcings = {f.name: (task.forcing_columns(f.name), f.units) for f in task.forcings}
    return {
        "dt": task.dt,
        "dtype": str(simulator.dtype).removeprefix("torch."),
        "inputs": inputs,
        **{
            kind: {
                name: {"columns": [columns.start, columns.stop], "units": units}
                for name, (columns, units) in fields.items()
            }
            for kind, fields in (("state", states), ("forcing", forcings))
        },
    }


def _require_still(simulator: Simulator) -> None:
    if simulator.task.moves or simulator.task.second_order:
        raise PhysgtError(
            "a program can't hold a simulator that moves its mesh or is of second order in time; "
            "run it with physgt rollout, or step by step with physgt.coupling.Stepper."
        )


def _checked(path: Path | str, suffix: str) -> Path:
    path = Path(path)
    if path.suffix != suffix:
        raise PhysgtError(f"{path}: this is written as {suffix}; name the file so.")
    return path


def _require_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise PhysgtError(
            "compiling a step needs a C++ compiler: install one (Debian, Ubuntu: "
            "apt install g++), or name it in the environment variable CXX."
        ) from error


def _require(module: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise PhysgtError(
            f"writing ONNX needs {module}, which is not installed. "
            "Install it: pip install 'physgt[onnx]'"
        ) from error


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Without the warnings of these loggers: on the converter's inner workings."""
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
