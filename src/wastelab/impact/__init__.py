"""Impact: carbon, cost and waste share, from cradle to the gate of the works (modules A1-A3)."""

from .carbon import factors_used, process_co2
from .footprint import Footprint, footprint

__all__ = ["Footprint", "factors_used", "footprint", "process_co2"]
