"""Infrared spectra as two plain columns under headings that name wavenumber and transmittance or absorbance.

English and Chinese headings. A file without such headings is not taken: two numbers could be anything.
"""

from __future__ import annotations

import re

import numpy as np

from ..base import Reader, Reading, Source, Variable
from .ftir_jcamp import ordinate
from .thermal_columns import Lines, decode, finish, head_text, need_rows, number_table

_WAVE = re.compile(r"wave\s?number|cm\s?\^?-1|cm⁻¹|cm−1|1/cm|波数", re.I)
_TRANS = re.compile(r"transmi(?:ttance|ssion)|%\s?T\b|透过率|透射率|透光率", re.I)
_ABS = re.compile(r"absorbance|\babs\b|\bA\b|吸光度|吸收", re.I)
_WORDS = ("波数", "wavenumber", "cm-1", "cm^-1", "cm⁻¹", "1/cm")


def _heading(lines: list[str]) -> int | None:
    for index, line in enumerate(lines[:60]):
        if not _WAVE.search(line) or not (_TRANS.search(line) or _ABS.search(line)):
            continue
        if len(_cells(line)) >= 2:
            return index
    return None


def _separator(line: str) -> str:
    return next((s for s in ("\t", ";", ",") if s in line), "")


def _cells(line: str) -> list[str]:
    mark = _separator(line)
    return [
        c.strip().strip('"') for c in (line.split(mark) if mark else re.split(r"\s{2,}|\s(?=[A-Z%透吸])", line.strip()))
    ]


def _sniff(source: Source) -> int:
    if source.data[:2] in (b"PK", b"\xd0\xcf") or b"\0\0" in source.data[:64]:
        return 0
    head = source.head[:8192]
    texts = [head_text(source)[:8192]]
    if not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        texts += [head.decode(e, "ignore") for e in ("utf-8", "gb18030")]
    for text in texts:
        lines = [x.rstrip("\r") for x in text.split("\n")]
        at = _heading(lines)
        if at is not None and any(re.match(r"\s*\"?[+-]?\d", x) for x in lines[at + 1 : at + 4]):
            return 80
    return 0


def _decimal(lines: Lines, rows: list[int], mark: str) -> str:
    body = "\n".join(lines.lines[i] for i in rows[:50])
    return "," if mark != "," and re.search(r"\d,\d", body) and "." not in body else "."


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(decode(source, *_WORDS))
    at = _heading(lines.lines)
    if at is None or lines.is_cut(at):
        raise source.fail("has no heading that names wavenumber and transmittance or absorbance.")
    headings = _cells(lines.lines[at])
    rows = [i for i in range(at + 1, len(lines.lines)) if lines.lines[i].strip()]
    mark = _separator(lines.lines[rows[0]]) if rows else "\t"
    decimal = _decimal(lines, rows, mark)
    table = number_table(
        source,
        lines,
        rows,
        headings,
        (lambda line: [c.strip().strip('"') for c in line.split(mark)]) if mark else str.split,
        decimal=decimal,
    )
    need_rows(source, len(table.data), "spectrum")
    waves = [k for k, h in enumerate(headings) if _WAVE.search(h)]
    if len(waves) != 1:
        raise source.fail(f"has {len(waves)} columns of wavenumber in {headings}; expected one.", f"line {at + 1}")
    warnings: list[str] = []
    wave = np.ascontiguousarray(table.data[:, waves[0]])
    if (wave <= 0).any() or (wave > 60000).any():
        raise source.fail("has wavenumbers outside 0 to 60000 cm-1.", f"column {headings[waves[0]]!r}")
    readings = []
    completeness = finish(table.cut, False, warnings)
    for k, heading in enumerate(headings):
        if k == waves[0]:
            continue
        notes = list(warnings)
        name, units = ordinate(re.sub(r"[\[(]%[\])]|/%$|[,，]\s*%$", " %", heading).strip())
        if not name:
            if _TRANS.search(heading):
                name, units = "transmittance", "%" if re.search(r"[%％]", heading) else "1"
            elif _ABS.search(heading):
                name, units = "absorbance", "1"
            else:
                name, units = "signal", "1"
                notes.append(f"column {heading!r} names neither transmittance nor absorbance; the unit is given as 1")
        if name == "transmittance" and units == "1":
            if np.nanmax(table.data[:, k]) > 2.0:
                notes.append(
                    f"column {heading!r} prints no unit and exceeds 2: it may be percent; the unit is given as 1"
                )
            else:
                notes.append(f"column {heading!r} prints no unit; the unit is given as 1")
        variables = {
            "wavenumber": Variable(("wavenumber",), wave, "cm-1", headings[waves[0]]),
            name: Variable(("wavenumber",), np.ascontiguousarray(table.data[:, k]), units, heading),
        }
        meta = {"header": [x for x in lines.lines[:at] if x.strip()]} if at else {}
        readings.append(
            Reading(
                "FTIR",
                variables,
                metadata=meta,
                warnings=notes,
                completeness=completeness,
                where=f"column {heading!r}" if len(headings) > 2 else "",
            )
        )
    return readings


READER = Reader(
    "ir_columns",
    "infrared spectrum, two columns with headings",
    (".csv", ".txt", ".dpt", ".tsv"),
    _sniff,
    _read,
    ("FTIR",),
)
