"""Old Excel workbooks (.xls, BIFF8 in OLE2): every cell, with errors, percent and date formats, hidden rows.

Written here because a general parser aborts the whole process on a damaged file. Formulas give their stored result.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..i18n import Message, say
from .base import Source
from .workbooks import check_size, error_text

_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
_FREE = 0xFFFFFFFE
_BOF, _EOF, _CONTINUE = 0x0809, 0x000A, 0x003C
_FORMULA, _NUMBER, _RK, _MULRK, _LABELSST, _LABEL, _RSTRING, _BOOLERR, _STRING, _ROW = (
    0x0006, 0x0203, 0x027E, 0x00BD, 0x00FD, 0x0204, 0x00D6, 0x0205, 0x0207, 0x0208,
)  # fmt: skip
_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))

Value = str | float | datetime


@dataclass
class OldSheet:
    """One sheet: cells by (row, column) from 0.

    Attributes
    ----------
    name : str
    hidden : bool
    cells : dict of (row, column) to str, float or datetime
        A percent-formatted number is its text (``"45.2 %"``), unless numbers were asked for.
    faults : dict of (row, column) to Message
    hidden_rows : set of int
    """

    name: str
    hidden: bool = False
    cells: dict[tuple[int, int], Value] = field(default_factory=dict)
    faults: dict[tuple[int, int], Message] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)

    def rows(self) -> list[list[Value | None]]:
        """Cells as rows from A1 on."""
        if not self.cells:
            return []
        height = max(r for r, _ in self.cells) + 1
        width = max(c for _, c in self.cells) + 1
        out: list[list[Value | None]] = [[None] * width for _ in range(height)]
        for (row, column), value in self.cells.items():
            out[row][column] = value
        return out


@dataclass
class _Book:
    strings: list[str]
    formats: dict[int, str]
    styles: list[int]
    base: datetime
    percent_text: bool


def read_old_workbook(source: Source, *, percent_text: bool = True) -> list[OldSheet]:
    """Every worksheet of an .xls file.

    Parameters
    ----------
    source : Source
    percent_text : bool
        A percent-formatted number is its text (``"45.2 %"``), not the number behind it (0.452).

    Raises
    ------
    InstrumentError
        If it is cut, damaged, protected, of Excel 5/95, or larger than the limits.
    """
    try:
        stream = _ole_stream(source, ("Workbook", "Book"))
        return _workbook(stream, source, percent_text)
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError, ValueError) as exc:
        if hasattr(exc, "args") and type(exc).__module__.startswith("wastelab"):
            raise
        raise source.fail(say("sheet.xls_damaged", detail=str(exc))) from None


def _ole_stream(source: Source, names: tuple[str, ...]) -> bytes:
    """A stream of an OLE2 compound file, with every sector of its chain present."""
    data = source.data
    shift, mini_shift = struct.unpack_from("<HH", data, 30)
    if shift not in (9, 12) or mini_shift != 6:
        raise source.fail(say("sheet.xls_damaged", detail="sector size"))
    size = 1 << shift
    n_fat, first_dir = struct.unpack_from("<I", data, 44)[0], struct.unpack_from("<I", data, 48)[0]
    cutoff, first_minifat = struct.unpack_from("<II", data, 56)
    difat_sector, n_difat = struct.unpack_from("<II", data, 68)
    sectors = len(data) // size + 1

    def sector(number: int) -> bytes:
        body = data[(number + 1) * size : (number + 2) * size]
        if number >= sectors or not body:
            raise source.fail(say("sheet.xls_cut"))
        return body

    fat_sectors = list(struct.unpack_from("<109I", data, 76))
    for _ in range(min(n_difat, sectors)):
        if difat_sector >= _FREE:
            break
        more = struct.unpack(f"<{size // 4}I", sector(difat_sector))
        fat_sectors.extend(more[:-1])
        difat_sector = more[-1]
    fat_sectors = [s for s in fat_sectors if s < _FREE][: min(n_fat, sectors)]
    fat = [entry for s in fat_sectors for entry in struct.unpack(f"<{size // 4}I", sector(s))]

    def chain(first: int) -> Iterator[int]:
        seen = 0
        while first < _FREE:
            yield first
            seen += 1
            if seen > sectors or first >= len(fat):
                raise source.fail(say("sheet.xls_chain"))
            first = fat[first]

    directory = b"".join(sector(s) for s in chain(first_dir))
    entries = {}
    root = b""
    for start in range(0, len(directory) - 127, 128):
        entry = directory[start : start + 128]
        length = struct.unpack_from("<H", entry, 64)[0]
        name = entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
        if entry[66] == 5:
            root = entry
        elif entry[66] == 2:
            entries[name] = entry
    for name in names:
        if name in entries:
            first, length = struct.unpack_from("<II", entries[name], 116)
            if length >= cutoff:
                body = b"".join(sector(s) for s in chain(first))
            else:
                mini = b"".join(sector(s) for s in chain(struct.unpack_from("<I", root, 116)[0]))
                minifat = [e for s in chain(first_minifat) for e in struct.unpack(f"<{size // 4}I", sector(s))]
                parts: list[bytes] = []
                while first < _FREE and len(parts) <= len(minifat):
                    parts.append(mini[first * 64 : first * 64 + 64])
                    first = minifat[first]
                body = b"".join(parts)
            if len(body) < length:
                raise source.fail(say("sheet.xls_cut"))
            return body[:length]
    raise source.fail(say("sheet.xls_other"))


def _records(stream: bytes, start: int) -> Iterator[tuple[int, list[bytes]]]:
    """Records with their continuations: kind and parts."""
    position = start
    kind = -1
    parts: list[bytes] = []
    while position + 4 <= len(stream):
        number, length = struct.unpack_from("<HH", stream, position)
        body = stream[position + 4 : position + 4 + length]
        if len(body) < length:
            raise struct.error("a record is cut")
        position += 4 + length
        if number == _CONTINUE and kind >= 0:
            parts.append(body)
            continue
        if kind >= 0:
            yield kind, parts
        kind, parts = number, [body]
        if number == _EOF:
            yield kind, parts
            kind, parts = -1, []
    raise struct.error("the records do not end")


class _Text:
    """Strings of a record that may run on into its continuations, each of which states its width again."""

    def __init__(self, parts: list[bytes], offset: int) -> None:
        self.parts = parts
        self.index = 0
        self.at = offset

    def _next(self) -> None:
        self.index += 1
        self.at = 0
        if self.index >= len(self.parts):
            raise struct.error("a string is cut")

    def skip(self, count: int) -> None:
        while count > 0:
            room = len(self.parts[self.index]) - self.at
            if room <= 0:
                self._next()
                continue
            step = min(room, count)
            self.at += step
            count -= step

    def number(self, form: str) -> int:
        if self.at >= len(self.parts[self.index]):
            self._next()
        value: int = struct.unpack_from(form, self.parts[self.index], self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def characters(self, count: int, wide: bool) -> str:
        out = []
        while count > 0:
            part = self.parts[self.index]
            room = (len(part) - self.at) // (2 if wide else 1)
            if room <= 0:
                self._next()
                wide = bool(self.number("<B") & 1)
                continue
            step = min(room, count)
            size = step * (2 if wide else 1)
            out.append(part[self.at : self.at + size].decode("utf-16-le" if wide else "latin-1"))
            self.at += size
            count -= step
        return "".join(out)

    def string(self, *, rich: bool) -> str:
        """One string; `rich` ones may carry runs of formatting and phonetic data, which are passed over."""
        count = self.number("<H")
        flags = self.number("<B")
        runs = self.number("<H") if rich and flags & 8 else 0
        extra = self.number("<I") if rich and flags & 4 else 0
        text = self.characters(count, bool(flags & 1))
        self.skip(4 * runs + extra)
        return text


def _workbook(stream: bytes, source: Source, percent_text: bool) -> list[OldSheet]:
    book = _Book([], {}, [], datetime(1899, 12, 30), percent_text)
    places: list[tuple[int, str, bool]] = []
    for kind, parts in _records(stream, 0):
        body = parts[0]
        if kind == _BOF and struct.unpack_from("<H", body)[0] != 0x0600:
            raise source.fail(say("sheet.xls_old"))
        if kind == 0x002F:
            raise source.fail(say("sheet.book_password"))
        if kind == 0x0022 and struct.unpack_from("<H", body)[0] == 1:
            book.base = datetime(1904, 1, 1)
        elif kind == 0x041E:
            book.formats[struct.unpack_from("<H", body)[0]] = _Text(parts, 2).string(rich=False)
        elif kind == 0x00E0:
            book.styles.append(struct.unpack_from("<H", body, 2)[0])
        elif kind == 0x00FC:
            count = struct.unpack_from("<I", body, 4)[0]
            text = _Text(parts, 8)
            if count > len(stream):
                raise struct.error("more strings than bytes")
            book.strings = [text.string(rich=True) for _ in range(count)]
        elif kind == 0x0085:
            offset, state, sheet_type, length, flags = struct.unpack_from("<IBBBB", body)
            raw = body[8 : 8 + length * (2 if flags & 1 else 1)]
            if sheet_type == 0:
                places.append((offset, raw.decode("utf-16-le" if flags & 1 else "latin-1"), state & 3 != 0))
        elif kind == _EOF:
            break
    names = [name for _, name, _ in places]
    if len(set(names)) != len(names):
        raise source.fail(say("sheet.book_same_name", name=max(names, key=names.count)))
    out: list[OldSheet] = []
    for offset, name, hidden in places:
        if offset >= len(stream):
            raise struct.error("a sheet lies beyond the end")
        out.append(_sheet(stream, offset, book, name, hidden))
    check_size(
        source,
        [
            (s.name, max((r for r, _ in s.cells), default=-1) + 1, max((c for _, c in s.cells), default=-1) + 1)
            for s in out
        ],
    )
    return out


def _sheet(stream: bytes, offset: int, book: _Book, name: str, hidden: bool) -> OldSheet:
    sheet = OldSheet(name, hidden)
    depth = 0
    waiting: tuple[int, int] | None = None
    for kind, parts in _records(stream, offset):
        body = parts[0]
        if depth == 0 and kind != _BOF:
            raise struct.error("a sheet does not begin where it should")
        if kind == _BOF:
            depth += 1
        elif kind == _EOF:
            depth -= 1
            if depth == 0:
                return sheet
        if depth != 1:
            continue
        if kind == _ROW:
            if struct.unpack_from("<H", body, 12)[0] & 0x20:
                sheet.hidden_rows.add(struct.unpack_from("<H", body)[0])
        elif kind == _STRING and waiting is not None:
            sheet.cells[waiting] = _Text(parts, 0).string(rich=False)
            waiting = None
        elif kind == _MULRK:
            row, first = struct.unpack_from("<HH", body)
            for i in range((len(body) - 6) // 6):
                style, packed = struct.unpack_from("<HI", body, 4 + 6 * i)
                sheet.cells[row, first + i] = _shown(_unpack(packed), style, book)
        elif kind in (_FORMULA, _NUMBER, _RK, _LABELSST, _LABEL, _RSTRING, _BOOLERR):
            row, column, style = struct.unpack_from("<HHH", body)
            at = row, column
            if kind == _NUMBER:
                sheet.cells[at] = _shown(struct.unpack_from("<d", body, 6)[0], style, book)
            elif kind == _RK:
                sheet.cells[at] = _shown(_unpack(struct.unpack_from("<I", body, 6)[0]), style, book)
            elif kind == _LABELSST:
                sheet.cells[at] = book.strings[struct.unpack_from("<I", body, 6)[0]]
            elif kind in (_LABEL, _RSTRING):
                sheet.cells[at] = _Text(parts, 6).string(rich=False)
            elif kind == _BOOLERR:
                if body[7]:
                    sheet.faults[at] = error_text(_ERRORS.get(body[6], "an error"))
                else:
                    sheet.cells[at] = "TRUE" if body[6] else "FALSE"
            elif body[12:14] != b"\xff\xff":
                sheet.cells[at] = _shown(struct.unpack_from("<d", body, 6)[0], style, book)
            elif body[6] == 0:
                waiting = at
            elif body[6] == 1:
                sheet.cells[at] = "TRUE" if body[8] else "FALSE"
            elif body[6] == 2:
                sheet.faults[at] = error_text(_ERRORS.get(body[8], "an error"))
    raise struct.error("a sheet does not end")


def _unpack(packed: int) -> float:
    """A number of 30 bits: an integer or the upper part of a double, perhaps times 100."""
    if packed & 2:
        number = float((packed >> 2) - (1 << 30 if packed & 0x80000000 else 0))
    else:
        number = float(struct.unpack("<d", struct.pack("<Q", (packed & 0xFFFFFFFC) << 32))[0])
    return number / 100.0 if packed & 1 else number


def _shown(number: float, style: int, book: _Book) -> Value:
    """A number as its format shows it: a date, a percentage, or the number itself."""
    code = book.styles[style] if style < len(book.styles) else 0
    form = re.sub(r'"[^"]*"|\\.|\[(?!h|m|s)[^\]]*\]', "", book.formats.get(code, "").lower())
    if book.percent_text and (code in (9, 10) or "%" in form):
        return f"{float(f'{number * 100.0:.12g}'):.12g} %"
    dated = re.search(r"[ymdhs年月日]", form) is not None if code in book.formats else code in _DATE_FORMATS
    if dated and "general" not in form and number == number and 0 <= number < 2_958_466:
        if number < 1:
            return str(timedelta(seconds=round(number * 86_400)))
        days = number + (1 if book.base.year == 1899 and number < 60 else 0)
        moment = book.base + timedelta(days=days)
        return (moment + timedelta(microseconds=500_000)).replace(microsecond=0)
    return number
