"""Headings with units, and the conversion of units to those of the vocabulary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.errors import UnitError
from wastelab.instruments.units import factor, looks_like_unit, normalise, split_heading


@pytest.mark.parametrize(
    ("heading", "name", "unit"),
    [
        ("SiO2 (wt%)", "SiO2", "wt%"),
        ("SiO2, wt%", "SiO2", "wt%"),
        ("SiO2 [wt.-%]", "SiO2", "wt%"),
        ("CaO/%", "CaO", "%"),
        ("w(SiO2)/%", "w(SiO2)", "%"),
        ("Pb(mg/kg)", "Pb", "mg/kg"),
        ("Pb [mg/kg]", "Pb", "mg/kg"),
        ("比表面积/(m²/kg)", "比表面积", "m2/kg"),
        ("比表面积(勃氏法)(m2/kg)", "比表面积(勃氏法)", "m2/kg"),
        ("导热系数 W/(m·K)", "导热系数", "W/(m*K)"),
        ("导热系数(W/(m·K))", "导热系数", "W/(m*K)"),
        ("λ/W/(m·K)", "λ", "W/(m*K)"),
        ("28d抗压强度（ＭＰａ）", "28d抗压强度", "MPa"),
        ("Ra-226 (Bq·kg⁻¹)", "Ra-226", "Bq/kg"),
        ("密度 g/cm³", "密度", "g/cm3"),
        ("d(0.5) (μm)", "d(0.5)", "um"),
        ("residue 45 um (%)", "residue 45 um", "%"),
        ("CaO/SiO2", "CaO/SiO2", ""),
        ("钾(K)", "钾(K)", ""),
        ("d(0.5)", "d(0.5)", ""),
        ("比表面积(勃氏法)", "比表面积(勃氏法)", ""),
        ("pH (-)", "pH", "1"),
        ("MPa", "MPa", ""),
    ],
)
def test_headings(heading: str, name: str, unit: str) -> None:
    assert split_heading(heading) == (name, unit)


@given(st.text(max_size=40))
def test_no_heading_loses_its_name(heading: str) -> None:
    name, unit = split_heading(heading)
    assert name or not heading.strip() or not unit
    assert not unit or looks_like_unit(unit)


@given(st.sampled_from(["SiO2", "烧失量", "抗压强度", "d(0.5)", "Ra-226"]),
       st.sampled_from(["wt%", "mg/kg", "MPa", "m2/kg", "W/(m*K)"]),
       st.sampled_from(["{} ({})", "{}({})", "{}/{}", "{} [{}]", "{}, {}", "{} {}", "{}/({})"]))  # fmt: skip
def test_every_way_to_write_a_unit(name: str, unit: str, form: str) -> None:
    assert split_heading(form.format(name, unit)) == (name, unit)


@pytest.mark.parametrize(
    ("unit", "target", "expected"),
    [
        ("ppm", "wt%", 1e-4),
        ("mg/kg", "%", 1e-4),
        ("g/kg", "wt%", 0.1),
        ("％", "wt%", 1.0),
        ("㎡／kg", "m2/kg", 1.0),
        ("cm2/g", "m2/kg", 0.1),
        ("m2/g", "m2/kg", 1000.0),
        ("kg/m3", "g/cm3", 0.001),
        ("N/mm2", "MPa", 1.0),
        ("h", "min", 60.0),
        ("nm", "um", 0.001),
        ("ug/L", "mg/L", 0.001),
        ("kJ/kg", "MJ/kg", 0.001),
        ("兆帕", "MPa", 1.0),
    ],
)
def test_factors(unit: str, target: str, expected: float) -> None:
    assert factor(unit, target) == expected


@pytest.mark.parametrize(
    ("unit", "target"), [("mg/L", "mg/kg"), ("at%", "wt%"), ("degC", "K"), ("MPa", "kN"), ("foo", "wt%")]
)
def test_what_cannot_be_converted_is_refused(unit: str, target: str) -> None:
    with pytest.raises(UnitError, match="unit"):
        factor(unit, target)


def test_single_letters_of_elements_are_no_units() -> None:
    assert not any(looks_like_unit(x) for x in ("K", "N", "S", "V", "W", "C", "SiO2", "Si", "Pb"))
    assert all(looks_like_unit(x) for x in ("W/(m·K)", "N/mm2", "mS/cm", "%", "wt%", "Bq kg-1", "℃"))
    assert normalise("(mg/kg)") == "mg/kg" and normalise("W/(m·K)") == "W/(m*K)"


@pytest.mark.parametrize(
    "unit", ["m**9**9**9", "kg*9999999", "__import__('os')", "m^(9)", "(((", "ma.)9+ss%", "m" * 500]
)
def test_a_unit_is_never_an_expression(unit: str) -> None:
    with pytest.raises(UnitError, match="unit"):
        factor(unit, "wt%")
