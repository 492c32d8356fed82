"""Bases, uncertainty, detection limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.chemistry import Composition
from wastelab.errors import CompositionError, MissingDataError

LIMESTONE = {"CaO": 52.0, "SiO2": 3.5, "Al2O3": 1.0, "Fe2O3": 0.5, "LOI": 42.0}


def test_ignited_by_hand():
    ignited = Composition(LIMESTONE).to_basis("ignited")
    assert ignited["CaO"] == pytest.approx(52.0 / 0.58)
    assert ignited["LOI"] == 42.0  # kept, so that the way back is open


def test_moisture_by_hand():
    wet = Composition({"SiO2": 20.0, "LOI": 12.0}, moisture=30.0).to_basis("as_received")
    assert wet["SiO2"] == pytest.approx(14.0)


@given(st.floats(-3, 55), st.floats(0, 60), st.floats(1, 40), st.floats(0, 5), st.floats(0, 2))
def test_there_and_back(loi, moisture, sio2, s_sio2, s_loi):
    start = Composition({"SiO2": sio2, "LOI": loi}, sigma={"SiO2": s_sio2, "LOI": s_loi}, moisture=moisture)
    back = start.to_basis("ignited").to_basis("as_received").to_basis("dry")
    assert back["SiO2"] == pytest.approx(sio2, rel=1e-12)


def test_uncertainty_agrees_with_monte_carlo():
    start = Composition({"SiO2": 20.0, "LOI": 12.0}, sigma={"SiO2": 0.5, "LOI": 0.8}, moisture=30.0, moisture_sigma=2.0)
    rng = np.random.default_rng(1)
    n = 400_000
    drawn = (20.0 + 0.5 * rng.standard_normal(n)) / (1 - (12.0 + 0.8 * rng.standard_normal(n)) / 100)
    assert start.to_basis("ignited").sigma["SiO2"] == pytest.approx(drawn.std(), rel=0.01)
    drawn = (20.0 + 0.5 * rng.standard_normal(n)) * (1 - (30.0 + 2.0 * rng.standard_normal(n)) / 100)
    assert start.to_basis("as_received").sigma["SiO2"] == pytest.approx(drawn.std(), rel=0.01)


def test_needs_loi_and_moisture():
    with pytest.raises(MissingDataError, match="LOI"):
        Composition({"SiO2": 20.0}).to_basis("ignited")
    with pytest.raises(MissingDataError, match="moisture"):
        Composition({"SiO2": 20.0}).to_basis("as_received")


def test_detection_limits():
    c = Composition.from_dict({"SiO2": 20.0, "Cl": "<0.01", "MnO": "未检出"}, lod={"MnO": 0.02})
    assert c["Cl"] == 0.005
    assert c.lod == {"Cl": 0.01, "MnO": 0.02}
    assert "Cl < 0.01" in repr(c)
    with pytest.raises(CompositionError, match="without a detection limit"):
        Composition.from_dict({"Cl": "ND"})


def test_closure():
    assert Composition(LIMESTONE).closure().ok
    short = Composition({"SiO2": 50.0, "Al2O3": 20.0}).closure()
    assert not short.ok
    assert "LOI was not given" in short.message
    with pytest.raises(CompositionError, match="outside 95-103"):
        Composition({"SiO2": 80.0, "CaO": 40.0}).closure(strict=True)


def test_free_lime_is_part_of_cao():
    assert Composition({"CaO": 60.0, "SiO2": 40.0, "free_CaO": 5.0}).closure().total == 100.0


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"SiO2": -1.0}, "negative"),
        ({"SiO2": 101.0}, "more than 100"),
        ({"SiO2": float("nan")}, "leave a content out"),
        ({"silica?": 3.0}, "not a formula"),
    ],
)
def test_impossible_contents(values, match):
    with pytest.raises(CompositionError, match=match):
        Composition(values)


def test_bad_basis_and_text():
    with pytest.raises(CompositionError, match="basis"):
        Composition({"SiO2": 1.0}, "wet")
    with pytest.raises(CompositionError, match="not a number"):
        Composition.from_dict({"SiO2": "much"})
