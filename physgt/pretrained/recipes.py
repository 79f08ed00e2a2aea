"""What each pretrained model is made from and measured by.

Training and quantities are those of datasets/cases/NAME.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from physgt.datasets.case_family import CaseFamily
from physgt.datasets.cylinder import cylinder_mesh
from physgt.datasets.generate import make_family
from physgt.datasets.heat import heat_mesh
from physgt.datasets.hyperelastic import solid_mesh
from physgt.mesh import Mesh


@dataclass(frozen=True)
class Shown:
    """A line of the card: a number (physgt.rollout.histories.NUMBERS) of one of its quantities."""

    label: str
    quantity: str
    number: str


@dataclass(frozen=True)
class Recipe:
    """
    what         the headline
    limits       what the training data doesn't hold, beyond the ranges of the family's parameters
    seeds        first and last, this one left out, of the cases for train, validation, test, and
                 of the further ones for the refinement, where there are
    refinement   the settings under [training] by which a second training, which starts where the
                 first ended, differs from it; empty where there is none
    parameters   of the family of the same name, where they aren't its defaults
    mesh         of (what the family draws, refinement, seed): to time the solver without it
    scored_on    see physgt.rollout.score
    kinds        an attribute of the cases by which scores are told apart as well
    periodic     a quantity whose period is that of the flow: errors are phase-aligned as well, and
                 ten times longer rollouts are held against it
    """

    what: str
    limits: tuple[str, ...]
    seeds: Mapping[str, tuple[int, int]]
    mesh: Callable[[Any, float, int], Mesh]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    refinement: Mapping[str, Any] = field(default_factory=dict)
    scored_on: str | None = None
    kinds: str | None = None
    shown: tuple[Shown, ...] = ()
    periodic: str | None = None

    def family(self, name: str) -> CaseFamily:
        return make_family(name, self.parameters)


RECIPES: dict[str, Recipe] = {
    "cylinder": Recipe(
        what="Flow past a cylinder in a channel, shedding vortices",
        limits=(
            "One channel with one round cylinder, the flow two-dimensional; no other obstacles, "
            "no other lengths or heights of the channel, no other viscosity.",
            "Flow that sheds vortices already: every training case begins two seconds after the "
            "start of the flow. From rest, or from a steady flow, it has learned nothing.",
            "An inlet whose profile is a parabola and doesn't change over time.",
        ),
        seeds={"train": (0, 160), "validation": (900, 908), "test": (950, 958)},
        mesh=cylinder_mesh,
        shown=(
            Shown("Strouhal number", "lift", "strouhal"),
            Shown("mean drag", "drag", "mean"),
            Shown("swing of the lift", "lift", "amplitude"),
            Shown("swing of the cross flow in the wake", "wake_y", "amplitude"),
            Shown("mean kinetic energy", "kinetic_energy", "mean"),
        ),
        periodic="wake_y",
    ),
    "heat": Recipe(
        what="Heat in a plate with elliptic holes, through which a medium may drift",
        limits=(
            "Temperatures on sides and holes that stay; no heat sources, no insulated sides.",
            "One diffusivity and one drift velocity in the whole plate.",
            "Holes that heat beside holes that cool: where their heat fluxes nearly cancel, what "
            "is left of them is relatively far off, which rules the mean of the table.",
            "Starts a tenth of a second after the sides and holes got their temperatures, so that "
            "there is no jump between boundary and inside.",
        ),
        seeds={"train": (0, 600), "validation": (900, 908), "test": (950, 958)},
        mesh=heat_mesh,
        refinement={
            "steps": 12000,
            "mirror": ["x", "y"],
            "unroll": {"0": 1, "10000": 2},
            "learning_rate": 1e-3,
            "validate_every": 2000,
        },
        # Of all sides together there is little, the difference of much: its share tells nothing.
        shown=(Shown("mean heat flux through the holes", "through_holes", "mean"),),
    ),
    "hyperelastic": Recipe(
        what="Soft plates with holes, pulled or pressed with a rigid disc: a moving mesh, contact",
        limits=(
            "Plates that are pulled at one end, or pressed from above with a round disc, both "
            "slowly: no inertia, no cantilevers.",
            "The motion of the driven nodes is stated (`--prescribed`); loads by force it hasn't "
            "seen.",
            "No memory: each state follows from where the boundary is, relative to the mesh's own "
            "points, at which the plate is at rest. So there is no friction, and no wear.",
            "Stress is derived from the points and amplifies their errors; how large these are "
            "differs by kind of case. See the table before you use either.",
            "Contact without friction between the disc and the plate; none of the plate with "
            "itself.",
        ),
        seeds={
            "train": (0, 320),
            "refinement": (320, 480),
            "validation": (900, 904),
            "test": (950, 958),
        },
        mesh=solid_mesh,
        parameters={"cantilever": 0, "refinement": 0.7},
        refinement={
            "steps": 40000,
            "mirror": ["x"],  # discs slide to either side
            "learning_rate": 1e-3,
            "validate_every": 5000,
        },
        scored_on="NORMAL",
        kinds="scenario",
        shown=(Shown("largest stress, mean over time", "largest_stress", "mean"),),
    ),
}
