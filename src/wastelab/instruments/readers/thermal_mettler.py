"""Mettler-Toledo STARe text exports: one or several curves of a measurement, each with index, time, Ts, Tr and value.

Curves of one measurement on the same points (sample weight and heat flow) become one reading. The index must count
without gaps, and the footer that names the STARe software is the end mark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import numpy as np

from ..base import Completeness, Reader, Reading, Source, Value, Variable
from .thermal_columns import (
    Lines,
    Table,
    add,
    day_time,
    decode,
    finish,
    head_text,
    leading_number,
    need_rows,
    number_table,
    slug,
    units_of,
)

_HEAD = re.compile(r"^\s+Index\s+t\s+Ts(?:\s+Tr)?\s+Value\s*$")
_KEY = re.compile(r"^([A-Z][\w. ]*):\s*$")


@dataclass
class _Curve:
    name: str
    quantity: str
    units: list[str]
    headings: list[str]
    table: Table
    measured: str
    meta: dict[str, str] = field(default_factory=dict)
    line: int = 0


def _sniff(source: Source) -> int:
    text = head_text(source)
    if re.search(r"^(?:Curve Values|Curve|Results):\s*$", text, re.M) and re.search(_HEAD.pattern, text, re.M):
        return 95
    return 0


def _keys(block: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    key = ""
    for line in block:
        match = _KEY.match(line)
        if match:
            key = match[1]
            out.setdefault(key, "")
        elif line.startswith("___"):
            key = ""
        elif key and line.strip():
            out[key] = f"{out[key]}\n{line.strip()}".strip()
    return out


def _curves(source: Source, lines: Lines) -> list[_Curve]:
    out: list[_Curve] = []
    heads = [i for i, line in enumerate(lines.lines) if _HEAD.match(line)]
    begin = 0
    for n, at in enumerate(heads):
        if at + 1 >= len(lines.lines) or lines.is_cut(at + 1):
            raise source.fail("is cut within the headings of a curve. Export it again.", f"line {at + 1}")
        headings = lines.lines[at].split()
        units = re.findall(r"\[([^\]]*)\]", lines.lines[at + 1])
        if len(units) != len(headings) - 1:
            raise source.fail(f"units {lines.lines[at + 1].strip()!r} do not fit the headings.", f"line {at + 2}")
        rows = []
        for index in range(at + 2, len(lines.lines)):
            if not re.match(r"^\s+[+-]?\d", lines.lines[index]):
                break
            rows.append(index)
        table = number_table(source, lines, rows, headings, str.split)
        need_rows(source, len(table.data), "STARe curve")
        index_column = table.data[:, 0]
        wrong = np.flatnonzero(index_column != index_column[0] + np.arange(len(index_column)))
        if wrong.size:
            raise source.fail(
                "the index does not count on; rows are missing or mixed up.", f"line {rows[int(wrong[0])] + 1}"
            )
        meta = _keys(lines.lines[begin:at])
        named = (meta.get("FileName") or meta.get("Curve Name") or "").split("\n")
        name, _, when = named[0].partition(", ")
        out.append(_Curve(name, named[-1] if len(named) > 1 else "", ["", *units], headings, table, when, meta, at + 1))
        end = rows[-1] + 1 if rows else at + 2
        following = heads[n + 1] if n + 1 < len(heads) else len(lines.lines)
        stop = next(
            (i for i in range(end, following) if re.match(r"^(?:FileName|Curve Name):", lines.lines[i])), following
        )
        out[-1].meta |= _keys(lines.lines[end:stop])
        begin = stop
    return out


def _value_name(curve: _Curve, source: Source) -> tuple[str, str]:
    units = units_of(curve.units[-1])
    low = curve.quantity.lower()
    if "weight" in low or "mass" in low or not low:
        names = {"mg": "mass", "%": "mass_percent", "mg/min": "dtg", "%/min": "dtg", "g": "mass"}
        if units in names:
            return names[units], units
    if units in ("mW", "W/g", "mW/mg"):
        return ("heat_flow" if units == "mW" else "heat_flow_specific"), units
    if not units:
        raise source.fail(f"curve {curve.quantity!r} has no unit.", f"line {curve.line}")
    return slug(curve.quantity or "value"), units


def _reading(source: Source, curve: _Curve) -> Reading:
    variables: dict[str, Variable] = {}
    warnings: list[str] = []
    for k, heading in enumerate(curve.headings):
        data, units = table_column(curve, k), units_of(curve.units[k])
        if heading == "t":
            scale = {"s": 1.0, "min": 60.0, "h": 3600.0}.get(units)
            if scale is None:
                raise source.fail(f"time has the unit {units!r}; expected s or min.", f"line {curve.line + 1}")
            variables = {"time": Variable(("time",), data * scale, "s", "time")}
        elif heading in ("Ts", "Tr"):
            if units not in ("degC", "K"):
                raise source.fail(f"{heading} has the unit {units!r}; expected °C.", f"line {curve.line + 1}")
            name, long = (
                ("temperature", "sample temperature")
                if heading == "Ts"
                else ("program_temperature", "reference temperature")
            )
            add(variables, name, ("time",), data, units, long)
        elif heading == "Value":
            name, units = _value_name(curve, source)
            add(variables, name, ("time",), data, units, curve.quantity)
    measured, problem = day_time(curve.measured)
    if problem:
        warnings.append(problem)
    label = curve.meta.get("SampleID") or curve.meta.get("Sample") or ""
    sample, _, mass_text = label.rpartition(", ")
    mass = leading_number(mass_text)
    values = [Value("sample_mass", mass[0], mass[1], text=mass_text, where="'SampleID'")] if mass else []
    completeness = finish(curve.table.cut, False, warnings)
    return Reading(
        "TG",
        variables,
        values,
        sample=sample if mass else label or curve.name,
        measured_at=measured,
        operator=curve.meta.get("User", ""),
        instrument="Mettler-Toledo",
        method=curve.meta.get("Method", ""),
        metadata=dict(curve.meta),
        warnings=warnings,
        completeness=completeness,
        where=f"curve {curve.quantity!r}",
    )


def table_column(curve: _Curve, k: int) -> np.ndarray:
    """Column `k` of a curve."""
    return np.ascontiguousarray(curve.table.data[:, k])


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(decode(source, "STARe", "Curve Values", "Curve:"))
    curves = _curves(source, lines)
    if not curves:
        raise source.fail("is a STARe export without any curve; it is cut. Export it again.")
    tail = lines.lines[-1] if lines.lines else ""
    footer = re.search(r"STARe SW \d+\.\d\d$", tail.rstrip())
    readings: list[Reading] = []
    for curve in curves:
        one = _reading(source, curve)
        for k, other in enumerate(readings):
            same = one.sample == other.sample and all(
                name in other.variables and np.array_equal(one.variables[name].data, other.variables[name].data)
                for name in ("time", "temperature")
                if name in one.variables
            )
            fresh = {n: v for n, v in one.variables.items() if n not in other.variables}
            if same and fresh:
                readings[k] = replace(
                    other,
                    variables=dict(other.variables) | fresh,
                    measured_at=other.measured_at or one.measured_at,
                    warnings=[*other.warnings, *(w for w in one.warnings if w not in other.warnings)],
                    where=f"{other.where}, {one.where}",
                )
                break
        else:
            readings.append(one)
    out = []
    for reading in readings:
        completeness: Completeness = reading.completeness
        warnings = list(reading.warnings)
        meta = dict(reading.metadata)
        if footer:
            meta["software"] = footer[0]
            completeness = "declared" if completeness == "unverified" else completeness
        elif completeness != "partial":
            completeness = "partial"
            warnings.append("the footer that ends a STARe export ('STARe SW …') is missing: the file is cut")
        title = lines.lines[0].strip()
        meta["title"] = re.sub(r"\s{2,}", ", ", title)
        out.append(
            replace(
                reading,
                warnings=warnings,
                completeness=completeness,
                metadata=meta,
                where=reading.where if len(readings) > 1 else "",
            )
        )
    return out


READER = Reader("mettler_stare", "Mettler-Toledo STARe text export", (".txt",), _sniff, _read, ("TG",))
