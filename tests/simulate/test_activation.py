"""Activation of kaolinite: stoichiometry, limits, calibration of reactivity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import MissingDataError, ValidityError
from wastelab.reference import material
from wastelab.simulate import activation as act

unit = st.floats(0.0, 1.0)


def test_kaolinite_from_water():
    # kaolinite holds 13.96 wt% water
    assert act.kaolinite_from_mass_loss(13.957) == pytest.approx(100.0, abs=0.01)
    assert act.kaolinite_from_mass_loss([0.0, 6.9785]) == pytest.approx([0.0, 50.0], abs=0.01)
    with pytest.raises(ValidityError, match="mass loss of kaolinite"):
        act.kaolinite_from_mass_loss(20.0)


def test_pure_kaolinite_to_metakaolinite():
    ds = act.activation_state(100.0, 1.0)
    assert ds["metakaolinite"].item() == pytest.approx(100.0)
    # factor table F012: loss-free kaolinite has 45.902 wt% Al2O3
    assert ds["reactive_Al2O3"].item() == pytest.approx(45.902, abs=1e-3)
    assert ds["reactive_SiO2"].item() == pytest.approx(100 - 45.902, abs=1e-3)
    assert ds["loss"].item() == pytest.approx(100 * 2 * molar_mass("H2O") / molar_mass("kaolinite"))
    assert ds["LOI_left"].item() == 0.0
    assert ds.attrs["evidence"] == "computed"


@given(st.floats(0, 90), unit, unit, st.floats(0, 10))
def test_mass_of_kaolinite_is_conserved(k, a, b, other):
    ds = act.activation_state(k, a, b, other_loss=other)
    calcined = 100 - ds["loss"].item()
    kept = (ds["kaolinite"] + ds["metakaolinite"] + ds["overcalcined"]).item() * calcined / 100
    water = ds["loss"].item() - other
    assert kept + water == pytest.approx(k, abs=1e-9)
    assert ds["LOI_left"].item() * calcined / 100 + water == pytest.approx(k * act.WATER_SHARE, abs=1e-9)
    assert 0 <= ds["active_fraction"].item() <= 1


@given(st.floats(5, 90), st.floats(0, 0.9), st.floats(0, 0.9))
def test_monotone_in_both_steps(k, a, b):
    more = act.activation_state(k, [a, a + 0.1], b)["metakaolinite"].values
    less = act.activation_state(k, a + 0.05, [b, b + 0.1])["metakaolinite"].values
    assert more[1] >= more[0]
    assert less[1] <= less[0]


def test_over_calcination_is_warned():
    ds = act.activation_state(60.0, [0.5, 1.0], [0.0, 0.3])
    assert "over-calcined" in ds.attrs["warnings"]
    assert "less than 95 %" in ds.attrs["warnings"]


def test_calcined_kaolinite_by_hand():
    # 50 % before; 5 % of a calcined mass of 92 % left: 50 - 4.6
    assert act.calcined_kaolinite(50.0, 5.0, 8.0) == pytest.approx(45.4)
    with pytest.raises(ValidityError, match="more kaolinite after"):
        act.calcined_kaolinite(10.0, 30.0, 5.0)


def test_bad_inputs_name_the_value():
    with pytest.raises(ValidityError, match=r"dehydroxylation: found 1\.2"):
        act.activation_state(50.0, 1.2)
    with pytest.raises(ValidityError, match="kaolinite: found nan"):
        act.activation_state(np.nan, 1.0)
    with pytest.raises(ValidityError, match="more than 100"):
        act.activation_state(95.0, 1.0, other_loss=20.0)


def test_kaolinite_is_measured_not_guessed():
    card = material("coal_gangue/kaolinitic")
    if "kaolinite" in card.phases:
        assert act.kaolinite_of(card) == card.phases["kaolinite"].value
    with pytest.raises(MissingDataError, match="Rietveld"):
        act.kaolinite_of(material("raw/quartz"))


def test_fit_agrees_with_scipy():
    rng = np.random.default_rng(3)
    x = np.array([0.0, 17, 35, 50, 68, 95])
    y = 120 + 7.5 * x + rng.normal(0, 15, len(x))
    fit = act.fit_reactivity(x, y)
    ref = stats.linregress(x, y)
    assert (fit.slope, fit.intercept, fit.r2) == pytest.approx((ref.slope, ref.intercept, ref.rvalue**2))
    # prediction interval of the textbook formula
    at = fit.predict([40.0], interval=0.95)
    s = np.sqrt(((y - ref.intercept - ref.slope * x) ** 2).sum() / 4)
    half = stats.t.ppf(0.975, 4) * s * np.sqrt(1 + 1 / 6 + (40 - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    assert (at["upper"] - at["response"]).item() == pytest.approx(half)


def test_reactivity_is_unknown_without_measurement_and_bounded_with():
    with pytest.raises(MissingDataError, match="ASTM C1897"):
        act.reactivity(50.0)
    with pytest.raises(MissingDataError, match="at least four"):
        act.fit_reactivity([20, 40, 60], [300, 450, 600])
    fit = act.fit_reactivity([20, 40, 60, 80], [300, 450, 600, 750])
    assert act.reactivity([50.0], fit)["response"].item() == pytest.approx(525)
    with pytest.raises(ValidityError, match="range of the fit"):
        act.reactivity([95.0], fit)


def test_lc3_margin():
    ds = act.lc3_suitability([30.0, 55.0])
    assert ds["enough"].values.tolist() == [False, True]
    assert ds.attrs["evidence"] == "memory"
