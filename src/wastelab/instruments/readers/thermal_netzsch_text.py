"""NETZSCH Proteus text exports (TG, DSC, DTA, STA): a ``#KEY:value`` header, one ``##`` line of headings, rows.

Separator and decimal mark are the ones the header states. The format states no number of rows, so a file cut at a
line end cannot be told from a whole one.
"""

from __future__ import annotations

import re

from ...errors import InstrumentError
from ..base import Reader, Reading, Source, Value, Variable
from .thermal_columns import (
    Lines,
    Split,
    add,
    day_time,
    decode,
    finish,
    head_text,
    integers,
    leading_number,
    need_rows,
    number_table,
    slug,
    units_of,
)

_SEPARATORS = {"SEMICOLON": ";", "COMMA": ",", "TAB": "\t", "TABULATOR": "\t", "SPACE": " ", "BLANK": " "}
_HEADING = re.compile(r"^(.*?)\s*/\s*(\([^()]*(?:\([^()]*\))?[^()]*\)|[^/()]+(?:/[^/()]+)?)$")
_MASS = {"%": "mass_percent", "mg": "mass"}
_HEAT = {
    "mW/mg": "heat_flow_specific",
    "mW": "heat_flow",
    "uV/mg": "dsc_signal",
    "uV": "dsc_signal",
    "W/g": "heat_flow_specific",
}


def _sniff(source: Source) -> int:
    text = head_text(source)
    if not re.match(r"\s*#\w[^\n:]*:", text):
        return 0
    if re.search(r"^#FORMAT:\s*NETZSCH", text, re.M):
        return 100
    return 90 if "#INSTRUMENT:NETZSCH" in text and re.search(r"^##?Temp\.|^##Time", text, re.M) else 0


def _column(heading: str) -> tuple[str, str]:
    match = _HEADING.match(heading.strip())
    name, printed = (match[1], match[2]) if match else (heading.strip(), "")
    units = units_of(printed)
    low = name.lower()
    if low.startswith("temp"):
        return "temperature", units
    if low.startswith("time"):
        return "time", units
    if low.startswith("mass"):
        return _MASS.get(units, "mass"), units
    if low.startswith("dsc"):
        return _HEAT.get(units, "dsc_signal"), units
    if low.startswith("dta"):
        return "dta", units
    if low.startswith("dtg"):
        return "dtg", units
    if low == "segment":
        return "stage", "1"
    return slug(name), units


def _text(source: Source) -> tuple[str, str]:
    """Text of an export and a warning; the degree sign decides the encoding (`°C` is also a Chinese character)."""
    try:
        return decode(source, "°C", "℃", "µV", "μV"), ""
    except InstrumentError:
        text = source.data.decode("latin-1")
    mended, count = re.subn(r"(?<![A-Za-z])[\x80-\xff]C(?![A-Za-z])", "°C", text)
    return mended, f"the degree sign is a damaged character in {count} places; read as °C" if count else ""


def _header(source: Source, lines: Lines) -> tuple[dict[str, str], int]:
    meta: dict[str, str] = {}
    for index, line in enumerate(lines.lines):
        if line.startswith("##"):
            if lines.is_cut(index):
                raise source.fail("is cut within its column headings. Export it again.", f"line {index + 1}")
            return meta, index
        body = line.strip()
        if not body:
            continue
        key, colon, value = body.removeprefix("#").partition(":")
        if not body.startswith("#") or not colon:
            raise source.fail(f"{body[:60]!r} is no '#KEY:value' line of a NETZSCH export.", f"line {index + 1}")
        if key in meta:
            key = f"{key} ({index + 1})"
        meta[key] = value.strip()
    raise source.fail("is a NETZSCH export without the '##' line of column headings; it is cut. Export it again.")


