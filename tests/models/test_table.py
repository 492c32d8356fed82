"""Tables of tests: what is read, what is kept together, what is refused and in which words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import MissingDataError, ModelError, UnitError, UnknownNameError
from wastelab.models.columns import factor, split_unit
from wastelab.models.folds import assign_groups, group_folds, row_folds, time_folds
from wastelab.models.table import mix_keys, read_features, read_table


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
        lambda f: f.assign(result_psi=f.compressive_strength_MPa * 145.04), {}, "'result_psi' is the target",
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
