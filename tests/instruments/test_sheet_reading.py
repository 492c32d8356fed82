"""The technician's sheet: three layouts, two languages, several techniques, and nothing guessed or dropped."""

from __future__ import annotations

import datetime

import pytest
from table_samples import LONG, TRANSPOSED, WIDE, numbers, read_text, rewritten, values, workbook

from wastelab.errors import InstrumentError
from wastelab.instruments import read_bytes
from wastelab.instruments.places import where_text
from wastelab.instruments.sheets import SheetError
from wastelab.lab.drafts import Finding


def test_wide_sheet_in_chinese() -> None:
    first, second = read_bytes(WIDE, "x.csv")
    assert (first.reader, first.technique, first.sample, first.operator) == ("sheet", "XRF", "RM-01", "李伟")
    assert first.measured_at == second.measured_at == "2026-03-02"
    assert first.fields == {"waste_class": "red_mud"}
    assert numbers(first) == {"SiO2": 18.2, "Al2O3": 22.1, "CaO": 31.5, "LOI": 12.5, "oxide_sum": 84.3}
    assert first.metadata["oxide_sum_printed"] == 84.3
    alumina = values(first)["Al2O3"]
    assert (alumina.sigma, alumina.k) == (0.3, None) and "taken as standard" in alumina.text
    assert alumina.where == "row 2, column D 'Al2O3/wt%'" and first.where == "row 2"
    low = values(second)["Al2O3"]
    assert (low.value, low.lod, low.flag) == (None, 0.05, "below_detection")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_one_sheet_in_every_encoding(encoding: str) -> None:
    found = read_bytes(WIDE.decode().encode(encoding), "x.csv")
    assert [r.sample for r in found] == ["RM-01", "RM-02"]
    assert [numbers(r) for r in found] == [numbers(r) for r in read_bytes(WIDE, "x.csv")]


def test_the_shortest_gbk_sheet() -> None:
    (found,) = read_bytes("样品,SiO2(%)\n赤泥,18\n".encode("gbk"), "x.csv")
    assert (found.sample, numbers(found)) == ("赤泥", {"SiO2": 18.0})


@pytest.mark.parametrize("sep", [";", "\t"])
def test_decimal_comma(sep: str) -> None:
    (found,) = read_text(f"sample{sep}SiO2 (%){sep}CaO (%){sep}MgO (%)", f"A{sep}20,5{sep}60,1{sep}<0,05")
    assert numbers(found) == {"SiO2": 20.5, "CaO": 60.1, "MgO": None} and values(found)["MgO"].lod == 0.05


def test_long_sheet() -> None:
    a, b = read_bytes(LONG, "x.csv")
    assert numbers(a) == {"SiO2": 18.1, "CaO": None} and numbers(b) == {"SiO2": 18.3}
    silica, lime = values(a)["SiO2"], values(a)["CaO"]
    assert (silica.sigma, silica.k) == (0.2, 2.0) and "U = 0.4 (k = 2)" in silica.text
    assert (lime.flag, lime.lod) == ("below_detection", 0.05)
    assert silica.where == "row 2, column C 'value'"


def test_transposed_sheet() -> None:
    first, second = read_bytes(TRANSPOSED, "x.csv")
    assert [r.sample for r in (first, second)] == ["RM-01", "RM-02"]
    assert numbers(second) == {"SiO2": 19.0, "Al2O3": 21.0, "LOI": 11.0}
    assert values(second)["LOI"].where == "row 4, column D '烧失量'"


def test_the_three_layouts_agree() -> None:
    wide = read_text("样品,SiO2 (%),Al2O3 (%),烧失量 (%)", "RM-01,18,20,10", "RM-02,19,21,11")
    assert [numbers(r) for r in wide] == [numbers(r) for r in read_bytes(TRANSPOSED, "x.csv")]


