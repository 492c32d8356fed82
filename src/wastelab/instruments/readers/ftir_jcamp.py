"""JCAMP-DX infrared spectra (version 4.24 and its looser relatives): AFFN, packed and compressed ordinates, XY pairs.

Implements the tabular forms of McDonald and Wilks, Appl. Spectrosc. 42 (1988) 151: AFFN, PAC, SQZ, DIF and DUP. Each
line's abscissa and, for differences, its first ordinate are checked; number of points, first and last abscissa and
first ordinate too. Spectra over other abscissae than wavenumbers are refused.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ...i18n import say
from ..base import Completeness, Reader, Reading, Source, Variable
from .thermal_columns import Lines, decode, head_text, need_rows, number_table

_LABEL = re.compile(r"^##([^=]*)=(.*)$", re.S)
_SQZ = {c: str(k) for k, c in enumerate("@ABCDEFGHI")} | {c: f"-{k + 1}" for k, c in enumerate("abcdefghi")}
_DIF = {c: str(k) for k, c in enumerate("%JKLMNOPQR")} | {c: f"-{k + 1}" for k, c in enumerate("jklmnopqr")}
_DUP = {c: str(k + 1) for k, c in enumerate("STUVWXYZs")}
_TOKEN = re.compile(r"([@A-Ia-i%J-Rj-rS-Zs]?)([+-]?\d*\.?\d*(?:[Ee][+-]\d+)?)")
_WAVE = ("1/CM", "CM-1", "CM^-1", "1/ CM", "WAVENUMBERS", "WAVENUMBER", "CM**-1")


def ordinate(units: str) -> tuple[str, str]:
    """Variable name and unit of a printed ordinate, or ``("", "")`` if it says neither."""
    low = re.sub(r"[\s._\-()]+", " ", units.lower()).strip()
    if low in (
        "%t",
        "% t",
        "percent transmittance",
        "% transmittance",
        "transmittance %",
        "%transmittance",
        "t%",
        "透过率%",
        "%透过率",
    ):
        return "transmittance", "%"
    if low in ("transmittance", "t"):
        return "transmittance", "1"
    if low in ("absorbance", "a", "abs", "吸光度", "absorbance units", "a u absorbance"):
        return "absorbance", "1"
    if low in ("reflectance", "r"):
        return "reflectance", "1"
    if low in ("%r", "% reflectance", "percent reflectance"):
        return "reflectance", "%"
    if low in ("kubelka munk", "kubelka-munk"):
        return "kubelka_munk", "1"
    return "", ""


def _sniff(source: Source) -> int:
    text = head_text(source).lstrip()
    if not text.startswith("##"):
        return 0
    upper = text.upper()
    if not re.match(r"##\s*(?:TITLE|JCAMP-?DX)\s*=", upper):
        return 0
    if re.search(r"##\s*DATA\s?TYPE\s*=\s*[^\n]*(?:INFRARED|IR SPECTRUM)", upper):
        return 100
    if re.search(r"##\s*DATA\s?TYPE\s*=\s*[^\n]*(?:NMR|MASS|XRD|DIFFRACTION|RAMAN|UV)", upper):
        return 0
    return 80 if re.search(r"##\s*XUNITS\s*=\s*(?:1/CM|CM-1)", upper) else 0


def _records(source: Source, lines: Lines) -> list[tuple[str, str, int, list[int]]]:
    """Labelled data records: normalised label, text, line index, indices of the lines that follow it."""
    out: list[tuple[str, str, int, list[int]]] = []
    for index, line in enumerate(lines.lines):
        body = line.split("$$", 1)[0]
        match = _LABEL.match(body)
        if match:
            out.append((re.sub(r"[\s\-/_]+", "", match[1]).upper(), match[2].strip(), index, []))
        elif out:
            out[-1][3].append(index)
        elif body.strip():
            raise source.fail(f"{body.strip()[:40]!r} stands before the first '##' label.", f"line {index + 1}")
    return out


def _ordinates(source: Source, line: str, where: str) -> tuple[float, list[float], bool]:
    """Abscissa and ordinates of one line, and whether its last one was a difference."""
    body = line.strip()
    match = re.match(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[Ee][+-]\d+)?", body)
    if not match:
        raise source.fail(f"{body[:40]!r} does not begin with an abscissa.", where)
    x, rest = float(match[0]), body[match.end() :]
    values: list[float] = []
    previous: tuple[str, float] | None = None
    at = 0
    while at < len(rest):
        if rest[at] in " \t,;":
            at += 1
            continue
        if rest[at] == "?":
            raise source.fail("has an ordinate marked '?' (not measured).", where)
        token = _TOKEN.match(rest, at)
        if not token or token.end() == at:
            raise source.fail(f"{rest[at : at + 20]!r} is no ordinate.", where)
        at = token.end()
        mark, digits = token[1], token[2]
        try:
            if mark in _DUP:
                count = int(_DUP[mark] + digits)
                if previous is None or not 1 <= count <= 1_000_000:
                    raise source.fail(f"repeats {count} times what does not stand there.", where)
                for _ in range(count - 1):
                    values.append(values[-1] + previous[1] if previous[0] == "dif" else previous[1])
            elif mark in _DIF:
                step = float(_DIF[mark] + digits)
                if not values:
                    raise source.fail("begins with a difference.", where)
                values.append(values[-1] + step)
                previous = ("dif", step)
            else:
                number = float((_SQZ[mark] if mark else "") + digits)
                values.append(number)
                previous = ("abs", number)
        except ValueError:
            raise source.fail(f"{token[0]!r} is no ordinate.", where) from None
    return x, values, previous is not None and previous[0] == "dif"


def _tabulated(
    source: Source, lines: Lines, rows: list[int], head: dict[str, str], warnings: list[str]
) -> tuple[Any, Any, str]:
    """Abscissae and ordinates of ``(X++(Y..Y))``; the last value says what is missing at the end."""

    def number(key: str) -> float | None:
        if key not in head or not head[key]:
            return None
        try:
            return float(head[key].split()[0])
        except ValueError:
            raise source.fail(f"##{key}={head[key][:30]} is no number.") from None

    first, last, stated = number("FIRSTX"), number("LASTX"), number("NPOINTS")
    xf, yf = number("XFACTOR"), number("YFACTOR")
    xf, yf = 1.0 if xf is None else xf, 1.0 if yf is None else yf
    delta = number("DELTAX")
    if stated is None or stated != int(stated) or not 2 <= stated <= 50_000_000 or first is None or last is None:
        raise source.fail("has XYDATA without readable ##NPOINTS, ##FIRSTX and ##LASTX; all three are needed.")
    step = (last - first) / (stated - 1)
    if step == 0:
        raise source.fail("has the same ##FIRSTX and ##LASTX.")
    if delta is not None and abs(delta - step) > 0.01 * abs(step):
        raise source.fail(f"states ##DELTAX={delta:g} but {step:g} follows from first, last and number of points.")
    y: list[float] = []
    cut, check = "", False
    for index in rows:
        body = lines.lines[index].split("$$", 1)[0]
        if not body.strip():
            continue
        if lines.is_cut(index):
            cut = f"line {index + 1}, the last, has no line end: it was left out"
            break
        where = f"line {index + 1}"
        x, values, difference = _ordinates(source, body, where)
        if check and y:
            if not values or values[0] != y[-1]:
                raise source.fail(
                    f"its first ordinate {values[:1]} is not the check value {y[-1]:g}; a line is missing or damaged.",
                    where,
                )
            values = values[1:]
            x_index = len(y) - 1
        else:
            x_index = len(y)
        expected = first + x_index * step
        if abs(x * xf - expected) > max(0.6 * abs(step), 2e-6 * abs(expected)) and abs(
            x * xf - expected - step
        ) > 0.6 * abs(step):
            raise source.fail(f"its abscissa {x * xf:g} should be {expected:g}; a line is missing or damaged.", where)
        y.extend(values)
        check = difference
    if len(y) > stated:
        raise source.fail(f"states ##NPOINTS={stated:g} but holds {len(y)}; it is damaged.")
    if not cut and len(y) < stated:
        cut = f"##NPOINTS states {stated:g} points; {len(y)} are there"
    ordinates = np.array(y) * yf
    start = number("FIRSTY")
    if start is not None and len(ordinates) and abs(ordinates[0] - start) > 1e-3 * max(abs(start), abs(yf)) + abs(yf):
        warnings.append(f"##FIRSTY={start:g} is not the first ordinate {ordinates[0]:g}")
    return first + step * np.arange(len(y)), ordinates, cut


def _pairs(source: Source, lines: Lines, rows: list[int], head: dict[str, str]) -> tuple[Any, Any, str]:
    body = [i for i in rows if lines.lines[i].split("$$", 1)[0].strip()]
    many = any(";" in lines.lines[i] for i in body[:20])
    if many:
        raise source.fail("writes several XY pairs per line; export one pair per line.", f"line {body[0] + 1}")
    table = number_table(
        source, lines, body, ["wavenumber", "ordinate"], lambda s: re.split(r"[\s,]+", s.split("$$", 1)[0].strip())
    )
    xf, yf = (float(head.get(k) or 1.0) for k in ("XFACTOR", "YFACTOR"))
    cut = table.cut
    stated = head.get("NPOINTS", "")
    if stated.isdigit() and int(stated) < len(table.data):
        raise source.fail(f"states ##NPOINTS={stated} but holds {len(table.data)}; it is damaged.")
    if stated.isdigit() and int(stated) > len(table.data) and not cut:
        cut = f"##NPOINTS states {stated} points; {len(table.data)} are there"
    return table.data[:, 0] * xf, table.data[:, 1] * yf, cut


def _spectrum(
    source: Source, lines: Lines, block: list[tuple[str, str, int, list[int]]], number: int
) -> Reading | None:
    head: dict[str, str] = {}
    data: tuple[str, str, list[int]] | None = None
    for label, text, _, rows in block:
        if label in ("XYDATA", "XYPOINTS", "PEAKTABLE"):
            if label == "PEAKTABLE":
                raise source.fail("holds a peak table, no spectrum.")
            if data is not None:
                raise source.fail("holds two tables in one block.")
            data = (label, text.replace(" ", "").upper(), rows)
        else:
            more = [lines.lines[i] for i in rows]
            numbers = [i for i in rows if re.fullmatch(r"\s*[+-]?[\d.]+[\s,]+[+-]?[\d.]+\s*", lines.lines[i])]
            if label == "YUNITS" and numbers:  # pairs without a table label
                data, more = ("XYPOINTS", "(XY..XY)", rows), []
            head[label] = "\n".join([text, *more]).strip()
    if data is None:
        return None
    units = head.get("XUNITS", "").upper().strip()
    if units not in _WAVE:
        raise source.fail(f"has ##XUNITS={units or '(none)'}; only spectra over wavenumber (1/CM) are read.")
    warnings: list[str] = []
    if data[0] == "XYDATA" and data[1].startswith("(X++(Y..Y))"):
        x, y, cut = _tabulated(source, lines, data[2], head, warnings)
    elif data[1].startswith("(XY..XY)"):
        x, y, cut = _pairs(source, lines, data[2], head)
    else:
        raise source.fail(f"has the table form {data[1][:30]!r}; known are (X++(Y..Y)) and (XY..XY).")
    need_rows(source, len(x), "JCAMP-DX")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise source.fail(say("sheet.no_finite_numbers"))
    name, y_units = ordinate(head.get("YUNITS", ""))
    if not name:
        name, y_units = "signal", "1"
        warnings.append(
            f"##YUNITS={head.get('YUNITS', '')!r} names neither transmittance nor absorbance; the unit is given as 1"
        )
    stated = head.get("NPOINTS", "").split(".")[0].strip()
    completeness: Completeness = "unverified"
    if cut:
        warnings.append(cut)
        completeness = "partial"
    elif stated.isdigit() and int(stated) == len(x):
        completeness = "declared"
    variables = {
        "wavenumber": Variable(("wavenumber",), x, "cm-1", "wavenumber"),
        name: Variable(("wavenumber",), y, y_units, head.get("YUNITS", "")),
    }
    title = head.get("TITLE", "")
    return Reading(
        "FTIR",
        variables,
        sample=head.get("SAMPLEDESCRIPTION", "") or ("" if title == "No Description" else title),
        measured_at=_date(head),
        operator=head.get("OWNER", ""),
        instrument=head.get("SPECTROMETERDATASYSTEM", "") or head.get("SPECTROMETER/DATASYSTEM", ""),
        metadata=dict(head),
        warnings=warnings,
        completeness=completeness,
        where=f"block {number}",
    )


def _date(head: dict[str, str]) -> str:
    match = re.match(r"(\d{4})/(\d{2})/(\d{2})(?:\s+(\d{2}):(\d{2}):(\d{2}))?", head.get("LONGDATE", ""))
    if not match:
        return ""
    return f"{match[1]}-{match[2]}-{match[3]}" + (f"T{match[4]}:{match[5]}:{match[6]}" if match[4] else "")


def _read(source: Source) -> list[Reading]:
    lines = Lines.of(decode(source, "##"))
    blocks: list[list[tuple[str, str, int, list[int]]]] = []
    for record in _records(source, lines):
        if record[0] in ("TITLE", "JCAMPDX") and (not blocks or record[0] in {r[0] for r in blocks[-1]}):
            blocks.append([])
        if not blocks:
            blocks.append([])
        blocks[-1].append(record)
    found = [r for r in (_spectrum(source, lines, b, k + 1) for k, b in enumerate(blocks)) if r is not None]
    if not found:
        raise source.fail("holds no spectrum: the file is cut within its header. Export it again.")
    if len(found) == 1:
        from dataclasses import replace

        return [replace(found[0], where="")]
    return found


READER = Reader("jcamp_ir", "JCAMP-DX infrared spectrum", (".jdx", ".dx", ".jcm", ".jcamp"), _sniff, _read, ("FTIR",))
