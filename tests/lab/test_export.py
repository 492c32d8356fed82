"""Exported tables: read back by other readers, every text as a spreadsheet must see it, whole files or none."""

from __future__ import annotations

import csv
import importlib.util
import os
from pathlib import Path
from typing import Any

import builders as b
import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.errors import LabError, UnknownNameError
from wastelab.lab import spreadsheet
from wastelab.lab.audit import Item, event_hash
from wastelab.lab.export import FORMATS, WORKBOOK, tables
from wastelab.lab.lab import Lab

TABLES = ["samples", "sources", "mixes", "components", "specimens", "measurements", "values", "composition", "audit",
          "audit_items"]  # fmt: skip
EVIL = ['=HYPERLINK("http://x","y")', "+1+1", "-2", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1"]
FINE = ["红泥, 干基", 'quo"ted', "two\nlines", "#REF!", "1.50", "2026-03-02", " =1", "'=1", "TRUE", "NA"]


@pytest.fixture
def filled(lab: Lab) -> Lab:
    lab.add("source", code="堆场-1", name_zh="赤泥堆场", kind="heap", waste_class="red_mud", note=EVIL[0])
    b.sample(lab, "RM-1", source="堆场-1", values=b.RED_MUD | {"MgO": "<0.2"}, name_zh="赤泥", sigma={"SiO2": 0.3})
    for n, text in enumerate(EVIL + FINE):
        b.sample(lab, f"N-{n}", "raw", note=text)
    b.measure(lab, "RM-1", "moisture", {"moisture": -1.5})
    wrong = b.measure(lab, "RM-1", "XRF", {"SiO2": 99.0})
    lab.set_status(wrong, "retracted", by="somebody else", reason="shifted column")
    b.mix(lab, "M-1", {"RM-1": 0.3, "raw/limestone": 0.7},
          more=[{"material": "raw/naoh", "fraction": 0.08, "role": "activator"}])  # fmt: skip
    b.strengths(lab, "M-1", [20.25])
    return lab


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder to write to, beside the laboratory's."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def read_csv(file: Path) -> list[dict[str, str]]:
    """By the standard library, as text."""
    with file.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def cell(text: str) -> str:
    """A text as it must stand in a file for spreadsheets."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") else text


def test_csv(filled: Lab, out: Path) -> None:
    files = filled.export_tables(out / "very" / "deep")
    assert [f.name for f in files] == [f"{name}.csv" for name in TABLES]
    assert sorted(p.name for p in (out / "very" / "deep").iterdir()) == sorted(f.name for f in files)
    assert all(f.read_bytes().startswith(b"\xef\xbb\xbf") for f in files)
    found = {f.stem: read_csv(f) for f in files}
    assert found["sources"][0]["name_zh"] == "赤泥堆场"
    assert found["sources"][0]["note"] == "'" + EVIL[0]
    notes = {row["code"]: row["note"] for row in found["samples"]}
    assert [notes[f"N-{n}"] for n in range(len(EVIL + FINE))] == [cell(t) for t in EVIL + FINE]
    assert {row["value"] for row in found["values"] if row["quantity"] == "moisture"} == {"-1.5"}  # a number stays one
    assert found["mixes"][0]["components"] == "RM-1 0.3; raw/limestone 0.7; raw/naoh 0.08 activator"
    assert [row["fraction"] for row in found["components"]] == ["0.3", "0.7", "0.08"]
    assert found["specimens"][0]["mix"] == "M-1"


def test_retracted_values_stay_out_but_the_measurement_is_listed(filled: Lab, out: Path) -> None:
    filled.export_tables(out)
    assert [row["status"] for row in read_csv(out / "measurements.csv")].count("retracted") == 1
    rows = read_csv(out / "values.csv")
    assert "99.0" not in {row["value"] for row in rows}
    assert len(rows) == len(filled.values())


def test_composition_is_wide_with_error_limit_and_flag(filled: Lab, out: Path) -> None:
    filled.export_tables(out)
    row = next(r for r in read_csv(out / "composition.csv") if r["code"] == "RM-1")
    assert (row["waste_class"], row["source"]) == ("red_mud", "堆场-1")
    assert (row["SiO2"], row["SiO2_se"], row["SiO2_lod"], row["SiO2_flag"]) == ("18.0", "0.3", "", "measured")
    assert (row["MgO"], row["MgO_se"], row["MgO_lod"], row["MgO_flag"]) == ("", "", "0.2", "below_detection")
    names = list(row)
    assert names[3:7] == ["SiO2", "SiO2_se", "SiO2_lod", "SiO2_flag"] and names[-4] == "LOI"


def test_the_audit_chain_can_be_proved_from_the_export(filled: Lab, out: Path) -> None:
    filled.export_tables(out, formats=["parquet"])
    events = pd.read_parquet(out / "audit.parquet")
    items = pd.read_parquet(out / "audit_items.parquet")
    prev = "0" * 64
    for event in events.itertuples():
        mine = [
            Item(i.entity, i.uid, i.change, i.digest, i.detail or None)
            for i in items[items["seq"] == event.seq].itertuples()
        ]
        assert len(mine) == event.records and event.prev == prev
        prev = event_hash(prev, event.seq, event.at, event.actor, event.action, event.reason, event.version, mine)
        assert prev == event.hash
    assert prev == filled.head()


def test_workbook(filled: Lab, out: Path) -> None:
    files = filled.export_tables(out, formats=("xlsx",))
    assert files == [out / WORKBOOK]
    book = openpyxl.load_workbook(files[0])
    assert book.sheetnames == TABLES
    assert {book[name].freeze_panes for name in TABLES} == {"A2"}
    sheet = book["samples"]
    heads = [c.value for c in sheet[1]]
    rows = {row[0].value: row for row in sheet.iter_rows(min_row=2)}
    for n, text in enumerate(EVIL + FINE):
        found = rows[f"N-{n}"][heads.index("note")]
        assert found.value.replace("_x000D_", "\r") == cell(text) and found.data_type == "s", text
    assert rows["RM-1"][heads.index("name_zh")].value == "赤泥"
    assert isinstance(rows["RM-1"][heads.index("n_measurements")].value, int)
    assert {c.data_type for row in book["values"].iter_rows() for c in row} == {"s", "n"}
    values = list(book["values"].iter_rows(values_only=True))
    assert any(row[values[0].index("value")] == -1.5 for row in values[1:])
    assert len(values) - 1 == len(filled.values())


def test_parquet_holds_texts_as_they_are(filled: Lab, out: Path) -> None:
    files = filled.export_tables(out, formats=("parquet",))
    for file in files:
        expected = tables(filled.store)[file.stem]
        found = pd.read_parquet(file)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    notes = pd.read_parquet(out / "samples.parquet").set_index("code")["note"]
    assert [notes[f"N-{n}"] for n in range(len(EVIL))] == EVIL


def test_an_empty_laboratory(lab: Lab, out: Path) -> None:
    files = lab.export_tables(out, formats=FORMATS)
    assert len(files) == 2 * len(TABLES) + 1
    assert all(read_csv(out / f"{name}.csv") == [] for name in TABLES if not name.startswith("audit"))
    assert len(read_csv(out / "audit.csv")) == 1
    heads = (out / "values.csv").read_text(encoding="utf-8-sig").strip().split(",")
    assert heads == list(tables(lab.store)["values"].columns)


def test_existing_files_are_replaced(filled: Lab, out: Path) -> None:
    (out / "samples.csv").write_text("old")
    (out / "mine.txt").write_text("mine")
    filled.export_tables(out)
    assert len(read_csv(out / "samples.csv")) == len(filled.samples())
    assert (out / "mine.txt").read_text() == "mine"


def test_what_cannot_be_written(filled: Lab, out: Path) -> None:
    (out / "file").write_text("x")
    with pytest.raises(LabError, match=r"file: the folder cannot be made"):
        filled.export_tables(out / "file")
    folder = out / "folder"
    (folder / "samples.csv").mkdir(parents=True)
    with pytest.raises(LabError, match=r"samples\.csv: cannot be written to"):
        filled.export_tables(folder)
    assert [p.name for p in folder.iterdir()] == ["samples.csv"]  # no half files, nothing temporary
    with pytest.raises(UnknownNameError, match="no format 'exel'"):
        filled.export_tables(folder, formats=["exel"])
    with pytest.raises(LabError, match="No format was named"):
        filled.export_tables(folder, formats=[])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: run as another user to test rights")
def test_a_folder_without_rights(filled: Lab, out: Path) -> None:
    out.chmod(0o555)
    try:
        with pytest.raises(LabError, match="cannot be written to"):
            filled.export_tables(out)
    finally:
        out.chmod(0o755)


def test_a_full_disk_leaves_what_was_there(filled: Lab, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.export_tables(out)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    b.sample(filled, "LATER")
    number = 0

    def full(handle: int) -> None:
        nonlocal number
        number += 1
        if number == 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LabError, match="No space left on device"):
        filled.export_tables(out)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before


def test_everything_is_durable_before_it_is_named(filled: Lab, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fsync, Path.replace

    def traced_sync(handle: int) -> None:
        order.append("fsync")
        sync(handle)

    def traced_replace(self: Path, target: Any) -> Path:
        order.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", traced_sync)
    monkeypatch.setattr(Path, "replace", traced_replace)
    filled.export_tables(out)
    assert order == ["fsync"] * len(TABLES) + ["replace"] * len(TABLES) + ["fsync"]


def test_too_much_for_a_sheet(filled: Lab, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spreadsheet.MAX_ROWS == 1_048_576
    b.sample(filled, "LONG", note="长" * 32_768)
    with pytest.raises(LabError, match=r"table samples, column note: a text of 32768 characters.*csv"):
        filled.export_tables(out, formats=["xlsx"])
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 10)
    with pytest.raises(LabError, match=r"table samples has \d+ rows, an Excel sheet holds 9; export it as csv"):
        filled.export_tables(out, formats=["csv", "xlsx"])
    assert list(out.iterdir()) == []
    filled.export_tables(out, formats=["csv"])
    assert next(r for r in read_csv(out / "samples.csv") if r["code"] == "LONG")["note"] == "长" * 32_768


def test_without_pyarrow(filled: Lab, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "pyarrow" else find(name, *a))
    with pytest.raises(LabError, match="pip install pyarrow"):
        filled.export_tables(out, formats=["csv", "parquet"])
    assert list(out.iterdir()) == []


def test_numbers_come_back_to_the_last_bit(lab: Lab, out: Path) -> None:
    rng = np.random.default_rng(3)
    numbers = [float(x) for x in rng.lognormal(0, 8, 50)]
    b.sample(lab, "S", values=[b.value("SiO2", x) for x in numbers])
    lab.export_tables(out, formats=FORMATS)
    assert [float(r["value"]) for r in read_csv(out / "values.csv")] == numbers
    assert pd.read_parquet(out / "values.parquet")["value"].tolist() == numbers
    sheet = list(openpyxl.load_workbook(out / WORKBOOK)["values"].iter_rows(values_only=True))
    assert [row[sheet[0].index("value")] for row in sheet[1:]] == pytest.approx(numbers, rel=1e-15)  # 16 digits


@given(st.text())
def test_escaped_text_never_begins_a_formula(text: str) -> None:
    found = spreadsheet.escape(text)
    assert not found.startswith(spreadsheet.FORMULA)
    assert found in (text, "'" + text)


def test_control_characters() -> None:
    assert spreadsheet.storable("a\x0bb\x00") == "a_x000B_b_x0000_"
    assert spreadsheet.storable("_x0041_ _y") == "_x005F_x0041_ _y"
    assert spreadsheet.storable("红泥\n\t") == "红泥\n\t"
