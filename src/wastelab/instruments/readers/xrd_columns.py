"""Diffraction patterns as text columns: .xy, .xye, DIFFRAC.EVA and HighScore exports, .csv and .txt with headings.

Blank, tab, semicolon or comma between columns; decimal comma; comment and heading lines before the data. Content
that neither names 2θ nor has the extension .xy or .xye is left to other readers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...i18n import say
from ..base import Array, Completeness, Reader, Reading, Source
from ..text import decimal_mark
from . import _xrd

_EXTENSIONS = (".xy", ".xye")
_ANGLE = re.compile(r"°?2\s*[-_ ]?\s*(?:theta|θ|th\b)|two[\s_\-]?theta", re.I)
_OTHER = re.compile(r"wavenumber|cm\^?-1|1/cm|transmittance|absorbance|raman|波数|透过率|吸光度", re.I)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?\Z")
_PAIR = re.compile(r"""(\w+):\s*"([^"]*)\"""")
_COMMENT = ("#", ";", "'", "!", "/", "*", "%")
_SEPARATORS: tuple[str | None, ...] = (";", "\t", None, ",")
_HEAD_LINES = 1000


def _cells(line: str, separator: str | None) -> list[str]:
    cells = [c.strip() for c in line.split(separator)]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _layout(lines: Sequence[str]) -> tuple[int, str | None, str] | None:
    """Index of the first data line, separator and decimal mark; None where there are no 2 to 5 numeric columns."""
    for start, line in enumerate(lines[:_HEAD_LINES]):
        if not line.strip():
            continue
        for separator in _SEPARATORS:
            cells = _cells(line, separator)
            if 2 <= len(cells) <= 5 and all(_NUMBER.match(c) for c in cells):
                following = [c for other in lines[start : start + 50] for c in _cells(other, separator)]
                if separator == ",":
                    return start, separator, "."
                try:
                    return start, separator, decimal_mark(following)
                except ValueError:
                    return None
    return None


def _decoded_head(source: Source) -> str:
    head = source.head
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "ignore")
    if b"\0" in head:
        return ""
    try:
        return head[:-4].decode("utf-8-sig") if len(head) > 4 else head.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        valid = head[: exc.start].decode("utf-8-sig")
        return valid if exc.start > len(head) - 8 else head.decode("gb18030", "ignore")


def sniff(source: Source) -> int:
    """Low: two to five numeric columns whose first runs one way, and a sign that it is 2θ."""
    text = _decoded_head(source)
    lines = text.splitlines()
    found = _layout(lines)
    if found is None:
        return 0
    start, separator, decimal = found
    before = "\n".join(lines[:start])
    if _OTHER.search(before):
        return 0
    names = _headings(lines[:start], separator, len(_cells(lines[start], separator)))
    roles = [_role(n)[0] for n in names]
    claimed = "axis" in roles and "intensity" in roles
    if source.suffix not in _EXTENSIONS and not claimed and not _ANGLE.search(before):
        return 0
    width = len(_cells(lines[start], separator))
    if width > 3 and not claimed:
        return 0
    first = []
    for line in lines[start : start + 200]:
        cells = _cells(line, separator)
        if len(cells) == width and _NUMBER.match(cells[0]):
            first.append(float(cells[0].replace(decimal, ".")))
    steps = np.diff(first[:-1] if len(first) > 2 else first)
    if source.suffix not in _EXTENSIONS and steps.size and not ((steps > 0).all() or (steps < 0).all()):
        return 0
    return 30 if source.suffix in _EXTENSIONS else 25


def _headings(before: Sequence[str], separator: str | None, width: int) -> list[str]:
    """Names of the columns from the last line before the data, or an empty list."""
    for line in reversed(before):
        body = line.strip().lstrip("#;'!%").strip()
        if not body:
            continue
        for split in (separator, ",", ";", "\t", None):
            cells = _cells(body, split)
            if len(cells) == width and not any(_NUMBER.match(c) for c in cells) and any(_role(c)[0] for c in cells):
                return [c.strip('"') for c in cells]
        return []
    return []


def _role(name: str) -> tuple[str, str, str]:
    """What a heading means: role, variable and unit."""
    folded = re.sub(r"[\s_\-.\[\]()\"]+", "", name.lower())
    if re.match(r"(?:°?2th|twotheta|°?2θ|衍射角|2θ角)", folded):
        return "axis", "two_theta", "degree"
    if folded in ("angle", "pos", "position", "angledeg", "角度"):
        return "axis", "two_theta", "degree"
    if folded in ("theta", "θ", "omega", "phi", "chi", "psi"):
        return "axis", _xrd.axis_name(folded), "degree"
    if re.fullmatch(r"q(?:1/å|å1|å\^1|1/a|a\^1|a1|1/angstrom|angstrom1)?", folded):
        return "axis", "q", "1/angstrom"
    if re.match(
        r"(?:intensity|int|counts|count|cps|i|iobs|yobs|psd|强度|衍射强度|计数)(?:$|counts|cps|cts|au|deg|计数)", folded
    ):
        unit = "counts" if "count" in folded or "cts" in folded or "计数" in folded else "1"
        return "intensity", "intensity", "counts/s" if "cps" in folded or "/s" in folded else unit
    if re.match(r"(?:esd|sigma|error|err|std|stderr|uncertainty|误差)", folded):
        return "sigma", "intensity_standard_error", ""
    if re.match(r"(?:timeperstep|steptime|counttime|countingtime)", folded):
        return "time", "count_time", "s"
    return "", "", ""


def read(source: Source) -> list[Reading]:
    """The pattern of the file."""
    text = source.text()
    lines = text.splitlines()
    found = _layout(lines)
    if found is None:
        raise source.fail("has no lines of 2 to 5 numbers with one decimal mark; expected columns 2θ and intensity.")
    start, separator, decimal = found
    width = len(_cells(lines[start], separator))
    cut = not text.endswith(("\n", "\r"))
    warnings: list[str] = []
    completeness: Completeness = "unverified"
    if cut:
        completeness = "partial"
        warnings.append("the last line has no line end: the file may have been cut")
    rows: list[list[str]] = []
    for i, line in enumerate(lines[start:], start + 1):
        body = line.strip()
        if not body or body.startswith(_COMMENT):
            continue
        cells = _cells(line, separator)
        if len(cells) == width and all(_NUMBER.match(c) for c in cells):
            rows.append(cells)
            continue
        if i == len(lines) and rows and len(cells) <= width:
            completeness = "partial"
            warnings.append(f"line {i}, the last, is incomplete ({body[:40]!r}) and was left out")
            continue
        raise source.fail(say("sheet.no_line_of_numbers", line=body[:60], wanted=width), f"line {i}")
    names = _headings(lines[:start], separator, width)
    before = "\n".join(lines[:start])
    columns: list[Array] = []
    for c in range(width):
        items = [row[c] for row in rows]
        if any(("," if decimal == "." else ".") in item for item in items):
            raise source.fail(f"mixes decimal points and commas in column {c + 1}.")
        columns.append(_xrd.numbers(" ".join(items).replace(decimal, "."), source, f"column {c + 1}"))
    return [_build(source, columns, names, before, warnings, completeness)]


def _build(
    source: Source, columns: list[Array], names: list[str], before: str, warnings: list[str], completeness: Completeness
) -> Reading:  # fmt: skip
    metadata = _comments(before)
    roles = [_role(name) for name in names] if names else []
    if not roles or roles[0][0] != "axis":
        roles = [("axis", "two_theta", "degree"), ("intensity", "intensity", "1")]
        if len(columns) == 3:
            known = source.suffix == ".xye" or bool(re.search(r"sigma|esd|error", before, re.I))
            roles.append(("sigma", "intensity_standard_error", "") if known else ("", "column_3", "1"))
        if not _ANGLE.search(before):
            warnings.append(f"the file does not name its axis; taken as 2θ in degrees because it is {source.suffix}")
    if len(roles) != len(columns) or [r[0] for r in roles].count("intensity") != 1:
        raise source.fail(f"the headings {names} do not name one axis and one intensity for {len(columns)} columns.")
    axis, unit, more = roles[0][1], "1", {}
    value: Array = columns[1]
    for i, (role, variable, units) in enumerate(roles[1:], 1):
        if role == "intensity":
            value, unit = columns[i], units
        elif role == "axis" or not role:
            name = variable or _xrd.axis_name(names[i] if names else f"column {i + 1}")
            more[name] = (columns[i], units or "1", names[i] if names else "")
            if not role:
                warnings.append(f"the meaning of column {i + 1} is not known; kept as {name}")
        else:
            more[variable] = (columns[i].astype(float), units, "")
    if "intensity_standard_error" in more:
        sigma = more["intensity_standard_error"][0]
        more["intensity_standard_error"] = (sigma, unit, "standard error of the intensity")
        if (sigma < 0).any():
            warnings.append(f"{int((sigma < 0).sum())} standard errors are negative; kept as the file has them")
    if axis == "theta":
        warnings.append(
            "the heading says 'theta', not '2theta'; the axis is kept as θ. Correct the heading if it is 2θ"
        )
    if axis == "two_theta" and columns[0].size and (columns[0].min() < -20 or columns[0].max() > 180):
        warnings.append(f"2θ runs from {columns[0].min():g} to {columns[0].max():g}, outside of -20 to 180 degrees")
    if names:
        metadata["columns"] = ", ".join(names)
    wave = _xrd.maybe(metadata.get("Calibrated wavelength", ""))
    if wave:
        metadata |= _xrd.wavelength(used=wave)
    metadata |= _xrd.known(anode=metadata.get("Anode"), scan_axis=metadata.get("Scantype"))
    return _xrd.scan(
        source,
        axis=axis,
        axis_unit=roles[0][2],
        positions=columns[0],
        intensity=value,
        unit=unit,
        more=more,
        metadata=metadata,
        warnings=warnings,
        completeness=completeness,
        sample=str(
            metadata.get("User sample name") or metadata.get("Sample identification") or metadata.get("Id") or ""
        ),
        operator=str(metadata.get("Operator") or ""),
    )


def _comments(before: str) -> dict[str, Any]:
    """Keys of the lines before the data: ``# key = value``, ``key,value``, ``Key: "value"``; other lines numbered."""
    out: dict[str, Any] = {}
    for i, raw in enumerate(before.splitlines(), 1):
        line = raw.strip().strip("#;'!/*% ").strip()
        if not line:
            continue
        quoted = _PAIR.findall(line)
        match = re.match(r"([^=:,;\t]{1,60}?)\s*[=:,;\t]\s*(.*)", line)
        if quoted:
            out.update({key: value for key, value in quoted if value})
        elif match and match[2]:
            key, value = match[1].strip(), match[2].strip().strip('"')
            out[key if key not in out else f"{key} (line {i})"] = value
        else:
            out[f"line {i}"] = line
    return out


READER = Reader("xrd_columns", "XRD text columns (xy, xye, csv)", (".xy", ".xye"), sniff, read, ("XRD",))
