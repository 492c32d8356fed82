"""Features of mixes: hand calculations, invariances, missing values, units, and the builder of designs."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wastelab.chemistry import molar_mass
from wastelab.errors import ModelError, UnitError, UnknownNameError, ValidityError
from wastelab.models.builder import AGE, EQUIVALENT_AGE, MixFeatures
from wastelab.models.features import CATALOGUE
from wastelab.models.features.activator import activator_modulus, alkali_binder, molar_ratio
from wastelab.models.features.age import equivalent_age, freiesleben_hansen_pedersen, nurse_saul
from wastelab.models.features.aggregate import (
    admixture_binder,
    aggregate_binder,
    paste_volume,
    recycled_share,
    sand_ratio,
    total_mass,
)
from wastelab.models.features.binder import (
    binder,
    binder_water,
    clinker_binder,
    feret,
    k_binder_water,
    share,
    undeclared,
    water_binder,
)
from wastelab.models.features.calcination import larson_miller, loi_left
from wastelab.models.features.chemistry import (
    alite_share,
    basicity,
    blended,
    blended_density,
    hydraulic_index,
    oxide_ratio,
)
from wastelab.models.features.curing import autoclave_dose, autoclave_pressure_dose, co2_dose, heat_dose
from wastelab.models.features.particles import span, surface_water


def concrete(n=12, seed=3):
    """A table of concretes in kg/m3."""
    r = np.random.default_rng(seed)
    return pd.DataFrame({
        "cement_kg_m3": r.uniform(150, 450, n), "slag_kg_m3": r.uniform(0, 200, n),
        "fly_ash_kg_m3": r.uniform(0, 150, n), "silica_fume_kg_m3": r.uniform(0, 40, n),
        "water_kg_m3": r.uniform(140, 220, n), "superplasticizer_kg_m3": r.uniform(0, 12, n),
        "natural_coarse_aggregate_kg_m3": r.uniform(300, 900, n),
        "recycled_coarse_aggregate_kg_m3": r.uniform(0, 400, n), "fine_aggregate_kg_m3": r.uniform(600, 900, n),
        "age_d": r.choice([1.0, 3.0, 7.0, 28.0, 90.0], n),
    })  # fmt: skip


def column(frame, name, **fit):
    """One derived column of a table."""
    return MixFeatures().fit(frame, **fit).transform(frame)[name].to_numpy()


def rows(**columns):
    """A table whose second row is another mix, so that nothing is constant."""
    return pd.DataFrame({k: np.array(v, dtype=float) for k, v in columns.items()})


# -- plain functions by hand
def test_binder_by_hand():
    assert binder(300, 80, 20) == 400
    assert water_binder(180, 400) == 0.45
    assert binder_water(400, 180) == pytest.approx(2.2222222)
    assert k_binder_water(180, cement=300, fly_ash=80, slag=50, silica_fume=10, limestone_powder=30) == pytest.approx(
        (300 + 0.4 * 80 + 0.6 * 50 + 2.0 * 10) / 180
    )
    assert share(80, 400) == 0.2
    assert feret(0.129, 0.18) == pytest.approx(0.129 / 0.309)
    assert clinker_binder(300, 0.8, 400) == pytest.approx(0.6)
    assert undeclared(667, 133, 200, 200) == pytest.approx(134 / 667)
    assert np.isnan(water_binder(180, 0.0))


def test_aggregate_by_hand():
    assert aggregate_binder(1800, 400) == 4.5
    assert sand_ratio(700, 1050) == 0.4
    assert recycled_share(300, 1200) == 0.25
    assert admixture_binder(4, 400) == 0.01
    assert paste_volume([310.0, 180.0], [3.1, 1.0]) == pytest.approx(0.28)
    assert total_mass(400, 180, 1800, 4) == 2384


def test_chemistry_by_hand():
    assert blended([300, 100], [64.0, 4.0]) == pytest.approx(49.0)
    assert blended([300, 0], [64.0, np.nan]) == 64.0
    assert np.isnan(blended([300, 100], [64.0, np.nan]))
    assert blended_density([310.0, 230.0], [3.1, 2.3]) == pytest.approx(2.7)
    assert oxide_ratio(40, 50) == 0.8
    assert basicity(38, 8, 34, 12) == 1.0
    assert hydraulic_index(40, 10, 10, 30) == pytest.approx((40 + 14 + 5.6) / 30)
    assert alite_share(60, 15) == 0.8


def test_activator_by_hand():
    # 61.979 g of Na2O and 60.084 g of SiO2 are one mole each
    assert activator_modulus(2 * 60.084, 61.979) == pytest.approx(2.0, rel=1e-4)
    assert molar_ratio(60.084, 101.961, "SiO2/Al2O3") == pytest.approx(1.0, rel=1e-4)
    assert alkali_binder(16, 400) == 4.0


def test_others_by_hand():
    assert span(2, 20, 62) == 3.0
    assert surface_water(350, 2.0) == 700.0
    assert heat_dose([60, 10], [24, 24]) == pytest.approx([960, 0])
    assert autoclave_dose([180, 90], [6, 6]) == pytest.approx([480, 0])
    assert autoclave_pressure_dose(1.2, 8) == pytest.approx(9.6)
    assert co2_dose(20, 24) == 480
    assert larson_miller(726.85, 10.0) == pytest.approx(21.0)  # 1000 K, log10 10 = 1
    assert loi_left(0.5, 10) == 0.05
    with pytest.raises(ValidityError, match="negative time"):
        larson_miller(700, -1)


def test_equivalent_age_by_hand():
    # rate at 40 degC: exp(33.5/0.0083145 * (1/293.15 - 1/313.15)) = 2.406; at 10 degC with Ea = 48.2: 0.497
    assert freiesleben_hansen_pedersen(28, 20) == 28
    assert freiesleben_hansen_pedersen(1, 40) == pytest.approx(2.406, abs=2e-3)
    assert freiesleben_hansen_pedersen(1, 10) == pytest.approx(0.4973, abs=1e-3)
    assert nurse_saul(3, 35) == pytest.approx(4.5)
    assert nurse_saul(3, -10) == 0
    for function in (freiesleben_hansen_pedersen, nurse_saul):
        with pytest.raises(ValidityError, match="-20 degC"):
            function(28, [20, -20])
    ages = equivalent_age([28, 28, 28, 2], [20, np.nan, -20, 40], [np.inf, np.inf, np.inf, 24])
    assert ages == pytest.approx([28, 28, 28, 1 + 2.406], abs=2e-3)


# -- the same from tables
def test_design_of_a_concrete_by_hand():
    frame = concrete()
    b = MixFeatures().fit(frame, age="age_d", property="compressive_strength")
    d = b.transform(frame)
    f = {c.removesuffix("_kg_m3"): frame[c].to_numpy() for c in frame}
    total = f["cement"] + f["slag"] + f["fly_ash"] + f["silica_fume"]
    coarse = f["natural_coarse_aggregate"] + f["recycled_coarse_aggregate"]
    solid = f["cement"] / 3100 + f["slag"] / 2900 + f["fly_ash"] / 2300 + f["silica_fume"] / 2200
    counted = f["cement"] + 0.6 * f["slag"] + 0.4 * f["fly_ash"] + 2.0 * f["silica_fume"]
    expected = {
        "binder": total, "water/binder": f["water"] / total, "binder/water": total / f["water"],
        "water/cement": f["water"] / f["cement"], "k_binder/water": counted / f["water"],
        "feret": solid / (solid + f["water"] / 1000), "slag/binder": f["slag"] / total,
        "fly_ash/binder": f["fly_ash"] / total, "silica_fume/binder": f["silica_fume"] / total,
        "SCM/binder": 1 - f["cement"] / total, "aggregate/binder": (coarse + f["fine_aggregate"]) / total,
        "fine/aggregate": f["fine_aggregate"] / (coarse + f["fine_aggregate"]),
        "recycled/aggregate": f["recycled_coarse_aggregate"] / (coarse + f["fine_aggregate"]),
        "superplasticizer/binder": f["superplasticizer"] / total, "paste volume": solid + f["water"] / 1000,
        "total mass": total + coarse + f["fine_aggregate"] + f["water"] + f["superplasticizer"],
        AGE: np.log(frame["age_d"]),
    }  # fmt: skip
    assert list(d.columns) == [*(c for c in frame if c != "age_d"), *expected]
    for name, values in expected.items():
        np.testing.assert_allclose(d[name], values, rtol=1e-12, err_msg=name)
    assert [f.kind for f in b.features_] == ["input"] * 9 + ["derived"] * 16 + ["age"]
    assert d.attrs["units"]["total mass"] == "kg/m3"
    assert d.attrs["units"]["paste volume"] == "m3/m3"


def test_programs_say_the_same_as_the_design():
    frame = concrete()
    design = MixFeatures().fit(frame, age="age_d").design(frame)
    for j, f in enumerate(design.features):
        p = f.program
        over = sum(w * frame[c] for c, w in p.numerator.items()) + p.offset
        under = sum(w * frame[c] for c, w in p.denominator.items()) if p.denominator else 1.0
        value = p.scale * over / under
        np.testing.assert_allclose(design.values[:, j], np.log(value) if f.log else value, rtol=1e-12, err_msg=f.name)
        assert set(f.depends) == {*p.numerator, *p.denominator}
    by_name = {f.name: f for f in design.features}
    assert by_name["water/binder"].formula == "water / (cement + slag + fly_ash + silica_fume)"
    assert by_name["water/binder"].source.evidence == "memory"


def test_nothing_but_the_age_depends_on_age():
    frame = concrete()
    b = MixFeatures().fit(frame, age="age_d")
    one, other = b.design(frame), b.design(frame.assign(age_d=frame["age_d"] * 2))
    assert one.age == len(one.names) - 1
    np.testing.assert_array_equal(one.values[:, :-1], other.values[:, :-1])
    np.testing.assert_allclose(other.values[:, -1] - one.values[:, -1], np.log(2))


def test_fractions_and_percent_give_the_same_ratios_as_kg_m3():
    frame = concrete().drop(columns="age_d")
    per_cent = frame / 20.0
    per_cent.columns = [c.replace("_kg_m3", "_pct") for c in frame]
    one, other = column(frame, "water/binder"), column(per_cent, "water/binder")
    np.testing.assert_allclose(one, other, rtol=1e-12)
    mixed = frame.rename(columns={"water_kg_m3": "water_g_L"})
    np.testing.assert_allclose(column(mixed, "water/binder"), one, rtol=1e-12)
    batch = frame.rename(columns=lambda c: c.replace("_kg_m3", "_kg")).drop(columns="water_kg_m3", errors="ignore")
    batch["water_kg"] = frame["water_kg_m3"]
    np.testing.assert_allclose(column(batch, "water/binder"), one, rtol=1e-12)
    assert "total mass" not in MixFeatures().fit(batch).get_feature_names_out()


def test_a_batch_in_grams_and_tonnes_is_refused():
    frame = concrete()[["cement_kg_m3", "water_kg_m3"]].set_axis(["cement_t", "water (g)"], axis=1)
    with pytest.raises(UnitError, match=r"water \(g\).*cement_t.*a million apart"):
        MixFeatures().fit(frame)


def test_amounts_without_unit_make_no_feature_and_say_so():
    frame = concrete().rename(columns=lambda c: c.removesuffix("_kg_m3"))
    b = MixFeatures().fit(frame, age="age_d")
    assert {f.kind for f in b.features_} == {"input", "age"}
    assert any("'cement'" in n and "unit is not known" in n for n in b.notices_)
    told = MixFeatures().fit(frame, age="age_d", units={c: "kg/m3" for c in frame if c != "age_d"})
    assert "water/binder" in told.get_feature_names_out()


def test_binders_that_cannot_be_added_make_no_total():
    frame = concrete()[["cement_kg_m3", "slag_kg_m3", "water_kg_m3"]].assign(red_mud_pct=np.arange(12.0))
    b = MixFeatures().fit(frame)
    assert "water/binder" not in b.get_feature_names_out()
    assert any("red_mud_pct" in n and "kg/m3" in n for n in b.notices_)
    assert "water/cement" in b.get_feature_names_out()


def test_a_wrong_unit_is_refused_by_the_builder():
    with pytest.raises(UnitError, match="cement_MPa"):
        MixFeatures().fit(rows(cement_MPa=[1, 2], x=[1, 3]))


def test_the_tables_own_total_is_the_binder_and_what_is_not_named_shows():
    frame = rows(
        binder_kg_m3=[400, 500, 667, 450], cement_kg_m3=[300, 400, 133, 330], slag_kg_m3=[100, 100, 400, 120],
        water_kg_m3=[180, 200, 160, 170],
    )  # fmt: skip
    b = MixFeatures().fit(frame)
    d = b.transform(frame)
    assert d["water/binder"].tolist() == pytest.approx([0.45, 0.4, 160 / 667, 170 / 450])
    assert d["undeclared/binder"].tolist() == pytest.approx([0, 0, 134 / 667, 0])
    near = frame.assign(binder_kg_m3=[400.4, 500, 533, 450])
    assert "undeclared/binder" not in MixFeatures().fit(near).get_feature_names_out()


def test_chinese_headings():
    amounts = {
        "水泥": [300, 350, 400], "粉煤灰": [100, 20, 0], "用水量": [180, 170, 150], "砂": [700, 750, 690],
        "碎石": [1100, 1000, 1050], "减水剂": [4, 5, 0],
    }  # fmt: skip
    frame = rows(**{f"{name}(kg/m3)": values for name, values in amounts.items()})
    d = MixFeatures().fit(frame).transform(frame)
    assert d["water/binder"].tolist() == pytest.approx([0.45, 170 / 370, 0.375])
    assert d["fine/aggregate"].tolist() == pytest.approx([700 / 1800, 750 / 1750, 690 / 1740])
    assert d["superplasticizer/binder"].tolist() == pytest.approx([0.01, 5 / 370, 0])


def test_oxides_of_the_parts_are_blended():
    frame = rows(cement_kg_m3=[300, 400, 200], slag_kg_m3=[100, 0, 200], water_kg_m3=[180, 160, 190],
                 cement_CaO_pct=[64, 63, 64], slag_CaO_pct=[40, np.nan, 38], cement_SiO2_pct=[20, 21, 20],
                 slag_SiO2_pct=[34, np.nan, 35], cement_blaine_m2_kg=[350, 340, 360],
                 slag_blaine_m2_kg=[450, np.nan, np.nan])  # fmt: skip
    d = MixFeatures().fit(frame).transform(frame)
    assert d["binder CaO"].tolist() == pytest.approx([58, 63, 51])
    assert d["CaO/SiO2"].tolist() == pytest.approx([58 / 23.5, 3, 51 / 27.5])
    assert d["binder blaine"].tolist()[:2] == pytest.approx([375, 340])
    assert np.isnan(d["binder blaine"][2])
    f = next(f for f in MixFeatures().fit(frame).features_ if f.name == "CaO/SiO2")
    assert f.program is None
    assert {"cement_kg_m3", "slag_CaO_pct"} <= set(f.depends)


def test_moduli_of_binder_columns():
    frame = rows(binder_SiO2=[34, 36, 30], binder_Al2O3=[12, 14, 11], binder_CaO=[38, 40, 42], binder_MgO=[8, 6, 7.5])
    d = MixFeatures().fit(frame).transform(frame)
    assert d["basicity"].tolist() == pytest.approx([1.0, 46 / 50, 49.5 / 41])
    assert d["hydraulic index"][0] == pytest.approx((38 + 11.2 + 6.72) / 34)
    assert d["Al2O3/SiO2"][1] == pytest.approx(14 / 36)


def test_molar_ratios_of_an_activated_binder():
    frame = rows(
        binder_SiO2=[50, 52, 45], binder_Al2O3=[25, 22, 21], activator_Na2O=[6, 8, 7], activator_SiO2=[9, 8, 12],
        water_binder=[0.35, 0.4, 0.42],
    )  # fmt: skip
    d = MixFeatures().fit(frame).transform(frame)
    moles = {o: molar_mass(o) for o in ("SiO2", "Al2O3", "Na2O", "H2O")}
    assert d["SiO2/Al2O3 molar"][0] == pytest.approx((59 / moles["SiO2"]) / (25 / moles["Al2O3"]))
    assert d["Na2O/Al2O3 molar"][1] == pytest.approx((8 / moles["Na2O"]) / (22 / moles["Al2O3"]))
    assert d["Na2O/SiO2 molar"][2] == pytest.approx((7 / moles["Na2O"]) / (57 / moles["SiO2"]))
    assert d["H2O/Na2O molar"][0] == pytest.approx((35 / moles["H2O"]) / (6 / moles["Na2O"]))
    assert d["activator modulus"][0] == pytest.approx((9 / moles["SiO2"]) / (6 / moles["Na2O"]))


def test_alkali_of_solid_hydroxide_and_silica_by_the_modulus():
    soda = molar_mass("Na2O") / (2 * molar_mass("NaOH"))
    frame = rows(fly_ash_kg_m3=[400, 380, 350], slag_kg_m3=[0, 40, 90], naoh_kg_m3=[20, 25, 21],
                 water_kg_m3=[180, 170, 160])  # fmt: skip
    d = MixFeatures().fit(frame).transform(frame)
    assert d["activator Na2O"].tolist() == pytest.approx([5 * soda, 2500 / 420 * soda, 2100 / 440 * soda])
    unknown = frame.assign(sodium_silicate_kg_m3=[40.0, 50, 60])
    assert "activator Na2O" not in MixFeatures().fit(unknown).get_feature_names_out()
    by_modulus = rows(na2o_pct_of_binder=[4, 5, 6], silica_modulus=[1, 1.2, 1.5], precursor_SiO2_pct=[50, 48, 47],
                      precursor_Al2O3_pct=[25, 24, 20])  # fmt: skip
    ratio = column(by_modulus, "SiO2/Al2O3 molar")
    silica = 48 / molar_mass("SiO2") + 1.2 * 5 / molar_mass("Na2O")
    assert ratio[1] == pytest.approx(silica / (24 / molar_mass("Al2O3")))


def test_silica_of_an_unknown_activator_is_not_taken_as_zero():
    frame = rows(na2o_pct_of_binder=[4, 5, 6], precursor_SiO2_pct=[50, 48, 47], precursor_Al2O3_pct=[25, 24, 20])
    names = MixFeatures().fit(frame).get_feature_names_out()
    assert "SiO2/Al2O3 molar" not in names
    assert "Na2O/Al2O3 molar" in names


def test_particles_curing_and_calcination_columns():
    frame = rows(slag_kg_m3=[400, 300, 350, 380], water_kg_m3=[150, 160, 170, 155], slag_d10_um=[2, 3, 1, 1.5],
                 slag_d50_um=[10, 20, 15, 12], slag_d90_um=[42, 63, 40, 45], slag_blaine_m2_kg=[400, 450, 500, 430],
                 curing_temperature_degC=[60, 80, 40, 20], curing_time_h=[24, 12, 48, 10],
                 autoclave_temperature_degC=[180, 190, 200, 175], autoclave_time_h=[6, 8, 7, 10],
                 autoclave_pressure_MPa=[1.0, 1.2, 1.5, 0.9], co2_concentration_pct=[20, 99, 10, 15],
                 carbonation_time_h=[24, 2, 48, 30], calcination_temperature_degC=[700, 800, 750, 650],
                 calcination_time_min=[60, 120, 90, 100], raw_loi_pct=[10, 12, 11, 13],
                 loi_after_calcination_pct=[1, 0.6, 0.5, 2])  # fmt: skip
    d = MixFeatures().fit(frame).transform(frame)
    assert d["span of slag"].tolist() == pytest.approx([4, 3, 2.6, 3.625])
    assert d["blaine/water"][0] == pytest.approx(400 * 400 / 150)
    assert d["heat dose"].tolist() == pytest.approx([960, 720, 960, 0])
    assert d["autoclave dose"][1] == pytest.approx(720)
    assert d["autoclave pressure dose"][1] == pytest.approx(9.6)
    assert d["CO2 dose"].tolist() == pytest.approx([480, 198, 480, 450])
    assert d["calcination severity"][0] == pytest.approx(973.15 * 20 / 1000)
    assert d["LOI left"].tolist() == pytest.approx([0.1, 0.05, 0.5 / 11, 2 / 13])


def test_amounts_are_told_apart_by_the_type_beside_them():
    frame = pd.DataFrame({
        "cement_kg_m3": [300.0, 320, 340, 350, 310], "water_kg_m3": [180.0, 175, 170, 160, 150],
        "scm1_kg_m3": [100.0, 50, 0, 60, 40], "scm1_type": ["GGBFS", "fly ash", "", "GGBFS", "dust"],
        "scm2_kg_m3": [0.0, 20, 0, 10, 0], "scm2_type": ["", "SF", "", "SF", ""],
        "clinker_fraction": [1.0, 0.7, 0.9, 0.8, 0.95],
    })  # fmt: skip
    b = MixFeatures().fit(frame)
    d = b.transform(frame)
    assert d["slag/binder"].tolist() == pytest.approx([0.25, 0, 0, 60 / 420, 0])
    assert d["silica_fume/binder"].tolist() == pytest.approx([0, 20 / 390, 0, 10 / 420, 0])
    assert d["scm/binder"].tolist() == pytest.approx([0, 0, 0, 0, 40 / 350])
    assert d["k_binder/water"][1] == pytest.approx((320 + 0.4 * 50 + 2 * 20) / 175)
    assert d["clinker/water"][1] == pytest.approx(224 / 175)
    new = frame.assign(scm1_type=["", "fly ash", "", "GGBFS", "something new"])
    assert np.isnan(b.transform(new)["slag/binder"]).tolist() == [True, False, False, False, True]


@pytest.mark.parametrize("heading", ["cement", "水泥", "水泥(foo)", "cement (lb/yd)"])
def test_a_binder_without_a_unit_leaves_no_total_instead_of_a_wrong_one(heading):
    frame = concrete().rename(columns={"cement_kg_m3": heading})
    b = MixFeatures().fit(frame, age="age_d")
    assert b.meanings_[heading] == "cement"
    names = [f.name for f in b.features_ if f.kind == "derived"]
    assert not any("binder" in name or "cement" in name or "paste" in name for name in names), names
    assert any(f"no feature is made of '{heading}'" in n for n in b.notices_)
    assert any(f"no total of binders: '{heading}'" in n for n in b.notices_)
    told = MixFeatures().fit(frame, age="age_d", units={heading: "kg/m3"})
    assert {"binder", "water/binder"} <= set(told.get_feature_names_out())


# -- the age
def test_age_is_equivalent_where_temperatures_differ():
    frame = concrete(6).assign(curing_temperature_degC=[20.0, 40, 10, -20, np.nan, 20])
    b = MixFeatures().fit(frame, age="age_d", property="strength")
    age = b.features_[-1]
    assert (age.name, age.kind, age.monotone) == (EQUIVALENT_AGE, "age", 1)
    days, t = frame["age_d"].to_numpy(), frame["curing_temperature_degC"].to_numpy()
    expected = days.copy()
    expected[:3] = freiesleben_hansen_pedersen(days[:3], t[:3])
    np.testing.assert_allclose(np.exp(b.design(frame).values[:, -1]), expected)
    assert any("1 rows were cured outside -10 to 80 degC" in n for n in b.notices_)
    assert any("1 rows tell no curing temperature" in n for n in b.notices_)
    assert "curing_temperature_degC" in b.get_feature_names_out()
    saul = MixFeatures("nurse_saul").fit(frame, age="age_d").design(frame)
    assert np.exp(saul.values[1, -1]) == pytest.approx(days[1] * 50 / 30)
    assert MixFeatures("none").fit(frame, age="age_d").features_[-1].name == AGE


def test_age_is_plain_without_cement_or_at_one_temperature():
    warm = concrete().assign(curing_temperature_degC=60.0)
    assert MixFeatures().fit(warm, age="age_d").features_[-1].name == AGE
    ash = concrete().drop(columns="cement_kg_m3").assign(curing_temperature_degC=np.linspace(20, 80, 12))
    assert MixFeatures().fit(ash, age="age_d").features_[-1].name == AGE


def test_heat_lasts_as_long_as_the_table_says():
    cured = {"curing_temperature_degC": [60.0, 20, 60, 40], "curing_time_h": [24.0, 48, 48, np.nan]}
    frame = concrete(4).assign(age_d=[28.0, 28, 1, 28], **cured)
    days = np.exp(MixFeatures().fit(frame, age="age_d").design(frame).values[:, -1])
    rate = freiesleben_hansen_pedersen(1, 60)
    assert days == pytest.approx([27 + rate, 28, rate, 28])


def test_age_zero_is_younger_than_any_test_and_below_it_is_refused():
    frame = concrete()
    b = MixFeatures().fit(frame, age="age_d", property="compressive_strength")
    young = b.design(frame.assign(age_d=[0.0, 1e-3, np.nan, *frame["age_d"][3:]])).values[:, -1]
    assert young[0] == np.log(1e-9) < young[1] and np.isnan(young[2])
    with pytest.raises(ModelError, match=r"age_d is -3 d in row 2 \(and in 1 more\).*0 d or more"):
        b.design(frame.assign(age_d=[1.0, -3.0, -1.0, *frame["age_d"][3:]]))
    for age in (0.0, -1.0):
        with pytest.raises(ModelError, match=rf"age_d is {age:g} d in row 1; a test has an age above 0"):
            MixFeatures().fit(frame.assign(age_d=[age, *frame["age_d"][1:]]), age="age_d")


@pytest.mark.parametrize("maturity", ["freiesleben_hansen_pedersen", "nurse_saul"])
def test_age_zero_and_a_negative_age_of_cured_mixes(maturity):
    frame = concrete(6).assign(curing_temperature_degC=[20.0, 40, 10, 5, 20, 20])
    b = MixFeatures(maturity).fit(frame, age="age_d", property="strength")
    assert (b.design(frame.assign(age_d=0.0)).values[:, -1] == np.log(1e-9)).all()
    with pytest.raises(ModelError, match="age_d is -7 d in row 1"):
        b.design(frame.assign(age_d=-7.0))


def test_at_the_datum_of_nurse_and_saul_no_equivalent_age_holds():
    frame = concrete(6).assign(curing_temperature_degC=[20.0, 40, -10, -9, 20, 20])
    b = MixFeatures("nurse_saul").fit(frame, age="age_d")
    days = np.exp(b.design(frame).values[:, -1])
    assert days[2] == pytest.approx(frame["age_d"][2]) and days[3] == pytest.approx(frame["age_d"][3] / 30)
    assert any("1 rows were cured outside -10 to 80 degC (and at -10 degC)" in n for n in b.notices_)
    assert equivalent_age([7.0], [-10.0])[0] == freiesleben_hansen_pedersen(7.0, -10.0)


def test_a_property_in_mpa_that_is_no_known_strength_is_named():
    frame = concrete()
    said = MixFeatures().fit(frame, age="age_d", property="load at break (MPa)")
    assert any("'load at break (MPa)' is in MPa but is not known as a strength" in n for n in said.notices_)
    by_unit = MixFeatures().fit(frame, age="age_d", property="kp", property_unit="psi")
    assert any("'kp' is in psi" in n for n in by_unit.notices_) and by_unit.features_[-1].monotone == 0
    for name, unit in (("UCS", "MPa"), ("R28_MPa", ""), ("drying_shrinkage", "mm/m"), ("", "MPa"), ("flow_mm", "")):
        fitted = MixFeatures().fit(frame, age="age_d", property=name, property_unit=unit)
        assert not any("not known as a strength" in n for n in fitted.notices_)
    assert not any("not known as" in n for n in MixFeatures().fit(frame, property="kp", property_unit="MPa").notices_)


def test_monotone_by_property():
    frame = concrete()
    for name, sign in (("compressive_strength", 1), ("抗折强度", 1), ("drying_shrinkage", 0), ("", 0)):
        assert MixFeatures().fit(frame, age="age_d", property=name).features_[-1].monotone == sign


# -- the builder
def test_what_is_missing_stays_missing():
    frame = concrete()
    frame.loc[2, "fly_ash_kg_m3"] = np.nan
    d = MixFeatures().fit(frame, age="age_d").transform(frame)
    lost = d.columns[d.loc[2].isna()]
    assert {"fly_ash_kg_m3", "binder", "water/binder", "SCM/binder", "total mass"} <= set(lost)
    assert {"water/cement", "fine/aggregate", AGE}.isdisjoint(lost)
    assert not d.drop(index=2).isna().any(axis=None)


def test_categories_constants_and_empty_columns():
    frame = pd.DataFrame({"x": [1.0, 2, 3, 4], "mould": ["A", "B", "", "A"], "cure": ["wet"] * 4, "same": 5.0,
                          "empty": np.nan})  # fmt: skip
    b = MixFeatures().fit(frame)
    assert b.get_feature_names_out() == ["x", "mould=A", "mould=B"]
    assert b.constants_ == {"cure": "wet", "same": 5.0, "empty": None}
    assert any("cure (wet), same (5.0), empty (empty)" in n for n in b.notices_)
    values = b.design(frame.assign(mould=["A", "B", "", "C"])).values[:, 1:]
    np.testing.assert_array_equal(values, [[1, 0], [0, 1], [np.nan, np.nan], [np.nan, np.nan]])


def test_plain_numbers_without_any_role():
    frame = rows(a=[1, 2, 3], b=[3, 1, 2])
    b = MixFeatures().fit(frame)
    np.testing.assert_array_equal(b.design(frame).values, frame.to_numpy())
    assert b.meanings_ == {}
    with pytest.raises(ModelError, match="constant or empty"):
        MixFeatures().fit(rows(a=[1, 1, 1]))


def test_derived_features_that_say_nothing_new_are_left_out():
    frame = rows(cement_kg_m3=[300, 320, 340, 400], slag_kg_m3=[100, 80, 60, 0], water_kg_m3=[180, 170, 160, 185])
    b = MixFeatures().fit(frame)
    names = b.get_feature_names_out()
    assert "binder" not in names  # 400 in all rows
    assert "slag/binder" not in names  # says what slag says
    assert any("without information in these rows: binder" in n for n in b.notices_)
    assert any("slag/binder (says what cement_kg_m3 says)" in n for n in b.notices_)


def test_a_column_called_as_a_feature_keeps_its_values():
    frame = concrete().rename(columns={"superplasticizer_kg_m3": "water/binder"})
    d = MixFeatures().fit(frame, age="age_d").transform(frame)
    np.testing.assert_array_equal(d["water/binder"], frame["water/binder"])
    assert "water/binder (computed)" in d or "k_binder/water" in d


def test_json_round_trip_is_exact():
    frame = concrete(30).assign(curing_temperature_degC=np.linspace(5, 60, 30), kind=["a", "b", "c"] * 10, same=1.0)
    for pair in ("scm1", "scm2"):
        frame[f"{pair}_kg_m3"] = np.linspace(0, 50, 30)[:: 1 if pair == "scm1" else -1]
        frame[f"{pair}_type"] = ["SF", "GGBFS", "other"] * 10
    b = MixFeatures().fit(frame, age="age_d", property="strength")
    again = MixFeatures.from_dict(json.loads(json.dumps(b.to_dict())))
    assert again.features_ == b.features_
    assert (again.constants_, again.notices_, again.levels_) == (b.constants_, b.notices_, b.levels_)
    np.testing.assert_array_equal(again.design(frame).values, b.design(frame).values)
    assert again.to_dict() == b.to_dict()
    with pytest.raises(ModelError, match="schema"):
        MixFeatures.from_dict({"schema": 7})
    with pytest.raises(ModelError, match="missing or wrong"):
        MixFeatures.from_dict({"schema": 1})


def test_parameters_follow_scikit_learn():
    from sklearn.base import clone

    b = clone(MixFeatures(maturity="none"))
    assert b.get_params() == {"maturity": "none", "derived": True}
    assert repr(b.set_params(derived=False)) == "MixFeatures(maturity='none', derived=False)"
    frame = concrete()
    assert {f.kind for f in b.fit(frame, age="age_d").features_} == {"input", "age"}
    with pytest.raises(UnknownNameError, match="maturity"):
        b.set_params(maturty="x")
    with pytest.raises(UnknownNameError, match=r"nurse_saul.*Did you mean"):
        MixFeatures("nurse-saul").fit(frame)
    with pytest.raises(UnknownNameError, match="age_days"):
        MixFeatures().fit(frame, age="age_days")
    with pytest.raises(UnknownNameError, match="water_kg_m3"):
        MixFeatures().fit(frame, age="age_d").design(frame.drop(columns="water_kg_m3"))


def test_no_rows_make_an_empty_design():
    frame = concrete().assign(curing_temperature_degC=np.linspace(5, 60, 12), kind=["a", "b"] * 6)
    b = MixFeatures().fit(frame, age="age_d")
    assert b.design(frame.head(0)).values.shape == (0, len(b.features_))


MASSES = st.lists(st.floats(1.0, 500.0), min_size=9, max_size=9)


@settings(max_examples=40, deadline=None)
@given(scale=st.floats(0.05, 20.0), mix=MASSES)
def test_a_larger_batch_has_the_same_ratios(scale, mix):
    frame = concrete()
    b = MixFeatures().fit(frame, age="age_d")
    row = pd.DataFrame([[*mix, 28.0]], columns=frame.columns)
    larger = row.assign(**{c: row[c] * scale for c in row.columns[:-1]})
    one, other = b.transform(row).iloc[0], b.transform(larger).iloc[0]
    sums = {"binder", "paste volume", "total mass", *row.columns}
    for name in one.index:
        factor = scale if name in sums else 1.0
        assert other[name] == pytest.approx(factor * one[name], rel=1e-9), name


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(10)))
def test_order_of_columns_does_not_matter(order):
    frame = concrete()
    one = MixFeatures().fit(frame, age="age_d").transform(frame)
    other = frame[[frame.columns[i] for i in order]]
    again = MixFeatures().fit(other, age="age_d").transform(other)
    assert set(one.columns) == set(again.columns)
    for name in one.columns:
        np.testing.assert_allclose(again[name], one[name], rtol=1e-12)


def test_every_entry_has_words_a_source_and_a_function():
    names = [d.name for d in CATALOGUE]
    assert len(set(names)) == len(names)
    for d in CATALOGUE:
        assert d.formula and d.source.text and d.title_zh
        assert d.function.__doc__
