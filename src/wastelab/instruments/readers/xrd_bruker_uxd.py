"""Bruker/Siemens .uxd: text with ``_KEY=value`` lines and one data block per range.

The number of ranges is written nowhere, so a reading is at best ``unverified``.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...i18n import say
from ..base import Array, Completeness, Reader, Reading, Source
from . import _xrd

_KEY = re.compile(r"_([A-Z0-9_+\-]+)\s*(?:=\s*(.*))?\Z", re.IGNORECASE)
#: Data blocks: unit, and what a row holds.
_BLOCKS = {
    "COUNTS": ("counts", ""),
    "CPS": ("counts/s", ""),
    "2THETACOUNTS": ("counts", "x"),
    "2THETACPS": ("counts/s", "x"),
    "2THETACOUNTSTIME": ("counts", "xt"),
}
_STARTS = {
    "two_theta": ("2THETA", "START"),
    "theta": ("THETA", "START"),
    "phi": ("PHI", "START"),
    "chi": ("KHI", "START"),
}


def sniff(source: Source) -> int:
    """Certain where the keys of a UXD file are there."""
    head = source.head
    if b"\0" in head or not re.search(rb"^_FILEVERSION\s*=|^_(?:2THETA)?(?:COUNTS|CPS)\w*\s*$", head, re.M):
        return 0
    return 100 if re.search(rb"^_(?:DRIVE|STEPSIZE|START|SAMPLE)\s*=", head, re.M) else 0


def _value(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "'" else text


def read(source: Source) -> list[Reading]:
    """Every range of the file."""
    text = source.text()
    lines = text.splitlines()
    cut = not text.endswith(("\n", "\r"))
    shared: dict[str, str] = {}
    ranges: list[tuple[dict[str, str], str, list[tuple[int, str]]]] = []
    own: dict[str, str] = {}
    block = ""
    for i, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith(";"):
            continue
        match = _KEY.match(line)
        if match is None:
            if not block:
                raise source.fail(f"{line[:60]!r} is neither a key nor data of a block.", f"line {i}")
            ranges[-1][2].append((i, line))
            continue
        key, value = match[1].upper(), match[2]
        if key in _BLOCKS and value is None:
            ranges.append(({**shared, **own}, key, []))
            block, own = key, {}
            continue
        if value is None:
            raise source.fail(f"the data block _{key} is not known; convert the file to .xy.", f"line {i}")
        if key == "DRIVE" or block:
            block = ""
        if not ranges and not own and key != "DRIVE":
            shared[key] = _value(value)
        else:
            own[key] = _value(value)
    if not ranges:
        raise source.fail("holds no data block (_COUNTS, _2THETACOUNTS …): the file was cut, or nothing was measured.")
    several = len(ranges) > 1
    out = []
    for i, (header, key, rows) in enumerate(ranges, 1):
        where = f"range {i}" if several else ""
        last = i == len(ranges)
        out.append(_range(source, header, key, rows, where, cut and last))
    if own:
        raise source.fail("a further range has a header and no data: the file was cut.", f"range {len(ranges) + 1}")
    return out


def _range(
    source: Source, header: dict[str, str], key: str, rows: list[tuple[int, str]], where: str, cut: bool
) -> Reading:
    warnings: list[str] = []
    completeness: Completeness = "unverified"
    unit, layout = _BLOCKS[key]
    drive = header.get("DRIVE", "COUPLED")
    axis = _xrd.axis_name(drive)
    place = where or f"block _{key}"
    more: dict[str, tuple[Array, str, str]] = {}
    if cut:
        completeness = "partial"
        warnings.append("the last line has no line end: the file was probably cut")
    if layout:
        axis = "two_theta"
        width = 1 + len(layout)
        if cut and rows and len(rows[-1][1].split()) < width:
            warnings.append(f"line {rows[-1][0]} is incomplete and was left out")
            rows = rows[:-1]
        for line, row in rows:
            if len(row.split()) != width:
                raise source.fail(
                    say("sheet.cells_expected", cells=len(row.split()), wanted=width, line=row[:60]), f"line {line}"
                )
        first = rows[0][0] if rows else 0
        columns = [[row.split()[c] for _, row in rows] for c in range(width)]
        parsed = [
            _xrd.numbers(" ".join(c), source, f"{place} from line {first}, column {i}")
            for i, c in enumerate(columns, 1)
        ]
        positions, values = parsed[0].astype(float), parsed[1]
        if layout == "xt":
            more["count_time"] = (parsed[2].astype(float), "s", "counting time per point")
    else:
        values = _xrd.numbers(" ".join(row for _, row in rows), source, place)
        start = next((header[k] for k in ("START", *_STARTS.get(axis, ())) if k in header), "")
        if not start or "STEPSIZE" not in header:
            raise source.fail("has no _START or _STEPSIZE: its angles are not known.", place)
        positions = _xrd.number(start, source, f"{place} _START") + _xrd.number(
            header["STEPSIZE"], source, f"{place} _STEPSIZE"
        ) * np.arange(values.size)
    declared = header.get("STEPCOUNT", "")
    if declared.isdigit() and int(declared) != values.size:
        warnings.append(f"_STEPCOUNT is {declared}, but {values.size} points are there")
        completeness = "partial"
    metadata: dict[str, Any] = {**header, "intensity_is": f"block _{key}"}
    metadata |= _xrd.wavelength(
        K_alpha1=_xrd.maybe(header.get("WL1", "")),
        K_alpha2=_xrd.maybe(header.get("WL2", "")),
        K_beta=_xrd.maybe(header.get("WL3", "")),
        ratio=_xrd.maybe(header.get("WLRATIO", "")),
    )
    count_time = _xrd.maybe(header.get("STEPTIME", ""))
    metadata |= _xrd.known(
        anode=header.get("ANODE"),
        kV=_xrd.maybe(header.get("KV", "")),
        mA=_xrd.maybe(header.get("MA", "")),
        step=_xrd.maybe(header.get("STEPSIZE", "")),
        scan_axis=drive,
        scan_mode={"C": "continuous", "S": "step"}.get(header.get("STEPMODE", ""), header.get("STEPMODE")),
        count_time=count_time,
        count_time_unit="s" if count_time is not None else None,
    )
    return _xrd.scan(
        source,
        axis=axis,
        positions=positions,
        intensity=values,
        unit=unit,
        where=where,
        more=more,
        metadata=metadata,
        warnings=warnings,
        completeness=completeness,
        sample=header.get("SAMPLE", ""),
        operator=header.get("USER", ""),
        measured_at=_date(header.get("DATEMEASURED", "")),
    )


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _date(text: str) -> str:
    """``04-Mar-2010 20:59:14`` without regard to the locale."""
    match = re.fullmatch(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})\s+(\d\d:\d\d:\d\d)", text.strip())
    if match and match[2].lower() in _MONTHS:
        return _xrd.iso(f"{match[1]}.{_MONTHS.index(match[2].lower()) + 1}.{match[3]} {match[4]}", "%d.%m.%Y %H:%M:%S")
    return _xrd.iso(text, "%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M:%S", "%Y-%m-%d %H:%M:%S")


READER = Reader("bruker_uxd", "Bruker UXD text", (".uxd",), sniff, read, ("XRD",))
