"""Homogenisation: exact variances against brute force and Monte Carlo, fits of simulated series, materials."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad

from wastelab.chemistry.composition import Composition
from wastelab.chemistry.material import Material
from wastelab.chemistry.quantity import Quantity
from wastelab.errors import MissingDataError, UnknownNameError, ValidityError
from wastelab.provenance import Evidence, Source
from wastelab.simulate import homogenisation as ho

HEAP = ho.Variability(mean=35.0, nugget=0.5, sill=4.0, range_t=600.0, increment=20.0)


def simulate(heap, n, seed):
    """Values per increment: means over increments of an Ornstein-Uhlenbeck process, plus white noise; AR(1) sampled."""
    rng = np.random.default_rng(seed)
    fine = 4  # steps per increment
    rho = math.exp(-heap.increment / fine / heap.range_t)
    shocks = rng.standard_normal(n * fine) * math.sqrt(heap.sill * (1 - rho**2))
    shocks[0] = rng.standard_normal() * math.sqrt(heap.sill)
    from scipy.signal import lfilter

    slow = lfilter([1.0], [1.0, -rho], shocks).reshape(n, fine).mean(axis=1)
    return heap.mean + slow + rng.standard_normal(n) * math.sqrt(heap.nugget)


@pytest.mark.parametrize(("lag", "length"), [(0.0, 50.0), (30.0, 50.0), (50.0, 50.0), (900.0, 200.0)])
def test_covariance_of_stretches_is_the_double_integral(lag, length):
    heap = ho.Variability(0.0, 0.0, 4.0, 600.0, 20.0)
    value = dblquad(lambda y, x: 4.0 * math.exp(-abs(x - y) / 600.0), 0, length, lag, lag + length)[0] / length**2
    assert float(heap.covariance(lag, length)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(("lag", "length"), [(0.0, 5.0), (3.0, 5.0), (12.0, 5.0), (0.0, 50.0), (30.0, 50.0)])
def test_nugget_even_inside_increments_is_a_triangle(lag, length):
    heap = ho.Variability(0.0, 2.0, 0.0, 600.0, 20.0)
    x = (np.arange(1500) + 0.5) / 1500 * length  # midpoint rule
    triangle = np.maximum(1 - np.abs(x[:, None] - lag - x[None, :]) / 20.0, 0.0)
    assert float(heap.covariance(lag, length, fine="block")) == pytest.approx(2.0 * triangle.mean(), abs=1e-4)
    assert float(heap.covariance(0.0, 1e-3, fine="block")) == pytest.approx(2.0, rel=1e-3)
    assert float(heap.covariance(500.0, length, fine="block")) == 0.0


def test_bounds_of_what_the_series_does_not_see():
    ds = ho.bed_blending(HEAP, bed_mass=20_000.0, layers=200, slice_mass=50.0)
    # white: 0.5 x 20 t / 50 t; even inside increments: 200 layers bring 200 independent increments
    assert ds["sigma_within"].item() ** 2 > 0.19
    assert ds["sigma_within_least"].item() < 0.3 * ds["sigma_within"].item()
    assert "sample finer increments" in ds.attrs["warnings"]
    whole = ho.bed_blending(HEAP, bed_mass=4000.0, layers=20, slice_mass=400.0)
    assert whole["sigma_within_least"].item() <= whole["sigma_within"].item()


@given(st.floats(0.01, 5000), st.floats(0.01, 3.0), st.floats(5.0, 5000.0))
def test_covariance_is_continuous_and_bounded(length, share, reach):
    heap = ho.Variability(0.0, 0.3, 2.0, reach, 20.0)
    lag = share * length
    c = float(heap.covariance(lag, length))
    assert 0 <= c <= float(heap.covariance(0.0, length)) * (1 + 1e-6)
    near = heap.covariance([length * (1 - 1e-7), length * (1 + 1e-7)], length)
    assert near[0] == pytest.approx(near[1], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("travel", ho.TRAVEL)
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_bed_against_the_sum_over_all_pairs_of_layers(n, travel):
    bed, cut, places = 4000.0, 40.0, 5
    ds = ho.bed_blending(HEAP, bed_mass=bed, layers=n, slice_mass=cut, travel=travel, places=places)
    layer, piece = bed / n, cut / n
    slow = []
    for i in range(places):
        u = (i + 0.5) / places * (layer - piece)
        starts = [k * layer + (u if travel == "one_way" or k % 2 == 0 else layer - piece - u) for k in range(n)]
        total = sum(float(HEAP.covariance(a - b, piece)) for a in starts for b in starts)
        slow.append(total / n**2)
    np.testing.assert_allclose(ds["sigma_at"].values ** 2, slow, rtol=1e-9)


def test_bed_against_monte_carlo():
    # the series is laid in 20 layers of 10 increments there and back; a slice is one increment of each layer
    heap = ho.Variability(35.0, 0.5, 4.0, 600.0, 20.0)
    beds, layers, per = 3000, 20, 10
    series = simulate(heap, beds * layers * per, seed=11).reshape(beds, layers, per)
    series[:, 1::2] = series[:, 1::2, ::-1]
    slices = series.mean(axis=1)
    ds = ho.bed_blending(heap, bed_mass=4000.0, layers=layers, slice_mass=400.0, places=10)
    # places = increments of a layer: same stretches
    within = slices - slices.mean(axis=1, keepdims=True)
    drawn_within = math.sqrt((within**2).mean())
    assert slices.std() == pytest.approx(ds["sigma_out"].item(), rel=0.05)
    assert slices.mean(axis=1).std() == pytest.approx(ds["sigma_between"].item(), rel=0.06)
    assert drawn_within == pytest.approx(ds["sigma_within"].item(), rel=0.06)


def test_independent_layers_give_the_square_root_of_their_number():
    # no memory between layers: variance falls as 1/layers (the textbook rule)
    heap = ho.Variability(35.0, 0.0, 4.0, 5.0, 1.0)
    ds = ho.bed_blending(heap, bed_mass=100_000.0, layers=100, slice_mass=0.01, travel="one_way")
    assert ds["sigma_out"].item() == pytest.approx(2.0 / 10.0, rel=1e-3)
    assert ds["efficiency_independent"].item() == 10.0


@settings(max_examples=30)
@given(st.integers(5, 200), st.floats(20.0, 5000.0), st.floats(0.0, 2.0))
def test_more_layers_never_hurt_within_the_bed(n, reach, nugget):
    heap = ho.Variability(0.0, nugget, 3.0, reach, 5.0)
    a, b = (ho.bed_blending(heap, bed_mass=20_000.0, layers=k, slice_mass=50.0) for k in (n, 4 * n))
    assert b["sigma_within"].item() <= a["sigma_within"].item() * (1 + 1e-6)
    assert a["sigma_between"].item() == pytest.approx(b["sigma_between"].item())
    out = a["sigma_within"].item() ** 2 + a["sigma_between"].item() ** 2
    assert out == pytest.approx(a["sigma_out"].item() ** 2)


def test_long_variation_is_between_beds():
    slow = ho.Variability(0.0, 0.0, 4.0, 50_000.0, 20.0)
    ds = ho.bed_blending(slow, bed_mass=10_000.0, layers=200, slice_mass=50.0)
    assert ds["sigma_between"].item() > 1.8
    assert "beds will differ" in ds.attrs["warnings"]


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_silo_against_the_filter_integral(stages):
    heap = ho.Variability(0.0, 0.0, 4.0, 300.0, 1.0)
    v = 500.0 / stages

    def density(x):
        return (x / v) ** (stages - 1) * math.exp(-x / v) / v / math.factorial(stages - 1)

    def autocorrelation(h):
        return quad(lambda x: density(x) * density(x + h), 0, 40 * v)[0]

    kept = 2 * quad(lambda h: autocorrelation(h) * math.exp(-h / 300.0), 0, 8000, limit=200)[0]
    ds = ho.mixing_silo(heap, active_mass=500.0, stages=stages)
    assert ds["sigma_out"].item() ** 2 == pytest.approx(4.0 * kept, rel=1e-5)
    white = ho.Variability(0.0, 4.0, 0.0, 300.0, 1.0)
    assert ho.mixing_silo(white, active_mass=500.0, stages=stages)["sigma_out"].item() ** 2 == pytest.approx(
        4.0 * autocorrelation(0.0), rel=1e-6
    )


def test_silo_by_simulation():
    series = simulate(HEAP, 200_000, seed=4) - HEAP.mean
    keep = math.exp(-HEAP.increment / 800.0)
    from scipy.signal import lfilter

    out = lfilter([1 - keep], [1.0, -keep], series)[200:]
    assert out.std() == pytest.approx(ho.mixing_silo(HEAP, active_mass=800.0)["sigma_out"].item(), rel=0.06)


def test_fit_returns_the_parameters_of_a_simulated_heap():
    series = simulate(HEAP, 6000, seed=1)
    fit = ho.fit_variability(series, increment=20.0)
    assert fit.mean == pytest.approx(35.0, abs=0.6)
    assert fit.sigma == pytest.approx(HEAP.sigma, rel=0.12)
    assert fit.range_t == pytest.approx(600.0, rel=0.35)
    assert fit.nugget == pytest.approx(0.5, rel=0.35)
    assert fit.n == 6000
    by_index = ho.fit_variability(pd.Series(series, index=20.0 * np.arange(6000)))
    assert by_index.range_t == pytest.approx(fit.range_t)


def test_analysis_is_taken_out_of_the_nugget():
    rng = np.random.default_rng(2)
    clean = simulate(HEAP, 4000, seed=3)
    noisy = clean + rng.normal(0, 0.8, 4000)
    a = ho.fit_variability(clean, increment=20.0)
    b = ho.fit_variability(noisy, increment=20.0, analysis_sigma=0.8)
    assert b.nugget == pytest.approx(a.nugget, abs=0.12)
    assert b.analysis == pytest.approx(0.64)
    with pytest.raises(ValidityError, match="cannot be told"):
        ho.fit_variability(clean, increment=20.0, analysis_sigma=10.0)


def test_variogram_by_hand():
    h, gamma, pairs = ho.empirical_variogram([0.0, 10.0, 20.0, 30.0], [1.0, 3.0, 2.0, 2.0], lag=10.0, lags=2)
    assert h.tolist() == [10.0, 20.0]
    assert pairs.tolist() == [3.0, 2.0]
    assert gamma.tolist() == pytest.approx([(4 + 1 + 0) / 6, (1 + 1) / 4])


def test_warnings_and_refusals_of_the_fit():
    drift = np.linspace(0, 10, 300) + simulate(ho.Variability(0, 0.2, 0.2, 40.0, 10.0), 300, 5)
    assert any("drifts" in w for w in ho.fit_variability(drift, increment=10.0).warnings)
    with pytest.raises(MissingDataError, match="at least 30"):
        ho.fit_variability(np.arange(10.0), increment=5.0)
    with pytest.raises(MissingDataError, match="no tonnage"):
        ho.fit_variability(np.arange(100.0))
    with pytest.raises(ValidityError, match="value 3"):
        ho.fit_variability([1.0, 2.0, 3.0, np.nan, *range(40)], increment=5.0)
    with pytest.raises(ValidityError, match="does not vary"):
        ho.fit_variability(np.ones(50), increment=5.0)


def test_layers_and_pile_by_hand():
    # 600 t/h, 200 m at 20 m/min: one pass takes 10 min and 100 t; 20 000 t are 200 layers
    assert ho.layers_of_bed(20_000.0, 600.0, 200.0, 20.0) == pytest.approx(200.0)
    with pytest.raises(ValidityError, match="one pass"):
        ho.layers_of_bed(50.0, 600.0, 200.0, 20.0)
    ds = ho.ridge_pile(100.0, 10.0, 45.0, bulk_density=1.5)
    assert ds["mass"].item() == pytest.approx(1.5 * (100 * 100 + math.pi * 1000 / 3))
    assert ds["end_share"].item() == pytest.approx((math.pi * 1000 / 3) / (10_000 + math.pi * 1000 / 3))
    assert ds["layers_cut"].values[[0, 5, -1]].tolist() == pytest.approx([1.0, 0.75, 0.0])


def test_bad_beds_are_refused():
    with pytest.raises(ValidityError, match="thin cut"):
        ho.bed_blending(HEAP, bed_mass=1000.0, layers=10, slice_mass=800.0)
    with pytest.raises(UnknownNameError, match="both_ways"):
        ho.bed_blending(HEAP, bed_mass=1000.0, layers=10, slice_mass=8.0, travel="both_way")
    with pytest.raises(ValidityError, match="range_t"):
        ho.Variability(1.0, 1.0, 1.0, 0.0, 1.0)


def gangue():
    own = Source("own analysis", Evidence.PRIMARY)
    return Material(
        "coal_gangue/own", "gangue", "coal_gangue",
        Composition({"SiO2": 50.0, "Al2O3": 30.0}, "dry", {"SiO2": 2.0, "Al2O3": 1.0}),
        quantities={"calorific_value": Quantity(3.0, "MJ/kg", own, 0.6, 2.0, 4.0), "Ra226": Quantity(80, "Bq/kg", own)},
    )  # fmt: skip


def test_material_after_a_bed():
    ds = ho.bed_blending(HEAP, bed_mass=4000.0, layers=100, slice_mass=20.0)
    factor = ds["sigma_out"].item() / ds["sigma_in"].item()
    m = ho.homogenised(gangue(), ds, analysis={"SiO2": 0.4}, note="bed of 4000 t")
    assert m.sigma()["Al2O3"] == pytest.approx(factor)
    assert m.sigma()["SiO2"] == pytest.approx(math.sqrt(0.16 + (4.0 - 0.16) * factor**2))
    assert m.sigma()["calorific_value"] == pytest.approx(0.6 * factor)
    assert (m.quantities["calorific_value"].low, m.quantities["Ra226"].sigma) == (None, None)
    assert m.composition["SiO2"] == 50.0
    assert "bed of 4000 t" in m.note and m.id == "coal_gangue/own+blended"
    assert m.evidence == gangue().evidence


def test_material_with_named_reductions_and_refusals():
    m = ho.homogenised(gangue(), {"SiO2": 0.25})
    assert m.sigma() == pytest.approx({"SiO2": 0.5, "Al2O3": 1.0, "calorific_value": 0.6})
    with pytest.raises(UnknownNameError, match="Ra226"):
        ho.homogenised(gangue(), {"Ra226": 0.5})
    with pytest.raises(ValidityError, match="reduction of SiO2: found 1"):
        ho.homogenised(gangue(), 1.4)
    with pytest.raises(ValidityError, match="more than its uncertainty"):
        ho.homogenised(gangue(), 0.5, analysis={"SiO2": 3.0})
