"""Audit of tables: planted faults are found where they are, clean synthetic tables raise no alarm, published sets."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from audit_samples import concrete, grid, paste

from wastelab.errors import UnknownNameError
from wastelab.models.audit import CHECKS, audit_splits, audit_table
from wastelab.models.audit_checks import digit_hint
from wastelab.models.audit_texts import TEXTS
from wastelab.models.audit_view import resolution
from wastelab.models.folds import group_folds, row_folds
from wastelab.models.table import read_table

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "datasets"
Y = "compressive_strength_MPa"


def published(name):
    file = SHARED / name
    if not file.is_file():
        pytest.skip(f"NO PUBLISHED DATA: {file} is not there; set WASTELAB_SHARED")
    return file


def checks(audit, *severities):
    return {f.check for f in audit.found if f.severity in (severities or ("severe", "warn"))}


# -- clean tables
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("make", "target"),
    [
        (concrete, Y),
        (lambda s: concrete(s, replicates=3), Y),
        (lambda s: concrete(s, noise=0.12, replicates=2), Y),
        (lambda s: concrete(s, noise=0.03, replicates=3, decimals=0), Y),
        (lambda s: paste(s, noise=0.03), "compressive_strength_28d_MPa"),
        (grid, "compressive_strength_28d_MPa"),
    ],
    ids=["single", "three batches", "noisy", "whole MPa", "paste", "grid"],
)
def test_clean_synthetic_tables_raise_no_alarm(make, target, seed):
    audit = audit_table(make(seed), target)
    assert audit.clean, audit.report()


@pytest.mark.parametrize("seed", range(3))
def test_rows_in_another_order_change_nothing(seed):
    table = concrete(seed, replicates=3)
    table.loc[7, Y] *= 10
    shuffled = table.sample(frac=1, random_state=seed)
    first, second = audit_table(table, Y), audit_table(shuffled.reset_index(drop=True), Y)
    assert [(f.check, f.severity, len(f.at)) for f in first.found] == [
        (f.check, f.severity, len(f.at)) for f in second.found
    ]


# -- (1) repeated rows
def test_repeated_rows_are_named_as_a_person_counts():
    table = concrete(1)
    table = pd.concat([table, table.iloc[[4, 10, 11]]], ignore_index=True)
    (found,) = audit_table(table, Y).of("repeated_rows")
    assert found.severity == "warn"
    assert found.at == tuple(range(len(table) - 3, len(table)))
    assert found.rows[0].startswith(f"row {len(table) - 2} (")


def test_equal_results_by_rounding_are_only_information():
    audit = audit_table(concrete(3, noise=0.02, replicates=3, decimals=0), Y)
    assert "repeated_rows" in checks(audit, "info") and "repeated_rows" not in checks(audit)


def test_series_listed_twice():
    table = concrete(2, n_mixes=30)
    one = table[table["mix"] == table["mix"].value_counts().index[0]]
    (found,) = audit_table(pd.concat([table, one], ignore_index=True), Y).of("repeated_series")
    assert set(found.at) >= set(one.index) and "2 times" in str(found.message)


def test_result_copied_to_other_ages_and_to_another_mix():
    table = concrete(5, n_mixes=40)
    mixes = table["mix"].value_counts().index[:5]
    for mix in mixes[:3]:
        at = table.index[table["mix"] == mix]
        table.loc[at[1], Y] = table.loc[at[0], Y]
    a, b = (table.index[table["mix"] == m] for m in mixes[3:])
    table.loc[a, "age_d"], table.loc[b, "age_d"] = sorted(table.loc[a, "age_d"]), sorted(table.loc[a, "age_d"])
    table.loc[a, Y] = table.loc[b, Y] = sorted(table.loc[a, Y])
    audit = audit_table(table, Y)
    assert len(audit.of("copied_results")[0].at) == 3
    assert set(audit.of("copied_series")[0].at) == set(a) | set(b)


# -- (2) names
def test_same_mix_under_two_names():
    table = concrete(6)
    at = table.index[table["mix"] == "M3"]
    table.loc[at[0], "mix"] = "M3 bis"
    (found,) = audit_table(table, Y).of("same_mix_two_names")
    assert found.severity == "severe" and set(found.at) == set(at)


def test_same_mix_in_two_sources_is_information():
    table = concrete(6)
    table["source"] = "A"
    other = table[table["mix"] == "M3"].assign(mix="Z", source="B")
    other[Y] *= 1.1
    audit = audit_table(pd.concat([table, other], ignore_index=True), Y)
    assert [f.severity for f in audit.of("same_mix_two_names")] == ["info"]


def test_one_name_for_two_mixes_names_the_quantity():
    table = concrete(7)
    at = table.index[table["mix"] == "M5"]
    table.loc[at[0], "water_kg_m3"] += 30
    (found,) = audit_table(table, Y).of("one_name_two_mixes")
    assert found.severity == "warn" and found.columns == ("water_kg_m3",) and set(found.at) == set(at)


def test_nearly_equal_mixes_without_names():
    table = concrete(8).drop(columns="mix")
    twin = table.iloc[[0]].copy()
    twin["cement_kg_m3"] *= 1.001
    twin["age_d"] = 56.0
    (found,) = audit_table(pd.concat([table, twin], ignore_index=True), Y).of("same_mix_two_names")
    assert found.severity == "info" and len(table) in found.at


# -- (3) too smooth
@pytest.mark.parametrize("seed", range(3))
def test_output_of_a_formula_is_too_smooth(seed):
    table = concrete(seed, n_mixes=80, noise=0.0, ages=(28, 28), decimals=2)
    table = table.drop_duplicates().reset_index(drop=True)
    (found,) = audit_table(table, Y).of("too_smooth")
    assert found.severity == "severe"


@pytest.mark.parametrize("seed", range(3))
def test_tests_of_a_very_good_laboratory_are_not_too_smooth(seed):
    table = concrete(seed, n_mixes=80, noise=0.025, ages=(28, 28)).drop_duplicates("mix")
    assert not audit_table(table, Y).of("too_smooth")


# -- (4) interpolated
def test_interpolated_levels_are_named():
    table = grid(0, levels=(360.0, 420, 450))
    keys = ["liquid_binder", "slag_fraction", "curing_temperature_degC"]
    rows = []
    for key, line in table.groupby(keys):
        for binder in (380.0, 400.0, 435.0):
            y = np.interp(binder, line["binder_kg_m3"], line["compressive_strength_28d_MPa"])
            rows.append((binder, *key, round(float(y), 2)))
    filled = pd.concat([table, pd.DataFrame(rows, columns=table.columns)], ignore_index=True)
    (found,) = audit_table(filled, "compressive_strength_28d_MPa").of("interpolated")
    assert set(found.at) == set(range(len(table), len(filled)))
    assert "380, 400, 435" in str(found.message) and "360, 420, 450" in str(found.message)


# -- (5) typing errors
@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda y: y * 10, "point may be shifted"),
        (lambda y: y / 10, "point may be shifted"),
        (lambda y: y + 40, ""),
    ],
)
def test_typing_error_among_replicates(change, hint):
    table = concrete(9, replicates=4)
    sizes = table.groupby(["mix", "age_d"])[Y].transform("size")
    row = int(np.flatnonzero(sizes == 4)[0])
    table.loc[row, Y] = round(change(table.loc[row, Y]), 1)
    found = audit_table(table, Y).of("typing_error")
    assert [f.at for f in found] == [(row,)]
    assert hint in str(found[0].message) and f"row {row + 1} " in str(found[0].message)


def test_two_rows_that_disagree_need_a_slip_of_the_pen():
    table = concrete(10, n_mixes=20)
    twice = pd.concat([table, table.iloc[[3, 8]]], ignore_index=True)
    twice.loc[len(table), Y] *= 10
    twice.loc[len(table) + 1, Y] *= 1.77
    found = audit_table(twice, Y).of("typing_error")
    assert [f.at for f in found] == [(3, len(table))] and found[0].severity == "warn"


@pytest.mark.parametrize(
    ("value", "likely", "says"),
    [
        (5.59, 55.9, "55.9 would fit"),
        (559.0, 55.9, "55.9 would fit"),
        (22.9, 55.9, "digits behind the point"),
        (37.2, 73.1, "exchanged"),
        (31.0, 47.3, ""),
    ],
)
def test_digit_hints(value, likely, says):
    hint = digit_hint(value, likely)
    assert says in hint and bool(says) == bool(hint)


# -- further checks
def test_two_sources_with_equal_results():
    random = np.random.default_rng(0)
    table = paste(1, n=60).drop_duplicates(subset=list(paste(1).columns[:-1]))
    table["source"] = random.choice(["A", "B", "C"], len(table))
    copied = table[table["source"] == "A"].head(4).assign(source="D")
    copied["compressive_strength_28d_MPa"] *= 1.001
    other = table[table["source"] == "B"].head(4).assign(source="D")
    other["compressive_strength_28d_MPa"] *= np.array([1.1, 0.93, 1.07, 0.9])
    audit = audit_table(pd.concat([table, copied, other], ignore_index=True), "compressive_strength_28d_MPa")
    (found,) = audit.of("equal_in_two_sources")
    assert "'A' and 'D'" in str(found.message) and len(found.at) == 8


def test_noise_floor_is_the_pooled_deviation():
    table = pd.DataFrame({
        "cement_kg_m3": [300.0, 300, 310, 310, 320, 320, 350, 380, 400],
        "strength_MPa": [30.0, 32, 35, 34, 36, 40, 50, 60, 70],
    })  # fmt: skip
    (found,) = audit_table(table, "strength").of("noise_floor")
    pooled = np.sqrt((2 + 0.5 + 8) / 3)
    assert f"{pooled:.3g} MPa" in str(found.message)
    assert f"{1 - pooled**2 / np.var(table['strength_MPa']):.3f}" in str(found.message)


def test_specimen_scatter_is_pooled():
    table = concrete(1).assign(y_sd=2.0, y_n=3.0)
    table.loc[0, "y_sd"] = 4.0
    (found,) = audit_table(table, Y).of("specimen_scatter")
    assert f"{np.sqrt((4 * (len(table) - 1) + 16) / len(table)):.3g} MPa" in str(found.message)


def test_strength_that_falls():
    table = concrete(11, ages=(7, 28), noise=0.05)
    at = table.index[table["mix"] == "M4"]
    late = at[np.argmax(table.loc[at, "age_d"])]
    table.loc[late, Y] = 0.3 * table.loc[at, Y].min()
    (found,) = audit_table(table, Y).of("falls_with_age")
    assert set(found.at) == set(at)
    assert not audit_table(table.rename(columns={Y: "shrinkage_mm"}), "shrinkage").of("falls_with_age")


def test_censored_and_frozen():
    table = concrete(12, ages=(28, 28)).drop_duplicates("mix").rename(columns={Y: "slump_mm"})
    table["slump_mm"] = table["slump_mm"].clip(lower=table["slump_mm"].quantile(0.15))
    (found,) = audit_table(table, "slump").of("censored")
    assert "smallest" in str(found.message) and len(found.at) >= 9
    frozen = concrete(12)
    frozen.loc[3, Y] = 0.0
    assert audit_table(frozen, Y).of("not_positive")[0].rows[0].startswith("row 4 ")


def test_masses_that_do_not_fit_and_binders_that_do_not_add_up():
    table = concrete(13)
    table["binder_kg_m3"] = table[["cement_kg_m3", "slag_kg_m3", "fly_ash_kg_m3"]].sum(axis=1)
    table.loc[table["mix"] == "M1", "coarse_aggregate_kg_m3"] += 600
    table.loc[table["mix"] == "M2", "binder_kg_m3"] += 134
    audit = audit_table(table, Y)
    assert audit.rows("mass_closure") == tuple(table.index[table["mix"] == "M1"])
    assert audit.rows("binder_sum") == tuple(table.index[table["mix"] == "M2"])
    assert "binder_kg_m3" not in audit.of("mass_closure")[0].columns


def test_shares_of_the_binder():
    table = paste(3)
    table.loc[:2, "slag_pct"] = table.loc[:2, "slag_pct"] + 10
    (found,) = audit_table(table, "compressive_strength_28d").of("percent_sum")
    assert found.at == (0, 1, 2)


def test_oxides_units_and_signs_of_a_table_of_materials():
    random = np.random.default_rng(0)
    n = 12
    table = pd.DataFrame({
        "material": [f"ash {i}" for i in range(n)], "SiO2_pct": random.uniform(50, 55, n),
        "Al2O3_pct": random.uniform(24, 26, n), "Fe2O3_pct": random.uniform(5, 7, n),
        "CaO_pct": random.uniform(8, 9, n), "LOI_pct": random.uniform(5, 6, n), "d50_mm": random.uniform(8, 30, n),
        "blaine_m2_kg": random.uniform(300, 500, n), "MgO_pct": random.uniform(1, 2, n),
    })  # fmt: skip
    table.loc[3, "SiO2_pct"] = 85.0
    table.loc[5, "SiO2_pct"] = 25.0
    table.loc[6, "blaine_m2_kg"] = 19600.0
    table.loc[7, "MgO_pct"] = -1.5
    audit = audit_table(table)
    high, low = audit.of("oxide_sum")
    assert high.at == (3,) and 5 in low.at and low.severity == "warn"
    assert "looks like um, not mm" in str(audit.of("unit")[0].message)
    assert audit.of("implausible_value")[0].rows == ("row 7",)
    assert audit.of("negative_quantity")[0].severity == "severe"
    assert audit.target == "" and "no mean" not in audit.report()


def test_empty_constant_missing_and_counting_columns():
    table = concrete(14).drop(columns="mix")
    table["lab_humidity_pct"] = np.nan
    table["curing_temperature_degC"] = 20.0
    table["running"] = np.arange(len(table)) + 501
    table.loc[:9, "superplasticizer_kg_m3"] = np.nan
    audit = audit_table(table, Y)
    columns = {f.check: f.columns for f in audit.found}
    assert columns["empty_column"] == ("lab_humidity_pct",)
    assert columns["constant_column"] == ("curing_temperature_degC",)
    assert columns["id_column"] == ("running",)
    assert columns["missing_values"] == ("superplasticizer_kg_m3",)


def test_columns_that_say_the_same():
    table = grid(1)
    table["precursor_CaO_pct"] = table["slag_fraction"].map({0.3: 11.0, 0.4: 14.5, 0.5: 18.3})
    table["liquid_kg_m3"] = table["binder_kg_m3"] * 2
    groups = [set(f.columns) for f in audit_table(table, "compressive_strength_28d").of("collinear")]
    assert groups == [{"binder_kg_m3", "liquid_kg_m3"}, {"slag_fraction", "precursor_CaO_pct"}]
    three = concrete(2)
    three["total_kg_m3"] = three["cement_kg_m3"] + three["water_kg_m3"]
    (found,) = audit_table(three, Y).of("linear_dependence")
    assert {"cement_kg_m3", "water_kg_m3", "total_kg_m3"} <= set(found.columns)


def test_few_groups():
    table = concrete(15, n_mixes=4)
    table["source"] = np.where(table["mix"] == "M1", "A", "B")
    audit = audit_table(table, Y)
    assert audit.of("few_mixes")[0].severity == "severe"
    assert audit.of("few_sources") and "'B'" in str(audit.of("one_source_dominates")[0].message)


def test_leaking_splits():
    table = concrete(16)
    table["source"] = table["mix"].str[1:].astype(int) % 4
    table.loc[table["mix"] == "M2", "source"] = 0
    data = read_table(table, Y)
    by_row = {f.check: f for f in audit_splits(data, row_folds(len(data), 5))}
    assert by_row["leak_mix"].severity == "severe" and "5 of 5 folds" in str(by_row["leak_mix"].message)
    assert {f.check for f in audit_splits(data, group_folds(data.mix, 5))} == {"leak_source"}
    assert audit_splits(data, group_folds(data.source, 4)) == ()
    renamed = table.copy()
    renamed["mix"] = [f"{m} at {a:g} d" for m, a in zip(renamed["mix"], renamed["age_d"], strict=True)]
    other = read_table(renamed, Y)
    assert "leak_copy" in {f.check for f in audit_splits(other, group_folds(other.mix, 5))}
    assert "leak_mix" in checks(audit_table(table, Y, splits=row_folds(len(data), 5)))


# -- units by values, results among features
def test_some_results_in_psi():
    for seed in range(3):
        table = concrete(seed, n_mixes=40)
        at = list(range(12))
        table.loc[at, Y] = (table.loc[at, Y] * 145.04).round(0)
        (found,) = audit_table(table, Y).of("unit")
        assert found.severity == "severe" and found.at == tuple(at) and "psi" in str(found.message)
    table = concrete(0)
    table[Y] *= 145.04
    assert "looks like psi, not MPa" in str(audit_table(table, Y).of("unit")[0].message)


def test_one_result_with_a_shifted_point_and_no_equal_row():
    table = concrete(4, n_mixes=40)
    table.loc[7, Y] *= 10
    (found,) = audit_table(table, Y).of("unit")
    assert found.at == (7,) and found.severity == "warn" and found.rows == (f"row 8 ({table.loc[7, 'mix']})",)


def test_weak_mixes_are_in_no_other_unit():
    for seed in range(3):
        table = concrete(seed, n_mixes=40)
        at = np.random.default_rng(seed).choice(len(table), 12, replace=False)
        table.loc[at, Y] = (table.loc[at, Y] * np.geomspace(0.06, 0.8, 12)).round(1)
        assert not audit_table(table, Y).of("unit")


@pytest.mark.parametrize(
    ("column", "factor", "likely"),
    [("cement_kg_m3", 1e-3, "t/m3"), ("water_kg_m3", 1e3, "g/m3"), ("fine_aggregate_kg_m3", 1e-3, "t/m3")],
)
def test_masses_in_another_unit(column, factor, likely):
    table = concrete(5)
    table[column] *= factor
    found = [f for f in audit_table(table, Y).of("unit") if f.columns == (column,)]
    assert len(found) == 1 and f"looks like {likely}, not kg/m3" in str(found[0].message)


def test_one_mass_with_a_shifted_point():
    table = concrete(5)
    table.loc[table["mix"] == "M3", "cement_kg_m3"] *= 10
    (found,) = audit_table(table, Y).of("implausible_value")
    assert found.columns == ("cement_kg_m3",) and "point may be shifted" in str(found.message)


def test_ages_in_hours():
    table = concrete(6)
    table["age_d"] *= 24
    (found,) = audit_table(table, Y).of("unit")
    assert found.columns == ("age_d",) and "looks like h, not d" in str(found.message)
    late = concrete(6, ages=(28, 56, 91, 365, 3650))
    assert not audit_table(late, Y).of("unit")


def test_result_among_the_features():
    table = concrete(7)
    random = np.random.default_rng(0)
    table["failure_load_kN"] = table[Y] * 17.67 + random.normal(0, 8, len(table))
    table["strength_psi"] = (table[Y] * 1.4504).round() * 100
    table["flexural_MPa"] = 0.7 * np.sqrt(table[Y]) * np.exp(0.01 * random.standard_normal(len(table)))
    features = [c for c in table.columns if c not in (Y, "mix")]
    found = {f.columns[0]: f for f in audit_table(table, Y, features=features).of("same_as_result")}
    assert {c: f.severity for c, f in found.items()} == {
        "failure_load_kN": "warn", "strength_psi": "severe", "flexural_MPa": "warn",
    }  # fmt: skip
    assert "drop=['failure_load_kN']" in str(found["failure_load_kN"].advice)


def test_results_computed_from_those_of_another_age():
    table = concrete(8, ages=(7, 28), n_mixes=30)
    wide = table.drop_duplicates(["mix", "age_d"]).pivot(index="mix", columns="age_d", values=Y)
    table = table.drop_duplicates(["mix", "age_d"]).reset_index(drop=True)
    late = table["age_d"] == 28
    table.loc[late, Y] = (1.5 * table.loc[late, "mix"].map(wide[7.0])).round(1)
    (found,) = audit_table(table, Y).of("computed")
    assert len(found.at) == len(table) and "1.5 times" in str(found.message)


def test_replicates_in_whole_numbers_are_no_typing_errors():
    """Strengths of a plan in steps of 1 MPa with a scatter of 1.5 MPa at every level."""
    alarms = 0
    for seed in range(20):
        random = np.random.default_rng(1000 + seed)
        rows = [
            (c, w, a, np.round(20 * (c / w - 0.5) * (a / 28) ** 0.2 + random.normal(0, 1.5)))
            for c in (300.0, 350.0, 400.0)
            for w in (150.0, 165.0, 180.0)
            for a in (3.0, 7.0, 28.0)
            for _ in range(3)
        ]
        table = pd.DataFrame(rows, columns=["cement_kg_m3", "water_kg_m3", "age_d", Y])
        alarms += len(checks(audit_table(table, Y)) - {"few_mixes"})
    assert alarms == 0
    assert digit_hint(12.0, 19.0) == "" and "One digit" in digit_hint(125.0, 195.0)


# -- names, forms
def test_chinese_columns():
    table = concrete(17, replicates=3)
    words = [
        "配比编号",
        "水泥_kg_m3",
        "矿渣_kg_m3",
        "粉煤灰_kg_m3",
        "水_kg_m3",
        "减水剂_kg_m3",
        "石子_kg_m3",
        "砂_kg_m3",
    ]
    table.columns = [*words, "龄期_d", "抗压强度_MPa"]
    assert audit_table(table, "抗压强度").clean
    table["胶凝材料_kg_m3"] = table[["水泥_kg_m3", "矿渣_kg_m3", "粉煤灰_kg_m3"]].sum(axis=1)
    table.loc[4, "抗压强度_MPa"] = 0.0
    table.loc[table["配比编号"] == "M2", "胶凝材料_kg_m3"] += 90
    table.loc[table["配比编号"] == "M3", "石子_kg_m3"] += 700
    audit = audit_table(table, "抗压强度")
    assert {"binder_sum", "mass_closure", "not_positive"} <= checks(audit)
    assert audit.of("binder_sum")[0].columns == ("水泥_kg_m3", "矿渣_kg_m3", "粉煤灰_kg_m3")


def test_report_frame_and_json():
    table = concrete(1, replicates=3)
    table.loc[0, Y] = 0.0
    audit = audit_table(table, Y)
    frame = audit.findings
    assert list(frame.columns) == ["check", "severity", "rows", "columns", "message", "advice", "at"]
    assert len(frame) == len(audit.found)
    assert audit.report().startswith("Audit of table: compressive_strength:") and "row 1 (M1)" in str(audit)
    again = json.loads(json.dumps(audit.to_dict(), allow_nan=False))
    assert again["findings"][0]["message"]["text"] and again["clean"] is False
    assert audit_table(read_table(table, Y), Y).findings.equals(frame)
    with pytest.raises(UnknownNameError, match="no column 'strengthh'"):
        audit_table(table, "strengthh")


def test_empty_results_keep_the_numbers_of_rows():
    table = concrete(1)
    table.loc[:4, Y] = np.nan
    table.loc[10, Y] = 0.0
    (found,) = audit_table(table, Y).of("not_positive")
    assert found.rows[0].startswith("row 11 ")


def test_steps_of_rounding():
    assert resolution(np.array([1.25, 3.5, 7.75])) == pytest.approx(0.05)
    assert resolution(np.array([10.0, 20.0, 35.0])) == 5.0
    assert resolution(np.array([22.9, 55.9, 41.3])) == 0.1


def test_every_check_has_its_criterion_and_texts():
    assert all(c.__doc__ for c in CHECKS)
    assert {k.split(".")[0] for k in TEXTS} >= {"repeated_rows", "too_smooth", "interpolated", "typing_error"}


# -- published sets (see their READMEs for what is known of each)
def test_uci_concrete():
    """25 exact copies; 22.90 among 55.90 at 7 d (row 115); that mix is listed four times."""
    audit = audit_table(published("uci_concrete/concrete.csv"), "compressive_strength")
    assert checks(audit, "severe") == {"typing_error"}
    assert audit.of("typing_error")[0].rows == ("row 115 (29)",)
    assert len(audit.of("repeated_rows")[0].at) == 25
    assert "row 84 (29): 4 times" in str(audit.of("repeated_series")[0].message)
    assert checks(audit) == {"typing_error", "repeated_rows", "repeated_series"}


def test_uci_slump():
    """The strength column is a response surface; slump and flow are tests, cut off at 0 and 20 cm."""
    file = published("uci_slump/slump.csv")
    strength = audit_table(file, "compressive_strength_28d", drop=["slump_cm", "flow_cm"])
    assert checks(strength) == {"too_smooth"}
    slump = audit_table(file, "slump", drop=["flow_cm", "compressive_strength_28d_MPa"])
    flow = audit_table(file, "flow", drop=["slump_cm", "compressive_strength_28d_MPa"])
    assert checks(slump) == checks(flow) == {"censored"}
    assert (len(slump.of("censored")[0].at), len(flow.of("censored")[0].at)) == (11, 17)


def test_alkali_activated_grid():
    """168 of 240 rows lie between the published binder contents 360, 420 and 450 kg/m3."""
    file = published("alkali_activated_grid/mixes.csv")
    table = pd.read_csv(file)
    audit = audit_table(file, "compressive_strength_28d", drop=["at_published_binder_level"])
    assert audit.rows("interpolated") == tuple(np.flatnonzero(table["at_published_binder_level"] == 0))
    tested = table[table["at_published_binder_level"] == 1].drop(columns="at_published_binder_level")
    assert audit_table(tested, "compressive_strength_28d").clean


def test_onepart_geopolymer():
    """Sources 24 and 28 share two mixes with nearly equal results; eight rows lack a third binder."""
    audit = audit_table(published("onepart_geopolymer/mixes.csv"), "compressive_strength_28d")
    (found,) = audit.of("equal_in_two_sources")
    assert "'24' and '28'" in str(found.message) and [r.split(" (")[0] for r in found.rows] == [
        "row 32", "row 33", "row 77", "row 78",
    ]  # fmt: skip
    assert len(audit.of("percent_sum")[0].at) == 8
    assert not audit.of("typing_error") and not audit.of("unit")  # weak mixes are in no other unit


def test_boxcrete():
    """Mixes M75-M77 lack a binder of 134 kg/m3; two frozen specimens; masses above 2800 kg/m3."""
    drop = ["strength_1_MPa", "strength_2_MPa", "strength_3_MPa", "slump_mm"]
    file = published("boxcrete/strength.csv")
    audit = audit_table(file, "strength_mean", drop=drop, sd="strength_sd_MPa", n="n_specimens")
    assert {"binder_sum", "mass_closure", "not_positive", "same_mix_two_names"} == checks(audit)
    names = pd.read_csv(file).dropna(subset="strength_mean_MPa")["mix_name"].to_numpy()
    assert set(names[list(audit.rows("binder_sum"))]) == {"M75", "M76", "M77"}
    assert "2.97 MPa" in str(audit.of("specimen_scatter")[0].message)


def test_binders_of_rac_scm_chemistry():
    """Four oxide sums above 105 %, d50 in micrometres under the name mm, eight empty rows."""
    audit = audit_table(published("rac_scm_chemistry/binders.csv"))
    assert len(audit.of("oxide_sum")[0].at) == 4 and "125.2 %" in str(audit.of("oxide_sum")[0].message)
    assert audit.of("unit")[0].columns == ("d50_as_printed_mm",)
    assert "19600" in str(audit.of("implausible_value")[0].message)
    assert audit.notices[0] == "8 empty rows were left out"


def test_rac_multinational():
    """Two references list the same tests (ten of sixteen results equal to the last digit)."""
    audit = audit_table(published("rac_multinational/concrete.csv"), "strength_cyl100x200")
    assert "'Kou et al' and 'Poon et al'" in str(audit.of("equal_in_two_sources")[0].message)
    assert not checks(audit, "severe")
