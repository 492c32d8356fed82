"""Files that only look like workbooks, and other things people upload: one sentence each, in both languages."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile

import pytest
from table_samples import workbook

from wastelab.errors import InstrumentError
from wastelab.i18n import tr
from wastelab.instruments import read_bytes


def ole(*names: str) -> bytes:
    """A synthetic compound file of version 3 with empty streams of these names."""
    head = bytearray(512)
    head[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HHHHH", head, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<III", head, 44, 1, 1, 0)
    struct.pack_into("<IIIII", head, 56, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    struct.pack_into("<109I", head, 76, 0, *[0xFFFFFFFF] * 108)
    fat = struct.pack("<128I", 0xFFFFFFFD, 0xFFFFFFFE, *[0xFFFFFFFF] * 126)
    entries = b""
    for kind, name in [(5, "Root Entry"), *((2, n) for n in names)]:
        raw = name.encode("utf-16-le") + b"\0\0"
        entries += raw.ljust(64, b"\0") + struct.pack("<HBB", len(raw), kind, 1) + b"\xff" * 12 + b"\0" * 36
        entries += struct.pack("<IQ", 0xFFFFFFFE, 0)
    return bytes(head) + fat + entries.ljust(512, b"\0")


def packed(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return out.getvalue()


BOOK = workbook({"XRF": [["样品", "SiO2 (%)"], ["A", 18.4]]})
PAGE = "<html><meta charset='gb2312'><body><table><tr><td>样品</td><td>SiO2 (%)</td></tr></table></body></html>"
XML = '<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet/></Workbook>'
CASES = [
    ("protected.xlsx", ole("EncryptionInfo", "EncryptedPackage"), "book_password"),
    ("report.doc", ole("WordDocument"), "is_document"),
    ("cut.xlsx", BOOK[: len(BOOK) // 2], "is_damaged_book"),
    ("cut.xlsx", BOOK[:60], "is_damaged_book"),
    ("zeros.xlsx", bytes(5000), "is_damaged_book"),
    ("page.xls", PAGE.encode("gb18030"), "is_web_page"),
    ("page.csv", PAGE.encode(), "is_web_page"),
    ("table.xls", XML.encode(), "is_xml_table"),
    ("table.xls", XML.encode("utf-16"), "is_xml_table"),
    ("report.pdf", b"%PDF-1.7\n1 0 obj", "is_pdf"),
    ("report.xlsx", b"%PDF-1.7\n1 0 obj", "is_pdf"),
    ("data.csv.gz", gzip.compress(b"sample,SiO2\n"), "is_packed"),
    ("report.docx", packed("[Content_Types].xml", "word/document.xml"), "is_document"),
    ("scan.png", b"\x89PNG\r\n\x1a\n" + bytes(60), "is_picture"),
    ("some.zip", packed("a.csv"), "book_archive"),
]


@pytest.mark.parametrize(("name", "data", "key"), CASES, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(CASES)])
def test_what_a_file_is_stands_in_one_sentence(name: str, data: bytes, key: str) -> None:
    with pytest.raises(InstrumentError) as caught:
        read_bytes(data, name)
    assert caught.value.key == f"sheet.{key}"
    assert str(caught.value).startswith(f"{name}: ") and " 00 " not in str(caught.value)
    assert "\u4e00" <= tr(caught.value.key, "zh", **caught.value.values)[0] <= "\u9fff"


def test_sound_workbooks_are_read_whatever_their_extension() -> None:
    for name in ("x.xlsx", "x.xls", "x.dat"):
        assert read_bytes(BOOK, name)[0].sample == "A"


def test_a_protected_workbook_forced_to_be_a_sheet_says_so_too() -> None:
    with pytest.raises(InstrumentError, match="protected by a password; save it without one"):
        read_bytes(ole("EncryptionInfo", "EncryptedPackage"), "x.xlsx", format="sheet")