BOOK = {
    "XRF": [
        ["赤泥 XRF 分析数据表"],
        ["样品编号*", "固废类别*", "SiO2 (wt%)", "Al2O3 (wt%)", "烧失量 (wt%)", "检测日期"],
        ["示例 RM-01", "赤泥", 18, 20, 10, datetime.date(2026, 3, 1)],
        ["RM-1", "赤泥", 18.5, 20, 10, datetime.datetime(2026, 3, 1, 14, 5)],
    ],
    "重金属": [["样品", "Pb", "镉"], [None, "mg/kg", "mg/kg"], ["RM-1", 12, "<0.1"]],
    "浸出 HJ-T 299": [["样品", "Pb (mg/L)", "六价铬 (mg/L)", "pH"], ["RM-1", 0.12, "0.004L", 8.1]],
    "QPA": [["样品", "Quartz (%)", "赤铁矿 (%)", "非晶 (%)", "Rwp"], ["RM-1", 12, 30, 40, 7.1]],
    "物理": [["样品", "d50 (μm)", "比表面积/(m²/kg)", "密度(g/cm3)", "含水率(%)"], ["RM-1", 12, 400, 2.95, 3.2]],
    "说明": [["填写说明"], ["SiO2 必须填写"]],
    "选项": [["固废类别"], ["赤泥"]],
}


def test_a_workbook_of_several_techniques() -> None:
    found = {r.technique: r for r in read_bytes(workbook(BOOK), "赤泥.xlsx")}
    assert list(found) == ["XRF", "metals", "leaching", "QPA", "PSD", "Blaine", "density", "moisture"]
    assert all(r.sample == "RM-1" and r.completeness == "declared" for r in found.values())
    assert numbers(found["XRF"]) == {"SiO2": 18.5, "Al2O3": 20.0, "LOI": 10.0}
    assert found["XRF"].measured_at == "2026-03-01T14:05:00"
    assert found["XRF"].where == "sheet 'XRF', row 4"
    assert found["XRF"].metadata["not_read"] == [
        "sheet 'XRF', row 3: marked as an example and not read",
        "sheet '说明' holds no numbers and was not read",
        "sheet '选项' holds no numbers and was not read",
    ]
    assert numbers(found["metals"]) == {"metal:Pb": 12.0, "metal:Cd": None}
    assert found["leaching"].method == "HJ/T 299"
    assert numbers(found["leaching"]) == {"leachate_Pb": 0.12, "leachate_CrVI": None, "leachate_pH": 8.1}
    assert values(found["leaching"])["leachate_CrVI"].lod == 0.004  # "0.004L": below the limit 0.004
    assert numbers(found["QPA"]) == {"phase:quartz": 12.0, "phase:hematite": 30.0, "phase:amorphous": 40.0}
    assert found["QPA"].metadata["Rwp"] == 7.1
    assert values(found["moisture"])["moisture"].basis == "as_received"


def test_percent_formatted_cells_are_read_as_they_show() -> None:
    def percent(book: object) -> None:
        book["XRF"]["B2"].number_format = "0.00%"  # type: ignore[index]
        book["XRF"].row_dimensions[2].hidden = True  # type: ignore[index]

    (found,) = read_bytes(workbook({"XRF": [["样品", "SiO2 (%)"], ["A", 0.452]]}, percent), "x.xlsx")
    assert numbers(found) == {"SiO2": 45.2}
    assert any("row 2 is hidden" in w for w in found.warnings)


def test_hidden_sheets_are_read_and_named() -> None:
    def hide(book: object) -> None:
        book["重金属"].sheet_state = "hidden"  # type: ignore[index]

    found = read_bytes(workbook({"XRF": BOOK["XRF"], "重金属": BOOK["重金属"]}, hide), "x.xlsx")
    assert any("sheet '重金属' is hidden" in w for w in found[1].warnings)
    assert not any("hidden" in w for w in found[0].warnings)


def test_formulas_and_errors_of_the_spreadsheet_name_their_cells() -> None:
    data = workbook({"XRF": [["样品", "SiO2 (%)", "CaO (%)"], ["A", 18, "=B2*2"], ["B", "#DIV/0!", 20]]})
    with pytest.raises(SheetError) as caught:
        read_bytes(data, "x.xlsx")
    text = str(caught.value)
    assert "sheet 'XRF', row 2, column C 'CaO (%)': a formula without a stored result" in text
    assert "sheet 'XRF', row 3, column B 'SiO2 (%)': #DIV/0!" in text
    assert len(caught.value.problems) == 2


