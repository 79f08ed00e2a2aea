"""Numbers that engineers read off a flow or a body: probes, means, fluxes, forces, energies."""

from physgt.quantities.derived import OUTPUTS, build_outputs
from physgt.quantities.output import Output

__all__ = ["OUTPUTS", "Output", "build_outputs"]
