"""Words of tables of mixes: what a heading means, in English and Chinese, and in which unit."""

import pytest

from wastelab.errors import DatasetError, UnitError
from wastelab.models.words import grows_with_age, heading, level_role, meaning, never_negative, vocabulary


@pytest.mark.parametrize(
    ("column", "role", "wanted", "slope"),
    [
        ("cement_kg_m3", "cement", "kg/m3", 1.0),
        ("blast_furnace_slag_kg_m3", "slag", "kg/m3", 1.0),
        ("GGBFS_kg_m3", "slag", "kg/m3", 1.0),
        ("水泥(kg/m3)", "cement", "kg/m3", 1.0),
        ("矿渣粉 (kg/m³)", "slag", "kg/m3", 1.0),
        ("赤泥(%)", "red_mud", "kg/kg", 0.01),
        ("煅烧煤矸石_pct", "calcined_coal_gangue", "kg/kg", 0.01),
        ("煤矸石_pct", "coal_gangue", "kg/kg", 0.01),
        ("脱硫石膏_pct", "fgd_gypsum", "kg/kg", 0.01),
        ("iron tailings_kg_m3", "tailings", "kg/m3", 1.0),
        ("water_eff_kg_m3", "effective_water", "kg/m3", 1.0),
        ("水胶比", "water_binder", "", 1.0),
        ("W/B", "water_binder", "", 1.0),
        ("hrwr_kg_m3", "superplasticizer", "kg/m3", 1.0),
        ("na2o_pct_of_binder", "activator:Na2O", "kg/kg", 0.01),
        ("na2o_dry_kg_m3", "activator:Na2O", "kg/m3", 1.0),
        ("水玻璃模数", "activator_modulus", "", 1.0),
        ("precursor_SiO2_pct", "binder:SiO2", "%", 1.0),
        ("precursor_fineness_m2_kg", "binder:blaine", "m2/kg", 1.0),
        ("fineness_pct", "binder:residue", "%", 1.0),
        ("fly_ash_CaO_pct", "fly_ash:CaO", "%", 1.0),
        ("粉煤灰玻璃体含量(%)", "fly_ash:glass", "%", 1.0),
        ("slag_d50_um", "slag:d50", "um", 1.0),
        ("养护温度(℃)", "curing_temperature", "degC", 1.0),
        ("curing_time_d", "curing_time", "h", 24.0),
        ("煅烧时间(小时)", "calcination_time", "h", 1.0),
        ("蒸压压力(MPa)", "autoclave_pressure", "MPa", 1.0),
        ("slag_fraction", "slag", "kg/kg", 1.0),
        ("clinker_fraction", "clinker_share", "kg/kg", 1.0),
        ("water_t", "water", "kg", 1000.0),
    ],
)
def test_heading_means(column, role, wanted, slope):
    found = meaning(column)
    assert (found.role, found.wanted) == (role, wanted)
    assert found.slope == pytest.approx(slope, rel=1e-12)


@pytest.mark.parametrize(
    ("column", "role", "unit"),
    [
        ("fraction_fly_ash", "fly_ash", "kg/kg"),
        ("fraction_raw", "raw_material", "kg/kg"),
        ("amount_water", "water", "kg/kg"),
        ("amount_aggregate", "total_aggregate", "kg/kg"),
        ("amount_activator", "activator", "kg/kg"),
        ("amount_admixture", "admixture", "kg/kg"),
        ("water_binder", "water_binder", ""),
        ("binder_Al2O3", "binder:Al2O3", "%"),
        ("binder_LOI", "binder:LOI", "%"),
        ("activator_Na2O", "activator:Na2O", "%"),
        ("binder_blaine", "binder:blaine", "m2/kg"),
        ("binder_bet", "binder:bet", "m2/g"),
        ("binder_density", "binder:density", "g/cm3"),
        ("binder_d50", "binder:d50", "um"),
        ("curing_temperature", "curing_temperature", "degC"),
        ("curing_humidity", "curing_humidity", "%"),
        ("curing_days", "curing_time", "d"),
    ],
)
def test_columns_of_a_laboratorys_training_table_need_no_unit(column, role, unit):
    found = meaning(column)
    assert (found.role, found.unit) == (role, unit)


def test_every_feature_of_the_training_table_is_understood_or_plain():
    from wastelab.lab.mix_features import COLUMNS

    unknown = {c for names in COLUMNS.values() for c in names if meaning(c) is None}
    assert unknown == {"composition_known", "amount_fuel"}


@pytest.mark.parametrize(
    "column",
    ["material_source", "w_eq_as_given", "co2_kg_per_t", "density_g_cm3", "fa_kg_m3", "slump_mm", "x", "", "尺寸(mm)"],
)
def test_what_is_not_known_or_has_two_meanings_means_nothing(column):
    assert meaning(column) is None


def test_unit_given_by_the_caller_stands_for_one_in_the_name():
    assert meaning("cement", "kg/m3").wanted == "kg/m3"
    assert meaning("cement").unit is None
    found = meaning("curing_temperature", "K")
    assert found.slope * 293.15 + found.offset == pytest.approx(20.0)


