"""Formulas against values anyone can look up (IUPAC standard atomic weights)."""

import pytest

from wastelab.chemistry import atoms, mineral_oxides, molar_mass, oxides_from_elements, oxides_from_minerals
from wastelab.chemistry.formulas import element_to_oxide, oxide_to_element
from wastelab.errors import CompositionError


@pytest.mark.parametrize(
    ("formula", "mass"),
    [
        ("CaO", 56.077),
        ("SiO2", 60.083),
        ("Al2O3", 101.961),
        ("Fe2O3", 159.687),
        ("CaCO3", 100.086),
        ("C4A3S", 610.25),
    ],
)
def test_molar_masses(formula, mass):
    assert molar_mass(formula) == pytest.approx(mass, abs=0.01)


@pytest.mark.parametrize("text", ["CaSO4.2H2O", "CaSO4·2H2O", "CaSO₄·2H₂O", "gypsum", "CaSO4(H2O)2"])
def test_spellings_of_gypsum(text):
    assert molar_mass(text) == pytest.approx(172.164, abs=0.01)
    assert atoms(text) == {"Ca": 1, "S": 1, "O": 6, "H": 4}


def test_hemihydrate_and_brackets():
    assert molar_mass("CaSO4·0.5H2O") == pytest.approx(145.14, abs=0.01)
    assert atoms("Al2Si2O5(OH)4")["H"] == 4


@pytest.mark.parametrize("text", ["", "Xx2O", "caso4", "12", "SiO2!", "red mud"])
def test_nonsense_is_refused(text):
    with pytest.raises(CompositionError, match="not a chemical formula"):
        molar_mass(text)


def test_kaolinite_oxides():
    # Al2O3 39.50, SiO2 46.55, H2O 13.96 wt%: any mineralogy table
    assert mineral_oxides("kaolinite") == pytest.approx({"Al2O3": 39.50, "SiO2": 46.55, "H2O": 13.96}, abs=0.01)


def test_gypsum_oxides():
    assert mineral_oxides("gypsum") == pytest.approx({"CaO": 32.57, "SO3": 46.50, "H2O": 20.93}, abs=0.01)


def test_pyrite_is_not_made_of_oxides():
    with pytest.raises(CompositionError, match="oxygen does not balance"):
        mineral_oxides("pyrite")


def test_siderite_is_ferrous():
    assert "FeO" in mineral_oxides("siderite")


def test_elements_and_oxides_are_inverse():
    assert element_to_oxide("Si") * oxide_to_element("SiO2") == pytest.approx(1.0)
    assert element_to_oxide("Fe") == pytest.approx(1.4297, abs=1e-3)
    assert oxides_from_elements({"Ca": 10.0, "O": 50.0}) == pytest.approx({"CaO": 13.992}, abs=0.001)


def test_minerals_to_oxides():
    mixed = oxides_from_minerals({"calcite": 50.0, "quartz": 50.0})
    assert mixed == pytest.approx({"CaO": 28.02, "CO2": 21.98, "SiO2": 50.0}, abs=0.01)
