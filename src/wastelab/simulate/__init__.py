"""Simulation: what becomes of materials when they are mixed (and, later, heated)."""

from .blending import blend, blend_monte_carlo, blend_table, dry_fractions, wet_fractions

__all__ = ["blend", "blend_monte_carlo", "blend_table", "dry_fractions", "wet_fractions"]