def test_a_formula_with_its_stored_result_is_read() -> None:
    data = workbook({"XRF": [["样品", "SiO2 (%)"], ["A", "=9*2"]]})
    data = rewritten(
        data, "xl/worksheets/sheet1.xml", lambda x: x.replace(b"<v />", b"<v>18</v>").replace(b"<v></v>", b"<v>18</v>")
    )
    assert numbers(read_bytes(data, "x.xlsx")[0]) == {"SiO2": 18.0}


def test_all_faults_at_once_with_their_places() -> None:
    with pytest.raises(SheetError) as caught:
        read_text("sample,SiO2 (%),Pb,foo,date", "A,abc,12,3,03/02/2026", "B,18,,,", "C,1;2,,,")
    assert [p.where for p in caught.value.problems] == [
        "row 2, column E 'date'",
        "row 2, column D 'foo'",
        "row 2, column B 'SiO2 (%)'",
        "row 2, column C 'Pb'",
        "row 4, column B 'SiO2 (%)'",
    ]
    text = str(caught.value)
    assert "5 faults; nothing was read" in text and "write it as 2026-03-02" in text
    assert "'12' has no unit" in text and "'foo' is not known" in text


def test_more_than_twenty_faults_are_counted() -> None:
    with pytest.raises(SheetError, match=r"30 faults.*(?s:.*)10 more") as caught:
        read_text("sample,SiO2 (%)", *(f"S{i},x{i}" for i in range(30)), "T,1")
    assert len(caught.value.problems) == 30


def test_oxides_without_a_unit() -> None:
    with pytest.raises(InstrumentError, match="'18' has no unit; expected wt%"):
        read_text("样品,SiO2", "赤泥,18")
    closed = read_text("样品,SiO2,Al2O3,CaO,烧失量", "A,40,20,30,9.5")
    assert numbers(closed[0])["SiO2"] == 40.0  # 99.5 in all can only be wt%
    titled = read_text("化学成分 (%)", "样品,SiO2,Cl", "A,18,0.05")
    assert numbers(titled[0]) == {"SiO2": 18.0, "Cl": 0.05}
    with pytest.raises(InstrumentError, match=r"'0\.05' has no unit"):
        read_text("样品,SiO2 (%),Cl", "A,18,0.05")  # an element beside oxides in % may be in ppm
    with pytest.raises(InstrumentError, match="'12' has no unit; expected um"):
        read_text("样品,SiO2 (%),d50", "A,18,12")


@pytest.mark.parametrize("where", ["heading", "row", "cell", "given"])
def test_a_unit_may_stand_in_four_places(where: str) -> None:
    lines = {
        "heading": ["样品,Pb (ppm),SiO2 (%)", "A,231,18"],
        "row": ["样品,Pb,SiO2", ",ppm,%", "A,231,18"],
        "cell": ["样品,Pb,SiO2 (%)", "A,231 ppm,18"],
        "given": ["样品,Pb (ppm),SiO2", "单位：%,,", "A,231,18"],
    }[where]
    if where == "given":
        lines = ["单位：%", "样品,Pb (ppm),SiO2", "A,231,18"]
    (found,) = read_text(*lines)
    assert numbers(found) == {"Pb": 0.0231, "SiO2": 18.0}


def test_a_unit_of_another_kind_is_refused() -> None:
    with pytest.raises(InstrumentError, match=r"cannot be converted.*leachate"):
        read_text("样品,Pb (mg/L),SiO2 (%)", "A,0.1,18")


@pytest.mark.parametrize(
    ("columns", "cells", "sigma", "k"),
    [
        ("SiO2 (%),u(SiO2)", "18,0.2", 0.2, None),
        ("SiO2 (%),SiO2 U (k=2)", "18,0.4", 0.2, 2.0),
        ("SiO2 (%),扩展不确定度", "18,0.4", 0.2, None),
        ("SiO2 (%),不确定度,k", "18,0.4,2", 0.2, 2.0),
        ("SiO2 (%),±", "18,0.2", 0.2, None),
        ("SiO2 (%),SiO2 RSD (%)", "18,1", 0.18, None),
        ("SiO2 (%)", "18±0.2", 0.2, None),
        ("SiO2 (%)", "18 ± 0.4 (k=2)", 0.2, 2.0),
        ("SiO2 (%)", "18 +/- 0.2", 0.2, None),
    ],
)
def test_uncertainties(columns: str, cells: str, sigma: float, k: float | None) -> None:
    (found,) = read_text(f"sample,{columns}", f"A,{cells}")
    value = values(found)["SiO2"]
    assert (value.value, value.k) == (18.0, k) and value.sigma == pytest.approx(sigma)


