"""Workbooks of instruments (.xls, .xlsx) for the sorption and calorimetry readers: container check, then cells.

The container is checked before it is decoded: every member's checksum of an xlsx, the sector table of an xls against
the size of the file. Not a reader itself.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

from ...i18n import say
from ..base import Source
from ..sheets import letter

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MAX_MEMBERS, _MAX_BYTES, _MAX_RATIO = 2000, 512 * 2**20, 400


def is_xls(source: Source) -> bool:
    """True for an OLE container (what Excel 97–2003 writes)."""
    return source.data.startswith(_OLE)


def is_xlsx(source: Source) -> bool:
    """True for a zip with a workbook in it."""
    return source.data.startswith(b"PK\x03\x04") and b"xl/workbook.xml" in source.data[-(1 << 16) :]


def holds(source: Source, *words: str) -> bool:
    """Whether all the words stand in a workbook's texts; looks at the raw bytes of .xls and the strings of .xlsx.

    Never raises; reads at most 1 MiB of strings.
    """
    if is_xls(source):
        body = source.data[: 4 << 20]
        return all(w.encode("latin-1", "replace") in body or w.encode("utf-16-le") in body for w in words)
    if not is_xlsx(source):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            names = archive.namelist()
            inline = [n for n in names if n.startswith("xl/worksheets/sheet")][:4]
            members = ["xl/sharedStrings.xml"] if "xl/sharedStrings.xml" in names else inline
            text = ""
            for member in members:
                with archive.open(member) as stream:
                    text += stream.read((1 << 20) // len(members)).decode("utf-8", "replace")
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return False
    return all(w in text for w in words)


def check_zip(source: Source) -> None:
    """Verify a zip: number of members, unpacked size, ratio, and the checksum of each member.

    Raises
    ------
    InstrumentError
        If it is cut or damaged, or larger unpacked than is read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source.data)) as archive:
            members = archive.infolist()
            total = sum(m.file_size for m in members)
            if len(members) > _MAX_MEMBERS or total > _MAX_BYTES or total > _MAX_RATIO * max(len(source.data), 1):
                raise source.fail(
                    f"unpacks to {len(members)} members and {total / 2**20:.0f} MB; that is more than is read."
                )
            for member in members:
                read = 0
                with archive.open(member) as stream:
                    while chunk := stream.read(1 << 20):
                        read += len(chunk)
                        if read > member.file_size:
                            raise source.fail(f"its member {member.filename!r} is larger than stated.")
                if read != member.file_size:
                    raise source.fail(f"its member {member.filename!r} is shorter than stated.")
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
        struct.error,
    ) as exc:
        from ...errors import InstrumentError

        if isinstance(exc, InstrumentError):
            raise
        raise source.fail(say("sheet.zip_container", detail=str(exc))) from None


def check_ole(source: Source) -> None:
    """Verify that an OLE container is as long as its sector table says.

    Raises
    ------
    InstrumentError
        If it is cut or its header is damaged.
    """
    data = source.data
    if len(data) < 512:
        raise source.fail(say("sheet.cut"))
    shift = struct.unpack_from("<H", data, 30)[0]
    if shift not in (9, 12):
        raise source.fail("is an OLE container with a damaged header. Export it again.")
    size = 1 << shift
    count, more = struct.unpack_from("<I", data, 44)[0], struct.unpack_from("<I", data, 68)[0]
    tables = [s for s in struct.unpack_from("<109I", data, 76) if s < 0xFFFFFFFA]
    if more < 0xFFFFFFFA:
        visited = set()
        while more < 0xFFFFFFFA and more not in visited:
            visited.add(more)
            at = (more + 1) * size
            if at + size > len(data):
                raise source.fail(say("sheet.xls_cut"))
            entries = struct.unpack_from(f"<{size // 4}I", data, at)
            tables += [s for s in entries[:-1] if s < 0xFFFFFFFA]
            more = entries[-1]
    if len(tables) != count:
        raise source.fail(f"states {count} sector tables but lists {len(tables)}; it is damaged. Export it again.")
    last = -1
    for number, sector in enumerate(tables):
        at = (sector + 1) * size
        if at + size > len(data):
            raise source.fail(say("sheet.xls_cut"))
        entries = struct.unpack_from(f"<{size // 4}I", data, at)
        used = [k for k, e in enumerate(entries) if e != 0xFFFFFFFF]
        if used:
            last = max(last, number * (size // 4) + used[-1])
    if (last + 2) * size > len(data):
        raise source.fail(say("sheet.xls_short", size=len(data), needed=(last + 2) * size))


def sheets(source: Source) -> dict[str, list[list[Any]]]:
    """Cells of every sheet, after the container has been checked.

    Returns
    -------
    dict of str to list of list
        Rows of str, float, int, bool, datetime, ``""`` for an empty cell.

    Raises
    ------
    InstrumentError
        If the container is cut or damaged, or cannot be decoded; for an .xls also if a cell is an error of the
        spreadsheet.
    """
    if is_xls(source):
        check_ole(source)
        return _old_sheets(source)
    check_zip(source)
    from python_calamine import CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(source.data))
        return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as exc:  # a panic of the decoder is no Exception
        raise source.fail(
            f"cannot be decoded as a workbook ({type(exc).__name__}: {str(exc)[:120]}). Save it again."
        ) from None


def _old_sheets(source: Source) -> dict[str, list[list[Any]]]:
    """Cells of an .xls; never through a general parser, which a damaged one can abort."""
    from ..biff import read_old_workbook

    out: dict[str, list[list[Any]]] = {}
    for sheet in read_old_workbook(source, percent_text=False):
        for (row, column), fault in sorted(sheet.faults.items()):
            raise source.fail(fault, f"sheet '{sheet.name}', row {row + 1}, column {letter(column)}")
        out[sheet.name] = [["" if cell is None else cell for cell in line] for line in sheet.rows()]
    return out
