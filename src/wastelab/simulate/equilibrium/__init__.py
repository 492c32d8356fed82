"""Chemical equilibrium of mixes: phases, gas and heat by least Gibbs energy."""

from .api import equilibrium
from .system import PRESETS, PhaseTable, System

__all__ = ["PRESETS", "PhaseTable", "System", "equilibrium"]
