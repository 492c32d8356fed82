"""Fineness of mixtures: additivity, Rosin-Rammler, surface, laws of comminution, bad input."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from wastelab.errors import FractionSumError, MissingDataError, ValidityError
from wastelab.simulate import grinding as gr
from wastelab.simulate.particle_size import ParticleSizes, as_sizes, common_edges

EDGES = np.geomspace(0.3, 300, 61)


def rr(size, n, edges=EDGES):
    share = np.diff(-np.expm1(-((edges / size) ** n)))
    return ParticleSizes(edges, share / share.sum())


def test_reader_dataset_and_pairs_are_the_same():
    s = rr(30.0, 1.0)
    ds = xr.Dataset(
        {
            "size_lower": ("band", EDGES[:-1], {"units": "um"}),
            "size_upper": ("band", EDGES[1:], {"units": "um"}),
            "volume": ("band", 100 * s.share, {"units": "%"}),
        }
    )
    np.testing.assert_allclose(as_sizes(ds).share, s.share, atol=1e-12)
    pair = as_sizes((EDGES, 100 * s.cumulative))
    np.testing.assert_allclose(pair.share, s.share, atol=1e-12)
    assert float(s.quantile(0.5)) == pytest.approx(float(pair.quantile(0.5)))


def test_a_dataset_of_the_laser_reader(tmp_path):
    import wastelab as wl

    file = tmp_path / "psd.csv"
    file.write_text(
        "Sample Name,Measurement date and time,Result Between User Sizes (Sizes in um),,,,,Notes\n"
        ",,1,2,4,8,16,\n"
        "ash,22/08/2026 09:49,,10,40,40,10,made up\n"
    )
    s = as_sizes(wl.read(file))
    assert s.edges.tolist() == [1, 2, 4, 8, 16]
    assert s.cumulative.tolist() == pytest.approx([0, 0.1, 0.5, 0.9, 1.0])
    assert float(s.quantile(0.5)) == pytest.approx(4.0)


def test_open_ends_are_asked_for():
    with pytest.raises(MissingDataError, match="finest="):
        as_sizes(([1.0, 10, 100], [5.0, 50, 100]))
    s = as_sizes(([1.0, 10, 100], [5.0, 50, 100]), finest=0.1)
    assert s.edges[0] == 0.1
    with pytest.raises(MissingDataError, match="starts at 0"):
        as_sizes(([0.0, 10, 100], [0.0, 50, 100]))
    with pytest.raises(ValidityError, match="ends at 80"):
        as_sizes(([1.0, 10], [0.0, 80]))
    with pytest.raises(ValidityError, match="must rise with size"):
        as_sizes(([1.0, 10, 100], [100.0, 50, 0]))


def test_quantiles_invert_the_cumulative_curve():
    s = rr(25.0, 1.1)
    for q in (0.1, 0.5, 0.9):
        assert float(s.finer(s.quantile(q))) == pytest.approx(q)
    step = ParticleSizes(np.array([1.0, 2.0, 4.0, 8.0]), np.array([0.0, 1.0, 0.0]))
    assert step.quantile([0.0, 1.0]).tolist() == pytest.approx([2.0, 4.0])


@given(st.floats(0.0, 1.0))
def test_mix_of_separately_ground_parts_adds_up(x):
    a, b = rr(15.0, 0.9), rr(60.0, 1.2, np.geomspace(0.5, 500, 41))
    mix = gr.combine_sizes([a, b], [x, 1 - x])
    sizes = np.array([1.0, 10.0, 45.0, 90.0])
    np.testing.assert_allclose(mix.finer(sizes), x * a.finer(sizes) + (1 - x) * b.finer(sizes), atol=1e-9)
    # surface of the mix is the mass-weighted surface
    parts = [float(gr.surface_from_sizes(p, 3.0)["surface"]) for p in (a, b)]
    total = float(gr.surface_from_sizes(mix, 3.0)["surface"])
    assert total == pytest.approx(x * parts[0] + (1 - x) * parts[1], rel=1e-9)


def test_densities_turn_mass_into_volume():
    a, b = rr(15.0, 0.9), rr(60.0, 1.2)
    mix = gr.combine_sizes([a, b], [0.5, 0.5], densities=[2.0, 4.0])
    assert float(mix.finer(20.0)) == pytest.approx(float(2 / 3 * a.finer(20.0) + 1 / 3 * b.finer(20.0)))


def test_blaine_by_hand():
    ds = gr.combine_surface([320.0, 450.0], [0.7, 0.3], sigma=[5.0, 10.0])
    assert ds["surface"].item() == pytest.approx(359.0)
    assert ds["sigma"].item() == pytest.approx(np.hypot(3.5, 3.0))
    with pytest.raises(FractionSumError):
        gr.combine_surface([320.0, 450.0], [0.7, 0.4])
    assert "may deviate" in gr.combine_surface([300.0, 2000.0], [0.5, 0.5]).attrs["warnings"]


@given(st.floats(5, 80), st.floats(0.7, 1.5))
def test_rosin_rammler_returns_what_it_was_made_with(size, n):
    edges = np.geomspace(size / 500, size * 20, 80)
    fit = gr.rosin_rammler((edges, 100 * np.append(0, -np.expm1(-((edges[1:] / size) ** n)))))
    assert fit.size == pytest.approx(size, rel=1e-3)
    assert fit.n == pytest.approx(n, rel=1e-3)
    assert float(fit.finer(size)) == pytest.approx(1 - np.exp(-1), abs=1e-3)
    assert "x'" in str(fit)


def test_rosin_rammler_needs_points():
    with pytest.raises(MissingDataError, match="need 4"):
        gr.rosin_rammler(([1.0, 10, 100], [0.0, 50, 100]))


def test_surface_against_quadrature():
    # one class, size spread evenly over its logarithm: mean of 1/x
    s = ParticleSizes(np.array([2.0, 50.0]), np.array([1.0]))
    mean = quad(lambda u: np.exp(-u), np.log(2), np.log(50))[0] / np.log(25)
    ds = gr.surface_from_sizes(s, 2.5, shape_factor=1.6)
    assert ds["surface"].item() == pytest.approx(6 * 1.6 * mean / 2.5 * 1000)
    # mono-size spheres of 10 um and 3 g/cm3: 6/(3000 * 1e-5) = 200 m2/kg
    narrow = ParticleSizes(np.array([9.999, 10.001]), np.array([1.0]))
    assert gr.surface_from_sizes(narrow, 3.0)["surface"].item() == pytest.approx(200.0, rel=1e-6)
    assert gr.calibrate_shape(narrow, 3.0, 340.0) == pytest.approx(1.7)
    with pytest.raises(ValidityError, match="below 1"):
        gr.calibrate_shape(narrow, 3.0, 150.0)


def test_bond_by_hand_and_by_its_definition():
    # Bond 1952: W = 10 Wi (1/sqrt(P80) - 1/sqrt(F80))
    ds = gr.bond_energy(12.0, 10_000.0, 100.0)
    assert ds["energy"].item() == pytest.approx(12.0 * 10 * (0.1 - 0.01))
    # from infinity to 100 um the energy is the work index, by definition: F80 = 25 mm is 6.3 % short of it
    assert gr.bond_energy(12.0, 25_000.0, 100.0)["energy"].item() == pytest.approx(12 * (1 - np.sqrt(100 / 25_000)))


def test_bond_fine_grinding_and_limits():
    plain = gr.bond_energy(12.0, 1000.0, 45.0)
    corrected = gr.bond_energy(12.0, 1000.0, 45.0, fine_correction=True)
    ratio = corrected["energy"].item() / plain["energy"].item()
    assert ratio == pytest.approx((45 + 10.3) / (1.145 * 45))
    assert "understates" in plain.attrs["warnings"]
    assert corrected.attrs["evidence"] == "memory"
    with pytest.raises(ValidityError, match="coarser"):
        gr.bond_energy(12.0, 100.0, 200.0)
    with pytest.raises(ValidityError, match="product P80: found 5"):
        gr.bond_energy(12.0, 100.0, 5.0)


@given(st.sampled_from(["rittinger", "bond", "kick"]), st.floats(100, 5000), st.floats(1, 90))
def test_laws_are_additive_and_integrate_the_differential_form(law, feed, product):
    constant = gr.comminution_constant(20.0, feed, product, law=law)
    whole = gr.comminution_energy(constant, feed, product, law=law)["energy"].item()
    assert whole == pytest.approx(20.0)
    middle = np.sqrt(feed * product)
    parts = sum(
        gr.comminution_energy(constant, a, b, law=law)["energy"].item() for a, b in ((feed, middle), (middle, product))
    )
    assert parts == pytest.approx(20.0, rel=1e-9)
    integral = quad(lambda x: constant / x ** gr.LAWS[law], product, feed, limit=200)[0]
    assert integral == pytest.approx(20.0, rel=1e-5)


def test_bond_constant_is_ten_times_half_the_index():
    # C = 5 Wi: the general law and Bond's equation agree
    general = gr.comminution_energy(5 * 12.0, 1000.0, 80.0, law="bond")["energy"].item()
    assert general == pytest.approx(gr.bond_energy(12.0, 1000.0, 80.0)["energy"].item())


def test_energy_of_a_mix():
    assert gr.mix_energy({"slag": 45.0, "clinker": 35.0}, {"slag": 0.4, "clinker": 0.6}) == pytest.approx(39.0)
    with pytest.raises(MissingDataError, match="gangue"):
        gr.mix_energy({"slag": 45.0}, {"slag": 0.4, "gangue": 0.6})
    assert gr.surface_energy(0.1, 100.0, 350.0)["energy"].item() == pytest.approx(25.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: gr.mix_energy({"a": "x"}, {"a": 1.0}), "energy of a = 'x'"),
        (lambda: gr.mix_energy({"a": 30.0}, {"a": "x"}), "fraction of a = 'x'"),
        (lambda: gr.mix_energy([30.0], {"a": 1.0}), "a number for each part"),
        (lambda: gr.mix_energy({"a": -30.0}, {"a": 1.0}), "energy of a: found -30"),
        (lambda: gr.combine_surface([300, 400], ["a", 0.5]), "fractions = "),
        (lambda: gr.combine_sizes(3, [1.0]), "parts = 3"),
        (lambda: gr.comminution_energy(1, 100, 10, law=None), "law None is not one of"),
        (lambda: gr.comminution_constant(1, 100, 10, law=["bond"]), "is not one of"),
    ],
)
def test_bad_numbers_are_told(call, words):
    with pytest.raises(ValidityError, match=words):
        call()


def test_common_edges_hold_all():
    e = common_edges(rr(15.0, 0.9), rr(60.0, 1.2, np.geomspace(0.5, 500, 41)))
    assert (e[0], e[-1]) == (0.3, 500)
    s = rr(15.0, 0.9)
    assert float(s.on(e).finer(12.0)) == pytest.approx(float(s.finer(12.0)), abs=2e-3)
    with pytest.raises(ValidityError, match="outside"):
        s.on(np.geomspace(5, 10, 5))
