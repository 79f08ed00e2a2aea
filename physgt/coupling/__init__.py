"""A learned simulator as part of a coupled simulation: in memory, and by standard interfaces.

`Stepper` is the interface in memory; the modules precice, micro_manager, bmi and fmu are thin
adapters on it, each imported by name.
"""

from physgt.coupling.stepper import Stepper, StepperState
from physgt.quantities import OUTPUTS, Output, build_outputs

__all__ = ["OUTPUTS", "Output", "Stepper", "StepperState", "build_outputs"]