def _read(source: Source) -> list[Reading]:
    text, damaged = _text(source)
    lines = Lines.of(text)
    meta, at = _header(source, lines)
    title = lines.lines[at].removeprefix("##")
    stated = meta.get("SEPARATOR", "").upper()
    if stated and stated not in _SEPARATORS:
        raise source.fail(f"states the unknown separator {stated!r}; export with semicolon, comma or tab.")
    separator = _SEPARATORS.get(stated) or max(";\t,", key=title.count)
    decimal = "," if meta.get("DECIMAL", "POINT").upper() == "COMMA" else "."
    if separator == "," and decimal == ",":
        raise source.fail("states comma both as separator and as decimal mark; export with semicolon.")
    split: Split = str.split if separator == " " else (lambda line: line.split(separator))
    headings = [h.strip() for h in split(title)]
    if len(headings) < 2 or any(not h for h in headings):
        raise source.fail(f"column headings {title.strip()[:80]!r} cannot be read.", f"line {at + 1}")
    rows = []
    for index in range(at + 1, len(lines.lines)):
        line = lines.lines[index]
        if line.startswith("##"):
            if line.removeprefix("##") != title:
                raise source.fail(
                    "a second table with other columns follows; export one per file.", f"line {index + 1}"
                )
            continue
        if line.strip():
            rows.append(index)
    table = number_table(source, lines, rows, headings, split, decimal=decimal)
    need_rows(source, len(table.data), "NETZSCH")
    columns = [_column(h) for h in headings]
    warnings = [damaged] if damaged else []
    dims = ("time",) if sum(name == "time" for name, _ in columns) == 1 else ("point",)
    exo = {"1": "exothermic up", "-1": "exothermic down"}.get(meta.get("EXO", ""), "")
    variables: dict[str, Variable] = {}
    for k, (name, units) in enumerate(columns):
        data, long = table.data[:, k], headings[k]
        if name == "time":
            if units not in ("s", "min", "h"):
                raise source.fail(f"time has the unit {units!r}; expected min, s or h.", f"line {at + 1}")
            data, units = data * {"s": 1.0, "min": 60.0, "h": 3600.0}[units], "s"
        elif name == "stage":
            add(
                variables, "stage", dims, integers(source, data, headings[k]), "1", "segment of the temperature program"
            )
            continue
        elif not units:
            units = "unknown"
            warnings.append(f"column {headings[k]!r} has no unit")
        if exo and name in ("heat_flow", "heat_flow_specific", "dsc_signal", "dta"):
            long = f"{long}, {exo}"
        add(variables, name, dims, data, units, long)
    if "time" in variables and (variables["time"].data[1:] < variables["time"].data[:-1]).any():
        warnings.append("time runs backwards in places")
    measured, problem = day_time(meta.get("DATE/TIME", ""))
    if problem:
        warnings.append(problem)
    completeness = finish(table.cut, False, warnings)
    mass = leading_number(meta.get("SAMPLE MASS /mg", "") + " mg")
    values = (
        [Value("sample_mass", mass[0], "mg", text=meta["SAMPLE MASS /mg"], where="header 'SAMPLE MASS'")]
        if mass
        else []
    )
    for key, name in (
        ("TYPE OF CRUCIBLE", "crucible"),
        ("RANGE", "heating program"),
        ("CORR. FILE", "correction file"),
        ("TEMPCAL", "temperature calibration"),
        ("SENSITIVITY", "sensitivity calibration"),
    ):
        if meta.get(key):
            meta[name] = meta[key]
    return [
        Reading(
            "TG",
            _axis_first(variables, dims[0]),
            values,
            sample=meta.get("SAMPLE", "") or meta.get("IDENTITY", ""),
            measured_at=measured,
            operator=meta.get("OPERATOR", ""),
            instrument=meta.get("INSTRUMENT", ""),
            metadata=dict(meta),
            warnings=warnings,
            completeness=completeness,
        )
    ]


def _axis_first(variables: dict[str, Variable], name: str) -> dict[str, Variable]:
    return ({name: variables[name]} if name in variables else {}) | variables


READER = Reader("netzsch_text", "NETZSCH Proteus text export", (".txt", ".csv"), _sniff, _read, ("TG",))
