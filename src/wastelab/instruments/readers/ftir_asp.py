"""PerkinElmer ASCII spectra (.asp): six header lines (points, first and last wavenumber, three codes), then values.

The number of points is stated and checked. What the values are is not stated: they are given as `signal` with a
warning.
"""

from __future__ import annotations

import re

import numpy as np

from ..base import Completeness, Reader, Reading, Source, Variable
from .thermal_columns import Lines, finish, head_text, need_rows, number_table


def _header(lines: list[str]) -> tuple[int, float, float, list[str]] | None:
    if len(lines) < 7 or not re.fullmatch(r"\d{2,8}", lines[0].strip()):
        return None
    if not all(re.fullmatch(r"\d{2,5}(?:\.\d+)?", x.strip()) for x in lines[1:3]):
        return None
    if not all(re.fullmatch(r"\d{1,2}", x.strip()) for x in lines[3:6]):
        return None
    first, last = float(lines[1]), float(lines[2])
    if not (1 <= first <= 60000 and 1 <= last <= 60000 and first != last):
        return None
    return int(lines[0]), first, last, [x.strip() for x in lines[3:6]]


def _sniff(source: Source) -> int:
    lines = head_text(source).split("\n", 8)
    if _header([x.rstrip("\r") for x in lines]) is None:
        return 0
    return 70 if all(re.fullmatch(r"[+-]?\d*\.?\d+(?:[eE][+-]?\d+)?\s*", x) for x in lines[6:8]) else 0


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(source.text())
    head = _header(lines.lines)
    if head is None:
        raise source.fail(
            "does not begin with number of points, first and last wavenumber and three codes.", "lines 1-6"
        )
    count, first, last, codes = head
    rows = [i for i in range(6, len(lines.lines)) if lines.lines[i].strip()]
    if len(rows) > count:
        raise source.fail(f"states {count} points but holds {len(rows)} values; it is damaged.", "line 1")
    table = number_table(source, lines, rows, ["value"], lambda line: [line])
    found = len(table.data)
    need_rows(source, found, ".asp")
    warnings: list[str] = []
    completeness: Completeness = finish(table.cut, found == count, warnings)
    if found < count:
        completeness = "partial"
        warnings.append(f"the header states {count} points; {found} are there")
    wave = np.linspace(first, last, count)[:found]
    warnings.append("the file does not say whether the values are absorbance or transmittance; the unit is given as 1")
    return [
        Reading(
            "FTIR",
            {
                "wavenumber": Variable(("wavenumber",), wave, "cm-1", "wavenumber"),
                "signal": Variable(("wavenumber",), np.ascontiguousarray(table.data[:, 0]), "1", "as stored"),
            },
            instrument="PerkinElmer",
            metadata={"points": count, "first wavenumber": first, "last wavenumber": last, "codes": codes},
            warnings=warnings,
            completeness=completeness,
        )
    ]


READER = Reader("perkinelmer_asp", "PerkinElmer ASCII spectrum", (".asp",), _sniff, _read, ("FTIR",))
