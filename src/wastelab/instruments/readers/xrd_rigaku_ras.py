"""Rigaku .ras: text (UTF-8, Shift-JIS or GB18030) with ``*KEY "value"`` headers, one block per scan.

The third column is the attenuator coefficient; it is kept beside the intensity, never multiplied in.
"""

from __future__ import annotations

import re
from typing import Any

from ...i18n import say
from ..base import Array, Completeness, Reader, Reading, Source
from ..text import decode
from . import _xrd

_PAIR = re.compile(r'\*(\S+)\s+"(.*)"\s*\Z')
_HALF_KANA = re.compile("[\uff61-\uff9f]")
_TIME_PATTERNS = ("%m/%d/%Y %H:%M:%S", "%m/%d/%y %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S")


def sniff(source: Source) -> int:
    """Certain where the opening markers are there."""
    head = source.head[:4096]
    return 100 if b"*RAS_DATA_START" in head or b"*RAS_HEADER_START" in head else 0


def to_text(source: Source) -> str:
    """The file as text: UTF-8, else Shift-JIS unless that gives half-width kana and GB18030 fits."""
    data = source.data
    for encoding in ("utf-8-sig", "cp932", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "cp932" or not _HALF_KANA.search(text):
            return text
    return decode(data, ("RAS_",), source.name)[0]


def read(source: Source) -> list[Reading]:
    """Every scan of the file."""
    lines = to_text(source).splitlines()
    scans: list[tuple[dict[str, str], list[tuple[int, str]], bool]] = []
    header: dict[str, str] = {}
    state, ended = "", False
    for i, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line:
            continue
        if not line.startswith("*"):
            if state != "data":
                raise source.fail(f"{line[:60]!r} stands outside a data block.", f"line {i}")
            scans[-1][1].append((i, line))
        elif line == "*RAS_HEADER_START":
            header, state = {}, "header"
        elif line in ("*RAS_HEADER_END", "*RAS_DATA_START"):
            state = ""
        elif line == "*RAS_INT_START":
            scans.append((header, [], False))
            header, state = {}, "data"
        elif line == "*RAS_INT_END" and scans:
            scans[-1] = (*scans[-1][:2], True)
            state = ""
        elif line == "*RAS_DATA_END":
            ended = True
        elif (match := _PAIR.match(line)) and state == "header":
            header[match[1]] = match[2].strip()
        elif i < len(lines):
            raise source.fail(f"{line[:60]!r} is no line of a header.", f"line {i}")
    if not scans:
        raise source.fail("holds no *RAS_INT_START: the file was cut before its data, or nothing was measured.")
    warnings = [] if ended else ["the file ends without *RAS_DATA_END: it was cut"]
    several = len(scans) > 1
    out = []
    for i, (head, rows, closed) in enumerate(scans, 1):
        where = f"scan {i}" if several else ""
        notes = list(warnings)
        if not closed and (ended or i < len(scans)):
            raise source.fail("its data block has no *RAS_INT_END.", f"scan {i}")
        if not closed and rows and len(rows[-1][1].split()) < len(rows[0][1].split()):
            notes.append(f"line {rows[-1][0]} is incomplete and was left out")
            rows = rows[:-1]
        out.append(profile(source, rows, head, where, notes, ended and closed))
    return out


def profile(
    source: Source, rows: list[tuple[int, str]], head: dict[str, str], where: str, warnings: list[str], closed: bool
) -> Reading:  # fmt: skip
    """A scan from its rows ``x intensity [attenuation]`` and its header keys (without ``*``).

    Parameters
    ----------
    closed : bool
        Whether an end marker was found; with an agreeing ``MEAS_DATA_COUNT`` the scan is ``declared``.

    Raises
    ------
    InstrumentError
    """
    place = where or "data"
    if not rows:
        raise source.fail("holds no point.", place)
    width = len(rows[0][1].split())
    if width not in (2, 3):
        raise source.fail(
            say("sheet.cells_expected", cells=width, wanted="2 / 3", line=rows[0][1][:60]),
            f"{where} line {rows[0][0]}".strip(),
        )
    for line, row in rows:
        if len(row.split()) != width:
            raise source.fail(
                say("sheet.cells_expected", cells=len(row.split()), wanted=width, line=row[:60]),
                f"{where} line {line}".strip(),
            )
    columns = [
        _xrd.numbers(
            " ".join(row.split()[c] for _, row in rows), source, f"{place} column {c + 1} from line {rows[0][0]}"
        )
        for c in range(width)
    ]
    completeness: Completeness = "declared" if closed else "partial"
    count = _xrd.maybe(head.get("MEAS_DATA_COUNT", ""))
    if count is not None and count != len(rows):
        if closed:
            raise source.fail(f"{count:g} points are declared, {len(rows)} are there.", place)
        warnings.append(f"{count:g} points are declared, {len(rows)} are there")
    more: dict[str, tuple[Array, str, str]] = {}
    if width == 3:
        factor = columns[2].astype(float)
        more["attenuation"] = (factor, "1", "attenuator coefficient")
        if (factor != 1.0).any():
            warnings.append("attenuator coefficients other than 1 are listed; the intensity is as the file stores it")
    metadata: dict[str, Any] = {**head, "intensity_is": "second column, as stored"}
    metadata |= _xrd.wavelength(
        K_alpha1=_xrd.maybe(head.get("HW_XG_WAVE_LENGTH_ALPHA1", "")),
        K_alpha2=_xrd.maybe(head.get("HW_XG_WAVE_LENGTH_ALPHA2", "")),
        K_beta=_xrd.maybe(head.get("HW_XG_WAVE_LENGTH_BETA", "")),
    )
    vendor_axis = head.get("MEAS_SCAN_AXIS_X_INTERNAL") or head.get("MEAS_SCAN_AXIS_X", "")
    if not vendor_axis:
        warnings.append("the header names no scan axis")
    metadata |= _xrd.known(
        anode=head.get("HW_XG_TARGET_NAME"),
        kV=_xrd.maybe(head.get("MEAS_COND_XG_VOLTAGE", "")),
        mA=_xrd.maybe(head.get("MEAS_COND_XG_CURRENT", "")),
        step=_xrd.maybe(head.get("MEAS_SCAN_STEP", "")),
        scan_axis=vendor_axis,
        scan_mode=head.get("MEAS_SCAN_MODE"),
    )
    speed = _xrd.maybe(head.get("MEAS_SCAN_SPEED", ""))
    if speed and (unit := head.get("MEAS_SCAN_SPEED_UNIT", "")):
        metadata["scan_speed"] = f"{speed:g} {unit}"
    return _xrd.scan(
        source,
        axis=_xrd.axis_name(vendor_axis),
        axis_unit=_xrd.unit_name(head.get("MEAS_SCAN_UNIT_X", "")),
        positions=columns[0].astype(float),
        intensity=columns[1],
        unit=_xrd.intensity_unit(head.get("MEAS_SCAN_UNIT_Y", "")),
        where=where,
        more=more,
        metadata=metadata,
        warnings=warnings,
        completeness=completeness,
        sample=head.get("FILE_SAMPLE", "").strip(),
        operator=head.get("FILE_OPERATOR", ""),
        instrument=(head.get("FILE_SYSTEM_NAME") or head.get("HW_GONIOMETER_NAME", "")).split("|")[-1],
        measured_at=_time(head.get("MEAS_SCAN_START_TIME", "")),
    )


def _time(text: str) -> str:
    """ISO 8601; a ``Z`` (UTC, as SmartLab Studio writes) is kept."""
    zone = "Z" if text.endswith("Z") else ""
    found = _xrd.iso(text.removesuffix("Z"), *_TIME_PATTERNS)
    return f"{found}{zone}" if found else ""


READER = Reader("rigaku_ras", "Rigaku RAS text", (".ras",), sniff, read, ("XRD",))
