"""What must be known of a workbook before it is opened: size, error cells, formulas never calculated, percent formats.

The parser of cells returns an empty cell for ``#DIV/0!`` and for a formula without a stored result, and 0.452 for
a cell that shows 45.2 %; each would be a silently wrong table. Knows OOXML (.xlsx) and OpenDocument (.ods).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..i18n import Message, say
from .base import Source
from .readers import _xml
from .readers._zip import Archive

MAX_ROWS = 1_048_576
MAX_COLUMNS = 16_384
MAX_CELLS = 5_000_000
MAX_UNPACKED = 256 * 2**20
MAX_MEMBERS = 5_000
_NOT_CALCULATED = say("sheet.not_calculated")


@dataclass
class Seen:
    """One sheet as inspected: cells by (row, column) from 0."""

    hidden: bool = False
    hidden_rows: set[int] = field(default_factory=set)
    faults: dict[tuple[int, int], Message] = field(default_factory=dict)
    percent: dict[tuple[int, int], bool] = field(default_factory=dict)
    rows: int = 0
    columns: int = 0


def inspect(source: Source, kind: str) -> dict[str, Seen]:
    """Sheets of a workbook by name.

    Raises
    ------
    InstrumentError
        If it is cut, damaged, encrypted, or larger than the limits.
    """
    sheets = {"xlsx": _inspect_xlsx, "ods": _inspect_ods}[kind](source)
    check_size(source, [(name, sheet.rows, sheet.columns) for name, sheet in sheets.items()])
    return sheets


def check_size(source: Source, sizes: Sequence[tuple[str, int, int]]) -> None:
    """Refuse sheets (name, rows, columns) that are larger than the limits, before memory is taken for them.

    Raises
    ------
    InstrumentError
    """
    total = 0
    for name, rows, columns in sizes:
        total += rows * columns
        if rows > MAX_ROWS or columns > MAX_COLUMNS or total > MAX_CELLS:
            raise source.fail(
                say(
                    "sheet.book_size", rows=rows, columns=columns, most_rows=MAX_ROWS, most_columns=MAX_COLUMNS,
                    most_cells=MAX_CELLS,
                ),
                f"sheet '{name}'",
            )  # fmt: skip


def error_text(text: str) -> Message:
    return say("sheet.cell_error", error=text)


# --- OOXML -----------------------------------------------------------------------------------------------------------


def _archive(source: Source) -> Archive:
    import io
    import zipfile

    archive = Archive(source)
    infos = zipfile.ZipFile(io.BytesIO(source.data)).infolist()
    if len(infos) > MAX_MEMBERS:
        raise source.fail(say("sheet.zip_members", count=len(infos), most=MAX_MEMBERS))
    size = sum(info.file_size for info in infos)
    if size > MAX_UNPACKED:
        raise source.fail(say("sheet.zip_size", size=round(size / 2**20), most=MAX_UNPACKED // 2**20))
    if any(info.flag_bits & 1 for info in infos):
        raise source.fail(say("sheet.book_password"))
    return archive


def _inspect_xlsx(source: Source) -> dict[str, Seen]:
    archive = _archive(source)
    members = {name: archive.read(name) for name in archive.names}  # every checksum is verified here
    for name, data in members.items():
        if name.lower().endswith((".xml", ".rels")) and (b"<!DOCTYPE" in data or b"<!ENTITY" in data):
            raise source.fail(say("sheet.xml_entities"), f"member {name!r}")
    if "xl/workbook.xml" not in members:
        raise source.fail(say("sheet.book_xlsb" if "xl/workbook.bin" in members else "sheet.book_archive"))
    book = _xml.parse(members["xl/workbook.xml"], source, "member 'xl/workbook.xml'")
    rels = members.get("xl/_rels/workbook.xml.rels")
    if rels is None:
        raise source.fail(say("sheet.book_incomplete"))
    targets = {
        r.get("Id", ""): (r.get("Target", ""), r.get("Type", "").rsplit("/", 1)[-1])
        for r in _xml.parse(rels, source, "member 'xl/_rels/workbook.xml.rels'").iter("Relationship")
    }
    percent = _percent_styles(members.get("xl/styles.xml"), source)
    out: dict[str, Seen] = {}
    for sheet in book.iter("sheet"):
        name = sheet.get("name", "")
        target, kind = targets.get(sheet.get("id", ""), ("", ""))
        if kind not in ("worksheet", ""):
            continue
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target.removeprefix('./')}"
        if path not in members:
            raise source.fail(say("sheet.book_sheet_missing", name=name))
        if name in out:
            raise source.fail(say("sheet.book_same_name", name=name))
        out[name] = _scan_sheet(members[path], percent, source, name)
        out[name].hidden = sheet.get("state", "visible") != "visible"
    return out


def _percent_styles(data: bytes | None, source: Source) -> set[int]:
    """Indices of the cell styles that show a fraction as a percentage."""
    if data is None:
        return set()
    root = _xml.parse(data, source, "member 'xl/styles.xml'")
    own = {
        int(f.get("numFmtId", "-1"))
        for f in root.iter("numFmt")
        if "%" in re.sub(r'"[^"]*"|\\.', "", f.get("formatCode", ""))
    }
    styles = root.find("cellXfs")
    found = list(styles.iter("xf")) if styles is not None else []
    return {i for i, xf in enumerate(found) if int(xf.get("numFmtId", "0")) in own | {9, 10}}


_CELL = re.compile(rb"<(?:\w+:)?c\b((?:[^>\"']|\"[^\"]*\"|'[^']*')*?)(/?)>")
_ADDRESS = re.compile(rb"\br=[\"']([A-Z]{1,3})([0-9]{1,7})[\"']")
_STYLE = re.compile(rb"\bs=[\"']([0-9]+)[\"']")
_TYPE = re.compile(rb"\bt=[\"'](\w+)[\"']")
_HIDDEN = re.compile(rb"<(?:\w+:)?row\b[^>]*?\bhidden=[\"'](?:1|true)[\"'][^>]*>")
_ROW_NUMBER = re.compile(rb"\br=[\"']([0-9]+)[\"']")
_FORMULA = re.compile(rb"<(?:\w+:)?f\b")
_VALUE = re.compile(rb"<(?:\w+:)?v(?:\s[^>]*)?>([^<]+)<")


def _scan_sheet(data: bytes, percent: set[int], source: Source, name: str) -> Seen:
    seen = Seen()
    if b"sheetData" not in data:
        raise source.fail(say("sheet.book_xml"), f"sheet '{name}'")
    for match in _HIDDEN.finditer(data):
        number = _ROW_NUMBER.search(match[0])
        if number:
            seen.hidden_rows.add(int(number[1]) - 1)
    formulas = _FORMULA.search(data) is not None
    columns: dict[bytes, int] = {}
    last = 0
    for match in _CELL.finditer(data):
        attributes = match[1]
        address = _ADDRESS.search(attributes)
        if address is None:
            raise source.fail(say("sheet.book_addresses"), f"sheet '{name}'")
        column = columns.get(address[1])
        if column is None:
            column = columns[address[1]] = _column(address[1])
        row = int(address[2])
        last = max(last, row)
        if percent:
            style = _STYLE.search(attributes)
            if style and int(style[1]) in percent:
                seen.percent[row - 1, column] = True
        if match[2]:
            continue
        typed = _TYPE.search(attributes)
        kind = typed[1] if typed else b""
        if kind == b"e" or formulas:
            end = data.find(b"</", match.end())
            body = data[match.end() : _cell_end(data, match.end(), end)]
            value = _VALUE.search(body)
            if kind == b"e":
                shown = value[1].decode("utf-8", "replace") if value else "an error"
                seen.faults[row - 1, column] = error_text(shown)
            elif value is None and kind != b"str" and _FORMULA.search(body):
                seen.faults[row - 1, column] = _NOT_CALCULATED
    seen.rows, seen.columns = last, max(columns.values(), default=-1) + 1
    return seen


_CELL_END = re.compile(rb"</(?:\w+:)?c>")


def _cell_end(data: bytes, start: int, guess: int) -> int:
    match = _CELL_END.search(data, start)
    return match.start() if match else max(guess, start)


def _column(letters: bytes) -> int:
    number = 0
    for byte in letters:
        number = number * 26 + byte - 64
    return number - 1


# --- OpenDocument ----------------------------------------------------------------------------------------------------


def _inspect_ods(source: Source) -> dict[str, Seen]:
    archive = _archive(source)
    for name in archive.names:
        data = archive.read(name)
        if name == "content.xml":
            content = data
    if "content.xml" not in archive.names:
        raise source.fail(say("sheet.book_incomplete"))
    root = _xml.parse(content, source, "member 'content.xml'")
    out: dict[str, Seen] = {}
    for table in root.iter("table"):
        seen = Seen()
        row = 0
        for line in table.iter("table-row"):
            repeat = int(line.get("number-rows-repeated", "1"))
            column = 0
            filled = False
            for cell in line:
                if cell.tag not in ("table-cell", "covered-table-cell"):
                    continue
                times = int(cell.get("number-columns-repeated", "1"))
                kind = cell.get("value-type", "")
                if kind or cell.get("formula") or len(cell):
                    filled = True
                    seen.columns = max(seen.columns, column + times)
                    seen.rows = max(seen.rows, row + repeat)
                    if seen.rows * seen.columns <= 5_000_000:
                        _note_ods(seen, cell, row, column, times, repeat)
                column += times
            if filled and line.get("visibility", "visible") != "visible":
                seen.hidden_rows.update(range(row, row + min(repeat, 10_000)))
            row += repeat
        out[table.get("name", "")] = seen
    return out


def _note_ods(seen: Seen, cell: object, row: int, column: int, times: int, repeat: int) -> None:
    from xml.etree.ElementTree import Element

    assert isinstance(cell, Element)
    text = "".join(cell.itertext()).strip()
    values = {key: cell.get(key) for key in ("value-type", "value", "string-value", "formula")}
    fault = Message()
    if re.fullmatch(r"#(?:DIV/0!|N/A|NAME\?|NULL!|NUM!|REF!|VALUE!)|Err:\d+", text):
        fault = error_text(text)
    elif values["formula"] and not values["value-type"]:
        fault = _NOT_CALCULATED
    for r in range(row, row + min(repeat, 1000)):
        for c in range(column, column + min(times, 1000)):
            if fault:
                seen.faults[r, c] = fault
            if values["value-type"] == "percentage":
                seen.percent[r, c] = True
