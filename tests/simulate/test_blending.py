"""Blending: by hand, by mass balance, and against Monte Carlo."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from wastelab.chemistry import Composition, Material
from wastelab.errors import CompositionError, FractionSumError, MissingDataError
from wastelab.reference import material
from wastelab.simulate import blend, blend_monte_carlo, blend_table, dry_fractions, wet_fractions

MUD, LIME, GYPSUM = material("red_mud/bayer-diasporic"), material("raw/limestone"), material("fgd_gypsum/wet")


def test_by_hand():
    mix = blend({MUD: 0.3, LIME: 0.7})
    assert mix.composition["CaO"] == pytest.approx(0.3 * 14 + 0.7 * 52)
    assert mix.composition["LOI"] == pytest.approx(0.3 * 12 + 0.7 * 41.8)
    assert mix.quantities["Ra226"].value == pytest.approx(0.3 * 400 + 0.7 * 15)
    assert mix.kind == "blend"


@given(st.lists(st.integers(0, 100), min_size=3, max_size=3).filter(lambda x: sum(x) > 0))
def test_mass_balance(parts):
    x = np.array(parts) / sum(parts)
    mix = blend({MUD: float(x[0]), LIME: float(x[1]), GYPSUM: float(1.0 - x[0] - x[1]) if x[2] else 0.0})
    for oxide in ("SiO2", "CaO", "SO3", "LOI"):
        expected = sum(f * m.composition[oxide] for f, m in zip(x, (MUD, LIME, GYPSUM), strict=True))
        assert mix.composition[oxide] == pytest.approx(expected, abs=1e-9)
    # ignited product and lost mass add up to the dry mix
    ignited = mix.composition.to_basis("ignited")
    left = 1 - mix.composition["LOI"] / 100
    assert ignited["CaO"] * left == pytest.approx(mix.composition["CaO"])


@pytest.mark.parametrize("weighing", [0.0, 0.02])
def test_linear_and_monte_carlo_uncertainty_agree(weighing):
    mix = {MUD: 0.25, LIME: 0.6, GYPSUM: 0.15}
    linear = blend(mix, weighing_sigma=weighing)
    drawn = blend_monte_carlo(mix, draws=60_000, seed=7, weighing_sigma=weighing)
    for name in ("SiO2", "Al2O3", "CaO", "Na2O", "LOI"):
        assert drawn[name].mean() == pytest.approx(linear.composition[name], rel=0.01)
        assert drawn[name].std() == pytest.approx(linear.composition.sigma[name], rel=0.03)
    assert drawn["Th232"].std() == pytest.approx(linear.quantities["Th232"].sigma, rel=0.03)


def test_monte_carlo_is_seeded():
    mix = {MUD: 0.5, LIME: 0.5}
    a, b = (blend_monte_carlo(mix, draws=100, seed=1)["CaO"] for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_missing_stays_missing_unless_absent():
    bare = Material("raw/bare", "bare", "raw", Composition({"SiO2": 50.0, "LOI": 1.0}))
    assert "CaO" not in blend({bare: 0.1, LIME: 0.9}).composition
    assert "CaO" in blend({bare: 0.0, LIME: 1.0}).composition


@pytest.mark.parametrize("fractions", [{MUD: 0.3, LIME: 0.6}, {MUD: -0.1, LIME: 1.1}, {MUD: float("nan"), LIME: 0.5}])
def test_bad_fractions(fractions):
    with pytest.raises(FractionSumError):
        blend(fractions)


def test_table_against_single_blends():
    oxides = ["SiO2", "CaO", "LOI", "V2O5"]
    composition = xr.DataArray(
        [[m.composition.get(o, np.nan) for o in oxides] for m in (MUD, LIME)],
        dims=("material", "oxide"),
        coords={"oxide": oxides},
    )
    out = blend_table([[0.3, 0.7], [1.0, 0.0]], composition)
    assert out.dims == ("mix", "oxide")
    assert out.sel(mix=0, oxide="CaO").item() == pytest.approx(blend({MUD: 0.3, LIME: 0.7}).composition["CaO"])
    assert np.isnan(out.sel(mix=0, oxide="V2O5").item())
    with pytest.raises(FractionSumError, match="Mix 1"):
        blend_table([[0.3, 0.7], [0.3, 0.6]], composition)
    with pytest.raises(CompositionError, match="do not fit"):
        blend_table([[0.3, 0.3, 0.4]], composition)


def test_wet_and_dry():
    dry = dry_fractions({MUD: 0.5, LIME: 0.5})
    # 30 % and 2 % moisture: 0.35 and 0.49 parts dry
    assert dry[MUD] == pytest.approx(0.35 / 0.84)
    back = wet_fractions(dry)
    assert back[MUD] == pytest.approx(0.5)
    with pytest.raises(MissingDataError, match="moisture"):
        dry_fractions({material("fly_ash/sample-c005"): 1.0})
    assert blend({MUD: 1.0}).quantities["moisture"].value == pytest.approx(30.0)


def test_phases_blend_where_all_are_known():
    gangue, gypsum, lime = (material(m) for m in ("coal_gangue/kaolinitic", "fgd_gypsum/wet", "raw/limestone"))
    mix = blend({gangue: 0.75, gypsum: 0.25})
    assert {k: q.value for k, q in mix.phases.items()} == pytest.approx(
        {"kaolinite": 60.0, "quartz": 5.25, "gypsum": 22.75, "calcite": 0.675}
    )
    assert mix.phases["kaolinite"].sigma == pytest.approx(0.75 * 4.5)
    assert not blend({gangue: 0.5, lime: 0.5}).phases  # unknown stays unknown
