"""Enthalpies of phases that have no thermochemical data: the same composition made of phases that have some.

Read from ``datasets/equipment/stand_ins.toml``. Good for heats within their stated error, not for Gibbs energies; every
result that rests on one says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from ..errors import DatasetError
from ..provenance import Evidence, Source
from ..reference.files import find_files, read_toml


@dataclass(frozen=True)
class StandIn:
    """What stands for the enthalpy of a phase.

    Attributes
    ----------
    parts : mapping of str to float
        Phases with data [mol per mol].
    reason : str
        Why, and how far off it may be.
    source : Source
    """

    parts: Mapping[str, float]
    reason: str
    source: Source


@cache
def stand_ins() -> dict[str, StandIn]:
    """Stand-ins by phase, those of folders in ``WASTELAB_DATA`` first.

    Raises
    ------
    DatasetError
        For a bad entry; names file, phase and field.
    """
    out: dict[str, StandIn] = {}
    for file in find_files("datasets", "equipment/stand_ins.toml"):
        for name, entry in read_toml(file).get("phase", {}).items():
            parts, reason = entry.get("parts"), entry.get("reason")
            if not isinstance(parts, Mapping) or not isinstance(reason, str):
                raise DatasetError(f"{file}, phase.{name}: needs parts = {{ phase = mol }} and reason.")
            try:
                level = Evidence(entry.get("evidence", "memory"))
                made = {k: float(Fraction(v) if isinstance(v, str) else v) for k, v in parts.items()}
            except (ValueError, TypeError, ZeroDivisionError):
                raise DatasetError(
                    f"{file}, phase.{name}: expected moles as numbers or fractions ('2/3'), and a level of evidence."
                ) from None
            out.setdefault(name, StandIn(made, reason, Source(f"stand-in for {name}: {reason}", level)))
    return out