def test_detection_limits_from_a_column_and_from_a_row() -> None:
    (a,) = read_text("sample,Pb (mg/kg),LOD(Pb)", "A,ND,0.5")
    (b,) = read_text("sample,Pb (mg/kg)", "A,未检出", "检出限,0.5")
    (c,) = read_text("sample,Pb (mg/kg)", "A,未检出")
    (d,) = read_text("sample,Pb (mg/kg),LOD(Pb)", "A,0.0,0.5")
    assert [values(r)["metal:Pb"].lod for r in (a, b, c, d)] == [0.5, 0.5, None, 0.5]
    assert all(values(r)["metal:Pb"].value is None for r in (a, b, c, d))
    assert all(values(r)["metal:Pb"].flag == "below_detection" for r in (a, b, c, d))


def test_not_measured_is_no_value_at_all() -> None:
    (found,) = read_text("sample,SiO2 (%),CaO (%),MgO (%),K2O (%)", "A,18,-,/,")
    assert list(numbers(found)) == ["SiO2"]


def test_trace_and_estimates_keep_their_flags() -> None:
    (found,) = read_text("sample,SiO2 (%),CaO (%),MgO (%)", "A,约18,tr,>90")
    got = values(found)
    assert [(v.value, v.flag) for v in got.values()] == [(18.0, "estimated"), (None, "trace"), (90.0, "above_range")]


def test_the_same_sample_twice() -> None:
    a, b = read_text("sample,SiO2 (%)", "A,18", "A,18.2")
    assert [r.fields["replicate"] for r in (a, b)] == ["1", "2"]
    assert "stands 2 times in the file (row 2, row 3)" in a.warnings[-1]
    c, d = read_text("sample,平行样,SiO2 (%)", "A,1,18", "A,2,18.2")
    assert [r.fields["replicate"] for r in (c, d)] == ["1", "2"] and not c.warnings and not d.warnings


def test_columns_that_describe_and_columns_that_are_unknown() -> None:
    (found,) = read_text("sample,SiO2 (%),来源,母样,处理方式,Lab room,备注1", "A,18,渣场3号,RM,105℃烘干,B2 east,ok")
    assert found.fields == {
        "source": "渣场3号", "parent": "RM", "process": "105℃烘干", "Lab room": "B2 east", "备注1": "ok",
    }  # fmt: skip
    with pytest.raises(InstrumentError, match=r"row 2, column C 'SO3x'.*Did you mean 'SO3'"):
        read_text("sample,SiO2 (%),SO3x", "A,18,1.2")
    with pytest.raises(InstrumentError, match="stands in a column without a heading"):
        read_text("sample,SiO2 (%),", "A,18,1.2")
    (noted,) = read_text("sample,SiO2 (%),备注2", "A,18,1.2")
    assert noted.fields["备注2"] == "1.2"


def test_an_unknown_class_is_kept_for_the_gate_to_refuse() -> None:
    (found,) = read_text("sample,waste class,SiO2 (%)", "A,green mud,18")
    assert found.fields["waste_class"] == "green mud"


def test_the_text_above_a_table_holds_for_all_of_it() -> None:
    found = read_text(
        "化学成分分析报告", "检测人：李伟,,检测日期：2026年3月2日", "仪器,ZSX Primus II,", "基准：干基",
        "样品,SiO2 (%),CaO (%)",
        "A,18,20", "B,19,21", "备注：灼烧后测定,,",
    )  # fmt: skip
    for reading in found:
        assert (reading.operator, reading.measured_at, reading.instrument) == ("李伟", "2026-03-02", "ZSX Primus II")
        assert {v.basis for v in reading.values} == {"dry"}
        assert "化学成分分析报告" in reading.metadata["title"]
        assert any("灼烧后测定" in t for t in reading.metadata["title"])


def test_two_tables_in_one_sheet() -> None:
    found = read_text("样品,SiO2 (%)", "A,18", "", "样品,密度 (g/cm3)", "A,2.9", "B,3.0")
    assert [(r.technique, r.sample, r.where) for r in found] == [
        ("XRF", "A", "row 2"),
        ("density", "A", "row 5"),
        ("density", "B", "row 6"),
    ]


