"""Mineral phases: given, measured, by a norm that says so, or refused with what to measure."""

from __future__ import annotations

import pytest

import wastelab as wl
from wastelab.chemistry import Composition, Material
from wastelab.chemistry.quantity import Quantity
from wastelab.errors import CompositionError, FractionSumError, MissingDataError, UnknownNameError
from wastelab.provenance import Evidence, Source
from wastelab.simulate.kinetics import mineralogy_of, normative

TEST = Source("made for the test", Evidence.COMPUTED)


def material(waste_class: str, oxides: dict[str, float], **parts: float) -> Material:
    quantities = {k: Quantity(v, "wt%", TEST) for k, v in parts.items()}
    return Material("test", "test", waste_class, Composition(oxides), quantities=quantities)


def test_gangue_norm_returns_the_minerals_it_was_made_of():
    """60 % kaolinite (46.55 SiO2, 39.50 Al2O3, 13.96 H2O), 30 % quartz, 5 % calcite, 5 % carbon."""
    oxides = {
        "SiO2": 0.6 * 46.547 + 30.0,
        "Al2O3": 0.6 * 39.495,
        "CaO": 5 * 0.56029,
        "LOI": 0.6 * 13.958 + 5 * 0.43971 + 5,
    }
    gangue = material("coal_gangue", oxides, carbonate_CO2=5 * 0.43971, organic_C=5.0)
    found = normative(gangue)
    assert found.kind == "norm" and "not a measurement" in found.statement
    assert found.phases["kaolinite"] == pytest.approx(60.0, abs=0.02)
    assert found.phases["quartz"] == pytest.approx(30.0, abs=0.02)
    assert found.phases["calcite"] == pytest.approx(5.0, abs=0.01)
    assert found.phases["graphite"] == pytest.approx(5.0, abs=0.01)
    assert sum(found.phases.values()) == pytest.approx(100.0)
    assert any("bound water" in w for w in found.warnings)


def test_gangue_norm_puts_sulfur_into_pyrite_and_says_so():
    oxides = {"SiO2": 57.0, "Al2O3": 20.0, "Fe2O3": 6.0, "SO3": 4.0, "LOI": 8.5}
    found = normative(material("coal_gangue", oxides, carbonate_CO2=0.0, organic_C=1.5, bound_water=7.0))
    assert found.phases["pyrite"] == pytest.approx(4.0 / 80.06 / 2 * 119.98, abs=0.01)
    assert any("pyrite" in w for w in found.warnings)


@pytest.mark.parametrize(
    "waste_class, oxides, parts, said",
    [
        ("coal_gangue", {"SiO2": 55.0, "Al2O3": 22.0, "K2O": 2.5, "LOI": 15.0}, {}, "illite"),
        ("coal_gangue", {"SiO2": 55.0, "Al2O3": 25.0, "LOI": 15.0}, {}, "organic_C"),
        ("coal_gangue", {"SiO2": 55.0, "Al2O3": 25.0, "LOI": 15.0}, {"organic_C": 3.0}, "carbonate_CO2"),
        ("coal_gangue", {"SiO2": 55.0, "Al2O3": 25.0, "CaO": 1.0, "LOI": 15.0},
         {"organic_C": 3.0, "carbonate_CO2": 4.0}, "siderite"),
        ("coal_gangue", {"SiO2": 65.0, "Al2O3": 10.0, "LOI": 20.0},
         {"organic_C": 3.0, "carbonate_CO2": 0.0}, "boehmite"),
        ("fgd_gypsum", {"CaO": 38.0, "SO3": 54.0, "LOI": 6.2}, {"organic_C": 0.0, "carbonate_CO2": 0.0}, "hemihydrate"),
        ("red_mud", {"SiO2": 20.0, "Al2O3": 25.0, "Fe2O3": 30.0, "CaO": 10.0, "LOI": 10.0}, {}, "sodalite"),
        ("tailings", {"SiO2": 70.0, "Al2O3": 15.0, "LOI": 10.0}, {}, "sulfides"),
        ("raw", {"SiO2": 55.0, "Al2O3": 25.0, "CaO": 5.0, "LOI": 10.0}, {"carbonate_CO2": 1.0}, "limestone"),
        ("smelting_slag", {"SiO2": 35.0, "CaO": 45.0, "Al2O3": 12.0, "LOI": 3.0},
         {"organic_C": 0.0, "carbonate_CO2": 0.0, "bound_water": 3.0}, "hydrates"),
    ],
)  # fmt: skip
def test_what_a_norm_cannot_tell_is_refused_with_what_to_measure(waste_class, oxides, parts, said):
    with pytest.raises(MissingDataError, match=said) as refused:
        normative(material(waste_class, oxides, **parts))
    assert "easure" in str(refused.value)


