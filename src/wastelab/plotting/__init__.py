"""Figures: functions from tables to matplotlib figures, without global state."""

from .composition import composition_bars, discard_bars
from .pareto import pareto_scatter
from .style import to_png
from .ternary import choose_axes, ternary

__all__ = ["choose_axes", "composition_bars", "discard_bars", "pareto_scatter", "ternary", "to_png"]