def test_rows_that_are_calculated_are_not_samples() -> None:
    found = read_text("样品,SiO2 (%)", "A,18", "B,19", "平均值,18.5", "RSD,1")
    assert [r.sample for r in found] == ["A", "B"]
    assert any("平均值" in t for t in found[0].metadata["not_read"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("sample,SiO2 (%),SiO2 (wt%)", "A,18,19"), "keep one, or head them apart"),
        (("sample,SiO2 (%),CaO (%)", "A,18,19", ",20,21"), "has results but no sample"),
        (("sample,SiO2 (%),CaO (%)", "A,18", "B,18,20"), "a separator is missing"),
        (("sample,SiO2 (%),CaO (%)", "A,18,5,19,2"), "decimal comma"),
        (("sample,SiO2 (%),CaO (%)", 'A,"1,234",5'), "could be 1.234 or 1234"),
        (("sample;SiO2 (%);CaO (%)", "A;1,5;2.5"), "mixed"),
        (("sample,Pb (mg/kg)", 'A,"1,234.5"'), "between thousands"),
        (("sample,basis,SiO2 (%)", "A,wet?,5"), "is no basis"),
        (("sample,SiO2 (%)", "A,-"), "no result"),
        (("sample,SiO2 (%)", "A,18±x"), "not a number"),
        (("sample,d50 (um)", "A,2026-03-02"), "not a number"),
        (("foo,bar", "1,2"), "no heading row is known"),
    ],
)
def test_what_is_refused(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(InstrumentError, match=message):
        read_text(*lines)


def test_a_number_that_became_a_date_is_refused() -> None:
    with pytest.raises(InstrumentError, match="is a date, expected a number"):
        read_bytes(workbook({"XRF": [["样品", "SiO2 (%)"], ["A", datetime.date(2026, 3, 2)]]}), "x.xlsx")


def test_an_unread_sheet_with_numbers_is_an_error() -> None:
    data = workbook({"XRF": [["样品", "SiO2 (%)"], ["A", 18]], "其他": [["abc"], [1.5]]})
    with pytest.raises(InstrumentError, match="sheet '其他', row 2, column A"):
        read_bytes(data, "x.xlsx")


def test_an_empty_template_is_said_to_be_empty() -> None:
    data = workbook({"XRF": BOOK["XRF"][:2], "说明": BOOK["说明"]})
    with pytest.raises(InstrumentError, match="no result"):
        read_bytes(data, "x.xlsx")


def test_a_line_cut_short_is_partial() -> None:
    whole = read_bytes(b"sample,SiO2 (%),CaO (%)\nA,18,20\nB,19,21\n", "x.csv")
    assert {r.completeness for r in whole} == {"unverified"}
    cut = read_bytes(b"sample,SiO2 (%),CaO (%)\nA,18,20\nB,19", "x.csv")
    assert {r.completeness for r in cut} == {"partial"}
    doubtful = read_bytes(b"sample,SiO2 (%),CaO (%)\nA,18,20\nB,19,2", "x.csv")
    assert "no line end" in doubtful[0].warnings[-1]


def test_headings_over_two_rows() -> None:
    (found,) = read_text(
        "赤泥检测报告",
        "序号,样品编号,样品名称,化学成分(wt%),,,含水率(%)",
        ",,,SiO2,Al2O3,Cl,",
        "1,RM-01,赤泥1号,18,20,0.05,3.1",
    )[:1]
    assert (found.sample, found.fields["sample_name"]) == ("RM-01", "赤泥1号")
    assert numbers(found) == {"SiO2": 18.0, "Al2O3": 20.0, "Cl": 0.05}


def test_a_pair_above_the_table_is_no_heading() -> None:
    (found,) = read_text("检测项目,化学全分析", "样品编号,SiO2 (%)", "A,18")
    assert found.technique == "XRF" and numbers(found) == {"SiO2": 18.0}


def test_unit_and_basis_in_the_title() -> None:
    (found,) = read_text("化学成分（干基，wt%）", "样品,SiO2,Cl", "A,18,0.05")
    assert {v.basis for v in found.values} == {"dry"} and numbers(found)["Cl"] == 0.05


def test_moisture_is_on_the_received_mass_whatever_the_basis_of_the_analysis() -> None:
    xrf, moisture = read_text("样品,基准,SiO2 (%),含水率 (%)", "A,干基,18,3")
    assert xrf.values[0].basis == "dry" and moisture.values[0].basis == "as_received"


def test_method_sum_and_instrument_belong_to_the_analysis() -> None:
    xrf, density = read_text("样品,方法,仪器,SiO2 (%),合计(%),密度(g/cm3)", "A,GB/T 176-2017,ZSX,18,99.5,2.9")
    assert (xrf.method, xrf.instrument, xrf.metadata["oxide_sum_printed"]) == ("GB/T 176-2017", "ZSX", 99.5)
    assert (density.method, density.instrument) == ("", "") and "oxide_sum_printed" not in density.metadata


def test_two_notes_are_both_kept() -> None:
    (found,) = read_text("样品,SiO2 (%),备注,说明", "A,18,first,second")
    assert found.fields["note"] == "first; second"


def test_limits_and_verdicts_beside_transposed_results_are_no_samples() -> None:
    (found,) = read_text(
        "项目,指标,标准要求,赤泥1#,单项判定",
        "SiO2 (%),,≤30,18.4,合格",
        "CaO (%),≤20,≤20,12.7,合格",
        "MgO (%),,5,1.1,合格",
    )
    assert (found.sample, numbers(found)) == ("赤泥1#", {"SiO2": 18.4, "CaO": 12.7, "MgO": 1.1})
    assert [t.split(":")[0] for t in found.metadata["not_read"]] == [
        "column B '指标'", "column C '标准要求'", "column E '单项判定'",
    ]  # fmt: skip


def test_the_limits_of_a_leaching_table_are_no_sample() -> None:
    found = read_text(
        "浸出毒性 HJ/T 299 (mg/L),,,,",
        "项目,检出限,GB 5085.3限值,L-1,L-2", "Cu,0.01,100,0.05,ND", "Zn,0.01,100,0.2,0.3",
    )  # fmt: skip
    assert [(r.sample, numbers(r)) for r in found] == [
        ("L-1", {"leachate_Cu": 0.05, "leachate_Zn": 0.2}), ("L-2", {"leachate_Cu": None, "leachate_Zn": 0.3}),
    ]  # fmt: skip
    assert values(found[1])["leachate_Cu"].lod == 0.01
    assert any("GB 5085.3限值" in t for t in found[0].metadata["not_read"])


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("项目,单位,标准要求,检测结果,单项判定", "SiO2,%,≤30,18.4,合格"),
        ("项目,指标,单位,结果,判定", "SiO2,30,%,18.4,合格"),
    ],
)
def test_limits_and_verdicts_beside_long_results_are_not_read(head: str, row: str) -> None:
    (found,) = read_text("样品编号：K-18,,,,", head, row)
    assert (found.sample, numbers(found)) == ("K-18", {"SiO2": 18.4})
    assert len(found.metadata["not_read"]) == 2


