"""Published numbers, with citation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.chemistry import BYF, MODULI, Composition, bogue, i_gamma, i_ra, moduli, modulus, sulfoaluminate
from wastelab.chemistry.formulas import atoms, molar_mass
from wastelab.chemistry.moduli import am, lsf, sm
from wastelab.chemistry.phases import BOGUE_CEMENT
from wastelab.errors import MissingDataError, UnknownNameError, ValidityError

# H. F. W. Taylor, Cement Chemistry (1997): the example clinker and its Bogue result 68.8 / 9.75 / 9.04 / 8.52
TAYLOR = {"CaO": 66.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8}
# cementops.io, raw mix design calculator, default example: LSF 96, SM 2.5, AM 1.5
MEAL = {"CaO": 42.63, "SiO2": 13.93, "Al2O3": 3.34, "Fe2O3": 2.23, "LOI": 35.5}


def test_bogue_of_taylors_example():
    assert bogue(TAYLOR) == pytest.approx({"C3S": 68.8, "C2S": 9.75, "C3A": 9.04, "C4AF": 8.52}, abs=0.06)


def test_bogue_coefficients_are_those_of_astm_c150():
    c3s = BOGUE_CEMENT["C3S"].numerator
    assert c3s == pytest.approx(
        {"CaO": 4.071, "SiO2": -7.600, "Al2O3": -6.718, "Fe2O3": -1.430, "SO3": -2.852}, abs=0.002
    )
    assert BOGUE_CEMENT["C3A"].numerator == pytest.approx({"Al2O3": 2.650, "Fe2O3": -1.692}, abs=0.001)
    assert BOGUE_CEMENT["C4AF"].numerator == pytest.approx({"Fe2O3": 3.043}, abs=0.001)


def test_bogue_c2s_as_printed():
    # C2S = 2.867 S - 0.7544 C3S
    phases = bogue(TAYLOR)
    assert phases["C2S"] == pytest.approx(2.867 * 21.5 - 0.7544 * phases["C3S"], abs=0.02)


def test_moduli_of_a_published_meal():
    assert lsf(MEAL) == pytest.approx(96.0, abs=0.05)
    assert sm(MEAL) == pytest.approx(2.50, abs=0.005)
    assert am(MEAL) == pytest.approx(1.50, abs=0.005)


def test_radionuclides_of_a_published_triple():
    # Math. Probl. Eng. 2021, 8468063, Table 5: Ra 6.2, Th 8.9, K 146.3 Bq/kg; indices 0.0 and 0.1 as reported
    triple = {"Ra226": 6.2, "Th232": 8.9, "K40": 146.3}
    assert i_ra(triple) == pytest.approx(0.031)
    assert i_gamma(triple) == pytest.approx(0.0858, abs=1e-4)
    assert (round(float(i_ra(triple)), 1), round(float(i_gamma(triple)), 1)) == (0.0, 0.1)


def test_cm_coefficients_follow_from_stoichiometry():
    # published: Cm = (CaO - 0.7 TiO2)/(0.73 (Al2O3 - 0.64 Fe2O3) + 1.40 Fe2O3 + 1.87 SiO2)
    cm = MODULI["Cm"]
    assert cm.numerator["TiO2"] == pytest.approx(-0.70, abs=0.005)
    assert cm.denominator["Al2O3"] == pytest.approx(0.73, abs=0.005)
    assert cm.denominator["Fe2O3"] == pytest.approx(1.40 - 0.73 * 0.64, abs=0.005)
    assert cm.denominator["SiO2"] == pytest.approx(1.87, abs=0.005)


def test_p_of_pure_yeelimite():
    # C4A3S: Al2O3/SO3 = 3.82 by mass
    pure = {"Al2O3": 3 * molar_mass("Al2O3"), "SO3": molar_mass("SO3"), "Fe2O3": 0.0}
    assert modulus("P", pure) == pytest.approx(3.82, abs=0.005)


def oxides_of(phases):
    """Oxides [wt%] of a mix of clinker phases, by counting atoms."""
    total = dict.fromkeys(("CaO", "Al2O3", "Fe2O3", "SiO2", "TiO2", "SO3"), 0.0)
    parts = {
        "CaO": ("Ca", 1),
        "Al2O3": ("Al", 2),
        "Fe2O3": ("Fe", 2),
        "SiO2": ("Si", 1),
        "TiO2": ("Ti", 1),
        "SO3": ("S", 1),
    }
    for phase, share in phases.items():
        for oxide, (element, per) in parts.items():
            number = atoms(phase).get(element, 0.0) / per
            total[oxide] += share * number * molar_mass(oxide) / molar_mass(phase)
    return total


@given(st.floats(1, 60), st.floats(1, 60), st.floats(1, 30), st.floats(0, 5), st.floats(0, 10), st.floats(0, 3))
def test_sulfoaluminate_phases_give_back_the_mix_they_were_made_from(y, c2s, c4af, ct, anhydrite, lime):
    phases = {"C4A3S": y, "C2S": c2s, "C4AF": c4af, "CT": ct, "CaSO4": anhydrite}
    oxides = oxides_of(phases)
    oxides["CaO"] += lime
    total = sum(oxides.values())
    found = sulfoaluminate({k: 100 * v / total for k, v in oxides.items()})
    expected = {**phases, "free_CaO": lime}
    assert found == pytest.approx({k: 100 * v / total for k, v in expected.items()}, abs=1e-6)


def test_bogue_conserves_mass():
    # CaO + SiO2 + Al2O3 + Fe2O3 all go into the four phases
    phases = bogue(TAYLOR)
    assert sum(phases.values()) == pytest.approx(sum(TAYLOR.values()), abs=1e-6)


@pytest.mark.parametrize(
    ("oxides", "match"),
    [
        ({"CaO": 66.0, "SiO2": 22.0, "Al2O3": 2.0, "Fe2O3": 5.0}, "0.64"),
        ({"CaO": 50.0, "SiO2": 30.0, "Al2O3": 8.0, "Fe2O3": 3.0}, "too little lime"),
        ({"CaO": 75.0, "SiO2": 15.0, "Al2O3": 5.0, "Fe2O3": 3.0}, "more lime"),
    ],
)
def test_bogue_refuses_what_it_is_not_for(oxides, match):
    with pytest.raises(ValidityError, match=match):
        bogue(oxides)


def test_sulfoaluminate_refuses_too_little_sulfate():
    with pytest.raises(ValidityError, match="too little SO3"):
        sulfoaluminate({"CaO": 50.0, "SiO2": 15.0, "Al2O3": 25.0, "Fe2O3": 3.0, "TiO2": 1.0, "SO3": 2.0})


def test_free_lime_is_deducted():
    assert bogue(TAYLOR, free_CaO=1.0)["C3S"] == pytest.approx(bogue(TAYLOR)["C3S"] - 4.071, abs=0.01)


def test_bogue_uses_the_ignited_basis():
    dry = {k: v * 0.65 for k, v in TAYLOR.items()} | {"LOI": 35.0}
    assert bogue(Composition(dry)) == pytest.approx(bogue(TAYLOR))


def test_missing_oxide_is_named():
    with pytest.raises(MissingDataError, match="Fe2O3"):
        lsf({"CaO": 60.0, "SiO2": 20.0, "Al2O3": 5.0})


def test_unknown_modulus():
    with pytest.raises(UnknownNameError, match="LSF"):
        modulus("LSFF", TAYLOR)


def test_aliases_and_arrays():
    assert modulus("n", TAYLOR) == sm(TAYLOR)
    many = {k: np.array([v, v]) for k, v in TAYLOR.items()}
    np.testing.assert_allclose(lsf(many), [lsf(TAYLOR)] * 2)


@given(st.floats(0.1, 10))
def test_ratios_do_not_depend_on_scale(factor):
    scaled = {k: v * factor for k, v in TAYLOR.items()}
    for symbol in ("LSF", "SM", "AM", "KH", "Si_Al", "Riley_ratio"):
        if symbol in moduli(TAYLOR):
            assert modulus(symbol, scaled) == pytest.approx(modulus(symbol, TAYLOR))


def test_every_criterion_has_a_source_and_a_positive_denominator():
    for table in (MODULI, BYF):
        for criterion in table.values():
            assert criterion.source.text
            assert criterion.name_zh
            assert all(c > 0 for c in criterion.denominator.values())
