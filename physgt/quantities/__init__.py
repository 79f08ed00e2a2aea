"""Numbers that engineers read off a flow or a body: probes, means, fluxes, forces, energies."""

from physgt.quantities.derived import OUTPUTS
from physgt.quantities.output import Output
from physgt.quantities.over_time import history, with_fields
from physgt.quantities.settings import build_outputs, check_outputs, stated_numbers

__all__ = [
    "OUTPUTS",
    "Output",
    "build_outputs",
    "check_outputs",
    "history",
    "stated_numbers",
    "with_fields",
]
