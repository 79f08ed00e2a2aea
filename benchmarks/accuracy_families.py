"""The families of cases that models are compared on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from physgt import Trajectory
from physgt.datasets import open_trajectory
from physgt.datasets.generate import generate

Settings = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """Cases to learn from, noise in deviations, what generate is told, and how a flow sheds.

    quantities: of which the mean of the first component and the frequency of the second are
        compared, see physgt.quantities.
    half_period: seconds, for the phase-aligned error of `aligned`.
    """

    training_cases: int
    noise: float
    parameters: Settings = field(default_factory=dict)
    quantities: Settings = field(default_factory=dict)
    aligned: str = ""
    half_period: float = 0.0


FAMILIES = {
    "cylinder": Family(
        40,
        0.03,
        quantities={
            "force": {"kind": "force", "on": "cylinder", "density": 1.0, "viscosity": 1e-3}
        },
        aligned="velocity",
        half_period=0.2,
    ),
    "heat": Family(160, 0.003),
    "hyperelastic": Family(40, 0.0, parameters={"cantilever": 0.0, "refinement": 0.7}),
}
TEST_SEEDS = range(950, 958)


def make_data(family: str, folder: Path) -> dict[str, dict[str, Trajectory]]:
    """The training and test cases, solved where they aren't there yet."""
    seeds = {"train": range(FAMILIES[family].training_cases), "test": TEST_SEEDS}
    for part, numbers in seeds.items():
        generate(family, folder / part, numbers, **FAMILIES[family].parameters)
    return {
        part: {f"{part} {path.stem}": open_trajectory(path) for path in sorted_files(folder / part)}
        for part in seeds
    }


def sorted_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.vtkhdf"))
