"""What common files that are no measurement are: protected or cut workbooks, web pages named .xls, reports, archives.

Asked once no reader knows a content, so that a person reads what the file is instead of its first bytes.
"""

from __future__ import annotations

import io
import re
import zipfile

from ..i18n import Message, say
from .base import Source

_BOOKS = (".xlsx", ".xlsm", ".xltx", ".ods", ".xls")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF8", b"BM")
_ARCHIVES = (b"\x1f\x8b", b"Rar!\x1a", b"7z\xbc\xaf\x27\x1c", b"BZh", b"\xfd7zXZ")
_PAGE = re.compile(
    rb"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype\s+html|html|head|body|table|meta|style|div)\b", re.I | re.S
)
_MHTML = re.compile(rb"MIME-Version:.{0,2000}?Content-Type:\s*multipart/related", re.I | re.S)


def disguise(source: Source) -> Message:
    """What the file is and what to do; an empty message where nothing is known of it."""
    data = source.data
    if data.startswith(_OLE):
        return _in_ole(data)
    if data.startswith(b"PK\x03\x04"):
        return _in_zip(source)
    head = data[:4096].lstrip(b"\xef\xbb\xbf")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = data[:4096].decode("utf-16", "ignore").encode()
    if b"urn:schemas-microsoft-com:office:spreadsheet" in head and b"<" in head[:8]:
        return say("sheet.is_xml_table", suffix=source.suffix or "-")
    if _PAGE.match(head) or _MHTML.match(head):
        return say("sheet.is_web_page", suffix=source.suffix or "-")
    if b"%PDF-" in data[:1024]:
        return say("sheet.is_pdf")
    if data.startswith(_ARCHIVES):
        return say("sheet.is_packed")
    if data.startswith(_PICTURES[:-1]) or (data.startswith(b"BM") and source.suffix == ".bmp"):
        return say("sheet.is_picture")
    if source.suffix in _BOOKS and not any(data[:4096].strip(b"\x00")):
        return say("sheet.is_damaged_book", suffix=source.suffix)
    return Message()


def _in_ole(data: bytes) -> Message:
    def holds(name: str) -> bool:
        return name.encode("utf-16-le") in data

    if holds("EncryptedPackage"):
        return say("sheet.book_password")
    if holds("WordDocument") or holds("PowerPoint Document"):
        return say("sheet.is_document")
    return Message()


def _in_zip(source: Source) -> Message:
    try:
        names = set(zipfile.ZipFile(io.BytesIO(source.data)).namelist())
    except Exception:  # whatever a damaged archive makes of its reader
        if source.suffix in _BOOKS:
            return say("sheet.is_damaged_book", suffix=source.suffix)
        return say("sheet.is_damaged_zip")
    if any(n.startswith("xl/") or n == "content.xml" for n in names):
        return Message()
    if any(n.startswith(("word/", "ppt/")) for n in names):
        return say("sheet.is_document")
    return say("sheet.book_archive") if source.suffix in (*_BOOKS, ".zip") else Message()
