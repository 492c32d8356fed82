"""Quantachrome raw analysis data (QuadraWin, NovaWin … text): fixed header, units line, one row per point.

The volume is that of the whole test portion [cm3 at STP], not per gram. The format states no number of points.
"""

from __future__ import annotations

import re
from typing import Any

from ..base import Reader, Reading, Source, Value
from .sorption_points import isotherm
from .thermal_columns import Lines, day_time, decode, finish, head_text, leading_number, number_table

_KEYS = (
    "Operator",
    "Date",
    "Sample ID",
    "Filename",
    "Sample Desc",
    "Comment",
    "Sample weight",
    "Analysis Time",
    "End of run",
    "Instrument",
    "Void Vol.",
    "Cell",
    "Run mode",
    "Instrument version",
    "Outgas Time",
    "OutgasTemp",
    "Analysis gas",
    "Bath Temp",
    "Press. Tolerance",
    "Equil time",
    "Equil timeout",
)


def _sniff(source: Source) -> int:
    text = head_text(source)
    if "Quantachrome" not in text[:4000]:
        return 0
    return 100 if re.search(r"^\s*Press(?:ure)?\s+P0\s+Volume @ STP", text, re.M) else 0


def _header(lines: list[str]) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    pattern = re.compile("(" + "|".join(re.escape(k) for k in sorted(_KEYS, key=len, reverse=True)) + r"):\s*")
    for line in lines:
        found = list(pattern.finditer(line))
        for k, match in enumerate(found):
            value = line[match.end() : found[k + 1].start() if k + 1 < len(found) else len(line)].strip()
            key = match[1] if match[1] not in meta else f"Report {match[1].lower()}"
            meta[key] = value
        if not found and line.strip():
            meta.setdefault("title", []).append(line.strip())
    return meta


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(decode(source, "Quantachrome"))
    at = next(
        (i for i, line in enumerate(lines.lines) if re.match(r"\s*Press(?:ure)?\s+P0\s+Volume @ STP", line)), None
    )
    if at is None:
        raise source.fail("has no line of column headings (Pressure, P0, Volume @ STP): it is cut. Export it again.")
    headings = re.split(r"\s{2,}", lines.lines[at].strip())
    where = next((i for i in range(at + 1, len(lines.lines)) if lines.lines[i].strip()), len(lines.lines))
    if where >= len(lines.lines) or lines.is_cut(where):
        raise source.fail("is cut within its header. Export it again.", f"line {at + 1}")
    units = lines.lines[where].split()
    if len(units) < 3 or units[0] != units[1] or units[2] not in ("cc", "cc/g"):
        raise source.fail(f"has the units {units}; expected pressures of one unit and cc or cc/g.", f"line {where + 1}")
    rows = [i for i in range(where + 1, len(lines.lines)) if lines.lines[i].strip()]
    table = number_table(source, lines, rows, headings, str.split)
    meta = _header(lines.lines[:at])
    warnings: list[str] = []
    loading_units = {"cc": "cm3", "cc/g": "cm3/g"}[units[2]]
    if loading_units == "cm3":
        warnings.append("loading is the gas volume of the whole test portion, not per gram; divide by the sample mass")
    variables = isotherm(
        source,
        pressure=table.data[:, 0],
        saturation=table.data[:, 1],
        pressure_units=units[0],
        loading=table.data[:, 2],
        loading_units=loading_units,
        warnings=warnings,
        meta=meta,
    )
    completeness = finish(table.cut, False, warnings)
    mass = leading_number(str(meta.get("Sample weight", "")))
    measured, problem = day_time(str(meta.get("Date", "")))
    if problem:
        warnings.append(problem)
    return [
        Reading(
            "BET",
            variables,
            [Value("sample_mass", mass[0], mass[1], text=str(meta["Sample weight"]), where="header 'Sample weight'")]
            if mass
            else [],
            sample=str(meta.get("Sample ID", "")),
            measured_at=measured,
            operator=str(meta.get("Operator", "")),
            instrument=f"Quantachrome {meta.get('Instrument', '')}".strip(),
            metadata=meta,
            warnings=warnings,
            completeness=completeness,
        )
    ]


READER = Reader("quantachrome_sorption", "Quantachrome raw analysis data", (".txt",), _sniff, _read, ("BET",))