def test_a_row_of_limits_in_a_wide_table_is_no_sample() -> None:
    (found,) = read_text("样品,SiO2 (%),CaO (%)", "A,18,20", "标准限值,30,25")
    assert found.sample == "A" and "标准限值" in found.metadata["not_read"][0]


@pytest.mark.parametrize("cell", ["≤30", "≥ 30", "<=30", "不大于30", "不小于30"])
def test_a_limit_among_results_is_refused_with_its_cell(cell: str) -> None:
    with pytest.raises(InstrumentError, match=r"row 2, column B 'SiO2 \(%\)': .* looks like a limit of a standard"):
        read_text("样品,SiO2 (%)", f"A,{cell}")


def test_a_long_table_with_the_words_of_chinese_laboratories() -> None:
    found = read_text(
        "送检编号,分析项目,计量单位,分析结果", "K-18,SiO2,%,18.4", "K-18,CaO,%,12.7", "K-18,MgO,%,1.1", "K-19,SiO2,%,19"
    )
    assert [(r.sample, len(r.values)) for r in found] == [("K-18", 3), ("K-19", 1)]


def test_a_long_table_with_unknown_heading_words_does_not_lose_its_sample_code() -> None:
    with pytest.raises(SheetError) as caught:
        read_text("来函号,科目甲,单位,数量结果值", "K-18,SiO2,%,18.4", "K-18,CaO,%,12.7", "K-18,MgO,%,1.1")
    assert "row 2, column A: 'K-18' stands to the left of the quantities" in str(caught.value)
    with pytest.raises(InstrumentError, match="'检测结果' is a word for results"):
        read_text("科目甲,单位,检测结果", "SiO2,%,18.4", "CaO,%,12.7", "MgO,%,1.1")


