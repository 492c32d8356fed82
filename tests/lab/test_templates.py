"""Templates: every heading is understood, examples are not read, a filled sheet reads back equal in both languages."""

from __future__ import annotations

import datetime
from pathlib import Path

import openpyxl
import pytest
import python_calamine

from wastelab.errors import LabError, UnknownNameError
from wastelab.instruments import read_all, vocabulary
from wastelab.instruments.readers._sheet_headings import parse
from wastelab.instruments.units import split_heading
from wastelab.lab.templates import Column, columns, template_kinds, write_template

KINDS = template_kinds()
LANGS = ("en", "zh")
REGISTERS = ("samples", "mixes", "specimens")
TECHNIQUES = {
    "xrf": {"XRF"}, "metals": {"metals"}, "leaching": {"leaching"}, "radionuclides": {"radionuclides"},
    "phases": {"QPA"}, "strength": {"strength"}, "fresh": {"fresh", "setting"},
    "physical": {"density", "Blaine", "BET", "PSD", "fineness", "moisture", "LOI", "pH"},
}  # fmt: skip


def expected(column: Column, kind: str) -> str:
    """Name that the reader must give to a column."""
    prefix, colon, rest = column.name.partition(":")
    return f"leachate_{rest}" if prefix == "leachate" and colon else rest if prefix == "U" else column.name


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_heading_is_known_to_the_vocabulary(kind, lang):
    for column in columns(kind, lang):
        heading = column.heading.rstrip("*")
        name, unit = split_heading(heading)
        if column.name.startswith("U:"):
            assert parse(heading).role == "sigma"
            assert parse(heading).expanded
            assert parse(heading).name == expected(column, kind)
        elif column.name.startswith("phase:"):
            assert f"phase:{vocabulary.phase(name)}" == column.name
        elif kind in REGISTERS:
            assert vocabulary.register_field(name) == column.name
        elif vocabulary.field(column.name) == column.name:
            assert vocabulary.field(name) == column.name
        else:
            term = vocabulary.find(name)
            assert term is not None
            assert term.name in (column.name, column.name.partition(":")[2])
        assert unit == column.unit
        if lang == "zh" and column.sort != "number":
            assert not heading.isascii()


def fill(path: Path, rows: list[list[object]], start: int) -> None:
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    for i, row in enumerate(rows, start):
        for j, cell in enumerate(row, 1):
            if cell != "":
                sheet.cell(i, j, cell)
    book.save(path)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", [k for k in KINDS if k not in REGISTERS])
def test_a_filled_template_reads_back_equal(kind, lang, tmp_path):
    path = write_template(kind, tmp_path / "sheet.xlsx", lang=lang, rows=20)
    cols = columns(kind, lang)
    limits = kind in ("metals", "leaching", "radionuclides")
    row = [c.example for c in cols]
    row[0] = "X-001"
    fill(path, [row], 5 if limits else 4)
    readings = read_all(path)
    assert {r.technique for r in readings} == TECHNIQUES[kind]
    found = {v.quantity: v for r in readings for v in r.values}
    for column in cols:
        name = expected(column, kind)
        if column.name.startswith("U:"):
            assert found[name].sigma == pytest.approx(column.example / 2)
            assert found[name].k == 2
        elif column.sort == "number" and vocabulary.field(column.name) != column.name:
            if column.example == "":
                assert name not in found
            elif isinstance(column.example, str):
                assert found[name].value is None
                assert found[name].lod == float(column.example[1:])
            else:
                assert found[name].value == column.example
                assert found[name].unit == vocabulary.term(name).unit
    for r in readings:
        assert r.sample in ("X-001", row[1])
        assert r.measured_at == "2026-03-02"
        assert r.operator == ("李伟" if lang == "zh" else "Li Wei")
        if "basis" in [c.name for c in cols]:
            assert {v.basis for v in r.values if v.unit in ("wt%", "mg/kg", "Bq/kg")} == {"dry"}
        if kind not in ("strength", "fresh"):
            assert r.fields["waste_class"] == "red_mud"
    if kind == "strength":
        assert readings[0].fields["age"] == "28 d"
        assert readings[0].fields["mix"] == "X-001"
        assert readings[0].fields["cast_at"] == "2026-02-02"
    if kind == "leaching":
        assert readings[0].method == "HJ/T 299"


