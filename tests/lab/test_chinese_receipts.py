"""Receipts of refused files: wholly Chinese for those who read Chinese, wholly English for the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wastelab.lab.gates import GATES
from wastelab.lab.lab import Lab
from wastelab.lab.receipts import Receipt

HAN = re.compile("[\u4e00-\u9fff]")
#: A synthetic sheet with a number that is none, an unknown column, a missing unit and an ambiguous date.
BAD = (
    "样品编号,固废类别,基准,SiO2 (%),Al2O3 (%),CaO (%),d50,某列,检测日期\n"
    "RM-01,赤泥,干基,abc,24.50,11.90,12.5,7.7,2026-03-02\n"
    "RM-02,赤泥,干基,19.20,25.10,11.20,13.1,8.8,03/02/2026\n"
)
BAD_SUM = (
    "样品编号,固废类别,基准,SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),Na2O (%),TiO2 (%),烧失量 (%)\n"
    "RM-03,赤泥,干基,20.10,39.10,,38.0,8.60,3.10,9.40\n"
)


@pytest.fixture
def here(new_lab: Callable[..., Lab]) -> Lab:
    """An empty laboratory in SQLite with curve files."""
    return new_lab("sqlite-files")


def english_words(text: str, *names: str) -> list[str]:
    """ASCII words of four letters or more that are no quotation, name, uid, option or hash."""
    body = re.sub(r"“[^”]*”|`[^`]*`|[0-9a-f]{12,}|[0-9a-f]{8}-[0-9a-f-]{27}|\.[a-z]{2,4}\b", "", text)
    for name in sorted((*names, *(g.name for g in GATES)), key=len, reverse=True):
        body = body.replace(name, "")
    return re.findall("[A-Za-z]{4,}", body)


def refused(lab: Lab, folder: Path, name: str, content: bytes, **options: str) -> Receipt:
    file = folder / name
    file.write_bytes(content)
    (receipt,) = lab.upload(file, **options)
    assert receipt.outcome == "refused"
    return receipt


def test_cell_faults_in_both_languages(here: Lab, tmp_path: Path) -> None:
    receipt = refused(here, tmp_path, "bad.csv", BAD.encode("gb18030"))
    keys = " ".join(f.key for f in receipt.findings)
    for key in ("no_number", "expect_number_in", "heading_unknown", "no_unit", "two_dates"):
        assert f"sheet.{key}" in keys
    chinese, english = receipt.text("zh"), receipt.text("en")
    assert "bad.csv,第 2 行,D 列“SiO2 (%)”:“abc”不是数字;此处应为以 wt% 为单位的数字" in chinese
    assert "row 2, column D 'SiO2 (%)': 'abc' is not a number; expected a number in wt%" in english
    assert english_words(chinese, "bad.csv") == []
    quoted = re.sub(r"'[^']*'|备注|样品编号|浸出", "", english)
    assert not HAN.search(quoted)
    for finding in receipt.findings:
        body = finding.to_dict()
        assert english_words(body["message_zh"], "bad.csv") == [] and HAN.search(body["message_zh"])
        assert body["message"] == finding.text("en") and not HAN.search(re.sub(r"'[^']*'|备注", "", body["message"]))


def test_a_stored_refusal_says_the_same_later(here: Lab, tmp_path: Path) -> None:
    from wastelab.lab.receipts import finding_of, finding_record

    receipt = refused(here, tmp_path, "bad.csv", BAD.encode("gb18030"))
    again = [finding_of(finding_record(f)) for f in receipt.findings]
    for lang in ("en", "zh"):
        assert [f.text(lang) for f in again] == [f.text(lang) for f in receipt.findings]


def test_the_place_of_a_gate_is_chinese_too(here: Lab, tmp_path: Path) -> None:
    receipt = refused(here, tmp_path, "sum.csv", BAD_SUM.encode("gb18030"))
    chinese = receipt.text("zh")
    assert "sum.csv,第 2 行,E 列“Al2O3 (%)”(样品 RM-03):" in chinese
    assert english_words(chinese, "sum.csv", "RM-03") == []


def test_what_became_of_it_and_how_it_may_pass(here: Lab, tmp_path: Path) -> None:
    hopeless = refused(here, tmp_path, "bad.csv", BAD.encode("gb18030"))
    assert "Nothing from this file was stored; the file itself is kept in quarantine." in hopeless.text("en")
    assert "--allow" not in hopeless.text("en") and "隔离区" in hopeless.text("zh")
    gated = refused(here, tmp_path, "sum.csv", BAD_SUM.encode("gb18030"))
    gates = {f.gate for f in gated.findings if f.severity == "refuse"}
    assert "oxide_sum" in gates
    for lang in ("en", "zh"):
        assert "--allow oxide_sum" in gated.text(lang)
    (folder,) = here.upload(tmp_path / "nowhere.csv")
    assert folder.outcome == "refused" and "quarantine" not in folder.text("en")
    (dry,) = here.upload(tmp_path / "bad.csv", dry_run=True)
    assert "kept in quarantine" not in dry.text("en")


def test_two_gates_that_say_the_same_are_printed_once(here: Lab, tmp_path: Path) -> None:
    gated = refused(here, tmp_path, "sum.csv", BAD_SUM.encode("gb18030"))
    first = gated.findings[0]
    twice = replace(gated, findings=(first, replace(first, gate="shifted_column"), replace(first, severity="warn")))
    for lang in ("en", "zh"):
        assert twice.text(lang).count(first.text(lang)) == 1
        assert f"--allow {first.gate} --allow shifted_column" in twice.text(lang)
    assert "more place" not in twice.text("en")
    assert len(twice.to_dict()["findings"]) == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.xrdml", b"", "文件为空"),
        ("a.bin", b"\x00\x01\x02\x03nothing at all", "格式未知"),
        ("cut.xlsx", b"PK\x03\x04xl/workbook.xml and no more", "被截断"),
        (
            "cut.xrdml",
            b'<?xml version="1.0"?><xrdMeasurements xmlns="http://www.xrdml.com/XRDMeasurement/1.5"><a>',
            "XML",
        ),
    ],
)
def test_files_that_cannot_be_read(here: Lab, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    chinese = refused(here, tmp_path, name, content).text("zh")
    assert said in chinese
    assert english_words(chinese.replace(str(tmp_path), ""), name) == []


def test_a_list_that_was_cut_says_at_least() -> None:
    from wastelab.lab.drafts import Finding
    from wastelab.lab.receipts import Receipt

    def receipt(count: int) -> Receipt:
        found = tuple(
            Finding("format", "refuse", "sheet.no_heading", values={"cell": "5"}, file="a.csv", where=f"row {n}")
            for n in range(count)
        )
        return Receipt("a.csv", "0" * 64, "refused", findings=found)

    assert "另有199处相同" not in receipt(200).text("zh")
    assert "另有至少199处相同" in receipt(200).text("zh")
    assert "and at least 199 more places" in receipt(200).text("en")
    assert "另有2处相同" in receipt(3).text("zh")