def test_numbers_of_rows_and_methods_beside_transposed_results() -> None:
    (found,) = read_text("序号,项目,单位,检测方法,赤泥1#", "1,SiO2,%,GB/T 176,18.4", "2,CaO,%,GB/T 176,12.7")
    assert (found.sample, found.method) == ("赤泥1#", "GB/T 176") and numbers(found)["CaO"] == 12.7


def test_the_example_of_a_template_does_not_decide_the_decimal_mark() -> None:
    (found,) = read_text("sample;SiO2 (%);Cl (%)", "example;18.4;<0.01", "A;18,4;<0,02")
    assert numbers(found) == {"SiO2": 18.4, "Cl": None} and values(found)["Cl"].lod == 0.02


def test_mixed_marks_name_two_cells_in_both_languages() -> None:
    with pytest.raises(InstrumentError, match=r"'18,4' in row 2, column B; '12\.7' in row 3, column C") as caught:
        read_text("sample;SiO2 (%);CaO (%)", "A;18,4;", "B;;12.7")
    said = Finding("reader", "refuse", caught.value.key, values=caught.value.values, file="x.csv").text("zh")
    assert said == "x.csv:小数逗号与小数点混用(第 2 行,B 列为“18,4”;第 3 行,C 列为“12.7”);请一律用小数点。"
    with pytest.raises(InstrumentError, match=r"row 2, column C: '1,234,567' has marks between thousands"):
        read_text("sample;SiO2 (%);CaO (%)", "A;18;1,234,567")
    with pytest.raises(InstrumentError, match=r"row 2, column B: '1,234' could be 1\.234 or 1234"):
        read_text("sample;SiO2 (%)", "A;1,234")


def test_a_text_that_is_no_place_stays_as_it_is() -> None:
    assert where_text("18,4", "zh") == "18,4"
    assert where_text("row 2, column B", "zh") == "第 2 行,B 列"


def test_a_code_that_became_a_date_is_refused() -> None:
    when = datetime.datetime(2026, 3, 2)
    for sheet in ([["样品编号", "SiO2 (%)"], [when, 18.4]], [["项目", when], ["SiO2 (%)", 18.4], ["CaO (%)", 12]]):
        with pytest.raises(InstrumentError, match=r"'2026-03-02' is a date, not a code.*column as text"):
            read_bytes(workbook({"XRF": sheet}), "x.xlsx")
    with pytest.raises(InstrumentError, match="row 2, column A '样品编号': '2-Mar' is a date"):
        read_text("样品编号,SiO2 (%)", "2-Mar,18.4")
    with pytest.raises(InstrumentError, match="row 2, column A '样品编号': '2026-03-02' is a date"):
        read_bytes(workbook({"样品": [["样品编号", "固废类别"], [when, "赤泥"]]}), "x.xlsx")


def test_a_blank_workbook_is_said_to_be_empty() -> None:
    with pytest.raises(InstrumentError, match="is empty"):
        read_bytes(workbook({"Sheet1": []}), "x.xlsx")


def test_a_percent_sign_after_the_name_is_its_unit() -> None:
    (found,) = read_text("样品,SiO2%,MgO％,灼减%,Fe2O3 %", "A,18.4,1.1,6.8,28.3")
    assert numbers(found) == {"SiO2": 18.4, "MgO": 1.1, "LOI": 6.8, "Fe2O3": 28.3}
    (phases,) = read_text("物相定量", "样品,石英%,赤铁矿%,加藤石%", "A,4.1,24.5,10")
    assert numbers(phases) == {"phase:quartz": 4.1, "phase:hematite": 24.5, "phase:katoite": 10.0}


@pytest.mark.parametrize("word", ["Ig", "Ig.loss", "I.L.", "灼烧减量", "灼失量"])
def test_words_for_the_loss_on_ignition(word: str) -> None:
    (found,) = read_text(f"样品,SiO2 (%),{word} (%)", "A,18.4,6.8")
    assert numbers(found)["LOI"] == 6.8


