"""Tensors beside a JSON description: what is kept of models, trainings and rollouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from physgt.errors import PhysgtError


def read_safetensors(path: Path, key: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON under `key` of a safetensors file's metadata, and its tensors."""
    if not path.is_file():
        raise PhysgtError(f"{path}: no such file; expected a file that physgt train wrote.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise PhysgtError(
            f"{path}: not a whole safetensors file ({error}); copy it again, or train again."
        ) from error
    if key not in metadata:
        raise PhysgtError(
            f"{path}: no '{key}' description inside, so it is not what physgt train wrote; "
            "expected best.physgt or last.physgt of a run."
        )
    return json.loads(metadata[key]), tensors
