"""What a recipe's standards ask of a program: limits that can be computed, materials that are kept out, units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..chemistry.criterion import Criterion
from ..errors import UnitError, WastelabError
from ..routes.base import Route
from ..units import parse
from .recipe import Recipe, Window

if TYPE_CHECKING:
    from ..chemistry.material import Material
    from ..standards import Limit

FloatArray = NDArray[np.float64]


def standard_limits(recipe: Recipe, route: Route) -> tuple[list[tuple[str, Limit, Criterion, float]], list[str]]:
    """Limits of the required standards that the route can compute, and labels of those it cannot."""
    from ..standards import load_grade

    found: list[tuple[str, Limit, Criterion, float]] = []
    skipped = []
    for reference in recipe.standards:
        try:
            grade = load_grade(reference)
        except WastelabError as exc:
            raise recipe.error(("require", "standards"), str(exc)) from None
        for limit in grade.limits:
            criterion = route.criteria.get(limit.property)
            if limit.op in ("forbidden", "excluded"):
                continue  # a row of its own
            if criterion is None or limit.property in route.potential or not limit.numeric:
                skipped.append(f"{reference}: {limit.label}")
                continue
            if limit.when:
                skipped.append(f"{reference}: {limit.label} (applies to {limit.when} only)")
                continue
            factor = unit_factor(limit.unit, criterion.unit)
            if factor is None:
                skipped.append(f"{reference}: {limit.label} (unit {limit.unit})")
                continue
            found.append((reference, limit, criterion, factor))
    return found, skipped


def exclusions(recipe: Recipe, materials: tuple[Material, ...]) -> list[tuple[str, str, FloatArray]]:
    """Rows that keep out the materials a required standard forbids or excludes: their share must be zero."""
    from ..standards import load_grade

    rows = []
    for reference in recipe.standards:
        for limit in load_grade(reference).limits:
            if limit.op not in ("forbidden", "excluded"):
                continue
            hit = np.array([float(any(m.id.startswith(p) for p in limit.materials)) for m in materials])
            if hit.any():
                names = ", ".join(k for k, h in zip(recipe.materials, hit, strict=True) if h)
                label = f"{reference}: {limit.op} material ({names})"
                rows.append((label, limit.property, hit))
    return rows


def unit_factor(source: str, target: str) -> float | None:
    """Factor that turns a value in `source` into `target`, or None if they are of different kinds."""
    alias = {"wt%": "%", "mg/kg dry": "mg/kg", "": "1", None: "1"}
    a, b = alias.get(source, source), alias.get(target, target)
    if a == b:
        return 1.0
    try:
        return parse(f"1 {a}" if a != "1" else 1, "" if b == "1" else b)
    except UnitError:
        return None


def acceptance_window(limit: Limit, factor: float) -> Window:
    """What a standard accepts, in the unit of the criterion."""
    acceptance = limit.acceptance()
    return Window(
        None if acceptance.low is None else float(acceptance.low) * factor,
        None if acceptance.high is None else float(acceptance.high) * factor,
        acceptance.low_inclusive,
        acceptance.high_inclusive,
    )


def bounds_text(w: Window) -> str:
    """``">= 0.95 and <= 1.1"``."""
    parts = []
    if w.low is not None:
        parts.append(f"{'>=' if w.low_inclusive else '>'} {w.low:g}")
    if w.high is not None:
        parts.append(f"{'<=' if w.high_inclusive else '<'} {w.high:g}")
    return " and ".join(parts)
