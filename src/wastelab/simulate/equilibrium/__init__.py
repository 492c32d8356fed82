"""Chemical equilibrium of mixes: phases, gas and heat by least Gibbs energy."""

from .api import equilibrium
from .diagram import phase_diagram
from .notices import melt_warnings
from .phases import PRESETS
from .system import PhaseTable, System

__all__ = ["PRESETS", "PhaseTable", "System", "equilibrium", "melt_warnings", "phase_diagram"]
