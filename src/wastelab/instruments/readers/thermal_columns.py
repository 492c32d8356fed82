"""What the text readers of thermal analysis, calorimetry, sorption and infrared share: lines, number columns, dates.

A table of numbers is read strictly: every row has every column, every cell is a finite number. Only the last row of
a file may be short, and then it is left out and said so. Not a reader itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...i18n import say
from ..base import Completeness, Source, Variable

Split = Callable[[str], list[str]]
_PLAIN = re.compile(r"[0-9eE+\-.\s]*")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_BLANK = frozenset(("", "nan", "---", "--", "-", "n/a", "n.a."))
#: Longest table that is read [rows].
MAX_ROWS = 20_000_000


def decode(source: Source, *words: str) -> str:
    """Text of a file, decoded by the strict order of `Source.text`; a UTF-8 character cut at the end is dropped."""
    data = source.data
    if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        for cut in range(4):
            try:
                text = data[: len(data) - cut].decode("utf-8")
            except UnicodeDecodeError:
                continue
            low = text.lower()
            if not words or any(w.lower() in low for w in words):
                return text
            break
    return source.text(*words)


def head_text(source: Source) -> str:
    """The head of a file as text for detection: UTF-16 by its mark, else one character per byte. Never raises."""
    head = source.head
    if head.startswith(b"\xff\xfe"):
        return head[2 : len(head) // 2 * 2].decode("utf-16-le", "replace")
    if head.startswith(b"\xfe\xff"):
        return head[2 : len(head) // 2 * 2].decode("utf-16-be", "replace")
    return head.removeprefix(b"\xef\xbb\xbf").decode("latin-1")


@dataclass(frozen=True)
class Lines:
    """Lines of a text without their ends, and whether the last one was ended."""

    lines: list[str]
    ended: bool

    @classmethod
    def of(cls, text: str) -> Lines:
        """Split at LF and CRLF only; a form feed or NEL is part of a line."""
        lines = text.split("\n")
        ended = lines[-1] == ""
        if ended:
            lines.pop()
        return cls([line[:-1] if line.endswith("\r") else line for line in lines], ended)

    def is_cut(self, index: int) -> bool:
        """True for the last line where it has no line end."""
        return not self.ended and index == len(self.lines) - 1


@dataclass
class Table:
    """Columns of numbers as read, and what was wrong with the last row."""

    data: NDArray[np.float64]
    cut: str = ""
    warnings: list[str] = field(default_factory=list)


def number_table(
    source: Source,
    lines: Lines,
    rows: Sequence[int],
    names: Sequence[str],
    split: Split,
    *,
    decimal: str = ".",
    blanks: Collection[int] = (),
    skip: Collection[int] = (),
) -> Table:
    """Read rows of numbers.

    Parameters
    ----------
    source : Source
        For error messages.
    lines : Lines
    rows : sequence of int
        Indices of the lines that are rows, in order.
    names : sequence of str
        Column headings; every row must have as many cells.
    split : callable
        Splits a line into cells.
    decimal : {".", ","}
    blanks : collection of int
        Columns whose cells may be empty or ``NaN``; these become nan and a warning.
    skip : collection of int
        Columns that are text: given as nan, without a warning.

    Raises
    ------
    InstrumentError
        If a cell is no finite number or a row other than the last has another number of cells; names line and
        column.
    """
    if len(rows) > MAX_ROWS:
        raise source.fail(f"has {len(rows)} rows; more than {MAX_ROWS} are not read.")
    width, cut = len(names), ""
    out = np.empty((len(rows), width))
    used = 0
    missing = np.zeros(width, dtype=int)
    for index in rows:
        line = lines.lines[index]
        cells = split(line)
        last = index == len(lines.lines) - 1
        if lines.is_cut(index) and len(cells) == width and line[-1:] in (" ", "\t") and cells[-1].strip():
            cut = f"line {index + 1} is the last and has no line end; its numbers are followed by a blank and were kept"
        elif lines.is_cut(index):
            cut = f"line {index + 1} is the last and has no line end, so its numbers may be cut: it was left out"
            break
        if len(cells) != width:
            if last and len(cells) < width:
                cut = f"line {index + 1}, the last, has {len(cells)} of {width} columns: it was left out"
                break
            raise source.fail(
                say(
                    "sheet.cells_named", cells=len(cells), wanted=width, names=", ".join(names), line=line.strip()[:80]
                ),
                f"line {index + 1}",
            )
        if decimal != ".":
            if any("." in cell for k, cell in enumerate(cells) if k not in skip):
                raise source.fail(f"mixes decimal commas and points: {line.strip()[:80]!r}.", f"line {index + 1}")
            printed, cells = cells, [cell.replace(decimal, ".") for cell in cells]
        else:
            printed = cells
        if not skip and not blanks and _PLAIN.fullmatch("".join(cells)):
            try:
                out[used] = cells
                used += 1
                continue
            except ValueError:
                pass
        for k, cell in enumerate(cells):
            body = cell.strip()
            if k in skip:
                out[used, k] = np.nan
            elif _NUMBER.fullmatch(body):
                out[used, k] = float(body)
            elif k in blanks and body.lower() in _BLANK:
                out[used, k] = np.nan
                missing[k] += 1
            else:
                raise source.fail(
                    say("sheet.not_number", cell=printed[k].strip()[:40]),
                    f"line {index + 1}, column {names[k]!r}",
                )
        used += 1
    data = out[:used]
    bad = np.isinf(data)
    if bad.any():
        row, col = (int(i) for i in np.argwhere(bad)[0])
        raise source.fail(say("sheet.no_finite_numbers"), f"line {rows[row] + 1}, column {names[col]!r}")
    notes = [
        f"column {names[k]!r}: {missing[k]} of {used} cells are empty (nan)" for k in map(int, np.flatnonzero(missing))
    ]
    return Table(data, cut, notes)


def finish(cut: str, declared: bool, warnings: list[str]) -> Completeness:
    """Completeness of a text: ``partial`` if a row was cut (and warn), ``declared`` if an end was checked."""
    if cut:
        warnings.append(cut)
        return "partial"
    return "declared" if declared else "unverified"


def slug(name: str) -> str:
    """A variable name in lower-case ASCII words (``"Gas Flow(purge2)"`` gives ``"gas_flow_purge2"``)."""
    return re.sub(r"[^0-9a-z]+", "_", name.lower().replace("°", "deg").replace("µ", "u")).strip("_") or "column"


def add(variables: dict[str, Variable], name: str, dims: tuple[str, ...], data: Any, units: str, long: str) -> str:
    """Put a variable in; a second one of the same name is ``name_2``. Returns the name used."""
    used, n = name, 1
    while used in variables:
        n += 1
        used = f"{name}_{n}"
    variables[used] = Variable(dims, np.ascontiguousarray(data), units, long)
    return used


def integers(source: Source, data: NDArray[np.float64], name: str) -> NDArray[np.int32]:
    """A column that must hold whole numbers.

    Raises
    ------
    InstrumentError
        If one of them is no whole number.
    """
    if data.size and (not np.isfinite(data).all() or (data != np.rint(data)).any() or np.abs(data).max() > 2**31 - 1):
        raise source.fail(f"column {name!r} should hold whole numbers.")
    return data.astype(np.int32)


def day_time(text: str) -> tuple[str, str]:
    """ISO 8601 of a printed date, and what is wrong with it (empty if nothing).

    ``30.03.2021 10:53`` is day.month; ``2018-12-17 19:36:37`` and ``2018/12/17`` are year first. With slashes the
    order of day and month is taken only where one of them is above 12.
    """
    body = text.strip()
    match = re.fullmatch(
        r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?\s*([AaPp][Mm])?)?",
        body,
    )
    if not match:
        return "", f"the date {body!r} is in no known form" if body else ""
    first, mark, middle, last = match[1], match[2], int(match[3]), match[4]
    if len(first) == 4:
        year, month, day = int(first), middle, int(last)
    elif len(last) != 4:
        return "", f"the date {body!r} does not say its century"
    elif mark == ".":
        year, month, day = int(last), middle, int(first)
    else:
        one = int(first)
        if one > 12 >= middle:
            year, month, day = int(last), middle, one
        elif middle > 12 >= one or one == middle:
            year, month, day = int(last), one, middle
        else:
            return "", f"the date {body!r} can be read as day/month or month/day; it stays in the metadata only"
    hour = int(match[5] or 0)
    if match[8]:
        if not 1 <= hour <= 12:
            return "", f"the date {body!r} is impossible"
        hour = hour % 12 + (12 if match[8].lower() == "pm" else 0)
    try:
        stamp = datetime(year, month, day, hour, int(match[6] or 0), int(match[7] or 0))
    except ValueError:
        return "", f"the date {body!r} is impossible"
    return (stamp.date().isoformat() if match[5] is None else stamp.isoformat()), ""


def leading_number(text: str) -> tuple[float, str] | None:
    """Number and unit of ``"4.9292 mg"`` or ``"0,0304(g)"``, or None."""
    match = re.fullmatch(
        r"\s*([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)\s*[(\[]?\s*([^\d\s()\[\]][^()\[\]]*?)\s*[)\]]?\s*", text
    )
    if not match:
        return None
    return float(match[1].replace(",", ".")), match[2]


def units_of(printed: str) -> str:
    """A printed unit as variables carry it (``"°C"`` gives ``"degC"``, ``"ml/min"`` gives ``"mL/min"``)."""
    body = printed.strip().strip("()[]").replace("\u03bc", "u").replace("µ", "u").replace("cm³", "cm3")
    known: Mapping[str, str] = {
        "°c": "degC",
        "℃": "degC",
        "\ufffdc": "degC",
        "c": "degC",
        "癈": "degC",
        "k": "K",
        "ml/min": "mL/min",
        "min": "min",
        "s": "s",
        "seconds": "s",
        "sec": "s",
        "h": "h",
        "%": "%",
        "mg": "mg",
        "mw": "mW",
        "mw/mg": "mW/mg",
        "uv": "uV",
        "uv/mg": "uV/mg",
        "%/min": "%/min",
        "mg/min": "mg/min",
        "w": "W",
        "w/g": "W/g",
        "j": "J",
        "j/g": "J/g",
    }
    return known.get(body.lower(), body)


def need_rows(source: Source, count: int, title: str) -> None:
    """Refuse a curve without points.

    Raises
    ------
    InstrumentError
    """
    if count == 0:
        raise source.fail(f"holds a {title} header but no complete row of numbers; the file is cut. Export it again.")
