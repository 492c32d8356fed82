"""Screening: every candidate of a recipe judged, exactly; the Pareto set and the counts kept as a `Study`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .program import MaterialSource
    from .recipe import Recipe, load_recipe, shipped_recipes
    from .search import Progress
    from .study import Study

__all__ = ["Recipe", "Study", "load_recipe", "nondominated", "screen", "shipped_recipes"]


def screen(
    recipe: str | Path | Recipe,
    *,
    threads: int | None = None,
    step: str | None = None,
    progress: Progress | None = None,
    lab: MaterialSource | None = None,
    use: Mapping[str, str] | None = None,
) -> Study:
    """Screen a recipe exactly.

    Parameters
    ----------
    recipe : path, name of a shipped recipe, or Recipe
    threads : int, optional
        Worker threads; all processors by default. Does not change the result.
    step : str, optional
        Another lattice step than the recipe's, e.g. ``"2 %"``.
    progress : callable, optional
        Called with (candidates done, candidates in all).
    lab : Lab, optional
        Laboratory that materials written ``use = "lab:…"`` come from: mean and measured spread.
    use : mapping of str to str, optional
        Other materials than the recipe's, by its keys: ``{"red_mud": "lab:RM-XY-03"}``.

    Returns
    -------
    Study
        With ``study.complete`` False if it was interrupted by Ctrl-C.

    Raises
    ------
    RecipeError
        If the recipe cannot be run; names file, line and key.
    """
    from .search import search
    from .study import build_study

    program = prepare(recipe, step=step, lab=lab, use=use)
    return build_study(program, search(program, threads=threads, progress=progress))


def prepare(
    recipe: str | Path | Recipe,
    *,
    step: str | None = None,
    lab: MaterialSource | None = None,
    use: Mapping[str, str] | None = None,
) -> Any:
    """Read, check and compile a recipe without running it; returns a `Program`. See `screen`."""
    from dataclasses import replace

    from ..errors import UnitError
    from ..routes import get_route
    from ..units import parse
    from .program import compile_recipe, load_materials
    from .recipe import Recipe, check_bounds, load_recipe, replace_materials
    from .space import build_space

    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    if step is not None:
        try:
            width = parse(step, "kg/kg", what="step")
        except UnitError as exc:
            raise loaded.error(("materials", "step"), str(exc)) from None
        if not 0 < width <= 1 or abs(round(1 / width) - 1 / width) > 1e-6:
            raise loaded.error(("materials", "step"), f"step {step!r} does not divide 100 %.")
        loaded = replace(loaded, step=width)
        check_bounds(loaded)
    if use:
        loaded = replace_materials(loaded, use)
    try:
        route = get_route(loaded.route)
    except KeyError as exc:
        raise loaded.error(("route",), str(exc)) from None
    return compile_recipe(loaded, route, build_space(loaded, route), load_materials(loaded, lab))


def __getattr__(name: str) -> Any:
    if name == "Study":
        from .study import Study

        return Study
    if name in ("Recipe", "load_recipe", "shipped_recipes"):
        from . import recipe

        return getattr(recipe, name)
    if name == "nondominated":
        from .pareto import nondominated

        return nondominated
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
