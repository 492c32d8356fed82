"""What readers say: every text exists in every language with its placeholders, and places are said in Chinese."""

from __future__ import annotations

import ast
import io
import re
import string
import tomllib
from pathlib import Path

import pytest

import wastelab
from wastelab.errors import InstrumentError, UnknownFormatError
from wastelab.i18n import Message, say
from wastelab.instruments import worker
from wastelab.instruments.base import Source
from wastelab.instruments.places import quotation, where_text
from wastelab.instruments.read import read_bytes
from wastelab.instruments.readers.sorption_workbooks import sheets
from wastelab.instruments.sheets import Problem, SheetError

SRC = Path(wastelab.__file__).parent
TEXTS = {p.stem: tomllib.loads(p.read_text(encoding="utf-8"))["sheet"] for p in (SRC / "locale").glob("*.toml")}
SOURCES = {p: ast.parse(p.read_text(encoding="utf-8")) for p in SRC.rglob("*.py")}
HAN = re.compile("[\u4e00-\u9fff]")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def keys_of(node: ast.AST) -> list[str]:
    """Keys of the table that the source of a node spells out."""
    texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return [t.removeprefix("sheet.") for t in texts if re.fullmatch(r"sheet\.[a-z0-9_]+", t)]


def calls() -> list[tuple[str, str, set[str]]]:
    """Place in the sources, key and placeholders of every ``say("sheet.…", …)``."""
    out = []
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say" and node.args:
                given = {k.arg for k in node.keywords if k.arg}
                out += [(f"{path.name}:{node.lineno}", key, given) for key in keys_of(node.args[0])]
    return out


def test_every_text_is_there_in_every_language_and_has_what_it_needs() -> None:
    found = calls()
    assert len(found) > 120
    for where, key, given in found:
        for lang, texts in TEXTS.items():
            assert key in texts, (where, key, lang)
            assert placeholders(texts[key]) <= given, (where, key, lang)


def test_no_text_is_left_over() -> None:
    whole = {key for tree in SOURCES.values() for key in keys_of(tree)}
    made = {"quoted_cut", "quoted_damaged", "row_no_sample", "column_no_sample"}
    made |= {key for key in TEXTS["en"] if key.startswith("at_")}
    assert set(TEXTS["en"]) == whole | made


def test_texts_of_both_languages_agree() -> None:
    for key, text in TEXTS["en"].items():
        assert placeholders(TEXTS["zh"][key]) <= placeholders(text), key
        assert not HAN.search(re.sub(r"'[^']*'|备注|收到基|干基|灼烧基", "", text)), key
        assert key in ("at_comma", "at_tag", "stop", "cell_unit", "marks_examples") or HAN.search(TEXTS["zh"][key]), key


@pytest.mark.parametrize(
    ("where", "chinese"),
    [
        ("sheet 'XRF', row 14, column E 'Al2O3 (%)'", "工作表“XRF”,第 14 行,E 列“Al2O3 (%)”"),
        ("sheet 'it's, row 3', row 7", "工作表“it's, row 3”,第 7 行"),
        ('sheet "a\'b", row 2, column C', "工作表“a'b”,第 2 行,C 列"),
        ("row 2, column B 'w(SiO2), %'", "第 2 行,B 列“w(SiO2), %”"),
        ("line 31", "第 31 行"),
        ("line 5, column 'time'", "第 5 行,“time”列"),
        ("range 2 of 3", "第 2 段(共 3 段)"),
        ("member 'xl/workbook.xml'", "压缩包成员“xl/workbook.xml”"),
        ("file header", "文件头"),
        ("scan 2 line 4024", "第 2 次扫描,第 4024 行"),
        ("scan 2 <intensities>", "第 2 次扫描,“intensities”"),
        ("range 1 positions of axis '2Theta'", "第 1 段,轴“2Theta”"),
        ("sample run", "“sample”测量"),
        ("row 3, Pb 220.353", "第 3 行,Pb 220.353"),
        ("somewhere, else", "somewhere,else"),
        ("", ""),
    ],
)
def test_places_in_chinese(where: str, chinese: str) -> None:
    assert where_text(where, "zh") == chinese
    assert where_text(where, "en") == where