@pytest.mark.parametrize(
    ("word", "code"),
    [("拜耳法赤泥", "red_mud"), ("粒化高炉矿渣", "smelting_slag"), ("高钙粉煤灰", "fly_ash"), ("铜尾矿", "tailings")],
)
def test_words_for_classes(word: str, code: str) -> None:
    assert read_text("样品,固废类别,SiO2 (%)", f"A,{word},18")[0].fields["waste_class"] == code


def test_calculated_rows_are_warned_of() -> None:
    found = read_text("样品,SiO2 (%)", "A,18", "B,19", "平均值,18.5", "合计,37")
    assert all(r.warnings == ("2 rows calculated from others not read: 平均值 (row 4), 合计 (row 5)",) for r in found)
    (one,) = read_text("样品,项目,结果,单位", "A,SiO2,18,%", "平均值,SiO2,18,%")
    assert one.warnings == ("1 row calculated from others not read: 平均值 (row 3)",)


def test_a_marked_number_keeps_its_mark() -> None:
    (found,) = read_text("样品,SiO2 (%),CaO (%)", "A,18.4*,12.7")
    assert [(v.value, v.text) for v in found.values] == [(18.4, "18.4*"), (12.7, "")]


@pytest.mark.parametrize(
    ("heading", "cell"),
    [
        ("min", "2:25"),
        ("min", "2h25min"),
        ("h:min", "2:25"),
        ("min", "2小时25分"),
        ("min", "2：25"),
        ("h:min", "2:25:00"),
    ],
)
def test_setting_times_in_hours_and_minutes(heading: str, cell: str) -> None:
    (found,) = read_text(f"配比,初凝时间({heading})", f"M-01,{cell}")
    (value,) = found.values
    assert (value.quantity, value.value, value.unit) == ("initial_setting", 145.0, "min") and value.text.startswith(
        cell[:1]
    )


def test_setting_times_that_could_be_anything_are_refused() -> None:
    with pytest.raises(InstrumentError, match=r"'2\.25' is no time in hours and minutes"):
        read_text("配比,初凝时间(h:min)", "M-01,2.25")
    with pytest.raises(InstrumentError, match="looks like hours and minutes; if so, write 145 min"):
        read_text("配比,初凝时间(h)", "M-01,2:25")


def test_an_excel_time_is_hours_and_minutes() -> None:
    data = workbook({"凝结时间": [["配比", "初凝时间 (min)", "终凝时间 (min)"], ["M-01", datetime.time(2, 25), 210]]})
    (found,) = read_bytes(data, "x.xlsx")
    assert numbers(found) == {"initial_setting": 145.0, "final_setting": 210.0}


@pytest.mark.parametrize(
    "lines",
    [
        ("样品,基准,SiO2 (%)", "A,空干基,18"),
        ("样品,SiO2 (空干基)", "A,18"),
        ("化学成分 (空气干燥基),", "样品,SiO2 (%)", "A,18"),
    ],
)
def test_the_air_dried_basis_is_refused_with_the_conversion(lines: tuple[str, ...]) -> None:
    with pytest.raises(InstrumentError, match=r"dry = air-dried x 100 / \(100 - M\)"):
        read_text(*lines)


def test_a_leaching_method_says_that_results_are_of_the_leachate() -> None:
    for lines in (
        ("样品,方法,Cu (mg/L),Pb (mg/L)", "A,HJ/T 299-2007,0.05,0.1"),
        ("检测依据 HJ/T 299-2007,,,", "样品,操作者,Cu (mg/L),Pb (mg/L)", "A,Li,0.05,0.1"),
    ):
        (found,) = read_text(*lines)
        assert (found.technique, numbers(found)) == ("leaching", {"leachate_Cu": 0.05, "leachate_Pb": 0.1})
    with pytest.raises(InstrumentError, match="Results of a leaching test are concentrations in the leachate, in mg/L"):
        read_text("样品,方法,Cu (mg/kg)", "A,HJ/T 299,52")
    (total,) = read_text("样品,方法,Cu (mg/kg)", "A,HJ 781,52")
    assert numbers(total) == {"metal:Cu": 52.0}
