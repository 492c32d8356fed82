"""Tables for other programs: complete, of one state, in Chinese, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import builders as b
import openpyxl
import pandas as pd
import pytest

from wastelab.errors import LabError, UnknownNameError
from wastelab.lab import export
from wastelab.lab.export import export_tables
from wastelab.lab.lab import Lab

NAMES = ["samples", "measurements", "values", "composition", "mixes", "audit"]
NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "#N/A", "=cmd|' /C calc'!A0", "plain", "1.5", "a\nb", 'quo"te,comma']


@pytest.fixture
def filled(lab: Lab) -> Lab:
    lab.add("source", code="H1", name_zh="北堆")
    for n, text in enumerate(NASTY):
        b.sample(lab, f"S-{n}", name=text, name_zh="赤泥", source="H1")
    b.measure(lab, "S-0", values={"SiO2": 20.1, "Cl": "<0.01"}, note="=HYPERLINK()")
    wrong = b.measure(lab, "S-1", values={"SiO2": 30.0})
    lab.set_status(wrong, "retracted", by="Wang", reason="wrong")
    b.mix(lab, "M-1", {"S-0": 0.3, "raw/limestone": 0.7})
    return lab


def read(file: Path) -> list[dict[str, str]]:
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")  # Excel then knows that it is UTF-8
    with file.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def test_csv_holds_everything(filled: Lab, tmp_path: Path) -> None:
    files = export_tables(filled.store, tmp_path / "out")
    assert [f.name for f in files] == [f"{n}.csv" for n in NAMES]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(f.name for f in files)  # nothing left over
    samples = {r["code"]: r for r in read(tmp_path / "out" / "samples.csv")}
    assert samples["S-0"]["name_zh"] == "赤泥" and samples["S-0"]["source"] == "H1"
    values = read(tmp_path / "out" / "values.csv")
    assert [(r["target"], r["quantity"], r["value"], r["lod"], r["flag"], r["status"]) for r in values] == [
        ("S-0", "SiO2", "20.1", "", "", "draft"), ("S-0", "Cl", "", "0.01", "below_detection", "draft"),
        ("S-1", "SiO2", "30.0", "", "", "retracted"),
    ]  # fmt: skip
    assert read(tmp_path / "out" / "composition.csv") == [
        {"code": "S-0", "waste_class": "red_mud", "source": "H1", "SiO2": "20.1", "Cl": "<0.01"}
    ]
    mixes = read(tmp_path / "out" / "mixes.csv")
    assert [(r["mix"], r["sample"], r["material"], r["fraction"], r["mix_water_binder"]) for r in mixes] == [
        ("M-1", "S-0", "", "0.3", "0.4"), ("M-1", "", "raw/limestone", "0.7", "0.4")
    ]  # fmt: skip
    audit = read(tmp_path / "out" / "audit.csv")
    assert audit[-1]["entity"] == "mix" and audit[-1]["hash"] == filled.head()
    retracted = next(r for r in audit if r["change"] == "retracted")
    assert json.loads(retracted["detail"])["status"] == ["draft", "retracted"]


def test_no_cell_of_a_csv_is_a_formula(filled: Lab, tmp_path: Path) -> None:
    export_tables(filled.store, tmp_path)
    for file in tmp_path.glob("*.csv"):
        for row in read(file):
            for name, cell in row.items():
                assert not cell.startswith(("=", "+", "@", "\t", "\r")), (file.name, name, cell)
                assert not cell.startswith("-") or float(cell) < 0
    names = [r["name"] for r in read(tmp_path / "samples.csv")]
    assert [n.removeprefix("'") for n in names] == NASTY
    assert [n.startswith("'") for n in names] == [x[0] in "=+-@\t" for x in NASTY]


def test_excel_holds_texts_as_texts(filled: Lab, tmp_path: Path) -> None:
    (file,) = export_tables(filled.store, tmp_path, ["xlsx"])
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == NAMES
    rows = list(book["samples"].iter_rows(min_row=2))
    heads = [c.value for c in book["samples"][1]]
    for row, text in zip(rows, NASTY, strict=True):
        cell = row[heads.index("name")]
        assert (cell.value, cell.data_type) == (text, "s")
    everything = [c for sheet in book for row in sheet.iter_rows() for c in row]
    assert not any(c.data_type in ("f", "e") for c in everything)
    values = list(book["values"].iter_rows(min_row=2, values_only=True))
    head = [c.value for c in book["values"][1]]
    assert [r[head.index("value")] for r in values] == [20.1, None, 30.0]


def test_parquet_keeps_types(filled: Lab, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed; the Parquet export cannot be tested")
    files = export_tables(filled.store, tmp_path, "parquet")
    assert [f.name for f in files] == [f"{n}.parquet" for n in NAMES]
    values = pd.read_parquet(tmp_path / "values.parquet")
    assert values["value"].dtype == float and values["value"].isna().tolist() == [False, True, False]
    assert pd.read_parquet(tmp_path / "samples.parquet")["name"].tolist() == NASTY


def test_an_empty_laboratory_exports_empty_tables(lab: Lab, tmp_path: Path) -> None:
    files = export_tables(lab.store, tmp_path, ["csv", "xlsx"])
    assert len(files) == 7 and [len(read(f)) for f in files[:5]] == [0] * 5


def test_tables_are_of_one_state(new_lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab()
    b.samples(lab, 3)
    real = export.measurements

    def measured_meanwhile(*args: Any, **options: Any) -> Any:
        b.sample(lab, "LATE", values={"SiO2": 1.0})  # somebody stores a result between two tables
        return real(*args, **options)

    monkeypatch.setattr(export, "measurements", measured_meanwhile)
    export_tables(lab.store, tmp_path)
    assert len(read(tmp_path / "samples.csv")) == len(read(tmp_path / "measurements.csv")) == 3
    assert "LATE" not in (tmp_path / "composition.csv").read_text(encoding="utf-8-sig")
    assert lab.samples().index.tolist()[-1] == "LATE"


def test_a_failed_write_leaves_the_old_file(new_lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab()
    export_tables(lab.store, tmp_path)
    before = (tmp_path / "samples.csv").read_bytes()
    b.samples(lab, 3)

    def full(self: Any, path: Path, **_: Any) -> None:
        path.write_text("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(LabError, match="No space left"):
        export_tables(lab.store, tmp_path)
    assert (tmp_path / "samples.csv").read_bytes() == before
    assert sorted(p.name for p in tmp_path.glob("[!l]*")) == sorted(f"{n}.csv" for n in NAMES)
    assert not list(tmp_path.glob(".*"))


def test_what_cannot_be_is_said(new_lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab()
    with pytest.raises(UnknownNameError, match="Did you mean 'xlsx'"):
        export_tables(lab.store, tmp_path, ["xls"])
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="could not be written"):
        export_tables(lab.store, tmp_path / "file" / "folder")
    monkeypatch.setattr(export, "EXCEL_ROWS", 3)
    b.samples(lab, 3)
    with pytest.raises(LabError, match=r"table samples has 3 rows.*csv or parquet"):
        export_tables(lab.store, tmp_path, ["xlsx"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LabError, match="pip install pyarrow"):
        export_tables(lab.store, tmp_path, ["parquet"])
