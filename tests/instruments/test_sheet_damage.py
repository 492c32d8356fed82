"""Cut, changed and hostile tables: an error, or a result that does not claim to be whole; never a silent one."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest
from table_samples import SAMPLES, real, rewritten, workbook

from wastelab.errors import InstrumentError
from wastelab.instruments import Reading, read_bytes
from wastelab.instruments.base import Source
from wastelab.instruments.read import detect


def _essence(readings: list[Reading]) -> list[object]:
    """What a reading says, without its origin and remarks."""
    return [
        (r.technique, r.sample, r.values, r.fields, {n: v.data.tolist() for n, v in r.variables.items()})
        for r in readings
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_synthetic_samples_are_detected_by_content(name: str) -> None:
    file, data = SAMPLES[name]
    assert read_bytes(data, file)[0].reader == read_bytes(data, "unnamed")[0].reader
    assert (read_bytes(data, file)[0].reader == "sheet") == (name in ("wide", "long", "transposed"))


def _check_cuts(data: bytes, file: str, cuts: list[int], format: str) -> None:
    whole = _essence(read_bytes(data, file, format=format))
    for cut in cuts:
        try:
            found = read_bytes(data[:cut], file, format=format)
        except InstrumentError:
            continue
        if _essence(found) != whole:
            assert all(r.completeness != "declared" for r in found) or all(
                r.completeness == "partial" for r in found[-1:]
            ), cut
        if len(found) < len(whole):
            assert all(r.completeness != "declared" for r in found), cut


@pytest.mark.parametrize("name", SAMPLES)
def test_cut_at_every_byte(name: str) -> None:
    file, data = SAMPLES[name]
    _check_cuts(data, file, list(range(1, len(data))), read_bytes(data, file)[0].reader)


REAL = [
    "xrf_panalytical_csv/axios_multi_01.csv",
    "xrf_panalytical_csv/axios_superq_03.csv",
    "xrf_bruker_s8tiger/DU-0001.csv",
    "xrf_rigaku_txt/XRF_UIBK_TwoElements.txt",
    "icp_perkinelmer/winlab32.csv",
    "psd_malvern_csv/malvern_ms2000_example1.csv",
]


@pytest.mark.parametrize("path", REAL)
def test_real_text_cut_at_every_byte(path: str) -> None:
    file = real(path)
    data = file.read_bytes()
    _check_cuts(data, file.name, list(range(1, len(data))), read_bytes(data, file.name)[0].reader)


@pytest.mark.parametrize(
    ("path", "count"), [("strength_press_txt/Compressive_Strength.txt", 60), ("psd_malvern_xlsx/example3.xlsx", 150)]
)
def test_large_real_files_cut_at_many_places(path: str, count: int) -> None:
    file = real(path)
    data = file.read_bytes()
    cuts = sorted({*random.Random(1).sample(range(1, len(data)), count), *range(len(data) - 40, len(data))})
    _check_cuts(data, file.name, cuts, read_bytes(data, file.name)[0].reader)


@pytest.mark.parametrize("kind", ["xlsx", "xls"])
def test_workbooks_cut_at_many_places_are_refused_or_equal(kind: str) -> None:
    data = _book(kind)
    whole = _essence(read_bytes(data, f"x.{kind}"))
    step = max(1, len(data) // 400)
    for cut in [*range(1, len(data), step), *range(len(data) - 30, len(data))]:
        try:
            found = read_bytes(data[:cut], f"x.{kind}", format="sheet")
        except InstrumentError:
            continue
        assert _essence(found) == whole, cut


def _book(kind: str) -> bytes:
    rows = [["样品", "SiO2 (%)", "CaO (%)", "备注"], *[[f"RM-{i}", 18 + i / 10, 20 - i / 10, "ok"] for i in range(40)]]
    if kind == "xlsx":
        return workbook({"XRF": rows})
    xlwt = pytest.importorskip("xlwt", reason="xlwt writes the .xls of this test; it is not installed")
    book = xlwt.Workbook()
    sheet = book.add_sheet("XRF")
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            sheet.write(i, j, cell)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_an_xls_gives_what_the_xlsx_gives() -> None:
    assert _essence(read_bytes(_book("xls"), "x.xls")) == _essence(read_bytes(_book("xlsx"), "x.xlsx"))


def test_an_xls_with_percent_formats_errors_and_hidden_rows() -> None:
    xlwt = pytest.importorskip("xlwt", reason="xlwt writes the .xls of this test; it is not installed")
    book = xlwt.Workbook()
    sheet = book.add_sheet("XRF")
    for j, head in enumerate(("样品", "SiO2 (%)", "CaO (%)")):
        sheet.write(0, j, head)
    sheet.write(1, 0, "A")
    sheet.write(1, 1, 0.452, xlwt.easyxf(num_format_str="0.00%"))
    sheet.write(1, 2, 20)
    sheet.row(1).hidden = True
    out = io.BytesIO()
    book.save(out)
    (found,) = read_bytes(out.getvalue(), "x.xls")
    assert {v.quantity: v.value for v in found.values} == {"SiO2": 45.2, "CaO": 20.0}
    assert any("row 2 is hidden" in w for w in found.warnings)
    sheet.write(2, 0, "B")
    sheet._cell_overwrite_ok = True
    sheet.row(2).set_cell_error(1, "#DIV/0!")
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(InstrumentError, match=r"row 3, column B 'SiO2 \(%\)': #DIV/0!"):
        read_bytes(out.getvalue(), "x.xls")


ALPHABET = b'0123456789.,;-+eE"\n\t %()<>=/' + "样赤±μ％".encode() + bytes([0, 255, 128])


@pytest.mark.parametrize("name", SAMPLES)
def test_changed_bytes_give_a_reading_or_an_instrument_error(name: str) -> None:
    file, data = SAMPLES[name]
    format = read_bytes(data, file)[0].reader
    rng = random.Random(name)
    read = 0
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(changed))
            what = rng.random()
            if what < 0.5:
                changed[at] = rng.choice(ALPHABET)
            elif what < 0.75:
                del changed[at : at + rng.randint(1, 30)]
            else:
                changed[at:at] = bytes(rng.choice(ALPHABET) for _ in range(rng.randint(1, 8)))
            if not changed:
                changed = bytearray(b"x")
        for chosen in (format, "sheet"):
            try:
                found = read_bytes(bytes(changed), file, format=chosen)
            except InstrumentError as exc:
                assert file in str(exc)
                assert "Error:" not in str(exc).split("\n")[0], str(exc)  # a reader that tripped shows its insides
            else:
                assert found
                read += 1
    assert read  # some changes leave a table that can be read


def test_changed_workbooks_give_a_reading_or_an_instrument_error() -> None:
    data = _book("xlsx")
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        sheet = z.read("xl/worksheets/sheet1.xml")
    rng = random.Random(7)
    for k in range(150):
        if k % 2:
            body = bytearray(sheet)
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(body))
                if rng.random() < 0.5:
                    del body[at : at + rng.randint(1, 60)]
                else:
                    body[at] = rng.choice(b'<>"=/0129AZr st')
            changed = rewritten(data, "xl/worksheets/sheet1.xml", lambda _, b=bytes(body): b)
        else:
            raw = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            changed = bytes(raw)
        try:
            found = read_bytes(changed, "x.xlsx", format="sheet")
        except InstrumentError as exc:
            assert "x.xlsx" in str(exc)
        else:
            assert found


def test_changed_old_workbooks_give_a_reading_or_an_instrument_error() -> None:
    data = _book("xls")
    rng = random.Random(8)
    for _ in range(150):
        raw = bytearray(data)
        for _ in range(rng.randint(1, 5)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        try:
            found = read_bytes(bytes(raw), "x.xls", format="sheet")
        except InstrumentError as exc:
            assert "x.xls" in str(exc)
        else:
            assert found


def _with_sheet(xml: bytes) -> bytes:
    return rewritten(_book("xlsx"), "xl/worksheets/sheet1.xml", lambda _: xml)


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (
            SHEET % b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
            "stray cells",
        ),
        (
            SHEET % b'<row r="1"><c r="A1"><v>1</v></c></row><row r="9999999"><c r="A9999999"><v>1</v></c></row>',
            "rows x",
        ),
        (SHEET % b'<row r="1"><c><v>1</v></c></row>', "cells without an address"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + SHEET % b"", "entities"),
        (b"<worksheet><x/></worksheet>", "damaged"),
        (
            SHEET % (b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + b"0" * (40 * 2**20) + b"</t></is></c></row>"),
            "unpacks",
        ),
    ],
)
def test_hostile_workbooks(xml: bytes, message: str) -> None:
    with pytest.raises(InstrumentError, match=message):
        read_bytes(_with_sheet(xml), "x.xlsx", format="sheet")


def test_a_workbook_of_too_many_members() -> None:
    out = io.BytesIO(_book("xlsx"))
    with zipfile.ZipFile(out, "a") as z:
        for i in range(5001):
            z.writestr(f"junk/{i}", b"")
    with pytest.raises(InstrumentError, match="members"):
        read_bytes(out.getvalue(), "x.xlsx", format="sheet")


def test_an_old_workbook_with_one_far_cell() -> None:
    xlwt = pytest.importorskip("xlwt", reason="xlwt writes the .xls of this test; it is not installed")
    book = xlwt.Workbook()
    sheet = book.add_sheet("XRF")
    sheet.write(0, 0, 1)
    sheet.write(65535, 255, 1)
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(InstrumentError, match="stray cells"):
        read_bytes(out.getvalue(), "x.xls", format="sheet")


def test_a_container_whose_parts_form_a_circle() -> None:
    data = bytearray(_book("xls"))
    fat = struct.unpack_from("<I", data, 76)[0]
    start = (fat + 1) * 512
    first_dir = struct.unpack_from("<I", data, 48)[0]
    struct.pack_into("<I", data, start + 4 * first_dir, first_dir)
    with pytest.raises(InstrumentError, match="does not end"):
        read_bytes(bytes(data), "x.xls", format="sheet")


def test_too_many_columns_and_open_quotes_of_text() -> None:
    with pytest.raises(InstrumentError, match="columns"):
        read_bytes(b"sample,SiO2 (%)\n" + b"1," * 20_000 + b"\n", "x.csv", format="sheet")
    with pytest.raises(InstrumentError, match="quotation mark is open"):
        read_bytes(b'sample,SiO2 (%)\nA,"18\nB,19\n', "x.csv", format="sheet")


def test_a_password_is_named() -> None:
    data = bytearray(_book("xlsx"))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as z:
        info = z.getinfo("xl/worksheets/sheet1.xml")
    data[info.header_offset + 6] |= 1
    at = data.rindex(b"xl/worksheets/sheet1.xml") - 46 + 8
    data[at] |= 1
    with pytest.raises(InstrumentError, match=r"encrypted|password|x\.xlsx"):
        read_bytes(bytes(data), "x.xlsx", format="sheet")


def test_the_sheet_reader_leaves_instrument_exports_alone() -> None:
    folder = real("README.md").parent
    ours = {"xrf_panalytical_csv", "xrf_bruker_s8tiger", "xrf_rigaku_txt", "icp_perkinelmer", "psd_malvern_csv",
            "psd_malvern_xlsx", "strength_press_txt"}  # fmt: skip
    for file in sorted(folder.glob("*/*")):
        try:
            reader = detect(Source.open(file)).name
        except InstrumentError:
            continue
        assert reader != "sheet", file
        assert (reader.split("_")[0] in ("xrf", "icp", "psd", "strength")) == (file.parent.name in ours), file


ODS = (
    '<?xml version="1.0" encoding="UTF-8"?><office:document-content '
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2"><office:body><office:spreadsheet>'
    '<table:table table:name="XRF">%s</table:table></office:spreadsheet></office:body></office:document-content>'
)


def _ods(*rows: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        z.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        z.writestr("META-INF/manifest.xml", '<?xml version="1.0"?><manifest/>')
        z.writestr("content.xml", ODS % "".join(f"<table:table-row>{row}</table:table-row>" for row in rows))
    return out.getvalue()


def _text(value: str) -> str:
    return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'


def _number(value: float, kind: str = "float", extra: str = "") -> str:
    shown = f"<text:p>{value}</text:p>"
    return f'<table:table-cell office:value-type="{kind}" office:value="{value}" {extra}>{shown}</table:table-cell>'


HEAD = _text("样品") + _text("SiO2 (%)") + _text("CaO (%)")


def test_open_document_with_percent_format() -> None:
    (found,) = read_bytes(_ods(HEAD, _text("A") + _number(0.452, "percentage") + _number(20)), "x.ods")
    assert {v.quantity: v.value for v in found.values} == {"SiO2": 45.2, "CaO": 20.0}


def test_open_document_faults() -> None:
    broken = _text("#DIV/0!").replace(" office", ' table:formula="of:=1/0" office')
    empty = '<table:table-cell table:formula="of:=1+1"></table:table-cell>'
    with pytest.raises(InstrumentError) as caught:
        read_bytes(_ods(HEAD, _text("A") + broken + empty), "x.ods")
    assert "row 2, column B 'SiO2 (%)': #DIV/0!" in str(caught.value)
    assert "row 2, column C 'CaO (%)': a formula without a stored result" in str(caught.value)


def test_open_document_that_repeats_a_cell_without_end() -> None:
    far = _number(1, extra='table:number-columns-repeated="2000000000"')
    with pytest.raises(InstrumentError, match="stray cells"):
        read_bytes(_ods(HEAD, far), "x.ods", format="sheet")
