"""Tables of tests: what is read, what is kept together, what is refused and in which words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import MissingDataError, ModelError, UnitError, UnknownNameError
from wastelab.models.columns import factor, split_unit
from wastelab.models.folds import assign_groups, group_folds, row_folds, time_folds
from wastelab.models.results import is_input, is_result
from wastelab.models.table import mix_keys, read_features, read_results, read_table


def mixes_table() -> pd.DataFrame:
    """Synthetic: 12 mixes at two ages."""
    rng = np.random.default_rng(0)
    cement = np.repeat(rng.uniform(200, 400, 12), 2)
    return pd.DataFrame({
        "mix_id": np.repeat(np.arange(12), 2), "cement_kg_m3": cement, "water_kg_m3": 180.0,
        "age_d": np.tile([7.0, 28.0], 12), "compressive_strength_MPa": cement / 10 + np.tile([0.0, 10.0], 12),
    })  # fmt: skip


def test_reads_what_columns_say():
    data = read_table(mixes_table(), "compressive_strength")
    assert (data.name, data.unit, data.age) == ("compressive_strength", "MPa", "age_d")
    assert list(data.features) == ["cement_kg_m3", "water_kg_m3", "age_d"]
    assert data.n_mixes == 12
    assert data.mix_from == "mix_id"
    assert data.units == {"cement_kg_m3": "kg/m3", "water_kg_m3": "kg/m3", "age_d": "d"}
    assert data.rows[3] == "row 4 (1)"


def test_mixes_are_found_without_a_column():
    frame = mixes_table().drop(columns="mix_id")
    data = read_table(frame, "compressive_strength")
    assert data.n_mixes == 12
    assert "nothing but age" in data.mix_from


def test_age_in_hours_becomes_days():
    frame = mixes_table().rename(columns={"age_d": "age_h"})
    data = read_table(frame, "compressive_strength", age="age_h")
    assert data.features["age_h"].iloc[1] == pytest.approx(28 / 24)
    assert data.units["age_h"] == "d"


def test_chinese_headings_with_units_in_brackets(tmp_path):
    frame = mixes_table().rename(columns={
        "mix_id": "配比编号", "cement_kg_m3": "水泥(kg/m3)", "water_kg_m3": "水(kg/m³)", "age_d": "龄期(d)",
        "compressive_strength_MPa": "抗压强度(MPa)",
    })  # fmt: skip
    path = tmp_path / "试验.csv"
    frame.to_csv(path, index=False, encoding="gb18030")
    data = read_table(path, "抗压强度")
    assert (data.unit, data.age, data.n_mixes) == ("MPa", "龄期(d)", 12)
    assert data.units["水泥(kg/m3)"] == "kg/m3"
    book = tmp_path / "试验.xlsx"
    frame.to_excel(book, index=False)
    pd.testing.assert_frame_equal(read_table(book, "抗压强度").features, data.features)


def test_hash_depends_on_everything_that_counts():
    frame = mixes_table()
    first = read_table(frame, "compressive_strength").sha256
    assert read_table(frame.copy(), "compressive_strength").sha256 == first
    frame.loc[0, "cement_kg_m3"] += 1
    assert read_table(frame, "compressive_strength").sha256 != first


def test_rows_without_result_are_left_out_and_said():
    frame = mixes_table()
    frame.loc[[1, 5], "compressive_strength_MPa"] = np.nan
    data = read_table(frame, "compressive_strength", mix=np.arange(24) // 2)
    assert len(data) == 22
    assert "2 rows" in data.notices[0]
    assert data.rows[1] == "row 3 (1)"
    assert len(data.mix) == 22


BROKEN = {
    "infinite": (lambda f: f.assign(water_kg_m3=[np.inf] + [1.0] * 23), {}, "row 1, column 'water_kg_m3': infinite"),
    "text": (lambda f: f.assign(water_kg_m3=["180"] * 23 + ["wet"]), {}, "row 24, column 'water_kg_m3': 'wet'"),
    "thousands": (lambda f: f.assign(water_kg_m3=["180"] * 23 + ["1,108"]), {}, "without a separator"),
    "copy of the target": (
        lambda f: f.assign(reading_psi=f.compressive_strength_MPa * 145.04), {}, "'reading_psi' is the target",
    ),
    "other result": (lambda f: f.assign(strength_1_MPa=1.0), {}, "looks like a result"),
    "named as feature": (
        lambda f: f, {"features": ["cement_kg_m3", "compressive_strength_MPa"]}, "predict the result from itself",
    ),
    "no age": (lambda f: f.assign(age_d=[np.nan] + [7.0] * 23), {}, "needs an age above 0"),
    "no source in one row": (lambda f: f.assign(source=["A"] * 23 + [""]), {}, "row 24: no source is stated"),
    "twice the same column": (lambda f: pd.concat([f, f[["water_kg_m3"]]], axis=1), {}, "occurs twice"),
    "wrong length": (lambda f: f, {"source": ["A", "B"]}, "one value for each of the 24 rows"),
    "empty": (lambda f: f.iloc[:0], {}, "no row has a value"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_broken_tables_are_refused_in_words(what):
    change, options, word = BROKEN[what]
    with pytest.raises(ModelError, match=word):
        read_table(change(mixes_table()), "compressive_strength", **options)


def test_several_ages_without_an_age_are_refused():
    frame = mixes_table().drop(columns="age_d")
    frame["compressive_strength_MPa"] = np.tile([8.0, 40.0], 12)
    with pytest.raises(ModelError, match="there is no age column"):
        read_table(frame, "compressive_strength")


def test_unknown_columns_are_named_with_near_ones():
    with pytest.raises(UnknownNameError, match="compressive_strength_MPa"):
        read_table(mixes_table(), "compresive_strength_MPa")
    with pytest.raises(UnknownNameError, match="cement_kg_m3"):
        read_table(mixes_table(), "compressive_strength", drop=["cement_kg_m"])
    with pytest.raises(ModelError, match="no such file"):
        read_table("not/there.csv", "x")
    with pytest.raises(ModelError, match="no target"):
        read_table(mixes_table())


def test_age_unit_must_be_known():
    frame = mixes_table().rename(columns={"age_d": "age"})
    with pytest.raises(ModelError, match="unit of the age column"):
        read_table(frame, "compressive_strength")
    assert read_table(frame, "compressive_strength", units={"age": "d"}).age == "age"


def test_features_of_new_mixes_are_converted_and_checked():
    data = read_table(mixes_table(), "compressive_strength")
    new = read_features({"cement_g_cm3": 0.3, "water_kg_m3": 180.0, "age_d": 28.0}, data)
    assert new["cement_kg_m3"].iloc[0] == pytest.approx(300)
    with pytest.raises(MissingDataError, match="column 'water_kg_m3' is missing"):
        read_features({"cement_kg_m3": 300.0, "age_d": 28.0}, data)
    with pytest.raises(UnitError, match="not convertible"):
        read_features({"cement_MPa": 300.0, "water_kg_m3": 180.0, "age_d": 28.0}, data)


def test_missing_columns_are_listed_with_what_may_be_meant():
    data = read_table(mixes_table(), "compressive_strength")
    with pytest.raises(
        MissingDataError, match=r"So are 'water_kg_m3'.*'水泥\(kg/m3\)' for 'cement_kg_m3'.*'watr_kg_m3' for"
    ):
        read_features({"水泥(kg/m3)": 300.0, "watr_kg_m3": 180.0, "age_d": 28.0}, data)
    assert read_features({"Cement_kg_m3": 300.0, "water_kg_m3": 1.0, "Age (d)": 7.0}, data)["age_d"].iloc[0] == 7.0
    with pytest.raises(UnknownNameError, match="several columns could be 'cement_kg_m3'"):
        read_features({"cement_g_L": 300.0, "cement(kg/m3)": 300.0, "water_kg_m3": 1.0, "age_d": 7.0}, data)
    bare = read_table(mixes_table().rename(columns={"water_kg_m3": "water"}), "compressive_strength")
    with pytest.raises(UnitError, match="unit of 'water' in the training table is not known"):
        read_features({"cement_kg_m3": 300.0, "water_kg_m3": 180.0, "age_d": 28.0}, bare)


def test_equal_mixes_have_equal_keys():
    frame = pd.DataFrame({"a": [1.0, 1.0000000001, 2.0], "b": ["x", "x", "x"]})
    keys = mix_keys(frame)
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cement_kg_m3", ("cement", "kg/m3")), ("age_d", ("age", "d")), ("LOI_pct", ("LOI", "%")), ("w_b", ("w_b", "")),
        ("水泥(kg/m3)", ("水泥", "kg/m3")), ("龄期(天)", ("龄期", "d")), ("slag (coarse)", ("slag (coarse)", "")),
    ],
)  # fmt: skip
def test_units_at_the_end_of_names(name, expected):
    assert split_unit(name) == expected


def test_factor_refuses_what_cannot_be_converted():
    assert factor("g/cm3", "kg/m3", what="density") == pytest.approx(1000)
    with pytest.raises(UnitError, match="'density'"):
        factor("MPa", "kg/m3", what="density")


def test_groups_are_whole_and_folds_even():
    groups = np.repeat(np.arange(50), np.random.default_rng(1).integers(1, 9, 50))
    fold = assign_groups(groups, 7, 3)
    assert all(len(np.unique(fold[groups == g])) == 1 for g in range(50))
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 8
    assert np.array_equal(fold, assign_groups(groups, 7, 3))
    assert not np.array_equal(fold, assign_groups(groups, 7, 4))
    tested = np.concatenate([test for _, test in group_folds(groups, 7, 3)])
    assert sorted(tested) == list(range(len(groups)))


def test_more_folds_than_groups_leave_each_out_once():
    assert len(group_folds(np.array([0, 0, 1, 2]), 10)) == 3
    assert len(row_folds(4, 10)) == 4


def test_time_is_never_turned_back():
    time = np.array(["2025-03", "2025-01", "2025-02", "2025-02", "2025-04", "2025-05"])
    for train, test in time_folds(time, 3):
        assert max(time[train]) < min(time[test])
    assert time_folds(np.full(5, "2025-01")) == []


def changed(column: str, name: str, cells) -> pd.DataFrame:
    return mixes_table().assign(**{column: cells}).rename(columns={column: name})


def test_cells_with_units_are_numbers_in_the_unit_of_the_heading():
    frame = changed("water_kg_m3", "赤泥掺量(%)", ["5%", "10 ％", "0.5"] * 8)
    frame["养护温度(degC)"] = ["20 ℃", "60℃", "293.15 K"] * 8
    frame["age_d"] = ["7 d", "672 h"] * 12
    frame["moisture"] = ["12.3 %", "8%"] * 12
    data = read_table(frame, "compressive_strength")
    assert list(data.features["赤泥掺量(%)"][:3]) == [5.0, 10.0, 0.5]
    assert data.features["养护温度(degC)"][:3].tolist() == pytest.approx([20.0, 60.0, 20.0])
    assert list(data.features["age_d"][:2]) == [7.0, 28.0]
    assert list(data.features["moisture"][:2]) == [12.3, 8.0]
    assert data.units["moisture"] == "%"
    new = read_features(frame.head(1).drop(columns="养护温度(degC)").assign(**{"养护温度(K)": 313.15}), data)
    assert new["养护温度(degC)"].iloc[0] == pytest.approx(40.0)


def test_cement_classes_stay_words():
    data = read_table(changed("water_kg_m3", "cement_class", ["42.5R", "42.5N", "32.5"] * 8), "compressive_strength")
    assert set(data.features["cement_class"]) == {"42.5R", "42.5N", "32.5"}


def test_decimal_commas_are_read_where_the_whole_column_has_them():
    frame = changed("water_kg_m3", "water_kg_m3", ["0,237", "180", "1,108", "179,5"] * 6)
    assert list(read_table(frame, "compressive_strength").features["water_kg_m3"][:4]) == [0.237, 180.0, 1.108, 179.5]


CELLS = {
    "comma and point": (["0,237"] * 23 + ["0.3"], "row 1, .*'0,237'.*row 24 has a decimal point \\('0.3'\\)"),
    "thousands or not": (["1,108"] * 24, "row 1, .*'1,108' is not a number that can be read in one way"),
    "words under a unit": (
        ["much"] * 24,
        "row 1, column 'water_kg_m3': 'much' is not a number. Write a number in kg/m3",
    ),
    "another kind": (["180"] * 23 + ["20 degC"], "row 24, .*'20 degC' cannot be read"),
    "typing error": (["180"] * 23 + ["3O0"], "row 24, .*'3O0' is not a number"),
}


@pytest.mark.parametrize("what", CELLS)
def test_cells_that_are_no_numbers_are_named(what):
    cells, words = CELLS[what]
    with pytest.raises(ModelError, match=words):
        read_table(changed("water_kg_m3", "water_kg_m3", cells), "compressive_strength")


def test_units_in_some_cells_only_need_a_heading():
    with pytest.raises(ModelError, match="row 2, column 'moisture': '5' has no unit, but '5%' in row 1 has one"):
        read_table(changed("water_kg_m3", "moisture", ["5%", "5"] * 12), "compressive_strength")


def test_own_results_come_in_the_unit_of_the_training_table():
    data = read_table(mixes_table(), "compressive_strength")
    assert read_results({"compressive_strength_psi": [1450.377]}, data) == pytest.approx([10.0], rel=1e-5)
    assert read_results({"compressive_strength(kg/cm2)": [100.0]}, data) == pytest.approx([9.80665])
    assert read_results({"compressive_strength": ["25 MPa", "3000 psi"]}, data) == pytest.approx(
        [25.0, 20.684], abs=1e-3
    )
    assert list(read_results(pd.DataFrame({"mine": [20.0]}), data, "mine")) == [20.0]
    with pytest.raises(ModelError, match="row 2, column 'compressive_strength_MPa': no result"):
        read_results({"compressive_strength_MPa": [3.0, np.nan]}, data)
    with pytest.raises(UnitError, match="kg/m3"):
        read_results({"compressive_strength_kg_m3": [3.0]}, data)
    with pytest.raises(ModelError, match=r"row 1, .*cannot be below 0"):
        read_results({"compressive_strength_MPa": [-3.0]}, data)
    with pytest.raises(UnknownNameError, match="Columns: cement_kg_m3"):
        read_results({"cement_kg_m3": [3.0]}, data)


def test_results_below_zero_and_units_of_another_kind_are_refused():
    frame = mixes_table()
    frame.loc[3, "compressive_strength_MPa"] = -3.0
    with pytest.raises(ModelError, match=r"row 4 \(1\), column 'compressive_strength_MPa': -3; .*cannot be below 0"):
        read_table(frame, "compressive_strength")
    frame = mixes_table().rename(columns={"compressive_strength_MPa": "抗压强度(kg/m3)"})
    with pytest.raises(UnitError, match="'抗压强度' is measured in MPa"):
        read_table(frame, "抗压强度")
    frame = mixes_table().rename(columns={"compressive_strength_MPa": "抗压强度(kg/cm²)"})
    assert read_table(frame, "抗压强度").unit == "kgf/cm2"
    frame = mixes_table().rename(columns={"compressive_strength_MPa": "strength_change_MPa"})
    frame["strength_change_MPa"] -= 30.0
    assert read_table(frame, "strength_change").target.min() < 0


def test_results_and_inputs_are_known_by_their_names():
    for name in (
        "3d抗压强度(MPa)", "strength_7d_MPa", "抗折强度(MPa)", "flexural_strength_MPa",
        "28 days splitting tensile strength",
        "slump_mm", "坍落度(mm)", "初凝时间(min)", "setting_time_h", "water_absorption_pct", "吸水率(%)",
        "Strength SD (MPa)",
        "抗压强度_28d_MPa", "UCS_7d_kPa", "混凝土抗压强度(MPa)", "CompressiveStrength",
        "抗压(MPa)", "compressive_MPa", "R28(MPa)", "f_c_MPa", "加气块抗折强度(MPa)", "初凝(min)",
    ):  # fmt: skip
        assert is_result(name), name
        assert not is_input(name), name
    for name in (
        "cement_strength_class", "水泥强度等级", "水泥28d抗压强度(MPa)", "aggregate_water_absorption_pct",
        "再生骨料吸水率(%)",
        "cement_setting_time_min", "强度等级", "design_strength_MPa", "shrinkage_reducing_admixture_kg_m3",
        "纤维抗拉强度(MPa)", "fiber_tensile_strength_MPa", "curing_pressure_MPa", "成型压力(MPa)", "K", "R",
        "slag_activity_index_pct", "water_kg_m3", "age_d", "膨胀剂(kg/m3)", "early strength agent (kg/m3)",
        "早强剂(kg/m3)",
    ):  # fmt: skip
        assert not is_result(name), name


@pytest.mark.parametrize("name", ["实验室", "试验室", "检测单位", "Lab", "Laboratory", "检测单位（名称）"])
def test_laboratories_are_found_by_their_usual_names(name):
    data = read_table(mixes_table().assign(**{name: ["甲", "乙"] * 12}), "compressive_strength")
    assert data.source_names == ("甲", "乙")
    assert name not in data.features


@pytest.mark.parametrize("name", ["试验日期", "检测日期", "成型日期", "Test date", "Date"])
def test_dates_are_found_and_sort_whatever_they_are_written_in(name):
    days = ["2025/3/9", "2025-03-10", "2025年12月1日"] * 8
    data = read_table(mixes_table().assign(**{name: days}), "compressive_strength")
    assert list(data.time[:3]) == ["2025-03-09", "2025-03-10", "2025-12-01"]
    assert name not in data.features
    stamps = pd.to_datetime(["2025-03-09", "2025-12-01"] * 12)
    assert list(read_table(mixes_table().assign(**{name: stamps}), "compressive_strength").time[:2]) == [
        "2025-03-09", "2025-12-01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["2025-03-01"] * 23 + ["2024-13-45"], "row 24, column '试验日期': '2024-13-45' is no date that exists"),
        (["2025-03-01"] * 23 + ["soon"], "row 24, column '试验日期': 'soon' is no date"),
        ([20250301] * 23 + [20250230], "row 24, .*'20250230' is no date"),
        (["03/04/2025"] * 24, "row 1, .*day or the month first"),
    ],
)
def test_dates_that_do_not_exist_are_refused(cells, words):
    with pytest.raises(ModelError, match=words):
        read_table(mixes_table().assign(试验日期=cells), "compressive_strength")


def test_days_above_twelve_show_what_stands_first():
    table = mixes_table()
    days = read_table(table.assign(date=["03/04/2025", "28/12/2024"] * 12), "compressive_strength").time
    assert list(days[:2]) == ["2025-04-03", "2024-12-28"]
    days = read_table(table.assign(date=["03/04/2025", "12/28/2024"] * 12), "compressive_strength").time
    assert list(days[:2]) == ["2025-03-04", "2024-12-28"]


def test_sheets_that_are_no_tables_are_passed_over(tmp_path):
    path = tmp_path / "sheets.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"说明": ["a", "b"]}).to_excel(book, sheet_name="说明", index=False)
        mixes_table().to_excel(book, sheet_name="tests", index=False)
        pd.DataFrame({"a": [1], "porosity": [2]}).to_excel(book, sheet_name="more", index=False)
    assert len(read_table(path, "compressive_strength")) == 24
    with pytest.raises(UnknownNameError, match="Other sheets of the file are not looked at: more"):
        read_table(path, "porosity")


def test_months_years_and_words_stay_times():
    table = mixes_table()
    assert list(read_table(table.assign(date=["2025-03", "2024-12"] * 12), "compressive_strength").time[:2]) == [
        "2025-03", "2024-12",
    ]  # fmt: skip
    assert list(read_table(table.assign(date=[2020, 2021] * 12), "compressive_strength").time[:2]) == [2020, 2021]
    assert read_table(table.assign(date=["a", "b"] * 12), "compressive_strength").time[1] == "b"


@pytest.mark.parametrize("name", ["3d抗压强度(MPa)", "抗折强度(MPa)", "strength_7d_MPa", "slump_mm", "吸水率(%)"])
def test_results_are_no_features_unless_asked_for(name):
    frame = mixes_table().rename(columns={"compressive_strength_MPa": "28d抗压强度(MPa)"})
    frame[name] = np.random.default_rng(3).uniform(3, 9, 24)
    with pytest.raises(ModelError, match="PropertyModels"):
        read_table(frame, "28d抗压强度")
    assert name not in read_table(frame, "28d抗压强度", drop=[name]).features
    assert name in read_table(frame, "28d抗压强度", features=["cement_kg_m3", name, "age_d"]).features


def test_all_results_are_named_at_once():
    frame = mixes_table().assign(slump_mm=1.0, strength_7d_MPa=2.0, cement_strength_class=42.5)
    with pytest.raises(ModelError, match=r"drop=\['slump_mm', 'strength_7d_MPa'\]"):
        read_table(frame, "compressive_strength")


def test_strengths_of_cement_are_inputs():
    rng = np.random.default_rng(3)
    frame = mixes_table().assign(**{c: rng.uniform(40, 60, 24) for c in (
        "cement_strength_class", "水泥强度等级", "水泥28d抗压强度(MPa)", "cement_compressive_strength_MPa",
    )})  # fmt: skip
    assert {"cement_strength_class", "水泥28d抗压强度(MPa)", "cement_compressive_strength_MPa"} <= set(
        read_table(frame, "compressive_strength").features
    )


def test_errors_say_which_columns_there_are():
    with pytest.raises(UnknownNameError, match="Columns: mix_id, cement_kg_m3, water_kg_m3, age_d"):
        read_table(mixes_table(), "porosity")
    frame = mixes_table().rename(columns={"compressive_strength_MPa": "抗压强度(MPa)"})
    assert read_table(frame, "compressive_strength").name == "抗压强度"
    frame["抗压强度(psi)"] = 1.0
    with pytest.raises(
        UnknownNameError, match=r"several columns are named '抗压强度': 抗压强度\(MPa\), 抗压强度\(psi\)"
    ):
        read_table(frame, "抗压强度")
    assert read_table(mixes_table(), "Compressive Strength").name == "compressive_strength"


@pytest.mark.parametrize(("separator", "ending"), [(";", "csv"), ("\t", "csv"), ("\t", "txt"), (",", "txt")])
def test_separators_are_recognised(tmp_path, separator, ending):
    path = tmp_path / f"tests.{ending}"
    mixes_table().to_csv(path, index=False, sep=separator, decimal="," if separator == ";" else ".")
    read = read_table(path, "compressive_strength")
    wanted = read_table(mixes_table(), "compressive_strength")
    assert read.features["cement_kg_m3"].to_numpy() == pytest.approx(wanted.features["cement_kg_m3"].to_numpy())
    assert read.target == pytest.approx(wanted.target)


def test_a_title_line_above_the_headings_is_named(tmp_path):
    for name, title in (("a.csv", "强度试验记录"), ("b.csv", "强度试验记录,,,,")):
        path = tmp_path / name
        path.write_text(title + "\n" + mixes_table().to_csv(index=False), encoding="utf-8")
        with pytest.raises(ModelError, match=r"'强度试验记录'\) seems to be a title, .*mix_id, cement_kg_m3"):
            read_table(path, "compressive_strength")
    table = mixes_table()
    book = tmp_path / "c.xlsx"
    pd.DataFrame([list(table.columns), *table.to_numpy().tolist()]).to_excel(
        book, index=False, header=["强度试验记录", *[""] * 4]
    )
    with pytest.raises(ModelError, match="seems to be a title"):
        read_table(book, "compressive_strength")


def test_headings_of_two_lines_and_separators_at_the_end_of_lines(tmp_path):
    path = tmp_path / "tests.csv"
    mixes_table().rename(columns={"mix_id": "配比\n编号", "water_kg_m3": "水\n(kg/m3)"}).to_csv(path, index=False)
    data = read_table(path, "compressive_strength")
    assert data.units["水\n(kg/m3)"] == "kg/m3"
    assert data.n_mixes == 12
    head, *lines = mixes_table().to_csv(index=False).splitlines()
    path.write_text("\n".join([head, *(line + "," for line in lines)]))
    assert read_table(path, "compressive_strength").target == pytest.approx(mixes_table().compressive_strength_MPa)
    path.write_text("\n".join([head, *lines[:6], lines[6] + ",3", *lines[7:]]))
    with pytest.raises(ModelError, match="line 8: 6 cells, but there are 5 headings"):
        read_table(path, "compressive_strength")


def test_two_columns_of_one_heading_are_refused(tmp_path):
    path = tmp_path / "twice.csv"
    frame = mixes_table()
    pd.concat([frame, frame[["water_kg_m3"]]], axis=1).to_csv(path, index=False)
    with pytest.raises(ModelError, match="column 'water_kg_m3' occurs twice"):
        read_table(path, "compressive_strength")


def test_ages_with_days_in_cells_and_words_as_ages():
    frame = mixes_table().rename(columns={"age_d": "龄期"})
    frame["龄期"] = ["7d", "28 天"] * 12
    assert list(read_table(frame, "compressive_strength").features["龄期"][:2]) == [7.0, 28.0]
    frame["龄期"] = ["young", "old"] * 12
    with pytest.raises(ModelError, match="'young' is not an age"):
        read_table(frame, "compressive_strength")