def test_gypsum_norm():
    """95 % gypsum (32.57 CaO, 46.50 SO3, 20.93 H2O) and 5 % quartz."""
    oxides = {"CaO": 0.95 * 32.572, "SO3": 0.95 * 46.502, "SiO2": 5.0, "LOI": 0.95 * 20.927}
    found = normative(material("fgd_gypsum", oxides, organic_C=0.0, carbonate_CO2=0.0))
    assert found.phases["gypsum"] == pytest.approx(95.0, abs=0.05)
    assert found.phases["quartz"] == pytest.approx(5.0, abs=0.01)


def test_dolomitic_limestone_norm():
    """50 % calcite, 50 % dolomite (30.41 CaO, 21.86 MgO, 47.73 CO2)."""
    co2 = 50 * 0.43971 + 50 * 0.47729
    oxides = {"CaO": 50 * 0.56029 + 50 * 0.30412, "MgO": 50 * 0.21858, "LOI": co2}
    found = normative(material("raw", oxides, carbonate_CO2=co2))
    assert found.phases["dolomite"] == pytest.approx(50.0, abs=0.1)
    assert found.phases["calcite"] == pytest.approx(50.0, abs=0.1)


def test_measured_phases_come_first_and_carbon_joins_them():
    found = mineralogy_of(wl.material("coal_gangue/kaolinitic"))
    assert found.kind == "measured"
    assert found.phases["kaolinite"] == 80.0 and found.phases["graphite"] == 4.0
    assert sum(found.phases.values()) == pytest.approx(100.0)


def test_mapping_of_materials_takes_the_phases_of_each():
    gangue, stone = wl.material("coal_gangue/kaolinitic"), wl.material("raw/limestone")
    found = mineralogy_of({gangue: 0.25, stone: 0.75})
    assert found.kind == "mixed"
    assert found.phases["kaolinite"] == pytest.approx(20.0)
    assert found.phases["calcite"] == pytest.approx(0.75 * normative(stone).phases["calcite"])
    assert "25 % coal_gangue/kaolinitic" in found.statement
    with pytest.raises(FractionSumError):
        mineralogy_of({gangue: 0.5, stone: 0.75})


def test_phases_against_oxides():
    found = mineralogy_of({"SiO2": 60.0, "Al2O3": 20.0, "CaO": 5.0, "LOI": 12.0}, {"kaolinite": 80, "quartz": 20})
    assert any("Al2O3" in w and "kaolinite" in w for w in found.warnings)


def test_names_are_understood_and_misspelt_ones_answered():
    found = mineralogy_of(None, {"高岭石": 50.0, "Quartz": 20.0, "free lime": 2.0, "Ca3(PO4)2": 1.0, "glass": 27.0})
    assert dict(found.phases) == {"kaolinite": 50.0, "quartz": 20.0, "lime": 2.0, "Ca3(PO4)2": 1.0, "amorphous": 27.0}
    with pytest.raises(UnknownNameError, match="Did you mean 'kaolinite'"):
        mineralogy_of(None, {"kaolinit": 50.0})


def test_sums():
    assert mineralogy_of(None, {"quartz": 60.0}).phases["unidentified"] == pytest.approx(40.0)
    scaled = mineralogy_of(None, {"quartz": 60.0, "calcite": 40.5})
    assert sum(scaled.phases.values()) == pytest.approx(100.0) and any("scaled" in w for w in scaled.warnings)
    with pytest.raises(CompositionError, match="more than 100"):
        mineralogy_of(None, {"quartz": 60.0, "calcite": 45.0})
    with pytest.raises(CompositionError, match="expected wt%"):
        mineralogy_of(None, {"quartz": -1.0})
    with pytest.raises(CompositionError, match="moisture"):
        mineralogy_of(None, {"quartz": 90.0, "water": 10.0})
    with pytest.raises(MissingDataError, match="empty"):
        mineralogy_of(None, {})


def test_oxides_alone_do_not_say_what_happens():
    with pytest.raises(MissingDataError, match="XRD"):
        mineralogy_of({"SiO2": 50.0, "Al2O3": 35.0, "LOI": 14.0})
    with pytest.raises(MissingDataError, match="mapping of its materials"):
        mineralogy_of(wl.blend({wl.material("raw/limestone"): 0.5, wl.material("coal_gangue/kaolinitic"): 0.5}))