@pytest.mark.parametrize("lang", LANGS)
def test_the_row_of_detection_limits_serves_what_was_not_detected(lang, tmp_path):
    path = write_template("metals", tmp_path / "sheet.xlsx", lang=lang)
    at = [c.name for c in columns("metals", lang)].index("metal:Cd")
    for row, cell in ((4, 0.5), (5, "未检出" if lang == "zh" else "ND")):
        fill(path, [["" if row == 4 else "X-001", *[""] * (at - 1), cell]], row)
    (reading,) = read_all(path)
    assert [(v.quantity, v.value, v.lod, v.flag) for v in reading.values] == [
        ("metal:Cd", None, 0.5, "below_detection")
    ]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_template_holds_no_result(kind, lang, tmp_path):
    path = write_template(kind, tmp_path / "sheet.xlsx", lang=lang)
    with pytest.raises(Exception, match=r"no result|fill in|holds"):
        read_all(path)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", KINDS)
def test_lay_out_of_the_workbook(kind, lang, tmp_path):
    path = write_template(kind, tmp_path / "sheet.xlsx", lang=lang, rows=30)
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    assert book.vba_archive is None
    assert book.sheetnames[1:] == (["说明", "选项"] if lang == "zh" else ["instructions", "options"])
    assert sheet.freeze_panes == "B3"
    assert "wastelab" in sheet["A1"].value
    assert str(5 if kind in ("metals", "leaching", "radionuclides") else 4) in sheet["A1"].value
    assert sheet["A3"].value == ("示例" if lang == "zh" else "example")
    cols = columns(kind, lang)
    assert [c.value for c in sheet[2]] == [c.heading for c in cols]
    by_cell = {str(v.sqref).split(":")[0].rstrip("0123456789"): v for v in sheet.data_validations.dataValidation}
    first = 5 if kind in ("metals", "leaching", "radionuclides") else 4
    for j, column in enumerate(cols, 1):
        letter = openpyxl.utils.get_column_letter(j)
        rule = by_cell[letter]
        assert str(rule.sqref) == f"{letter}{first}:{letter}{first + 29}"
        assert rule.prompt
        assert len(rule.prompt) <= 255
        cell = sheet.cell(first, j)
        if column.sort == "date":
            assert cell.number_format == "yyyy-mm-dd"
            assert isinstance(sheet.cell(3, j).value, datetime.datetime)
        else:
            assert cell.number_format == ("General" if column.sort == "number" else "@")
        if column.sort in ("choice", "method"):
            words = listed(book, rule.formula1)
            if column.sort == "choice":
                known = {"waste_class": vocabulary.waste_class, "role": vocabulary.component_role}.get(
                    column.name, vocabulary.basis
                )
                assert all(known(w) for w in words)
                assert column.example in words
            else:
                assert words == list(vocabulary.technique(TECHNIQUES[kind].copy().pop()).methods)
        width = sheet.column_dimensions[letter].width
        heading = column.heading.partition(" (")[0]
        assert width >= min(sum(2 if ord(c) > 0x2E7F else 1 for c in heading), 28)


def listed(book: openpyxl.Workbook, formula: str) -> list[str]:
    """Words that a list of a drop-down points to."""
    name, _, cells = formula.partition("!")
    return [row[0].value for row in book[name.strip("'")][cells.replace("$", "")]]


def test_another_reader_sees_the_same_headings(tmp_path):
    path = write_template("xrf", tmp_path / "化学成分.xlsx", lang="zh")
    book = python_calamine.CalamineWorkbook.from_path(path)
    rows = book.get_sheet_by_index(0).to_python()
    assert [c for c in rows[1] if c] == [c.heading for c in columns("xrf", "zh")]


def test_what_cannot_be_written_is_refused(tmp_path):
    path = write_template("xrf", tmp_path / "a.xlsx")
    before = path.read_bytes()
    with pytest.raises(LabError, match="exists and was left as it is"):
        write_template("metals", path)
    assert path.read_bytes() == before
    write_template("metals", path, overwrite=True)
    assert path.read_bytes() != before
    with pytest.raises(UnknownNameError, match="Did you mean 'metals'"):
        write_template("metal", tmp_path / "b.xlsx")
    with pytest.raises(LabError, match=r"an \.xlsx file"):
        write_template("xrf", tmp_path / "b.csv")
    with pytest.raises(LabError, match="lang = 'fr'"):
        write_template("xrf", tmp_path / "b.xlsx", lang="fr")
    with pytest.raises(LabError, match="rows = 0"):
        write_template("xrf", tmp_path / "b.xlsx", rows=0)
    with pytest.raises(LabError, match="cannot be written"):
        write_template("xrf", tmp_path / "missing" / "b.xlsx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.xlsx"]
