"""Routes: one file per product family; every module here that defines ``ROUTE`` is one.

Other packages add routes through the entry-point group ``wastelab.routes``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ..errors import UnknownNameError, suggest
from .base import Assemblage, ModelNeed, ProcessVariable, Route

__all__ = ["Assemblage", "ModelNeed", "ProcessVariable", "Route", "get_route", "list_routes"]


@cache
def _modules() -> dict[str, str]:
    return {m.name: f"{__name__}.{m.name}" for m in iter_modules(__path__) if not m.name.startswith(("_", "base"))}


@cache
def _entry_points() -> dict[str, object]:
    from importlib.metadata import entry_points

    return {e.name: e for e in entry_points(group="wastelab.routes")}


def list_routes() -> list[str]:
    """Names of all routes."""
    return sorted({*_modules(), *_entry_points()})


@cache
def get_route(name: str) -> Route:
    """A route by name.

    Raises
    ------
    UnknownNameError
        If there is none; suggests a near one.
    """
    if name in _modules():
        route: Route = import_module(_modules()[name]).ROUTE
        return route
    if name in _entry_points():
        found: Route = _entry_points()[name].load()  # type: ignore[attr-defined]
        return found
    raise UnknownNameError(
        f"There is no route {name!r}.{suggest(name, list_routes())} Routes: {', '.join(list_routes())}."
    )
