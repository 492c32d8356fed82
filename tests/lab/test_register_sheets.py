"""Sheets that register samples, mixes and specimens: whole or not at all, once, compared, said in two languages.

Every sheet here is synthetic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select

from wastelab.cli import main
from wastelab.errors import UploadError
from wastelab.instruments import read_all
from wastelab.instruments.base import Reading
from wastelab.instruments.readers._sheet_register import kind_of
from wastelab.instruments.readers._sheet_register_cells import curing_of, dimensions_of, mass_of, share_of
from wastelab.lab import schema as s
from wastelab.lab.bind import process_step
from wastelab.lab.entities import load
from wastelab.lab.lab import Lab, open_lab
from wastelab.lab.receipts import Receipt
from wastelab.lab.templates import columns, write_template

LANGS = ("en", "zh")
HAN = re.compile("[\u4e00-\u9fff]")
SAMPLES = """样品编号,样品名称,固废类别,来源,母样,处理方式,取样日期,收样日期,取样人,样品质量 (kg),存放位置,备注
RM-1,赤泥一号,赤泥,东堆场,,,2026-02-20,2026年2月23日,李伟,5,三号架,表层
RM-1-D,,,,RM-1,烘干 105 ℃,,,,800 g,,
FA-1,Class F ash,粉煤灰,,,,2026/2/21,,,,,
"""
MIXES = """配比编号,配比名称,组分,作用,干基占比 (%),水胶比,成型日期,备注
M-1,基准,RM-1,胶凝材料,30,0.4,2026-03-05,
M-1,,FA-1,,70,,,
M-1,,raw/water-glass,激发剂,8,,,
M-1,,raw/quartz-sand,骨料,300,,,
M-2,,RM-1,胶凝材料,33.33,0.5,,
M-2,,FA-1,胶凝材料,33.33,0.5,,
M-2,,raw/limestone,胶凝材料,33.33,0.5,,
"""
SPECIMENS = """试件编号,配比编号,尺寸 (mm),成型日期,养护,备注
M-1-a,M-1,40x40x160,2026-03-05,"20±2 ℃, ≥95 %, 27 d",
M-1-b,M-1,70.7×70.7×70.7,2026-03-05,"60 ℃, 95 %, 24 h; 20 ℃, 水, 27 天",
M-2-a,M-2,Φ50×100,2026-03-06,,破损
"""


@pytest.fixture
def here(new_lab: Callable[..., Lab]) -> Lab:
    """A laboratory in SQLite with a source."""
    lab = new_lab("sqlite-files")
    lab.add("source", code="HEAP-1", name_zh="东堆场")
    return lab


@pytest.fixture
def stocked(here: Lab) -> Lab:
    """A laboratory with a source and two samples."""
    here.add("sample", code="RM-1", waste_class="red_mud")
    here.add("sample", code="FA-1", waste_class="fly_ash")
    return here


def csv(folder: Path, text: str, name: str = "登记.csv") -> Path:
    """A sheet as a Chinese office program saves it."""
    file = folder / name
    file.write_bytes(text.encode("gb18030"))
    return file


def book(folder: Path, sheets: Mapping[str, str], name: str = "登记.xlsx") -> Path:
    """A workbook of sheets given as text; numbers become numbers."""
    import csv as reader

    made = openpyxl.Workbook()
    made.remove(made.active)
    for title, text in sheets.items():
        page = made.create_sheet(title)
        for row in reader.reader(text.splitlines()):
            page.append([float(c) if re.fullmatch(r"\d+(\.\d+)?", c) else c or None for c in row])
    made.save(folder / name)
    return folder / name


def one(lab: Lab, file: Path, **options: Any) -> Receipt:
    (receipt,) = lab.upload(file, **options)
    return receipt


def rows(lab: Lab, name: str) -> dict[str, dict[str, Any]]:
    """Records by code, references as codes."""
    with lab.store.read() as conn:
        found = {
            kind: {r["uid"]: r for r in load(conn, kind).values()} for kind in ("source", "sample", "mix", "specimen")
        }
    out = {}
    for record in found[name].values():
        for key, kind in (("source", "source"), ("parent", "sample"), ("mix", "mix")):
            if record.get(key):
                record[key] = found[kind][record[key]]["code"]
        for part in record.get("components", ()):
            if part["sample"]:
                part["sample"] = found["sample"][part["sample"]]["code"]
        out[record["code"]] = record
    return out


def said(receipt: Receipt) -> list[str]:
    """Keys of the refusals, without their table."""
    return [re.sub(r"register\.of_\w+\+|\b(?:register|receipt|sheet)\.", "", f.key) for f in receipt.findings
            if f.severity == "refuse"]  # fmt: skip


def sound(lab: Lab) -> None:
    assert lab.verify().problems == []


# -- the happy path, on every engine


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_samples_mixes_and_specimens_are_registered(lab: Lab, tmp_path: Path, form: str) -> None:
    lab.add("source", code="HEAP-1", name_zh="东堆场")
    for text in (SAMPLES, MIXES, SPECIMENS):
        file = csv(tmp_path, text) if form == "csv" else book(tmp_path, {"登记": text})
        before = lab.head()
        receipt = one(lab, file)
        assert receipt.outcome == "stored" and receipt.ok, receipt.text()
        assert not receipt.measurements and lab.head() == receipt.event != before
        (tmp_path / file.name).unlink()
    samples = rows(lab, "sample")
    assert list(samples) == ["RM-1", "RM-1-D", "FA-1"]
    first, second, third = samples.values()
    assert {k: first[k] for k in ("waste_class", "name", "name_zh", "source", "collected_at", "received_at",
                                  "collected_by", "mass_kg", "location", "note")} == {
        "waste_class": "red_mud", "name": "", "name_zh": "赤泥一号", "source": "HEAP-1", "collected_at": "2026-02-20",
        "received_at": "2026-02-23", "collected_by": "李伟", "mass_kg": 5.0, "location": "三号架", "note": "表层",
    }  # fmt: skip
    assert (second["parent"], second["waste_class"], second["mass_kg"]) == ("RM-1", "red_mud", 0.8)
    assert json.loads(second["process"]) == {"step": "dried", "temperature": "105 degC"}
    assert (third["name"], third["name_zh"], third["waste_class"]) == ("Class F ash", "", "fly_ash")
    mixes = rows(lab, "mix")
    assert (mixes["M-1"]["name_zh"], mixes["M-1"]["water_binder"], mixes["M-1"]["made_at"]) == (
        "基准", 0.4, "2026-03-05",
    )  # fmt: skip
    assert [(c["sample"] or c["material"], c["role"], c["fraction"]) for c in mixes["M-1"]["components"]] == [
        ("RM-1", "binder", 0.3), ("FA-1", "binder", 0.7), ("raw/water-glass", "activator", 0.08),
        ("raw/quartz-sand", "aggregate", 3.0),
    ]  # fmt: skip
    assert [c["fraction"] for c in mixes["M-2"]["components"]] == [0.3333] * 3
    specimens = rows(lab, "specimen")
    assert [(x["mix"], x["geometry"]) for x in specimens.values()] == [
        ("M-1", "prism"), ("M-1", "cube"), ("M-2", "cylinder"),
    ]  # fmt: skip
    assert json.loads(specimens["M-1-a"]["curing"]) == [
        {"temperature": "20 degC", "temperature_tolerance": "2 K", "humidity": "95 %", "humidity_bound": "at least",
         "duration": "27 d"}
    ]  # fmt: skip
    assert json.loads(specimens["M-1-b"]["curing"])[1] == {
        "temperature": "20 degC", "medium": "水", "duration": "27 d",
    }  # fmt: skip
    assert json.loads(specimens["M-2-a"]["dimensions"]) == {"diameter_mm": 50.0, "height_mm": 100.0}
    assert specimens["M-2-a"]["note"] == "破损"
    sound(lab)


def test_one_workbook_registers_everything_with_results(lab: Lab, tmp_path: Path) -> None:
    lab.add("source", code="HEAP-1", name_zh="东堆场")
    results = (
        "样品编号,基准,SiO2 (%),Al2O3 (%),Fe2O3 (%),CaO (%),Na2O (%),TiO2 (%),烧失量 (%)\n"
        "RM-1-D,干基,20.10,24.50,22.30,11.90,8.60,3.10,9.40\n"
    )
    strength = "配比编号,试件编号,龄期 (d),抗压强度 (MPa),检测方法\nM-1,M-1-a,28,42.5,GB/T 17671\n"
    sheets = {"试件": SPECIMENS, "XRF": results, "强度": strength, "配比": MIXES, "样品": SAMPLES}
    receipt = one(lab, book(tmp_path, sheets))
    assert receipt.outcome == "stored", receipt.text()
    assert (len(receipt.new_samples), len(receipt.new_mixes), len(receipt.new_specimens)) == (3, 2, 3)
    assert [(m["sample"], m["target"], m["technique"]) for m in receipt.measurements] == [
        ("RM-1-D", "sample", "XRF"), ("M-1-a", "specimen", "strength"),
    ]  # fmt: skip
    assert "2 measurements on 2 samples" in receipt.text() and "new mixes (2): M-1, M-2" in receipt.text()
    with lab.store.read() as conn:
        actions = [r[0] for r in conn.execute(select(s.audit_event.c.action).order_by(s.audit_event.c.seq))]
    assert actions == ["init", "add source", "upload"]
    sound(lab)


def test_what_is_there_with_the_same_data_is_counted_as_there(lab: Lab, tmp_path: Path) -> None:
    lab.add("source", code="HEAP-1", name_zh="东堆场")
    sheets = {"样品": SAMPLES, "配比": MIXES, "试件": SPECIMENS}
    one(lab, book(tmp_path, sheets))
    before = {name: rows(lab, name) for name in ("sample", "mix", "specimen")}
    more = {**sheets, "样品": SAMPLES + "RM-2,,赤泥,,,,,,,,,\n"}
    receipt = one(lab, book(tmp_path, more, "再次.xlsx"))
    assert receipt.outcome == "stored", receipt.text()
    assert list(receipt.new_samples) == ["RM-2"] and not receipt.new_mixes and not receipt.new_specimens
    assert receipt.present == {
        "sample": ["RM-1", "RM-1-D", "FA-1"], "mix": ["M-1", "M-2"], "specimen": ["M-1-a", "M-1-b", "M-2-a"],
    }  # fmt: skip
    assert "registered (1 new, 8 there already)" in receipt.text()
    assert "已登记(新增1项,已有8项)" in receipt.text("zh")
    after = {name: rows(lab, name) for name in before}
    assert {k: {c: r for c, r in v.items() if c != "RM-2"} for k, v in after.items()} == before
    again = one(lab, tmp_path / "再次.xlsx")
    assert again.outcome == "duplicate" and len(rows(lab, "sample")) == 4
    forced = one(lab, tmp_path / "再次.xlsx", again=True)
    assert forced.outcome == "stored" and sum(map(len, forced.present.values())) == 9
    sound(lab)


def test_one_bad_row_refuses_all(lab: Lab, tmp_path: Path) -> None:
    lab.add("source", code="HEAP-1", name_zh="东堆场")
    receipt = one(lab, csv(tmp_path, SAMPLES + "X-1,,赤泥,西堆场,,,,,,,,\n"))
    assert receipt.outcome == "refused" and said(receipt) == ["unknown_source"]
    assert not rows(lab, "sample") and not receipt.new_samples
    with lab.store.read() as conn:
        assert [r[0] for r in conn.execute(select(s.raw.c.quarantined))] == [1]
    sound(lab)


def test_a_dry_run_shows_what_would_be_registered(here: Lab, tmp_path: Path) -> None:
    before = here.head()
    receipt = one(here, book(tmp_path, {"样品": SAMPLES, "配比": MIXES}), dry_run=True)
    assert receipt.ok and receipt.outcome == "dry_run"
    assert "can be registered (5 new, 0 there already); dry run" in receipt.text()
    assert "新配比(2个):M-1, M-2" in receipt.text("zh")
    assert here.head() == before and not rows(here, "sample")
    body = receipt.to_dict()
    assert body["new_samples"] == ["RM-1", "RM-1-D", "FA-1"] and body["new_mixes"] == ["M-1", "M-2"]


# -- samples


def test_other_data_for_a_registered_sample_is_refused(here: Lab, tmp_path: Path) -> None:
    one(here, csv(tmp_path, SAMPLES))
    text = SAMPLES.replace(",5,三号架", ",6,四号架").replace("RM-1,烘干 105 ℃", "RM-1,煅烧 700 ℃ 2 h")
    receipt = one(here, csv(tmp_path, text, "b.csv"))
    assert said(receipt) == ["differs"] * 3
    by_field = {f.values["field"]: f for f in receipt.findings}
    assert "wastelab change sample RM-1 mass_kg='6'" in by_field["mass_kg"].text()
    assert "registered as '三号架'" in by_field["location"].text()
    assert by_field["mass_kg"].where == "row 2, column J '样品质量 (kg)'"
    assert "cannot be changed afterwards" in by_field["process"].text()
    assert "已登记为“5”" in by_field["mass_kg"].text("zh")
    here.change("sample", "RM-1", reason="weighed again", mass_kg=6, location="四号架")
    fewer = "样品编号,固废类别,样品质量 (kg),存放位置\nRM-1,赤泥,6,四号架\nFA-1,粉煤灰,,\n"
    assert one(here, csv(tmp_path, fewer, "c.csv")).present == {"sample": ["RM-1", "FA-1"]}


def test_another_class_of_a_registered_sample_is_refused(stocked: Lab, tmp_path: Path) -> None:
    receipt = one(stocked, csv(tmp_path, "样品编号,固废类别\nRM-1,粉煤灰\n"))
    assert said(receipt) == ["differs"]
    assert "waste_class is 'fly_ash' here, but registered as 'red_mud'" in receipt.text()


@pytest.mark.parametrize(
    ("text", "key", "part"),
    [
        ("RM-9,赤泥,,RM-1X,,", "unknown_parent", "near: RM-1"),
        ("RM-9,赤泥,东堆厂,,,", "unknown_source", "near: 东堆场"),
        ("RM-9,紫泥,,,,", "unknown_class", "'紫泥' is no waste class"),
        ("RM-9,,,,,", "no_class", "needs its waste class"),
        ("rm-1,赤泥,,,,", "alike", "differs from 'RM-1' in case"),
        ("RM-9,赤泥,,RM-9,,", "unknown_parent", "the parent sample 'RM-9' does not exist"),
        (",赤泥,,,,", "needs_sample", "row 2, column A '样品编号'"),
        ("RM-9,赤泥,,,03/02/2026,", "two_dates+stop", "column E '取样日期'"),
        ("RM-9,赤泥,,,,五", "no_number+stop", "column F '样品质量 (kg)'"),
        ("RM-9,赤泥,,,,<5", "number", "no plain number from zero up"),
        ("RM-9,赤泥,,,,5 MPa", "unit", "MPa cannot be converted to kg"),
        ("A-1,赤泥,,A-2,,\nA-2,赤泥,,A-3,,\nA-3,赤泥,,A-1,,", "circle", "A-1 ← A-2 ← A-3 ← A-1"),
        ("A-1,赤泥,,,,5\nA-1,赤泥,,,,6", "two_ways", "mass_kg is '6' here and '5' in another row (row 2"),
        ("A-1,赤泥,,,,5,7", "beyond", "'7' stands beyond the last heading"),
        ("A" * 101 + ",赤泥,,,,", "bad_code", "1 to 100 printable characters"),
    ],
)
def test_what_cannot_be_a_sample(stocked: Lab, tmp_path: Path, text: str, key: str, part: str) -> None:
    head = "样品编号,固废类别,来源,母样,取样日期,样品质量 (kg)\n"
    receipt = one(stocked, csv(tmp_path, f"{head}{text}\nGOOD,赤泥,,,,\n"))
    assert receipt.outcome == "refused" and said(receipt) == [key], receipt.text()
    assert part in receipt.text()
    assert list(rows(stocked, "sample")) == ["RM-1", "FA-1"]
    for finding in receipt.findings:
        assert HAN.search(finding.text("zh"))


def test_identical_rows_are_one_sample_and_rows_add_up(here: Lab, tmp_path: Path) -> None:
    text = "样品编号,固废类别,存放位置\nA-1,赤泥,\nA-1,赤泥,\nA-1,,架 1\n"
    assert list(one(here, csv(tmp_path, text)).new_samples) == ["A-1"]
    assert rows(here, "sample")["A-1"]["location"] == "架 1"


def test_children_may_stand_before_their_parents(here: Lab, tmp_path: Path) -> None:
    text = "样品编号,固废类别,母样,处理方式\nC,,B,粉磨\nB,,A,干燥\nA,赤泥,,\n"
    receipt = one(here, csv(tmp_path, text))
    assert list(receipt.new_samples) == ["A", "B", "C"]
    assert {r["waste_class"] for r in rows(here, "sample").values()} == {"red_mud"}
    assert {r["code"]: r["parent"] for r in rows(here, "sample").values()} == {"A": None, "B": "A", "C": "B"}


def test_the_class_and_source_may_be_said_once_for_all(here: Lab, tmp_path: Path) -> None:
    text = "取样人:李伟,,\n样品编号,取样日期,备注\nA-1,2026-03-01,\nA-2,2026-03-01,\n"
    receipt = one(here, csv(tmp_path, text), waste_class="red_mud", source="HEAP-1")
    assert receipt.outcome == "stored", receipt.text()
    assert {(r["waste_class"], r["source"]) for r in rows(here, "sample").values()} == {("red_mud", "HEAP-1")}


def test_a_column_that_is_no_column_of_samples_is_refused(here: Lab, tmp_path: Path) -> None:
    text = "样品编号,固废类别,来源,颜色,检测方法\nA-1,赤泥,,红,\nA-2,赤泥,,,XRF\n"
    receipt = one(here, csv(tmp_path, text))
    assert said(receipt) == ["unknown_column+columns_sample"] * 2
    assert [f.where for f in receipt.findings] == ["row 2, column D '颜色'", "row 3, column E '检测方法'"]
    assert "“颜色”列与本表所登记的内容无关" in receipt.text("zh")
    empty = text.replace(",红,", ",,").replace("XRF", "")
    assert one(here, csv(tmp_path, empty, "b.csv")).outcome == "stored"


def test_a_cut_file_and_an_option_for_one_sample_are_refused(here: Lab, tmp_path: Path) -> None:
    cut = one(here, csv(tmp_path, "样品编号,固废类别,备注\nA-1,赤泥,好\nA-2,赤泥"))
    assert said(cut) == ["cut"]
    receipt = one(here, csv(tmp_path, SAMPLES, "b.csv"), sample="RM-1")
    assert said(receipt) == ["target"] and "--sample RM-1" in receipt.text()
    assert not rows(here, "sample")


def test_hidden_rows_and_lines_about_the_form_are_pointed_out(here: Lab, tmp_path: Path) -> None:
    file = book(tmp_path, {"样品": "审核人:王芳,,\n样品编号,固废类别,备注\nA-1,赤泥,\nA-2,赤泥,\n"})
    page = openpyxl.load_workbook(file)
    page["样品"].row_dimensions[4].hidden = True
    page.save(file)
    receipt = one(here, file)
    assert receipt.outcome == "stored" and list(receipt.new_samples) == ["A-1", "A-2"]
    assert sorted(f.key for f in receipt.findings) == ["register.hidden", "register.not_taken"]
    assert "工作表“样品”,第 4 行" in receipt.text("zh")


def test_odd_codes_are_codes_and_notes_are_notes(here: Lab, tmp_path: Path) -> None:
    code = "批次 2026-03 东堆场 表层 第 1 点 深度 0.5 m 雨后取样 混合样 四分法 留样 A-01"
    text = f"样品编号,固废类别,备注\nA:1,,\n{code},,\n注:四分法缩分,,\n审核人:王芳,,\n"
    receipt = one(here, csv(tmp_path, text), waste_class="red_mud")
    assert list(receipt.new_samples) == ["A:1", code]
    assert [f.key for f in receipt.findings] == ["register.not_taken"]


# -- mixes


@pytest.mark.parametrize(
    ("text", "key", "part"),
    [
        ("M-1,RM-1,胶凝材料,30,", "sum", "mix 'M-1': the 1 binder shares sum to 30 %"),
        ("M-1,RM-1,胶凝材料,30,\nM-1,FA-1,胶凝材料,69.98,", "sum", "sum to 99.98 %"),
        ("M-1,RM-1,骨料,100,", "no_binder", "no component has the role binder"),
        ("M-1,RM-1X,胶凝材料,100,", "unknown_component", "near: RM-1"),
        ("M-1,raw/limeston,胶凝材料,100,", "unknown_component", "near: raw/limestone"),
        ("M-1,RM-1,胶凝材料,100,\nM-1,水,水,40,", "unknown_component", "goes into the column 'water/binder'"),
        ("M-1,RM-1,粘土,100,", "role", "'粘土' is no role of a component"),
        ("M-1,RM-1,胶凝材料,,", "needs_share", "row 2, column D '干基占比 (%)'"),
        ("M-1,,胶凝材料,100,", "needs_component", "raw/limestone"),
        ("M-1,RM-1,,50,\n,FA-1,,50,", "needs_mix", "row 3, column A '配比编号'"),
        ("M-1,RM-1,,50,0.4\nM-1,FA-1,,50,0.5", "two_ways", "water_binder is '0.5' here and '0.4'"),
        ("M-1,RM-1,,50,\nM-1,RM-1,,50,", "component_twice", "'RM-1' stands twice"),
        ("M-1,RM-1,,100,40", "water_binder", "write 0.4, or 40 %"),
        ("M-1,RM-1,,-100,", "number", "'-100' is no plain number"),
    ],
)
def test_what_cannot_be_a_mix(stocked: Lab, tmp_path: Path, text: str, key: str, part: str) -> None:
    good = "GOOD,RM-1,胶凝材料,100,0.4\n"
    receipt = one(stocked, csv(tmp_path, f"配比编号,组分,作用,干基占比 (%),水胶比\n{text}\n{good}"))
    assert receipt.outcome == "refused" and said(receipt) == [key], receipt.text()
    assert part in receipt.text()
    assert not rows(stocked, "mix")
    assert all(HAN.search(f.text("zh")) for f in receipt.findings)


def test_a_share_needs_its_unit(stocked: Lab, tmp_path: Path) -> None:
    receipt = one(stocked, csv(tmp_path, "配比编号,组分,掺量\nM-1,RM-1,30\nM-1,FA-1,70 %\n"))
    assert said(receipt) == ["no_unit_share"]
    assert one(stocked, csv(tmp_path, "配比编号,组分,掺量\nM-1,RM-1,30%\nM-1,FA-1,0.7 kg/kg\n", "b.csv")).ok
    assert [c["fraction"] for c in rows(stocked, "mix")["M-1"]["components"]] == [0.3, 0.7]


def test_percent_cells_of_a_spreadsheet_are_shares(stocked: Lab, tmp_path: Path) -> None:
    file = book(tmp_path, {"配比": "mix code,component,share\nM-1,RM-1,0.3\nM-1,FA-1,0.7\n"})
    page = openpyxl.load_workbook(file)
    for cell in ("C2", "C3"):
        page["配比"][cell].number_format = "0.0%"
    page.save(file)
    assert one(stocked, file).ok
    assert [c["fraction"] for c in rows(stocked, "mix")["M-1"]["components"]] == [0.3, 0.7]


def test_other_components_of_a_registered_mix_are_refused(stocked: Lab, tmp_path: Path) -> None:
    head = "配比编号,组分,作用,干基占比 (%)\n"
    one(stocked, csv(tmp_path, head + "M-1,RM-1,,30\nM-1,FA-1,,70\n"))
    turned = one(stocked, csv(tmp_path, head + "M-1,FA-1,binder,70\nM-1,RM-1,binder,30\n", "b.csv"))
    assert turned.present == {"mix": ["M-1"]}
    other = one(stocked, csv(tmp_path, head + "M-1,RM-1,,40\nM-1,FA-1,,60\n", "c.csv"))
    assert said(other) == ["differs"]
    assert "registered as 'RM-1 binder 30 %, FA-1 binder 70 %'" in other.text()
    added = one(stocked, csv(tmp_path, head + "M-1,RM-1,,30\nM-1,FA-1,,70\nM-1,raw/naoh,激发剂,5\n", "d.csv"))
    assert said(added) == ["differs"]


def test_a_component_is_found_in_another_case_and_by_a_code_with_a_slash(stocked: Lab, tmp_path: Path) -> None:
    stocked.add("sample", code="2026/07", waste_class="red_mud")
    assert one(stocked, csv(tmp_path, "配比编号,组分,干基占比 (%)\nM-1,rm-1,40\nM-1,2026/07,60\n")).ok
    assert [c["sample"] for c in rows(stocked, "mix")["M-1"]["components"]] == ["RM-1", "2026/07"]


# -- specimens


@pytest.mark.parametrize(
    ("text", "key", "part"),
    [
        ("S-1,M-9,40x40x160,", "unknown_mix", "specimen 'S-1': mix 'M-9' is not registered; near: M-1"),
        ("S-1,,40x40x160,", "needs_mix", "row 2, column B '配比编号'"),
        ("S-1,M-1,40x40,", "dimensions", "'40x40' is no size"),
        ("S-1,M-1,0x40x160,", "dimensions", "'0x40x160' is no size"),
        ('S-1,M-1,,"20 ℃, 95 %, 27 d, 28 d"', "curing", "'28 d' is not understood"),
        ("S-1,M-1,,28", "curing", "'28' is not understood"),
        ("S-1,M-1,,120 %", "curing", "'120 %' is not understood"),
    ],
)
def test_what_cannot_be_a_specimen(stocked: Lab, tmp_path: Path, text: str, key: str, part: str) -> None:
    stocked.add("mix", code="M-1", components=[{"sample": "RM-1", "fraction": 1.0}])
    receipt = one(stocked, csv(tmp_path, f"试件编号,配比编号,尺寸 (mm),养护\n{text}\nGOOD,M-1,,\n"))
    assert receipt.outcome == "refused" and said(receipt) == [key], receipt.text()
    assert part in receipt.text()
    assert not rows(stocked, "specimen")
    assert all(HAN.search(f.text("zh")) for f in receipt.findings)


def test_other_data_for_a_registered_specimen_is_refused(stocked: Lab, tmp_path: Path) -> None:
    for code in ("M-1", "M-2"):
        stocked.add("mix", code=code, components=[{"sample": "RM-1", "fraction": 1.0}])
    head = "试件编号,配比编号,尺寸,养护\n"
    assert one(stocked, csv(tmp_path, head + "S-1,M-1,4x4x16 cm,标准养护\n")).ok
    assert one(stocked, csv(tmp_path, head + "S-1,M-1,40*40*160 mm,\n", "b.csv")).present == {"specimen": ["S-1"]}
    receipt = one(stocked, csv(tmp_path, head + "S-1,M-2,40x40x160 mm,水\n", "c.csv"))
    assert {f.values["field"] for f in receipt.findings} == {"mix", "curing"}
    assert "mix is 'M-2' here, but registered as 'M-1'" in receipt.text()
    assert "no unit" in one(stocked, csv(tmp_path, head + "S-2,M-1,40x40x160,\n", "d.csv")).text()


def test_curing_of_a_sheet_is_what_training_tables_read() -> None:
    from wastelab.lab.mix_features import read_curing

    text = curing_of("60 ℃, 95 %, 1 d; 20 degC, RH 90%, 3周")
    mean, hottest, humidity, days, sound_ = read_curing(text)
    assert sound_ and hottest == 60.0 and days == 22.0
    assert mean == pytest.approx((60 + 20 * 21) / 22) and humidity == pytest.approx((95 + 90 * 21) / 22)


def test_cells_in_other_units() -> None:
    assert mass_of("1.5 t", "", ".") == "1500.0" and mass_of(250, "g", ".") == "0.25"
    assert share_of("0,5", "%", ",") == "0.005" and share_of(2, "g/kg", ".") == "0.002"
    assert json.loads(dimensions_of("70,7x70,7x70,7", "mm", ",")) == {"edges_mm": [70.7] * 3}
    assert process_step("煅烧700℃，2 h 马弗炉") == {
        "step": "calcined", "temperature": "700 degC", "duration": "2 h", "note": "马弗炉",
    }  # fmt: skip
    assert process_step("groundwater") == {"step": "other", "note": "groundwater"}


# -- which sheets are registers


@pytest.mark.parametrize(
    ("heads", "kind"),
    [
        (["样品编号", "固废类别"], "sample"),
        (["sample code*", "waste class*", "source", "colour"], "sample"),
        (["样品编号", "检测人", "检测日期"], ""),
        (["样品编号", "固废类别", "SiO2 (%)"], ""),
        (["样品编号", "固废类别", "项目", "结果"], ""),
        (["样品编号", "RM-01", "来源", "堆场 1"], ""),
        (["配比编号*", "组分*", "干基占比 (%)*"], "mix"),
        (["mix code", "sample", "share (%)", "role"], "mix"),
        (["配比编号", "龄期 (d)", "抗压强度 (MPa)"], ""),
        (["试件编号*", "配比编号*", "尺寸 (mm)"], "specimen"),
        (["specimen id", "mix", "curing"], "specimen"),
        (["试件编号", "配比编号", "成型日期", "抗压强度 (MPa)"], ""),
    ],
)
def test_headings_of_a_register(heads: Sequence[str], kind: str) -> None:
    assert kind_of(heads) == kind


def test_a_sheet_of_results_stays_one(here: Lab, tmp_path: Path) -> None:
    text = "样品编号,固废类别,来源,密度 (g/cm3)\nA-1,赤泥,东堆场,2.9\n"
    receipt = one(here, csv(tmp_path, text))
    assert [m["technique"] for m in receipt.measurements] == ["density"] and list(receipt.new_samples) == ["A-1"]


def test_readings_of_a_register_are_plain(tmp_path: Path) -> None:
    readings = read_all(csv(tmp_path, MIXES))
    assert {r.technique for r in readings} == {"mix"} and not any(r.values or r.variables for r in readings)
    assert readings[1].fields == {"component": "FA-1", "fraction": "0.7"} and readings[1].where == "row 3"
    assert readings[0].to_dataset().attrs["sample"] == "M-1"


@pytest.mark.parametrize(
    ("technique", "fields", "part"),
    [
        ("mix", {"component": "RM-1"}, "fraction is missing"),
        ("mix", {"component": "RM-1", "fraction": "a"}, "fraction = 'a' is no number"),
        ("specimen", {"mix": "M-1", "dimensions": "40"}, "dimensions = '40' is not the JSON"),
        ("sample", {"waste_class": "red_mud", "colour": "red"}, "unknown field 'colour'"),
        ("sample", {"waste_class": "red_mud", "mass_kg": "-1"}, "mass_kg = -1 is outside 0"),
    ],
)
def test_rows_made_by_programs_are_checked_too(stocked: Lab, technique: str, fields: dict[str, str], part: str) -> None:
    stocked.add("mix", code="M-1", components=[{"sample": "RM-1", "fraction": 1.0}])
    with pytest.raises(UploadError, match=re.escape(part)):
        stocked.ingest([Reading(technique, sample="X", fields=fields)])
    receipt = stocked.ingest([Reading("sample", sample="X", fields={"waste_class": "red_mud"})])
    assert receipt.new_samples == ("X",)


# -- templates and the command line


def fill(kind: str, lang: str, folder: Path, lines: Sequence[Mapping[str, object]]) -> Path:
    """A template with lines filled in below the example."""
    path = write_template(kind, folder / f"{kind}_{lang}.xlsx", lang=lang, rows=20)
    made = openpyxl.load_workbook(path)
    names = [c.name for c in columns(kind, lang)]
    for i, line in enumerate(lines, 4):
        for name, cell in line.items():
            made.worksheets[0].cell(i, names.index(name) + 1, cell)
    made.save(path)
    return path


@pytest.mark.parametrize("lang", LANGS)
def test_templates_filled_and_uploaded(here: Lab, tmp_path: Path, lang: str) -> None:
    zh = lang == "zh"
    example = {c.name: c.example for c in columns("samples", lang)}
    sample = {**example, "sample": "RM-001", "parent": None, "source": "HEAP-1"}
    dried = {**example, "sample": "RM-002", "source": None}
    assert one(here, fill("samples", lang, tmp_path, [sample, dried])).new_samples == ("RM-001", "RM-002")
    example = {c.name: c.example for c in columns("mixes", lang)}
    assert example["role"] == ("胶凝材料" if zh else "binder")
    other = {"mix": "M-01", "component": "RM-002", "share": 70}
    assert one(here, fill("mixes", lang, tmp_path, [{**example, "mix": "M-01"}, other])).new_mixes == ("M-01",)
    example = {c.name: c.example for c in columns("specimens", lang)}
    receipt = one(here, fill("specimens", lang, tmp_path, [{**example, "specimen": "M-01-1"}]))
    assert receipt.new_specimens == ("M-01-1",), receipt.text()
    assert rows(here, "mix")["M-01"]["water_binder"] == 0.4
    assert rows(here, "sample")["RM-002"]["mass_kg"] == 5.0
    assert rows(here, "sample")["RM-002"]["received_at"] == "2026-02-23"
    assert rows(here, "specimen")["M-01-1"]["geometry"] == "prism"
    sound(here)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", ["samples", "mixes", "specimens"])
def test_instructions_are_about_registering(kind: str, lang: str, tmp_path: Path) -> None:
    made = openpyxl.load_workbook(write_template(kind, tmp_path / "t.xlsx", lang=lang))
    texts = [str(row[0].value) for row in made.worksheets[1].iter_rows() if row[0].value]
    assert all(bool(HAN.search(t)) == (lang == "zh") for t in texts)
    assert not any("ND" in t for t in texts)
    assert any("wastelab upload" in t for t in texts)


def test_the_command_line_registers_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_lab(tmp_path / "lab", create=True).close()

    def run(file: Path, *options: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["upload", str(file), "--lab", str(tmp_path / "lab"), *options])
        return stopped.value.code, capsys.readouterr().out

    good = csv(tmp_path, SAMPLES.replace("东堆场", ""), "样品.csv")
    code, out = run(good, "--dry-run", "--lang", "zh")
    assert code == 0 and "样品.csv:可以登记(新增3项,已有0项)" in out
    code, out = run(good, "--lang", "en")
    assert code == 0 and "registered (3 new, 0 there already)" in out
    assert "new samples (3): RM-1, RM-1-D, FA-1" in out
    code, out = run(csv(tmp_path, MIXES.replace("FA-1,,70", "FA-1,,60"), "配比.csv"), "--lang", "zh")
    assert code == 1 and "配比“M-1”:2种胶凝材料的占比合计 90 %,应为 100 %" in out
    code, out = run(csv(tmp_path, MIXES, "配比2.csv"), "--json")
    assert code == 0 and json.loads(out)["receipts"][0]["new_mixes"] == ["M-1", "M-2"]
