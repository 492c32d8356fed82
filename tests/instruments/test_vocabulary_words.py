"""The vocabulary: elements, phases, techniques within a title, and that no word means two things."""

from __future__ import annotations

import pytest
from periodictable import elements

from wastelab.instruments import vocabulary
from wastelab.instruments.readers._sheet_headings import parse


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("Pb", "Pb"), ("PB", "Pb"), ("铅", "Pb"), ("总铅", "Pb"), ("total lead", "Pb"), ("Pb 220.353", "Pb"),
     ("Ag 107", "Ag"), ("TFe", "Fe"),
     ("CO", ""), ("no", ""), ("ND", ""), ("as", ""), ("sample", ""), ("", "")],
)  # fmt: skip
def test_elements(text: str, symbol: str) -> None:
    assert vocabulary.element(text) == symbol


def test_every_element_up_to_uranium_that_can_be_in_a_waste_is_known() -> None:
    never = {"Tc", "Pm", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Pa"}  # no stable isotope and not measured as an element
    expected = {e.symbol for e in elements if 1 <= e.number <= 92} - never
    assert {vocabulary.element(symbol) for symbol in expected} == expected


@pytest.mark.parametrize(
    ("title", "code"),
    [("赤泥重金属检测表", "metals"), ("XRF", "XRF"),
     ("2026年赤泥化学成分检测结果", "XRF"), ("浸出毒性 HJ/T 299", "leaching"),
     ("leaching results (EN 12457-2)", "leaching"), ("XRD物相定量", "QPA"),
     ("放射性", "radionuclides"), ("Sheet1", ""), ("说明", "")],
)  # fmt: skip
def test_techniques_within_a_title(title: str, code: str) -> None:
    assert vocabulary.technique_in(title) == code


@pytest.mark.parametrize(
    ("heading", "role", "name"),
    [
        ("样品编号*", "field", "sample"),
        ("w(SiO2)/%", "quantity", "SiO2"),
        ("SiO2含量(%)", "quantity", "SiO2"),
        ("SiO2(%,干基)", "quantity", "SiO2"),
        ("u(SiO2)", "sigma", "SiO2"),
        ("SiO2 U (k=2)", "sigma", "SiO2"),
        ("SiO2扩展不确定度", "sigma", "SiO2"),
        ("铅u", "sigma", "Pb"),
        ("SiO2检出限", "lod", "SiO2"),
        ("LOD(SiO2)", "lod", "SiO2"),
        ("SiO2 RSD (%)", "relative_sigma", "SiO2"),
        ("K", "quantity", "K"),
        ("k", "field", "coverage"),
        ("Rwp (%)", "meta", "Rwp"),
        ("mg/kg", "unknown", "mg/kg"),
        ("foo", "unknown", "foo"),
        ("浸出Pb (mg/L)", "quantity", "leachate_Pb"),
    ],
)
def test_headings(heading: str, role: str, name: str) -> None:
    found = parse(heading)
    assert (found.role, found.name) == (role, name)


def test_an_age_in_a_heading_is_a_field() -> None:
    found = parse("28d抗压强度(MPa)")
    assert (found.name, found.age, found.unit) == ("compressive_strength", "28 d", "MPa")


def test_phases_have_one_name() -> None:
    assert vocabulary.phase("石英") == vocabulary.phase("Quartz") == "quartz"
    assert vocabulary.phase("C4A3S") == "C4A3S"


def test_the_title_of_every_quantity_means_that_quantity() -> None:
    for name in vocabulary.names():
        for word in (name, vocabulary.term(name).title_zh):
            if word:
                found = vocabulary.find(word)
                assert found is not None and found.name == name, word
