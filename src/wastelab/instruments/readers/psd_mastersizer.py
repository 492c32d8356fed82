"""Malvern Mastersizer 2000 result tables (.csv, .txt, .xlsx): class edges in line 2, one result per line after it.

The volume of class i stands under its upper edge: the results are shifted by one column against the edges. The
quantiles are computed again from the classes and must agree with the printed ones within one class.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InstrumentError
from ...i18n import said_by, say
from ..base import Completeness, Reader, Reading, Source, Value, Variable, axis
from ..sheets import Cell, container, decimal_of, letter, only_sheet
from ..text import decimal_mark, parse_date, parse_number
from ._csv import rows_of
from ._sheet_headings import known

_WORDS = ("Sample Name", "Result Between User Sizes")
_SIZES = re.compile(r"Result Between User Sizes \(Sizes in (.+)\)")
#: Heading (lower case, without blanks): quantity and its unit.
_VALUES = {
    "d(0.1)": ("d10", "um"), "d(0.5)": ("d50", "um"), "d(0.9)": ("d90", "um"),
    "d[4,3]-volumeweightedmean": ("d43", "um"), "d[3,2]-surfaceweightedmean": ("d32", "um"), "span": ("span", "1"),
}  # fmt: skip
_COLUMNS = {
    "samplename": "sample",
    "operatorname": "operator",
    "sopname": "method",
    "measurementdateandtime": "measured_at",
}


def _fold(text: object) -> str:
    return re.sub(r"\s+", "", str(text)).lower()


def _sniff(source: Source) -> int:
    kind = container(source.data)
    if kind in ("xlsx", "xls"):
        try:
            rows = only_sheet(source, known)[0].rows
        except InstrumentError:
            return 0
        return 95 if rows and any(_SIZES.match(str(c)) for c in rows[0]) and "Sample Name" in rows[0] else 0
    line = source.head[:4096].replace(b"\x00", b"").split(b"\n", 1)[0]
    return 95 if b"Result Between User Sizes" in line and b"Sample Name" in line else 0


def _read(source: Source) -> list[Reading]:
    rows: list[list[Cell]]
    others: list[str] = []
    if container(source.data):
        grid, others = only_sheet(source, known)
        rows, ends, decimal, declared = grid.rows, True, decimal_of(source, grid), True
    else:
        texts, ends = rows_of(source, _WORDS)
        rows, declared = [[c or None for c in r] for r in texts], False
        try:
            decimal = decimal_mark([c for r in texts[1:] for c in r if re.fullmatch(r"[+-]?[\d.,]+", c)])
        except ValueError as exc:
            raise source.fail(said_by(exc) + say("sheet.one_mark")) from None
    readings = _results(source, rows, ends, decimal, declared)
    return [replace(r, warnings=(*r.warnings, *others)) for r in readings] if others else readings


def _results(source: Source, rows: list[list[Cell]], ends: bool, decimal: str, declared: bool) -> list[Reading]:
    heading = [str(c) if c is not None else "" for c in rows[0]] if rows else []
    first = next((i for i, c in enumerate(heading) if _SIZES.match(c)), -1)
    if first < 0:
        raise source.fail(say("sheet.heading_lacks", names="Result Between User Sizes"), "row 1")
    unit = _SIZES.match(heading[first])[1].strip()  # type: ignore[index]
    if unit not in ("um", "µm", "μm", "\ufffdm"):
        raise source.fail(say("sheet.edges_unit", unit=unit), "row 1")
    if len(rows) < 3:
        raise source.fail(say("sheet.no_result_cut"))
    last = next((j for j in range(len(heading) - 1, first, -1) if heading[j]), len(heading))
    edges = _numbers(source, rows[1][first:last], decimal, 2, first)
    edges = edges[: int(np.flatnonzero(np.isfinite(edges))[-1]) + 1] if np.isfinite(edges).any() else edges[:0]
    if len(edges) < 3 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0) or edges[0] <= 0:
        raise source.fail(say("sheet.edges_rise", count=len(edges)), "row 2")
    readings: list[Reading] = []
    lines = [(i, r) for i, r in enumerate(rows[2:], 3) if any(c is not None for c in r)]
    names = [str(r[0]) for _, r in lines]
    for i, row in lines:
        cut = i == len(rows) and not ends
        if len(row) < first + len(edges):
            if cut and readings:
                return [_partial(r) for r in readings]
            raise source.fail(
                say("sheet.edges_cells", cells=len(row), least=first + len(edges), count=len(edges)),
                f"row {i}",
            )
        if cut and len(row) < len(heading):
            if readings:
                return [_partial(r) for r in readings]
            raise source.fail(say("sheet.cut"), f"row {i}")
        warnings = []
        fields = {}
        if names.count(str(row[0])) > 1:
            fields["replicate"] = str(names[: len(readings) + 1].count(str(row[0])))
        if cut:
            warnings.append("the last line has no line end: if the file was cut there, its last cell may be short")
        completeness: Completeness = "declared" if declared else "unverified"
        readings.append(_result(source, heading, row, i, edges, first, decimal, warnings, fields, completeness))
    return readings


def _partial(reading: Reading) -> Reading:
    text = "the last result of the file ends early and was left out: the file was cut"
    return replace(reading, completeness="partial", warnings=(*reading.warnings, text))


def _numbers(source: Source, cells: Sequence[Cell], decimal: str, row: int, first: int) -> NDArray[np.float64]:
    out = np.full(len(cells), np.nan)
    for k, cell in enumerate(cells):
        if cell is None:
            continue
        try:
            out[k] = float(cell) if isinstance(cell, int | float) else parse_number(str(cell), decimal)
        except ValueError as exc:
            raise source.fail(said_by(exc) + say("sheet.stop"), f"row {row}, column {letter(first + k)}") from None
    return out


def _result(
    source: Source, heading: list[str], row: list[Cell], number: int, edges: NDArray[np.float64], first: int,
    decimal: str, warnings: list[str], fields: dict[str, str], completeness: Completeness,
) -> Reading:  # fmt: skip
    if row[first] is not None:
        raise source.fail(
            say("sheet.edges_shifted", cell=str(row[first])),
            f"row {number}, column {letter(first)}",
        )
    volume = _numbers(source, row[first + 1 : first + len(edges)], decimal, number, first + 1)
    if not np.all(np.isfinite(volume)):
        missing = int(np.flatnonzero(~np.isfinite(volume))[0])
        raise source.fail(
            say("sheet.class_empty"),
            f"row {number}, column {letter(first + 1 + missing)}",
        )
    if np.any(volume < 0) or np.any(volume > 100.0):
        raise source.fail(say("sheet.class_range"), f"row {number}")
    about: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    values: list[Value] = []
    for j, name in enumerate(heading):
        if not name or first <= j < first + len(edges) or j >= len(row) or row[j] is None:
            continue
        folded = _fold(name)
        where = f"row {number}, column {letter(j)} {name.strip()!r}"
        if folded in _VALUES:
            quantity, unit = _VALUES[folded]
            value = float(_numbers(source, [row[j]], decimal, number, j)[0])
            values.append(Value(quantity, value, unit, where=where))
        elif folded == "specificsurfacearea":
            metadata[name.strip()] = float(_numbers(source, [row[j]], decimal, number, j)[0])
        elif folded in _COLUMNS:
            about[_COLUMNS[folded]] = _text(row[j])
        else:
            metadata[name.strip()] = row[j] if isinstance(row[j], int | float) else _text(row[j])
    beyond = [_text(c) for c in row[len(heading) :] if c is not None]
    if beyond:
        raise source.fail(say("sheet.beyond", cell=str(beyond[0])), f"row {number}")
    measured = ""
    if "measured_at" in about:
        try:
            measured = parse_date(row[[_fold(h) for h in heading].index("measurementdateandtime")])
        except ValueError:
            metadata["Measurement date and time"] = about["measured_at"]
            warnings.append(f"the date {about['measured_at']!r} does not say which is the day and which the month")
    values = _surface(metadata, values, warnings, number)
    _check(edges, volume, values, warnings)
    total = float(volume.sum())
    if abs(total - 100.0) > 0.5:
        warnings.append(f"the classes add up to {total:.3f} %, not to 100 %")
    if _text(metadata.get("Result transform type", "Volume")).lower() != "volume":
        raise source.fail(
            say("sheet.class_kind", kind=str(metadata["Result transform type"])),
            f"row {number}",
        )
    bands = np.arange(len(volume), dtype=np.int32)
    variables = {
        **axis("band", bands, "1", "class of particle size, from the finest"),
        "size_lower": Variable(("band",), edges[:-1], "um", "lower edge of the class"),
        "size_upper": Variable(("band",), edges[1:], "um", "upper edge of the class"),
        "volume": Variable(("band",), volume, "%", "volume in the class"),
    }
    return Reading(
        "PSD", variables, tuple(values), about.get("sample", ""), measured, about.get("operator", ""),
        "Malvern Mastersizer 2000", about.get("method", ""), metadata, tuple(warnings), completeness,
        fields, f"row {number}",
    )  # fmt: skip


def _text(cell: Any) -> str:
    return f"{cell:.12g}" if isinstance(cell, float) else str(cell).strip()


def _surface(metadata: dict[str, Any], values: list[Value], warnings: list[str], row: int) -> list[Value]:
    """The printed specific surface has no unit; it is m2/g if 6 / (surface x d32) is a density that exists."""
    surface = metadata.get("Specific surface area")
    d32 = next((v.value for v in values if v.quantity == "d32"), None)
    if not surface or not d32:
        return values
    density = 6.0 / (surface * d32)
    if 0.3 <= density <= 20.0:
        metadata["density from surface and d32 [g/cm3]"] = float(f"{density:.4g}")
        where = f"row {row}, column 'Specific surface area'"
        return [
            *values,
            Value("specific_surface_psd", surface, "m2/g", text=f"{surface} (unit not printed)", where=where),
        ]
    warnings.append(
        f"the specific surface {surface} has no unit and fits no density with d32 = {d32}; kept as metadata only"
    )
    return values


def quantile(edges: NDArray[np.float64], volume: NDArray[np.float64], share: float) -> float:
    """Size below which a share of the volume lies, by interpolation over the logarithm of size [unit of `edges`]."""
    cumulative = np.concatenate(([0.0], np.cumsum(volume))) / volume.sum()
    i = int(np.clip(np.searchsorted(cumulative, share), 1, len(volume)))
    low, high = cumulative[i - 1], cumulative[i]
    part = (share - low) / (high - low) if high > low else 0.0
    return math.exp(math.log(edges[i - 1]) + part * math.log(edges[i] / edges[i - 1]))


def _check(edges: NDArray[np.float64], volume: NDArray[np.float64], values: list[Value], warnings: list[str]) -> None:
    if volume.sum() <= 0:
        warnings.append("every class is empty")
        return
    for name, share in (("d10", 0.1), ("d50", 0.5), ("d90", 0.9)):
        printed = next((v.value for v in values if v.quantity == name), None)
        if printed is None:
            continue
        found = quantile(edges, volume, share)
        i = int(np.clip(np.searchsorted(edges, found), 1, len(edges) - 1))
        step = edges[i] / edges[i - 1]
        if not found / step <= printed <= found * step:
            warnings.append(
                f"{name} is printed as {printed:g} um, but the classes give {found:.4g} um: they may be shifted"
            )


READER = Reader(
    "psd_mastersizer", "Malvern Mastersizer 2000 results", (".csv", ".txt", ".xlsx", ".xls"), _sniff, _read, ("PSD",)
)
