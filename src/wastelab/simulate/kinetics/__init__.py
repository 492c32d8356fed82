"""Kinetics of heating: reaction models, programs in closed form or coupled, and what becomes of a mix."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .models import STANDARD, ReactionModel, reaction_model

_LAZY = {
    "calcine": "calcine",
    "compare": "calcine",
    "Mineralogy": "mineralogy",
    "mineralogy_of": "mineralogy",
    "normative": "mineralogy",
    "Network": "network",
    "build": "network",
    "pack": "coupled",
    "solve_batch": "coupled",
}

__all__ = [
    "STANDARD",
    "Mineralogy",
    "Network",
    "ReactionModel",
    "build",
    "calcine",
    "compare",
    "mineralogy_of",
    "normative",
    "pack",
    "reaction_model",
    "solve_batch",
]

if TYPE_CHECKING:
    from .calcine import calcine, compare
    from .coupled import pack, solve_batch
    from .mineralogy import Mineralogy, mineralogy_of, normative
    from .network import Network, build


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