def test_a_binder_with_a_remark_in_brackets_is_one_and_a_unit_that_is_none_is_no_unit():
    for column in ("cement (OPC)_kg_m3", "水泥(P·O 42.5)_kg_m3"):
        assert (meaning(column).role, meaning(column).unit) == ("cement", "kg/m3")
    assert (meaning("水泥(foo)").role, meaning("水泥(foo)").unit) == ("cement", None)
    assert meaning("cement (foo)", "kg/m3").unit == "kg/m3"
    assert meaning("kind (A or B)") is None and meaning("water (free)_kg_m3") is None


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("cement", "degC"),
        ("water", "L/m3"),
        ("养护温度(kg/m3)", None),
        ("slag_blaine_degC", None),
        ("fly_ash_CaO_MPa", None),
    ],
)
def test_known_column_in_a_unit_of_the_wrong_kind_is_refused_by_name(column, unit):
    with pytest.raises(UnitError, match=column.replace("(", r"\(").replace(")", r"\)")):
        meaning(column, unit)


def test_heading_splits_units():
    assert heading("cement_kg_m3") == ("cement", "kg/m3")
    assert heading("水(公斤)") == ("水", "kg")
    assert heading("kind (A or B)") == ("kind (A or B)", "")


def test_levels_name_binders():
    assert level_role("GGBFS") == "slag"
    assert level_role("cFA") == "calcareous_fly_ash"
    assert level_role("fly_ash_lignite(brown coal)") == "calcareous_fly_ash"
    assert level_role("SP") is None


def test_strengths_grow_with_age_and_others_need_not():
    assert all(map(grows_with_age, ["compressive_strength", "flexural_strength", "抗压强度", "activity_index_28d"]))
    assert not any(map(grows_with_age, ["drying_shrinkage", "setting_time", "water_absorption", "leachate_Pb", ""]))


def test_own_words_come_beside_the_shipped_ones(tmp_path, monkeypatch):
    file = tmp_path / "datasets" / "vocabulary" / "mix_columns.toml"
    file.parent.mkdir(parents=True)
    file.write_text(
        '[role.electrolytic_slag]\ngroup = "binder"\ndimension = "amount"\nwords = ["电解锰渣"]\n', encoding="utf-8"
    )
    monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
    vocabulary.cache_clear()
    try:
        assert meaning("电解锰渣(kg/m3)").role == "electrolytic_slag"
        assert meaning("水泥(kg/m3)").role == "cement"
        file.write_text('[role.other]\ngroup = "binder"\ndimension = "amount"\nwords = ["cement"]\n', encoding="utf-8")
        vocabulary.cache_clear()
        with pytest.raises(DatasetError, match="'cement' is of"):
            vocabulary()
    finally:
        monkeypatch.undo()
        vocabulary.cache_clear()


@pytest.mark.parametrize(
    "name",
    ["UCS", "UCS_MPa", "fc_MPa", "fc'", "R28_MPa", "R_3d", "fcu,28 (MPa)", "fc mean", "f28", "抗压(MPa)", "28d抗折",
     "flexural_MPa", "compressive_28d", "splitting tensile", "MOR", "Young's modulus", "E_modulus_GPa", "弯拉强度"],
)  # fmt: skip
def test_symbols_and_short_names_of_strengths_grow_with_age(name):
    assert grows_with_age(name) and never_negative(name)


@pytest.mark.parametrize(
    "name",
    ["strength_loss_pct", "抗压强度损失率", "tensile strain", "compressive_creep", "R", "f", "R2000", "fc_ratio",
     "fresh", "Rn_Bq_kg", "refractoriness", "flow_mm", "E28"],
)  # fmt: skip
def test_what_a_strength_lost_and_other_letters_may_do_anything(name):
    assert not grows_with_age(name)


def test_what_cannot_be_below_zero():
    assert all(map(never_negative, ["water_absorption_pct", "leachate_Pb", "slump_mm", "流动度(mm)", "setting time"]))
    assert not any(map(never_negative, ["drying_shrinkage", "temperature", "strength_loss_pct", ""]))
    assert not any(
        map(never_negative, ["heat_flow_mW_g", "log leachate", "strength gain", "强度差(MPa)", "density change"])
    )


def test_lime_has_a_density_only_where_its_kind_is_said():
    roles = vocabulary().roles
    kinds = {w: meaning(w, "kg/m3").role for w in ("石灰", "生石灰", "消石灰", "电石渣", "quicklime", "hydrated lime")}
    assert kinds["生石灰"] == kinds["quicklime"] == "quicklime" and kinds["消石灰"] == "hydrated_lime"
    assert roles[kinds["石灰"]].density is None
    assert roles["quicklime"].density > 3.2 and roles["hydrated_lime"].density == pytest.approx(2.24)
    assert roles[kinds["电石渣"]].density == roles["hydrated_lime"].density
    assert 2.9 <= roles["red_mud"].density <= 3.1
