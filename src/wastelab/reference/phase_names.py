"""What a person calls the phases of the thermochemical set, and which of them are one phase for a person.

Read from ``datasets/thermochemistry/names.toml``; files of that name in a folder of ``WASTELAB_DATA`` add to it and
win. Phases without an entry are called by their name in the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import DatasetError, suggest
from .files import find_files, read_toml


@dataclass(frozen=True)
class PhaseName:
    """Names of a phase or of a group of polymorphs.

    Attributes
    ----------
    phase : str
        Name in the thermochemical table (or the key of the group).
    symbol : str
        Cement notation where it is in use (``C4A3S``), else the name of the phase.
    name, name_zh : str
        Name in English and Chinese.
    group : str
        Phases of one group are one phase for a person: all polymorphs of C2S. The phase itself where it stands alone.
    """

    phase: str
    symbol: str
    name: str
    name_zh: str
    group: str


@cache
def phase_names() -> dict[str, PhaseName]:
    """Names of the phases by phase; a phase of a user's table without names is missing here: see `name_of`."""
    return _read("phases")


@cache
def phase_groups() -> dict[str, PhaseName]:
    """Names of every group by key, groups of one phase included, in the order of the phases."""
    named = _read("groups")
    out: dict[str, PhaseName] = {}
    for phase, entry in phase_names().items():
        if entry.group == phase or entry.group in named:
            out.setdefault(entry.group, named.get(entry.group, entry))
        else:
            raise DatasetError(
                f"names.toml, phases.{phase}, group: {entry.group!r} is neither this phase nor one of groups."
                f"{suggest(entry.group, named)} Add it to [groups]."
            )
    return out


def name_of(phase: str) -> PhaseName:
    """Names of one phase; those of the table itself where nobody gave others."""
    return phase_names().get(phase) or PhaseName(phase, phase, phase, phase, phase)


def _read(section: str) -> dict[str, PhaseName]:
    out: dict[str, PhaseName] = {}
    for file in find_files("datasets", "thermochemistry/names.toml"):
        data = read_toml(file)
        for key in data:
            if key not in ("schema", "phases", "groups"):
                raise DatasetError(f"{file}, {key}: is not known; expected schema, phases, groups.")
        entries = data.get(section, {})
        if not isinstance(entries, Mapping):
            raise DatasetError(f"{file}, {section}: expected a table of names by phase, found {entries!r}.")
        for phase, entry in entries.items():
            out.setdefault(phase, _entry(file, section, phase, entry))
    return out


def _entry(file: Path, section: str, phase: str, entry: Any) -> PhaseName:
    where = f"{file}, {section}.{phase}"
    if not isinstance(entry, Mapping):
        raise DatasetError(f'{where}: found {entry!r}, expected {{ name = "...", name_zh = "..." }}.')
    known = ("symbol", "name", "name_zh") + (("group",) if section == "phases" else ())
    for key, value in entry.items():
        if key not in known:
            raise DatasetError(f"{where}, {key}: is not known.{suggest(key, known)} Expected {', '.join(known)}.")
        if not isinstance(value, str) or not value.strip():
            raise DatasetError(f"{where}, {key}: found {value!r}, expected text.")
    name = str(entry.get("name", phase))
    return PhaseName(
        phase, str(entry.get("symbol", phase)), name, str(entry.get("name_zh", name)), str(entry.get("group", phase))
    )
