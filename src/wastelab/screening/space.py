"""The lattice of candidates: blends on a bounded simplex times a process grid, counted exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from ..errors import RecipeError, UnitError, suggest
from ..routes.base import ProcessVariable, Route
from ..units import parse
from .recipe import MAX_CANDIDATES, Recipe, bounds


@dataclass(frozen=True)
class Space:
    """All candidates of a recipe; nothing is materialised.

    Attributes
    ----------
    materials : tuple of str
        Keys of the recipe's ``[materials]``.
    lo, hi : tuple of int
        Bounds of each material [1/m].
    m : int
        Lattice units per whole: a fraction is n/m.
    points : tuple of mapping
        The process points (one empty mapping if the route has no process variable).
    parameters : mapping
        Fixed process parameters of the recipe, in the route's units.
    """

    materials: tuple[str, ...]
    lo: tuple[int, ...]
    hi: tuple[int, ...]
    m: int
    points: tuple[Mapping[str, float], ...]
    parameters: Mapping[str, object]

    @property
    def blends(self) -> int:
        """Exact number of blends on the bounded simplex lattice."""
        return count_blends(self.lo, self.hi, self.m)

    @property
    def candidates(self) -> int:
        """Exact number of candidates: blends times process points."""
        return self.blends * len(self.points)


def count_blends(lo: Sequence[int], hi: Sequence[int], m: int) -> int:
    """Number of integer vectors with ``lo <= n <= hi`` that sum to `m` (exact, any size)."""
    ways = [1] + [0] * m
    for low, high in zip(lo, hi, strict=True):
        high = min(high, m)
        running = [0] * (m + 2)
        for k in range(m + 1):
            running[k + 1] = running[k] + ways[k]
        ways = [running[max(k - low + 1, 0)] - running[max(k - high, 0)] if k >= low else 0 for k in range(m + 1)]
    return ways[m]


def build_space(recipe: Recipe, route: Route, *, max_candidates: int = MAX_CANDIDATES) -> Space:
    """Lattice and process grid of a recipe.

    Raises
    ------
    RecipeError
        If a process key is unknown, has the wrong unit or lies outside what the route allows; if the
        recipe varies something the route does not respond to; if there are more than `max_candidates`.
    """
    lo, hi, m = bounds(recipe)
    variables = {v.name: v for v in route.variables}
    parameters = {p.name: p for p in route.parameters}
    grids: dict[str, list[float]] = {}
    fixed: dict[str, object] = {}
    flat: dict[str, tuple[tuple[str, ...], object]] = {}
    for key, value in recipe.process.items():
        if isinstance(value, dict) and key in route.stages:
            for inner, x in value.items():
                flat[inner] = (("process", key, inner), x)
        else:
            flat[key] = (("process", key), value)
    for key, (keys, value) in flat.items():
        if key in variables:
            grids[key] = _grid(recipe, keys, variables[key], value)
        elif key in parameters:
            fixed[key] = _parameter(recipe, keys, parameters[key], value)
        elif key == "volatilised":
            fixed[key] = _volatilised(recipe, keys, value)
        elif key in route.forbidden_variables:
            raise recipe.error(keys, route.forbidden_variables[key])
        else:
            known = [*variables, *parameters, *route.stages]
            raise recipe.error(
                keys,
                f"route {route.name} does not know this process key.{suggest(key, known)} "
                f"Variables: {', '.join(variables) or 'none'}; parameters: {', '.join(parameters) or 'none'}; "
                f"stages: {', '.join(route.stages)}.",
            )
    for name, variable in variables.items():
        if variable.needs and variable.needs not in grids:
            if name in grids:
                raise recipe.error(
                    flat[name][0], f"'{name}' does nothing without '{variable.needs}'; give that one too, or remove it."
                )
            continue
        if name not in grids:
            if variable.optional:
                continue
            if variable.default is None:
                raise recipe.error(
                    ("process",),
                    f"route {route.name} needs '{name}' [{variable.unit or '1'}]: {variable.description}.",
                )
            grids[name] = [variable.default]
    names = list(grids)
    n_points = 1
    for name in names:
        n_points *= len(grids[name])
    space_blends = count_blends(lo, hi, m)
    total = space_blends * n_points
    if space_blends == 0:
        raise recipe.error(("materials",), "no blend on this lattice sums to 100 %; widen the bounds.")
    if total > max_candidates:
        raise recipe.error(
            ("materials", "step"),
            f"the lattice has {space_blends:,} blends x {n_points:,} process points = {total:,} candidates, more "
            f"than the {max_candidates:,} a run may have. Use a coarser step, tighter bounds or fewer process "
            "points.",
        )
    if n_points > 100_000:
        raise recipe.error(("process",), f"{n_points:,} process points; at most 100,000 are possible.")
    points = tuple(dict(zip(names, values, strict=True)) for values in product(*(grids[n] for n in names)))
    return Space(tuple(recipe.materials), tuple(lo), tuple(hi), m, points, fixed)


def _read(recipe: Recipe, keys: tuple[str, ...], variable: ProcessVariable, value: object) -> float:
    try:
        number = parse(value, variable.unit, what=keys[-1])  # type: ignore[arg-type]
    except UnitError as exc:
        raise recipe.error(keys, str(exc)) from None
    return number


def _check(recipe: Recipe, keys: tuple[str, ...], variable: ProcessVariable, number: float) -> None:
    slack = 1e-9 * max(abs(variable.low), abs(variable.high), 1.0)
    if not variable.low - slack <= number <= variable.high + slack:
        hint = ""
        if variable.unit == "degC" and variable.low <= number - 273.15 <= variable.high:
            hint = f" It looks like kelvin; {number:g} K is {number - 273.15:g} degC."
        raise recipe.error(
            keys,
            f"{number:g} {variable.unit} is outside {variable.low:g} .. {variable.high:g} {variable.unit}, the range "
            f"of '{variable.name}' in this route.{hint}",
        )


def _grid(recipe: Recipe, keys: tuple[str, ...], variable: ProcessVariable, value: object) -> list[float]:
    if isinstance(value, dict):
        extra = set(value) - {"min", "max", "step"}
        if extra or set(value) != {"min", "max", "step"}:
            raise recipe.error(keys, "a grid is written { min = …, max = …, step = … }.")
        low = _read(recipe, (*keys, "min"), variable, value["min"])
        high = _read(recipe, (*keys, "max"), variable, value["max"])
        step_text = value["step"]
        unit = "delta_degC" if variable.unit == "degC" else variable.unit
        try:
            text = step_text
            if variable.unit == "degC" and isinstance(text, str):
                text = text.replace("degC", "delta_degC").replace("℃", "delta_degC").replace("°C", "delta_degC")
            step = parse(text, unit, what="step")
        except UnitError as exc:
            raise recipe.error((*keys, "step"), str(exc)) from None
        if step <= 0 or high < low:
            raise recipe.error(keys, "needs min <= max and a positive step.")
        number = int((high - low) / step + 1e-9) + 1
        if number > 100_000:
            raise recipe.error(keys, f"{number:,} grid values; use a larger step.")
        values = [low + i * step for i in range(number)]
        values = [round(v, 12) for v in values]
    elif isinstance(value, list):
        if not value:
            raise recipe.error(keys, "the list is empty.")
        values = [_read(recipe, keys, variable, v) for v in value]
        if len(set(values)) != len(values):
            raise recipe.error(keys, "a value is listed twice.")
    else:
        values = [_read(recipe, keys, variable, value)]
    for v in values:
        _check(recipe, keys, variable, v)
    return values


def _parameter(recipe: Recipe, keys: tuple[str, ...], variable: ProcessVariable, value: object) -> float:
    if isinstance(value, list | dict):
        raise recipe.error(keys, f"'{variable.name}' is a fixed parameter of the route; give one value.")
    number = _read(recipe, keys, variable, value)
    _check(recipe, keys, variable, number)
    return number


def _volatilised(recipe: Recipe, keys: tuple[str, ...], value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise recipe.error(keys, 'write volatilised = { SO3 = "5 %", K2O = "20 %" }.')
    shares = {}
    for component, text in value.items():
        try:
            share = parse(text, "kg/kg", what=component)
        except UnitError as exc:
            raise recipe.error((*keys, component), str(exc)) from None
        if not 0 <= share <= 1:
            raise recipe.error((*keys, component), f"{text!r} is not a share between 0 % and 100 %.")
        shares[component] = share
    return shares


__all__ = ["RecipeError", "Space", "build_space", "count_blends"]
