"""Ternary phase diagrams and their figure."""

from __future__ import annotations

import numpy as np
import pytest

from wastelab.errors import CompositionError, ValidityError
from wastelab.plotting.phase_diagram import phase_diagram_figure
from wastelab.plotting.style import to_png
from wastelab.simulate.equilibrium import equilibrium, phase_diagram


@pytest.fixture(scope="module")
def diagram():
    return phase_diagram(("CaO", "SiO2", "Al2O3"), "1300 degC", "air", step="2 %", solutions=False)


def test_fields_obey_the_phase_rule(diagram):
    assert diagram.sizes["point"] == 51 * 52 // 2
    part = diagram["part"].values
    assert part.sum(axis=1) == pytest.approx(100.0)
    count = np.array([len(str(f).split(" + ")) for f in diagram["field"].values])
    assert (count[diagram["assemblage"].values] <= 3).all()  # three oxides at given T and p
    assert diagram["mineral_fraction"].sum("mineral").values == pytest.approx(1.0, abs=1e-9)


def test_points_are_equilibria(diagram):
    rng = np.random.default_rng(0)
    for i in rng.choice(diagram.sizes["point"], 8, replace=False):
        mix = dict(zip(("CaO", "SiO2", "Al2O3"), diagram["part"].values[i], strict=True))
        ds = equilibrium(mix, "1300 degC", "air", solutions=False)
        for mineral in diagram["mineral"].values:
            expected = float(ds["mineral_fraction"].sel(mineral=mineral))
            assert float(diagram["mineral_fraction"].sel(mineral=mineral)[i]) == pytest.approx(expected, abs=1e-9)


def test_compatibility_triangles_of_clinker(diagram):
    """C3S-C2S-C3A and CaO-C3S-C3A coexist at 1300 degC in CaO-SiO2-Al2O3 (Rankin and Wright 1915 [M])."""
    fields = set(diagram["field"].values.tolist())
    assert any(set(f.split(" + ")) == {"CaO", "C3S", "C3A"} for f in fields)
    assert any(set(f.split(" + ")) == {"C2S", "C3S", "C3A"} for f in fields)
    assert diagram["compound_part"].sel(compound="C3S").values == pytest.approx([73.69, 26.31, 0.0], abs=0.01)


def test_figure_is_drawn_the_same_twice(diagram):
    mixes = {"Portland clinker": {"CaO": 66.6, "SiO2": 21.5, "Al2O3": 5.2}}
    first = phase_diagram_figure(diagram, mixes=mixes)
    texts = {t.get_text() for axes in first.axes for t in axes.texts}
    assert {"C3S", "C2S", "C3A", "CaO", "SiO2", "Al2O3"} <= texts
    assert any("C3S + C3A" in t for t in texts)
    png = to_png(first)
    assert png == to_png(phase_diagram_figure(diagram, mixes=mixes))
    assert len(png) > 20_000


def test_fixed_oxides_and_solutions():
    ds = phase_diagram(("CaO", "SiO2", "Al2O3"), "1250 degC", "rotary_kiln", fixed={"Fe2O3": 8, "SO3": 8}, step="5 %")
    assert "C4A3S" in ds["mineral"].values
    assert "C4AF" in ds["mineral"].values
    assert len(to_png(phase_diagram_figure(ds))) > 20_000


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"corners": ("CaO", "SiO2")}, CompositionError, "three"),
        ({"corners": ("CaO", "SiO2", "P2O5")}, CompositionError, "P2O5"),
        ({"fixed": {"CaO": 3}}, CompositionError, "corner and fixed"),
        ({"fixed": {"Fe2O3": 120}}, CompositionError, "leave something"),
        ({"step": "50 %"}, ValidityError, "step"),
        ({"temperature": ["1000 degC", "1100 degC"]}, ValidityError, "one temperature"),
    ],
)
def test_bad_diagrams_are_refused(change, error, words):
    with pytest.raises(error, match=words):
        phase_diagram(**({"corners": ("CaO", "SiO2", "Al2O3"), "temperature": "1250 degC"} | change))