def test_messages_are_joined_and_share_their_values() -> None:
    both = say("sheet.no_number", cell="abc") + Message() + say("sheet.expect_number_in", wanted="wt%")
    assert both.key == "sheet.no_number+sheet.expect_number_in"
    assert (
        str(both)
        == "'abc' is not a number; expected a number in wt%, '<0.01', 'ND', or an empty cell where it was not measured."
    )
    assert both.text("zh") == "“abc”不是数字;此处应为以 wt% 为单位的数字、“<0.01”或“未检出”,未测则留空。"
    assert not Message() and Message().text("zh") == ""


def test_errors_carry_their_key_values_and_place() -> None:
    with pytest.raises(UnknownFormatError) as unknown:
        read_bytes(b"\x00\x01\x02\x03nothing", "a.bin")
    assert unknown.value.key == "sheet.format_unknown" and unknown.value.file == "a.bin"
    with pytest.raises(InstrumentError) as faulty:
        read_bytes(b"1 2\n3 x4\n5 6\n", "a.xy", format="xrd_columns")
    assert faulty.value.file == "a.xy" and str(faulty.value).startswith("a.xy")
    with pytest.raises(SheetError) as caught:
        read_bytes(b"sample,SiO2 (%)\nA,abc\n", "b.csv")
    (problem,) = caught.value.problems
    assert problem.values == {"cell": "abc", "wanted": "wt%"}
    assert problem.problem == problem.text("en") and HAN.search(problem.text("zh"))


def test_keys_and_values_cross_the_process() -> None:
    with pytest.raises(SheetError) as caught:
        worker.parse(b"sample,SiO2 (%),foo\nA,abc,3\n", "b.csv")
    with pytest.raises(SheetError) as direct:
        read_bytes(b"sample,SiO2 (%),foo\nA,abc,3\n", "b.csv")
    assert caught.value.problems == direct.value.problems and str(caught.value) == str(direct.value)
    assert all(isinstance(p, Problem) and p.key.startswith("sheet.") for p in caught.value.problems)
    with pytest.raises(UnknownFormatError) as unknown:
        worker.parse(b"\x00\x01\x02\x03nothing", "a.bin")
    assert unknown.value.key == "sheet.format_unknown"


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("has no ADS block: it is cut. Export it again.", "被截断"),
        ("its start time is impossible; it is damaged.", "已损坏"),
        ("names no scan axis.", "读取器报告"),
    ],
)
def test_what_is_english_only_is_quoted(detail: str, said: str) -> None:
    message = quotation(detail)
    assert message.text() == detail
    assert said in message.text("zh") and message.text("zh").endswith(f"读取器报告(英文原文):“{detail}”")


def test_a_damaged_xls_of_an_instrument_is_refused_not_fatal() -> None:
    """A general parser of .xls aborts the process on some of these."""
    xlwt = pytest.importorskip("xlwt", reason="xlwt writes the .xls of this test; it is not installed")
    book = xlwt.Workbook()
    sheet = book.add_sheet("Isotherm")
    for row in range(60):
        for column, cell in enumerate((row, row / 100, f"text {row}", 0.452)):
            sheet.write(row, column, cell, xlwt.easyxf(num_format_str="0.00%" if column == 3 else "General"))
    out = io.BytesIO()
    book.save(out)
    whole = out.getvalue()
    cells = sheets(Source(whole, "x.xls"))["Isotherm"]
    assert cells[7] == [7.0, 0.07, "text 7", 0.452] and len(cells) == 60
    outcomes = set()
    for at in range(0, len(whole), 41):
        damaged = bytearray(whole)
        damaged[at : at + 4] = b"\xff\xff\xff\x7f"
        try:
            sheets(Source(bytes(damaged), "x.xls"))
            outcomes.add("read")
        except InstrumentError as exc:
            assert str(exc).startswith("x.xls")
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
