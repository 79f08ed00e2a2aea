"""Where tensors live."""

from __future__ import annotations

import torch

from physgt.errors import PhysgtError


def find_device(name: str) -> torch.device:
    """The device of that name: cpu, cuda, cuda:1, mps. Raises PhysgtError where it isn't there."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        there = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        raise PhysgtError(f"no device '{name}' on this machine; there is {there}.") from error
    return device
