"""The thermochemical set: reading of the tables, the adjustments made to them and a user's own phases.

The values as read stand in ``datasets/thermochemistry/phases.csv``, every change to them in ``adjustments.toml``;
folders of ``WASTELAB_DATA`` may hold both. What a phase can do: `wastelab.reference.phase`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..chemistry.formulas import atoms
from ..errors import CompositionError, DatasetError, UnknownNameError, suggest
from ..provenance import Evidence, Source, weakest
from .files import find_files, read_toml
from .phase import (
    GAS_CONSTANT,
    STATES,
    T0,
    Adjustment,
    Phase,
    Segment,
    ThermoArrays,
    Thermochemistry,
    g_basis,
    h_basis,
)
from .phase_bounds import (
    ELEMENTS,
    SIGMA_HIGHEST,
    T_HIGHEST,
    enthalpy_fault,
    entropy_fault,
    heat_capacity_fault,
    outside,
)
from .phase_names import PhaseName, name_of, phase_groups, phase_names
from .tables import Row, read_rows

__all__ = [
    "COLUMNS", "GAS_CONSTANT", "T0", "Adjustment", "Phase", "PhaseName", "Segment", "ThermoArrays", "Thermochemistry",
    "adjustments", "g_basis", "h_basis", "name_of", "phase_groups", "phase_names", "sets", "thermochemistry",
]  # fmt: skip

#: Columns every thermochemical table has, beside id, source, evidence, licence. ``sigma_rule`` may be added.
COLUMNS = (
    "phase", "formula", "state", "set", "segment", "dHf298", "S298", "cp_a", "cp_b", "cp_c", "cp_d", "cp_e", "cp_f",
    "T_min", "T_max", "dHtr", "sigma_G", "weak",
)  # fmt: skip
_CP = ("cp_a", "cp_b", "cp_c", "cp_d", "cp_e", "cp_f")
_ADJUST = ("phase", "dH_kJ_mol", "dS_J_molK", "reason", "source", "evidence", "doi")
#: Segments of a phase must meet within this [K].
_GAP = 0.1

_Groups = dict[tuple[str, str], list[Row]]


def thermochemistry(
    *files: Path | str, choose: Mapping[str, str] | None = None, adjusted: bool = True
) -> Thermochemistry:
    """The thermochemical set, with phases of the user's own.

    Parameters
    ----------
    *files : path
        Further tables with the columns of ``datasets/thermochemistry/phases.csv``; a phase in them replaces the
        shipped one. Tables in a folder of ``WASTELAB_DATA`` are found without being named.
    choose : mapping of str to str, optional
        Phase to the set to take it from instead of ``primary``: ``{"yeelimite": "simcem"}``.
    adjusted : bool
        Whether to apply ``adjustments.toml``: to phases of the primary set, from tables beside that file.

    Returns
    -------
    Thermochemistry

    Raises
    ------
    DatasetError
        For a bad table; names file, line, field, value and what was expected.
    UnknownNameError
        If `choose` names a set that has no such phase.
    """
    own = []
    for file in files:
        if not isinstance(file, str | os.PathLike):
            raise DatasetError(f"{file!r} is no file; give the path of a table of thermochemical data (CSV).")
        path = Path(file)
        if not path.is_file():
            raise DatasetError(f"{path}: there is no such file; expected a table of thermochemical data (CSV).")
        own.append(path.resolve())
    changes = _stamped(_adjustment_files()) if adjusted else ()
    return _load(_stamped(own), _shipped(), tuple(sorted((choose or {}).items())), changes)


def adjustments() -> dict[str, tuple[Adjustment, ...]]:
    """Changes made to the phases, by phase, from every ``adjustments.toml``; the user's own first.

    Raises
    ------
    DatasetError
        For an entry that lacks something or names a phase that no table beside it has.
    """
    out: dict[str, tuple[Adjustment, ...]] = {}
    for (_, phase), changes in _adjustments(_shipped(), _stamped(_adjustment_files())).items():
        out.setdefault(phase, changes)
    return out


def sets() -> dict[str, tuple[str, ...]]:
    """Sets that each phase is in, ``primary`` first."""
    out: dict[str, list[str]] = {}
    for name, set_name in _groups((), _shipped()):
        out.setdefault(name, []).append(set_name)
    return {k: tuple(sorted(v, key=lambda s: s != "primary")) for k, v in out.items()}


# ------------------------------------------------------------------------------------------- reading

_Stamp = tuple[tuple[str, int, int], ...]


def _stamped(files: list[Path]) -> _Stamp:
    """Files with time and size, so that a cached set is read again after a change."""
    return tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)


def _shipped() -> _Stamp:
    return _stamped(find_files("datasets", "thermochemistry/*.csv"))


def _adjustment_files() -> list[Path]:
    return find_files("datasets", "thermochemistry/adjustments.toml")


@cache
def _groups(own: _Stamp, shipped: _Stamp) -> _Groups:
    """Rows of each phase of each set; files named first win."""
    groups: _Groups = {}
    for name, _, _ in (*own, *shipped):
        found: _Groups = {}
        for row in read_rows(Path(name), COLUMNS):
            for column in ("phase", "set"):
                if not row.values[column].strip():
                    raise DatasetError(f"{row.file}, line {row.line}, column {column}: is empty; every row needs it.")
            found.setdefault((row.values["phase"], row.values["set"]), []).append(row)
        for key, rows in found.items():
            _same_substance(groups, key[0], rows[0])
            groups.setdefault(key, rows)
    return groups


def _same_substance(groups: _Groups, name: str, row: Row) -> None:
    """Refuse a phase that bears the name of another one in a table read later."""
    for (other, _), rows in groups.items():
        if other == name and _composition(rows[0]) != _composition(row):
            raise _fault(
                rows[0], "formula",
                f"{rows[0].values['formula']!r}, but {name} is {row.values['formula']} in {row.file.name}. A row may "
                "replace the values of a phase, not make another substance of it; give yours a name of its own.",
            )  # fmt: skip


def _composition(row: Row) -> dict[str, float]:
    try:
        return {element: round(n, 6) for element, n in sorted(atoms(row.values["formula"]).items())}
    except CompositionError as exc:
        raise _fault(row, "formula", str(exc)) from None


@cache
def _load(own: _Stamp, shipped: _Stamp, choose: tuple[tuple[str, str], ...], changed: _Stamp) -> Thermochemistry:
    groups = _groups(own, shipped)
    wanted = dict(choose)
    for name, set_name in wanted.items():
        if (name, set_name) not in groups:
            known = [s for n, s in groups if n == name]
            near = suggest(name, {n for n, _ in groups})
            found = f"it is in {', '.join(known)}." if known else f"no set has it.{near}"
            raise UnknownNameError(f"There is no phase {name!r} in set {set_name!r}; {found}")
    named = {name for name, _, _ in own}
    for (name, set_name), rows in groups.items():
        if str(rows[0].file) in named and set_name != wanted.get(name, "primary"):
            raise DatasetError(
                f"{rows[0].file}, line {rows[0].line}, column set: {name} is in set {set_name!r}, so it would not be "
                f"used; write 'primary' or ask for it, choose={{{name!r}: {set_name!r}}}."
            )
    changes = _adjustments(shipped, changed)
    phases = []
    for (name, set_name), rows in groups.items():
        if set_name == wanted.get(name, "primary"):
            own_changes = changes.get((rows[0].file.parent, name), ()) if set_name == "primary" else ()
            phases.append(_phase(name, rows, own_changes))
    return Thermochemistry(phases)


@cache
def _adjustments(shipped: _Stamp, changed: _Stamp) -> dict[tuple[Path, str], tuple[Adjustment, ...]]:
    """Adjustments by the folder they stand in and the phase."""
    out: dict[tuple[Path, str], list[Adjustment]] = {}
    for file in (Path(name) for name, _, _ in changed):
        beside = {
            row.values["phase"]
            for name, _, _ in shipped
            if Path(name).parent == file.parent
            for row in read_rows(Path(name), COLUMNS)
            if row.values["set"] == "primary"
        }
        data = read_toml(file)
        for key in data:
            if key not in ("schema", "adjust"):
                raise DatasetError(f"{file}, {key}: is not known; expected schema and [[adjust]].")
        for number, entry in enumerate(data.get("adjust", []), 1):
            change = _adjustment(f"{file}, adjust {number}", entry)
            if change.phase not in beside:
                raise DatasetError(
                    f"{file}, adjust {number}, phase: {change.phase!r} is in no primary set of a table in that folder."
                    f"{suggest(change.phase, beside)}"
                )
            out.setdefault((file.parent, change.phase), []).append(change)
    return {k: tuple(v) for k, v in out.items()}


def _adjustment(where: str, entry: Any) -> Adjustment:
    if not isinstance(entry, Mapping):
        raise DatasetError(f"{where}: found {entry!r}, expected a table.")
    for key in entry:
        if key not in _ADJUST:
            raise DatasetError(f"{where}, {key}: is not known.{suggest(key, _ADJUST)} Expected {', '.join(_ADJUST)}.")
    for key in ("phase", "reason", "source", "evidence"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise DatasetError(f"{where}, {key}: found {entry.get(key)!r}, expected text.")
    numbers = {}
    for key in ("dH_kJ_mol", "dS_J_molK"):
        value = entry.get(key, 0.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise DatasetError(f"{where}, {key}: found {value!r}, expected a number.")
        numbers[key] = float(value)
    if not any(numbers.values()):
        raise DatasetError(f"{where}: changes nothing; give dH_kJ_mol or dS_J_molK.")
    if entry["evidence"] not in list(Evidence):
        raise DatasetError(f"{where}, evidence: {entry['evidence']!r} is not one of {', '.join(Evidence)}.")
    source = Source(entry["source"], Evidence(entry["evidence"]), doi=str(entry.get("doi", "")))
    return Adjustment(entry["phase"], numbers["dH_kJ_mol"], numbers["dS_J_molK"], entry["reason"], source)


# ----------------------------------------------------------------------------------------- one phase


def _fault(row: Row, column: str, text: str) -> DatasetError:
    return DatasetError(f"{row.file}, line {row.line}, column {column}: {text}")


def _need(row: Row, column: str) -> float:
    value = row.number(column)
    if value is None:
        raise _fault(row, column, f"is empty; expected a number ({row.values['phase']}).")
    return value


def _phase(name: str, rows: list[Row], changes: tuple[Adjustment, ...]) -> Phase:
    rows = sorted(rows, key=lambda r: _need(r, "T_min"))
    first = rows[0]
    _check(name, rows)
    h0 = _need(first, "dHf298") * 1e3 + sum(c.dH for c in changes) * 1e3
    s0 = _need(first, "S298") + sum(c.dS for c in changes)
    if s0 <= 0:
        raise _fault(first, "S298", f"{s0:g} J/(mol K) is not positive; a third-law entropy is.")
    parts = atoms(first.values["formula"])
    if fault := entropy_fault(parts, first.values["state"], s0):
        raise _fault(first, "S298", fault)
    if fault := enthalpy_fault(parts, h0 / 1e3):
        raise _fault(first, "dHf298", fault)
    segments: list[Segment] = []
    h_at, s_at = h0, s0
    for row in rows:
        low, high, jump = _need(row, "T_min"), _need(row, "T_max"), row.number("dHtr") or 0.0
        if segments:
            h_at, s_at = h_at + jump, s_at + jump / low
            segments[-1] = replace(segments[-1], T_max=low)
        cp = tuple(_need(row, c) for c in _CP)
        segment = _segment(low, high, low if segments else T0, h_at, s_at, cp)
        segments.append(segment)
        end = np.array(high)
        h_at = float(h_basis(end) @ np.array(segment.h))
        s_at = (h_at - float(g_basis(end) @ np.array(segment.g))) / high
    sigma = first.number("sigma_G")
    if sigma is not None and sigma < 0:
        raise _fault(first, "sigma_G", f"{sigma:g} kJ/mol is negative.")
    if sigma is not None and sigma > SIGMA_HIGHEST:
        raise _fault(first, "sigma_G", f"{sigma:g} kJ/mol is above {SIGMA_HIGHEST:g}; expected kJ/mol, not J/mol.")
    source = replace(first.source, evidence=weakest([*(r.source.evidence for r in rows), *_evidence(changes)]))
    return Phase(
        name, first.values["formula"], first.values["state"], tuple(segments), h0, s0,
        None if sigma is None else sigma * 1e3, first.values["weak"].strip(), source, changes,
        first.values.get("sigma_rule", "").strip(),
    )  # fmt: skip


def _evidence(changes: tuple[Adjustment, ...]) -> list[Evidence]:
    return [c.source.evidence for c in changes]


def _check(name: str, rows: list[Row]) -> None:
    """Refuse a phase whose rows cannot be one."""
    first = rows[0]
    if first.values["state"] == "liquid":
        raise _fault(
            first, "state",
            "'liquid': melts of their own are not taken up by the equilibrium. Write state solid and make the liquid "
            "the last segment, with the heat of melting as dHtr; leave it out if it forms from several phases.",
        )  # fmt: skip
    if first.values["state"] not in STATES:
        raise _fault(first, "state", f"{first.values['state']!r} is not one of {', '.join(STATES)}.")
    if (first.values["state"] == "gas") != name.endswith("(g)"):
        raise _fault(first, "phase", f"{name!r}, state {first.values['state']!r}: gases, and only they, end in '(g)'.")
    parts = _composition(first)
    if foreign := outside(parts, first.values["state"]):
        raise _fault(
            first, "formula",
            f"{first.values['formula']} holds {', '.join(foreign)}; the set covers {', '.join(ELEMENTS)} (and N as a "
            "gas). Leave the phase out: oxides of other elements are carried as inert mass and named in the result.",
        )  # fmt: skip
    end = None
    for number, row in enumerate(rows):
        low, high = _need(row, "T_min"), _need(row, "T_max")
        if low < T0 - 1e-6:
            raise _fault(row, "T_min", f"{low:g} K is below the reference temperature of {T0} K.")
        if high <= low:
            raise _fault(row, "T_max", f"{high:g} K is not above T_min {low:g} K.")
        if high > T_HIGHEST:
            raise _fault(row, "T_max", f"{high:g} K is above {T_HIGHEST:g} K, where no such table holds.")
        if row.number("segment") != number:
            raise _fault(row, "segment", f"{row.values['segment']!r}, expected {number}: 0, 1, … in order of T_min.")
        if end is not None and abs(low - end) > _GAP:
            what = "overlaps" if low < end else "leaves a gap after"
            raise _fault(row, "T_min", f"{low:g} K {what} the segment before, which ends at {end:g} K.")
        for column in ("formula", "state"):
            if row.values[column] != first.values[column]:
                raise _fault(row, column, f"{row.values[column]!r} differs from the segment before.")
        for column in ("dHf298", "S298"):
            value = row.number(column)
            if value is not None and value != first.number(column):
                raise _fault(row, column, f"{value:g} differs from the first segment; leave it empty or repeat it.")
        if (row.number("dHtr") or 0.0) < 0:
            raise _fault(row, "dHtr", f"{row.values['dHtr']} J/mol is negative; what forms on heating takes heat.")
        a, b, c, d, e, f = (_need(row, column) for column in _CP)
        for t in np.linspace(low, high, 9):
            cp = a + b * t + c / t**2 + d / np.sqrt(t) + e * t**2 + f * t**3
            if cp <= 0:
                raise _fault(row, "cp_a", f"Cp is {cp:.4g} J/(mol K) at {t:.0f} K; expected a positive value.")
            if fault := heat_capacity_fault(parts, float(cp), float(t)):
                raise _fault(row, "cp_a", fault)
        end = high


def _segment(low: float, high: float, start: float, h: float, s: float, cp: tuple[float, ...]) -> Segment:
    """Integrate Cp from `start`, where enthalpy is `h` [J/mol] and entropy `s` [J/(mol K)]."""
    a, b, c, d, e, f = cp
    t = start
    h_rest = h - (a * t + b * t**2 / 2 - c / t + 2 * d * np.sqrt(t) + e * t**3 / 3 + f * t**4 / 4)
    s_rest = s - (a * np.log(t) + b * t - c / (2 * t**2) - 2 * d / np.sqrt(t) + e * t**2 / 2 + f * t**3 / 3)
    # H = h_rest + a T + b T^2/2 - c/T + 2 d sqrt T + e T^3/3 + f T^4/4; G = H - T S term by term
    h_terms = (h_rest, a, 0.0, b / 2, -c, 2 * d, e / 3, f / 4)
    g_terms = (h_rest, a - s_rest, -a, -b / 2, -c / 2, 4 * d, -e / 6, -f / 12)
    return Segment(low, high, cp, tuple(map(float, g_terms)), tuple(map(float, h_terms)))
