"""TA Instruments text exports (TGA Q series, SDT, DSC): tab-separated header, ``StartOfData``, rows, an end row.

Rows whose time is -3 mark an event within the run and are not measurements; the row with time -1 ends the file.
"""

from __future__ import annotations

import re

import numpy as np

from ..base import Completeness, Reader, Reading, Source, Value, Variable
from .thermal_columns import (
    Lines,
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

_KNOWN = {
    "weight": "mass",
    "temperature": "temperature",
    "time": "time",
    "heat flow": "heat_flow",
    "balance purge flow": "gas_flow_balance",
    "sample purge flow": "gas_flow_sample",
}


def _sniff(source: Source) -> int:
    text = head_text(source)
    if re.search(r"^Nsig\t\d+", text, re.M) and re.search(r"^Sig1\t", text, re.M):
        return 100 if re.search(r"^Instrument\t.*(?:TGA|SDT|DSC|TA )", text, re.M) or "StartOfData" in text else 70
    return 0


def _variable(heading: str) -> tuple[str, str]:
    match = re.fullmatch(r"(.+?)\s*\(([^()]*)\)", heading)
    name, units = (match[1], units_of(match[2])) if match else (heading, "unknown")
    low = name.lower()
    if low == "weight":
        return {"%": "mass_percent", "mg": "mass"}.get(units, "mass"), units
    if low == "heat flow" and units in ("W/g", "mW/mg"):
        return "heat_flow_specific", units
    return _KNOWN.get(low, slug(name)), units


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(decode(source, "StartOfData", "Nsig"))
    if "StartOfData" not in lines.lines or lines.is_cut(lines.lines.index("StartOfData")):
        raise source.fail("has no 'StartOfData' line: the file is cut within its header. Export it again.")
    at = lines.lines.index("StartOfData")
    meta: dict[str, object] = {}
    listed: dict[str, list[str]] = {}
    for line in lines.lines[:at]:
        key, tab, value = line.partition("\t")
        if not tab:
            meta.setdefault("state", key)
        elif key in ("Xcomment", "OrgMethod", "Comment"):
            listed.setdefault(key, []).append(value)
        else:
            meta[key] = value.replace("\t", " ")
    meta |= listed
    count = str(meta.get("Nsig", ""))
    signals = (
        [str(meta.get(f"Sig{k}", "")) for k in range(1, int(count) + 1)] if count.isdigit() and int(count) < 100 else []
    )
    if not signals or not all(signals):
        raise source.fail(f"states {count!r} signals but does not name each (Sig1 …).")
    rows = [i for i in range(at + 1, len(lines.lines)) if lines.lines[i].strip()]
    table = number_table(source, lines, rows, signals, lambda line: line.split("\t"))
    columns = [_variable(s) for s in signals]
    names = [n for n, _ in columns]
    if names.count("time") != 1:
        raise source.fail(f"has no single time signal among {signals}; export time too.")
    time = table.data[:, names.index("time")]
    warnings: list[str] = []
    ends = np.flatnonzero(time == -1.0)
    ended = bool(ends.size) and int(ends[0]) == len(time) - 1 and not table.cut
    if ends.size and int(ends[0]) != len(time) - 1:
        raise source.fail(
            "goes on after its end row (time -1); several runs in one file are not read.",
            f"line {rows[int(ends[0])] + 1}",
        )
    odd = (time < 0) & (time != -1.0) & (time != -3.0)
    if odd.any():
        first = int(np.flatnonzero(odd)[0])
        raise source.fail(f"time {time[first]:g} is no mark that is known (-3, -1).", f"line {rows[first] + 1}")
    keep = time >= 0
    need_rows(source, int(keep.sum()), "TA Instruments")
    completeness: Completeness = finish(table.cut, ended, warnings)
    if not ended:
        if completeness != "partial":
            warnings.append("the row that ends the data (time -1) is missing: the file is cut")
        completeness = "partial"
    scale = {"min": 60.0, "s": 1.0, "h": 3600.0}.get(columns[names.index("time")][1])
    if scale is None:
        raise source.fail(f"time signal {signals[names.index('time')]!r} has no unit that is known.")
    variables: dict[str, Variable] = {
        "time": Variable(("time",), time[keep] * scale, "s", signals[names.index("time")])
    }
    for k, (name, units) in enumerate(columns):
        if name != "time":
            add(variables, name, ("time",), table.data[keep, k], units, signals[k])
            if units == "unknown":
                warnings.append(f"signal {signals[k]!r} has no unit")
    marks = np.flatnonzero(time == -3.0)
    if marks.size:
        last = np.zeros(len(time))
        for row in marks:
            last[row:] = table.data[row, 1]
        if (last == np.rint(last)).all() and np.abs(last).max() < 1000:
            add(
                variables,
                "mark",
                ("time",),
                last[keep].astype(np.int32),
                "1",
                "number in the last row marked with time -3",
            )
        meta["marks"] = [[int(np.count_nonzero(keep[:row])), float(table.data[row, 1])] for row in marks]
    if meta.get("Date"):
        measured, problem = day_time(f"{meta['Date']} {meta.get('Time', '')}".strip())
        if problem:
            warnings.append(problem)
    else:
        measured = ""
    size = leading_number(str(meta.get("Size", "")))
    values = [Value("sample_mass", size[0], size[1], text=str(meta["Size"]), where="header 'Size'")] if size else []
    meta["heating program"] = listed.get("OrgMethod", [])
    meta["crucible and gases"] = listed.get("Xcomment", [])
    return [
        Reading(
            "TG",
            variables,
            values,
            sample=str(meta.get("Sample", "")),
            measured_at=measured,
            operator=str(meta.get("Operator", "")),
            instrument=str(meta.get("Instrument", "")),
            method=str(meta.get("Method", "")),
            metadata=meta,
            warnings=warnings,
            completeness=completeness,
        )
    ]


READER = Reader("ta_text", "TA Instruments text export", (".txt",), _sniff, _read, ("TG",))
