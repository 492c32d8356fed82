"""Where assemblages of minerals begin to melt: melting points, eutectics and minima.

Read from ``datasets/equilibrium/melting.toml``; files of that name in a folder of ``WASTELAB_DATA`` add to it. No melt
is modelled: the table serves to say where a subsolidus result stands for a mix that is part molten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import DatasetError, suggest
from ..provenance import Evidence, Source
from .files import find_files, read_toml

KINDS = ("melts whole", "melts in part", "eutectic", "minimum", "solidus")
#: Kinds of mix that a row may be about.
MIXES = ("", "clinker")
_KEYS = ("minerals", "T_degC", "kind", "source", "evidence", "share", "of", "doi")


@dataclass(frozen=True)
class Melting:
    """Minerals that begin to melt together.

    Attributes
    ----------
    minerals : tuple of str
        Symbols, groups or names of phases that must all be present.
    temperature_K : float
    kind : str
        One of `KINDS`.
    source : Source
    share : mapping of str to float
        Least mass share of a mineral in its solid solution.
    of : str
        Kind of mix, of `MIXES`.
    """

    minerals: tuple[str, ...]
    temperature_K: float
    kind: str
    source: Source
    share: Mapping[str, float] = field(default_factory=dict)
    of: str = ""


@cache
def melting_points() -> tuple[Melting, ...]:
    """All rows, by temperature.

    Raises
    ------
    DatasetError
        For a row that lacks a key or has one of the wrong kind; names file, row and key.
    """
    out = []
    for file in find_files("datasets", "equilibrium/melting.toml"):
        entries = read_toml(file).get("melt", [])
        if not isinstance(entries, list):
            raise DatasetError(f"{file}, melt: expected [[melt]] tables.")
        out += [_row(file, k, entry) for k, entry in enumerate(entries, 1)]
    return tuple(sorted(out, key=lambda m: (m.temperature_K, m.minerals)))


def _row(file: Path, number: int, entry: Any) -> Melting:
    where = f"{file}, melt {number}"
    if not isinstance(entry, Mapping):
        raise DatasetError(f"{where}: found {entry!r}, expected a table.")
    for key in entry:
        if key not in _KEYS:
            raise DatasetError(f"{where}, {key}: is not known.{suggest(key, _KEYS)} Expected {', '.join(_KEYS)}.")
    minerals = entry.get("minerals")
    if not isinstance(minerals, list) or not minerals or not all(isinstance(m, str) and m for m in minerals):
        raise DatasetError(f"{where}, minerals: found {minerals!r}, expected a list of names.")
    t = entry.get("T_degC")
    if isinstance(t, bool) or not isinstance(t, int | float) or not 0 < t < 3000:
        raise DatasetError(f"{where}, T_degC: found {t!r}, expected a temperature in degC.")
    if entry.get("kind") not in KINDS:
        raise DatasetError(f"{where}, kind: found {entry.get('kind')!r}, expected one of {', '.join(KINDS)}.")
    if not isinstance(entry.get("source"), str) or not entry["source"].strip():
        raise DatasetError(f"{where}, source: found {entry.get('source')!r}, expected text.")
    if entry.get("evidence") not in list(Evidence):
        raise DatasetError(f"{where}, evidence: found {entry.get('evidence')!r}, expected {', '.join(Evidence)}.")
    if entry.get("of", "") not in MIXES:
        raise DatasetError(f"{where}, of: found {entry['of']!r}, expected one of {', '.join(m for m in MIXES if m)}.")
    share = entry.get("share", {})
    if not isinstance(share, Mapping) or not all(
        m in minerals and isinstance(v, int | float) and 0 < v <= 1 for m, v in share.items()
    ):
        raise DatasetError(f"{where}, share: found {share!r}, expected shares of 0 to 1 of minerals of the row.")
    return Melting(
        tuple(minerals), float(t) + 273.15, entry["kind"],
        Source(entry["source"], Evidence(entry["evidence"]), doi=str(entry.get("doi", "")), licence="facts"),
        dict(share), entry.get("of", ""),
    )  # fmt: skip
