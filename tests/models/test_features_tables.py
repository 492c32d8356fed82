"""Public tables of mixes get the features an engineer expects; each is skipped, saying so, where it is not there."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wastelab.models.builder import AGE, EQUIVALENT_AGE, MixFeatures
from wastelab.models.table import read_table

SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "datasets"
CONCRETE = {"binder/water", "water/binder", "water/cement", "k_binder/water", "SCM/binder"}


def read(file, target, **how):
    """A shared table and the builder fitted to it."""
    path = SHARED / file
    if not path.is_file():
        pytest.skip(f"{path} is not there: the features of this table are not checked")
    data = read_table(path, target, **how)
    return data, MixFeatures().fit(data.features, age=data.age, units=data.units, property=data.name)


def derived(builder):
    return {f.name for f in builder.features_ if f.kind == "derived"}


def test_uci_concrete():
    data, b = read("uci_concrete/concrete.csv", "compressive_strength")
    assert derived(b) >= CONCRETE | {"binder", "slag/binder", "fly_ash/binder", "fine/aggregate", "paste volume"}
    assert b.features_[-1].name == AGE
    assert b.features_[-1].monotone == 1
    assert b.notices_ == ()
    design = b.design(data.features)
    assert not np.isnan(design.values).any()
    ratio = design.values[:, design.names.index("water/binder")]
    assert (ratio.min(), ratio.max()) == (pytest.approx(0.235, abs=1e-3), pytest.approx(0.90, abs=1e-3))  # its README


def test_boxcrete():
    others = ["strength_1_MPa", "strength_2_MPa", "strength_3_MPa", "strength_sd_MPa", "slump_mm", "n_specimens"]
    data, b = read("boxcrete/strength.csv", "strength_mean", drop=others)
    assert derived(b) >= CONCRETE | {"undeclared/binder", "superplasticizer/binder"}
    assert b.constants_ == {"mrwr_kg_m3": 0.0, "vma_oz_cwt": 0.0}
    age = next(f for f in b.features_ if f.kind == "age")
    assert age.name == EQUIVALENT_AGE
    assert any("10 rows were cured outside" in n for n in b.notices_)  # those at -20 degC
    design = b.design(data.features)
    cold = data.features["curing_temperature_degC"].to_numpy() == 10
    days = data.features["age_d"].to_numpy()
    assert np.exp(design.values[cold, design.age]) == pytest.approx(0.4973 * days[cold], rel=1e-3)
    rest = design.values[:, design.names.index("undeclared/binder")]
    assert np.nanmax(rest) == pytest.approx(134 / 667, abs=2e-3)


def test_scm_concrete_28d():
    data, b = read("scm_concrete_28d/concrete.csv", "strength_28d_cube150_wet")
    shares = {f"{name}/binder" for name in ("fly_ash", "slag", "silica_fume", "natural_pozzolan", "calcareous_fly_ash")}
    assert derived(b) >= CONCRETE | shares | {"clinker/binder", "clinker/water"}
    table = b.transform(data.features)
    slag = (data.features["scm1_type"] == "GGBFS").to_numpy()
    mass = data.features["scm1_kg_m3"].to_numpy()
    binder = mass + data.features["cement_kg_m3"].to_numpy() + data.features["scm2_kg_m3"].to_numpy()
    np.testing.assert_allclose(table["slag/binder"], np.where(slag, mass / binder, 0.0))
    assert table["k_binder/water"].notna().all()


def test_rac_multinational():
    data, b = read("rac_multinational/concrete.csv", "strength_cyl100x200")
    assert derived(b) >= CONCRETE | {"recycled/aggregate", "silica_fume/binder", "total mass"}
    f = next(f for f in b.features_ if f.name == "water/binder")
    assert "effective_water" in f.formula
    assert not np.isnan(b.design(data.features).values).any()


def test_rac_scm_chemistry():
    path = SHARED / "rac_scm_chemistry" / "concrete.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not there: the features of this table are not checked")
    frame = pd.read_csv(path, thousands=",")
    amounts = [c for c in frame.columns if c.endswith("_kg_m3")]
    binders = pd.read_csv(path.with_name("binders.csv")).dropna(subset=["study_number"])
    ash = binders[binders["binder"].str.strip() == "OPC"].groupby("study_number")[["CaO_pct", "SiO2_pct"]].mean()
    table = frame[[*amounts, "fc_cube_28d_mpa", "study_number"]].join(ash.add_prefix("cement_"), on="study_number")
    table = table[table["fc_cube_28d_mpa"].notna() & (table[amounts[1:7]].fillna(0).sum(axis=1) == 0)]
    plain = table[["cement_kg_m3", "water_kg_m3", "nca_kg_m3", "rca_kg_m3", "nfa_kg_m3", "cement_CaO_pct",
                   "cement_SiO2_pct", "fc_cube_28d_mpa", "study_number"]]  # fmt: skip
    data = read_table(plain, "fc_cube_28d_mpa", unit="MPa")
    b = MixFeatures().fit(data.features, units=data.units, property=data.name)
    assert derived(b) >= {"water/binder", "recycled/aggregate", "fine/aggregate", "CaO/SiO2"}
    assert b.transform(data.features)["CaO/SiO2"].median() == pytest.approx(3.0, abs=0.3)  # Portland cement
    whole = read_table(frame[[*amounts, "fc_cube_28d_mpa"]], "fc_cube_28d_mpa", unit="MPa")
    every = MixFeatures().fit(whole.features, units=whole.units)
    empty = whole.features["fly_ash_kg_m3"].isna().to_numpy()
    assert empty.any()
    assert (
        "water/binder" not in derived(every) or np.isnan(every.transform(whole.features)["water/binder"][empty]).all()
    )


def test_onepart_geopolymer():
    data, b = read("onepart_geopolymer/mixes.csv", "compressive_strength_28d")
    assert derived(b) == {"binder", "fly_ash/binder", "H2O/Na2O molar"}
    assert not any(f.kind == "age" for f in b.features_)
    binder = b.transform(data.features)["binder"]
    assert int((binder < 0.999).sum()) == 8  # its README: eight rows do not sum to 100
