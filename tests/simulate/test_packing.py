"""Packing: target curves, ideal limits, the compressible packing model against its slow twin and its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from wastelab.errors import FractionSumError, MissingDataError, ValidityError
from wastelab.simulate import packing as pk
from wastelab.simulate.particle_size import ParticleSizes


def twin(size, share, residual, k):
    """The model as printed: classes sorted from the coarsest, loops, and a bracketing root finder."""
    order = np.argsort(-np.asarray(size), kind="stable")
    d, y, b = (np.asarray(v, dtype=float)[order] for v in (size, share, residual))
    gamma = []
    for i in range(len(d)):
        total = 0.0
        for j in range(i):  # coarser
            wall = 1 - (1 - d[i] / d[j]) ** 1.5
            total += (1 - b[i] + wall * b[i] * (1 - 1 / b[j])) * y[j]
        for j in range(i + 1, len(d)):  # finer
            loose = np.sqrt(1 - (1 - d[j] / d[i]) ** 1.02)
            total += (1 - loose * b[i] / b[j]) * y[j]
        gamma.append(b[i] / (1 - total))
    used = [i for i in range(len(d)) if y[i] > 0]
    least = min(gamma[i] for i in used)
    phi = brentq(
        lambda p: sum(y[i] / b[i] / (1 / p - 1 / gamma[i]) for i in used) - k, 1e-6, least * (1 - 1e-13), xtol=1e-15
    )
    return phi, least


def test_dinger_funk_ends_and_limit_of_zero_modulus():
    x = np.geomspace(0.5, 200, 30)
    assert pk.dinger_funk([0.5, 200], 0.5, 200, 0.25).tolist() == pytest.approx([0, 1])
    expected = (x**0.25 - 0.5**0.25) / (200**0.25 - 0.5**0.25)
    np.testing.assert_allclose(pk.dinger_funk(x, 0.5, 200, 0.25), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(pk.dinger_funk(x, 0.5, 200, 1e-7), pk.dinger_funk(x, 0.5, 200, 0.0), atol=1e-6)
    assert (np.diff(pk.dinger_funk(x, 0.5, 200, 0.37)) > 0).all()
    with pytest.raises(ValidityError, match="smallest < largest"):
        pk.dinger_funk(x, 5, 5, 0.3)


def test_furnas_of_three_equal_sizes():
    ds = pk.furnas([0.6, 0.6, 0.6])
    assert ds["packing"].item() == pytest.approx(1 - 0.4**3)
    np.testing.assert_allclose(ds["volume_fraction"], np.array([0.6, 0.24, 0.096]) / 0.936)


def test_coefficients_at_their_limits():
    assert (pk.loosening([0.0, 1.0]).tolist(), pk.wall_effect([0.0, 1.0]).tolist()) == ([0, 1], [0, 1])
    r = np.linspace(0, 1, 50)
    assert (np.diff(pk.loosening(r)) > 0).all() and (np.diff(pk.wall_effect(r)) > 0).all()
    assert float(pk.wall_effect(0.5)) == pytest.approx(1 - 0.5**1.5)


def test_one_size_has_k_over_one_plus_k():
    for k in (4.1, 4.75, 9.0):
        ds = pk.compressible_packing([10.0], [1.0], [0.64], k)
        assert ds["packing"].item() == pytest.approx(0.64 * k / (1 + k), rel=1e-12)
        assert ds["virtual_packing"].item() == pytest.approx(0.64)


def test_equal_sizes_of_equal_packing_do_not_notice_being_split():
    one = pk.compressible_packing([10.0], [1.0], [0.6], 9.0)["packing"].item()
    split = pk.compressible_packing([10.0, 10.0, 10.0], [0.2, 0.5, 0.3], [0.6, 0.6, 0.6], 9.0)["packing"].item()
    assert split == pytest.approx(one, rel=1e-12)


def test_binary_without_interaction_is_the_textbook_triangle():
    # size ratio 1e-9: virtual packing is beta1/(1-y2) while the coarse grains touch, beta2/(1-(1-beta2) y1) after
    y2 = np.linspace(0.05, 0.95, 19)
    b1, b2 = 0.65, 0.58
    ds = pk.compressible_packing([1e6, 1e-3], np.stack([1 - y2, y2], axis=1), [b1, b2], 9.0)
    expected = np.minimum(b1 / (1 - y2), b2 / (1 - (1 - b2) * (1 - y2)))
    np.testing.assert_allclose(ds["virtual_packing"], expected, rtol=2e-4)
    # the peak is Furnas's
    best = pk.furnas([b1, b2])
    peak = pk.compressible_packing([1e6, 1e-3], best["volume_fraction"].values, [b1, b2], 9.0)
    assert peak["virtual_packing"].item() == pytest.approx(best["packing"].item(), rel=2e-4)


def test_total_interaction_of_unlike_packings_averages_voids():
    # equal sizes: 1/gamma is the mean of 1/beta
    ds = pk.compressible_packing([10.0, 10.0], [0.3, 0.7], [0.6, 0.5], 9.0)
    assert 1 / ds["virtual_packing"].item() == pytest.approx(0.3 / 0.6 + 0.7 / 0.5)


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(0, 10_000), st.floats(2.0, 20.0))
def test_against_the_slow_twin(n, seed, k):
    rng = np.random.default_rng(seed)
    size = 10 ** rng.uniform(-1, 4, n)
    share = rng.dirichlet(np.ones(n))
    beta = rng.uniform(0.45, 0.75, n)
    ds = pk.compressible_packing(size, share, beta, k)
    phi, gamma = twin(size, share, beta, k)
    assert ds["packing"].item() == pytest.approx(phi, rel=1e-9)
    assert ds["virtual_packing"].item() == pytest.approx(gamma, rel=1e-12)


@settings(max_examples=40)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_properties_of_packing(n, seed):
    rng = np.random.default_rng(seed)
    size, share, beta = 10 ** rng.uniform(0, 3, n), rng.dirichlet(np.ones(n)), rng.uniform(0.5, 0.7, n)
    base = pk.compressible_packing(size, share, beta, 9.0)
    order = rng.permutation(n)
    again = pk.compressible_packing(size[order], share[order], beta[order], 9.0)
    assert again["packing"].item() == pytest.approx(base["packing"].item(), rel=1e-12)
    scaled = pk.compressible_packing(7 * size, share, beta, 9.0)
    assert scaled["packing"].item() == pytest.approx(base["packing"].item(), rel=1e-9)
    harder = pk.compressible_packing(size, share, beta, 15.0)["packing"].item()
    assert base["packing"].item() < harder < base["virtual_packing"].item() < 1


def test_zero_share_classes_do_not_matter():
    a = pk.compressible_packing([100.0, 1.0], [[1.0, 0.0], [0.7, 0.3]], [0.62, 0.55], 4.75)
    assert a["packing"].values[0] == pytest.approx(0.62 * 4.75 / 5.75)
    assert a["dominant_size"].values[0] == 100.0
    trace = pk.compressible_packing([100.0, 1.0], [1 - 1e-11, 1e-11], [0.62, 0.3], 4.75)
    assert trace["packing"].item() == pytest.approx(a["packing"].values[0], rel=1e-9)


def grains(low, high, n=12):
    return ParticleSizes(np.geomspace(low, high, n + 1), np.full(n, 1 / n))


def test_residual_packing_returns_the_measured_packing():
    s = grains(2.0, 80.0, 20)
    beta = pk.residual_packing(s, 0.60, 4.75)
    back = pk.packing_of_mixes({"a": s}, {"a": beta}, [[1.0]], 4.75)
    assert back["packing"].item() == pytest.approx(0.60, abs=1e-9)
    narrow = ParticleSizes(np.array([9.99, 10.01]), np.array([1.0]))
    assert pk.residual_packing(narrow, 0.55, 9.0) == pytest.approx(0.55 * (1 + 1 / 9))
    with pytest.raises(ValidityError, match=r"outside 0\.1 to 0\.95"):
        pk.residual_packing(narrow, 0.94, 4.75)


def test_mixes_of_materials():
    parts = {"sand": grains(200, 2000), "ash": grains(2, 60)}
    residual = {"sand": 0.62, "ash": 0.55}
    x = np.linspace(0, 1, 41)
    ds = pk.packing_of_mixes(
        parts, residual, np.stack([1 - x, x], axis=1), 9.0, densities={"sand": 2.65, "ash": 2.2}
    )  # fmt: skip
    best = int(np.argmax(ds["packing"].values))
    assert 0.15 < x[best] < 0.5  # fines fill the voids of the sand
    assert ds["packing"].values[best] > max(ds["packing"].values[[0, -1]]) + 0.05
    fine = pk.packing_of_mixes(parts, residual, [[0.7, 0.3]], 9.0, per_decade=30)["packing"].item()
    coarse = pk.packing_of_mixes(parts, residual, [[0.7, 0.3]], 9.0)["packing"].item()
    assert fine == pytest.approx(coarse, abs=0.005)


def test_missing_measurements_are_named():
    parts = {"sand": grains(200, 2000), "ash": grains(2, 60)}
    with pytest.raises(MissingDataError, match="ash"):
        pk.packing_of_mixes(parts, {"sand": 0.6}, [[0.5, 0.5]], 9.0)
    with pytest.raises(MissingDataError, match="pycnometer"):
        pk.packing_of_mixes(parts, {"sand": 0.6, "ash": 0.5}, [[0.5, 0.5]], 9.0, densities={"sand": 2.65})
    with pytest.raises(FractionSumError):
        pk.compressible_packing([10.0, 1.0], [0.5, 0.6], [0.6, 0.6], 9.0)
    with pytest.raises(ValidityError, match="residual packing density: found 1"):
        pk.compressible_packing([10.0], [1.0], [1.0], 9.0)


def _three():
    return {"coarse": grains(50, 400), "middle": grains(5, 80), "fine": grains(0.3, 8)}


def test_fit_to_target_finds_the_mix_a_target_was_made_of():
    # three adjoining parts, each the Dinger-Funk curve of its own range: the exact mix is known
    edges = np.geomspace(1, 1000, 61)
    target = pk.dinger_funk(edges, 1, 1000, 0.3)
    parts, exact = {}, []
    for i, name in enumerate(("fine", "middle", "coarse")):
        piece = slice(20 * i, 20 * i + 21)
        share = np.diff(target[piece])
        exact.append(share.sum())
        parts[name] = ParticleSizes(edges[piece], share / share.sum())
    ds = pk.fit_to_target(parts, 0.3)
    np.testing.assert_allclose(ds["volume_fraction"], exact, atol=1e-6)
    assert ds["rms"].item() < 1e-6
    assert np.isnan(ds["mass_fraction"]).all()


@settings(max_examples=15, deadline=None)
@given(st.floats(0.15, 0.6))
def test_fit_to_target_is_the_minimum(q):
    ds = pk.fit_to_target(_three(), q)
    x = ds["volume_fraction"].values
    assert x.sum() == pytest.approx(1.0) and (x >= 0).all()
    curves = np.stack([s.finer(ds["size"].values) for s in _three().values()], axis=1)
    grid = np.array([(i, j, 50 - i - j) for i in range(51) for j in range(51 - i)]) / 50
    rms = np.sqrt(((curves @ grid.T - ds["target"].values[:, None]) ** 2).mean(axis=0))
    assert ds["rms"].item() <= rms.min() + 1e-12


def test_fit_within_limits():
    ds = pk.fit_to_target(
        _three(), 0.25, limits={"fine": (0.05, 0.10)}, densities={"coarse": 2.65, "middle": 3.1, "fine": 2.2}
    )
    x = ds["volume_fraction"].values
    assert 0.05 <= x[2] <= 0.10 + 1e-9
    curves = np.stack([s.finer(ds["size"].values) for s in _three().values()], axis=1)
    grid = np.array([(1 - f - m, m, f) for f in np.linspace(0.05, 0.10, 26) for m in np.linspace(0, 0.9, 181)])
    rms = np.sqrt(((curves @ grid.T - ds["target"].values[:, None]) ** 2).mean(axis=0))
    assert ds["rms"].item() <= rms.min() + 1e-9
    mass = x * np.array([2.65, 3.1, 2.2])
    np.testing.assert_allclose(ds["mass_fraction"], mass / mass.sum())
    with pytest.raises(ValidityError, match="sum to more than 1"):
        pk.fit_to_target(_three(), 0.25, limits={"fine": (0.6, 1.0), "coarse": (0.6, 1.0)})
