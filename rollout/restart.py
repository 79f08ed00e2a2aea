"""What a stopped rollout goes on from: its last state, beside the file that it was writing."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from physgt.errors import PhysgtError
from physgt.files import written_whole
from physgt.mesh import Mesh
from physgt.simulator import Simulator
from physgt.tensor_files import read_safetensors

KEY = "rollout"


@dataclass(frozen=True, eq=False)
class Restart:
    """The state (N, S) after step number `step`, and what the run was.

    identity: what must be equal for a run to go on, by name.
    command: whatever the caller wants to find again; the command line keeps its arguments.
    """

    step: int
    state: np.ndarray
    identity: dict[str, Any]
    command: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Replace the file at once: a run that is killed meanwhile keeps the one before."""
        told = {"step": self.step, "identity": self.identity, "command": self.command}
        with written_whole(path) as temporary:
            state = np.ascontiguousarray(self.state)
            temporary.write_bytes(save({"state": state}, {KEY: json.dumps(told)}))

    @classmethod
    def read(cls, path: Path) -> Restart:
        """Raises PhysgtError where there is none."""
        if not path.is_file():
            raise PhysgtError(
                f"{path}: no such file, so there is no stopped rollout to go on with; "
                "a rollout that ended has removed it."
            )
        told, tensors = read_safetensors(path, KEY)
        return cls(told["step"], tensors["state"].numpy(), told["identity"], told["command"])

    def check(self, path: Path, identity: dict[str, Any], num_steps: int) -> None:
        """Raise PhysgtError where the run was another one, or is beyond `num_steps` already."""
        for key, ours in identity.items():
            if self.identity.get(key) != ours:
                raise PhysgtError(
                    f"{path}: the stopped rollout had another {key} ({self.identity.get(key)}, "
                    f"now {ours}); go on with what it was started with, or start anew."
                )
        if self.step > num_steps:
            raise PhysgtError(
                f"{path}: the stopped rollout has done {self.step} steps already, more than the "
                f"{num_steps} asked for; ask for {self.step} or more."
            )


def restart_path(output: Path) -> Path:
    """The restart file of a rollout that writes `output`."""
    return output.with_suffix(".restart.safetensors")


def fingerprint(simulator: Simulator) -> str:
    """A number of 64 bits that changes with any weight, as hexadecimal text."""
    digest = hashlib.blake2b(digest_size=8)
    for name, weight in simulator.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def fingerprint_of(*arrays: np.ndarray) -> str:
    """The same of arrays."""
    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def mesh_fingerprint(mesh: Mesh) -> str:
    """The same of all that a graph and a boundary follow from: points, cells, types and sets."""
    sets = [*sorted(mesh.node_sets.items()), *sorted(mesh.cell_sets.items())]
    return fingerprint_of(
        mesh.points, mesh.connectivity, mesh.offsets, mesh.cell_types, mesh.node_type,
        *(part for name, ids in sets for part in (np.array(name), ids)),
    )  # fmt: skip
