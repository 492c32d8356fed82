"""Temperature integral and separable kinetics: against 40-digit arithmetic, quadrature and a stiff solver."""

from __future__ import annotations

import math
from decimal import Decimal as D
from decimal import localcontext
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp
from scipy.special import expn

from wastelab.errors import MissingDataError, ValidityError
from wastelab.reference.kinetics import reactions, triplet
from wastelab.simulate.heating import TemperatureProgram
from wastelab.simulate.kinetics import reaction_model
from wastelab.simulate.kinetics.separable import batch, conversion, conversion_at
from wastelab.simulate.kinetics.temperature_integral import p_function, program_integral, temperature_integral

R = D("8.31446261815324")


@cache
def _scaled_e2(x: D) -> D:
    """exp(x) E2(x) by its continued fraction, 40 digits."""
    tail = D(0)
    for k in range(int(150 + 6000 / x), 0, -1):
        tail = k * (k + 1) / (x + 2 + 2 * k - tail)
    return 1 / (x + 2 - tail)


def _exact_integral(ea: float, temperature: float) -> D:
    x = D(ea) / (R * D(temperature))
    return D(temperature) * (-x).exp() * _scaled_e2(x)


@pytest.mark.parametrize("ea", [10e3, 17.3e3, 61e3, 145e3, 333e3, 856e3, 1000e3])
def test_temperature_integral_to_1e_12(ea: float) -> None:
    with localcontext(prec=40):
        for temperature in (273.0, 298.15, 411.7, 777.7, 1250.0, 1811.1, 2273.15):
            exact = _exact_integral(ea, temperature)
            assert float(abs(D(float(temperature_integral(ea, temperature))) / exact - 1)) < 3e-13
            for step in (1e-3, 0.7, 13.0, 300.0):
                if temperature + step <= 2273.15:
                    exact_part = _exact_integral(ea, temperature + step) - exact
                    part = temperature_integral(ea, temperature + step, temperature)
                    assert float(abs(D(float(part)) / exact_part - 1)) < 1e-12


def test_integral_scans_the_whole_range_against_scipy() -> None:
    rng = np.random.default_rng(5)
    ea, t = rng.uniform(10e3, 1000e3, 5000), rng.uniform(273.0, 2273.0, 5000)
    x = ea / float(R) / t
    np.testing.assert_allclose(temperature_integral(ea, t), t * expn(2, x), rtol=2e-13)
    np.testing.assert_allclose(p_function(x), expn(2, x) / x, rtol=2e-13)


@pytest.mark.parametrize(("ea", "t"), [(9.9e3, 500.0), (1.01e6, 500.0), (1e5, 270.0), (1e5, 2300.0), (math.nan, 500.0)])
def test_outside_its_range_the_integral_is_refused(ea: float, t: float) -> None:
    with pytest.raises(ValidityError, match="outside"):
        temperature_integral(ea, t)


PROGRAM = (
    "from 25 degC, 10 K/min to 500 degC, hold 30 min, 3 K/min to 620 degC, 20 K/min to 400 degC, hold 1 h, "
    "15 K/min to 900 degC"
)


@pytest.mark.parametrize("ea", [20e3, 145e3, 400e3])
def test_integral_adds_up_over_ramps_and_holds(ea: float) -> None:
    p = TemperatureProgram.parse(PROGRAM)
    pieces = []
    for i in range(len(p.time_s) - 1):
        a, b = p.time_s[i], p.time_s[i + 1]
        cuts = np.linspace(a, b, 40)
        pieces.append(
            sum(
                quad(lambda t: math.exp(-ea / float(R) / float(p.at(t))), x, y, epsabs=0, epsrel=1e-13)[0]
                for x, y in pairwise(cuts)
            )
        )
    np.testing.assert_allclose(program_integral(p, ea), [0.0, *np.cumsum(pieces)], rtol=2e-12)


def test_a_hold_is_exact() -> None:
    p = TemperatureProgram.isothermal(800.0, 1234.5)
    assert float(conversion_at(p, 1e3, 100e3, "F1")) == pytest.approx(
        -math.expm1(-1e3 * 1234.5 * math.exp(-100e3 / float(R) / 800.0)), rel=1e-14
    )


@pytest.mark.parametrize("model", ["F1", "F0.96", "R2", "R3", "A2", "A3", "D1", "D2", "D3", "D4", "P2", "SB(0.4,1)"])
def test_conversion_against_forty_digit_theta(model: str) -> None:
    law = reaction_model(model)
    p = TemperatureProgram.parse("from 300 kelvin, 10 K/min to 1400 kelvin")
    ea = 180e3
    a = 1 / 6 * ea / float(R) / 900.0**2 * math.exp(ea / float(R) / 900.0)
    times = np.linspace(0.0, p.duration_s, 60)
    alpha = conversion_at(p, a, ea, law, times)
    with localcontext(prec=40):
        start = _exact_integral(ea, 300.0)
        theta = [float(D(a) * 6 * (_exact_integral(ea, 300.0 + float(t) / 6) - start)) for t in times]
    np.testing.assert_allclose(alpha, law.alpha(theta), atol=1e-12, rtol=0)


def _slow_twin(p: TemperatureProgram, a: float, ea: float, model: str, times: np.ndarray) -> np.ndarray:
    """A stiff solver in g, so that corners and dead starts do not trouble it."""
    out = solve_ivp(
        lambda t, y: [a * math.exp(-ea / float(R) / float(p.at(t)))],
        (0.0, p.duration_s), [0.0], method="LSODA", rtol=1e-10, atol=1e-14, t_eval=times, max_step=20.0,
    )  # fmt: skip
    return reaction_model(model).alpha(out.y[0])


def test_kernel_agrees_with_a_solver_on_a_crooked_program() -> None:
    p = TemperatureProgram.parse(PROGRAM)
    times = np.linspace(0.0, p.duration_s, 35)
    for model, a, ea in (("F1", 1e7, 145e3), ("R3", 1e7, 150e3), ("D4", 1e9, 190e3)):
        np.testing.assert_allclose(
            conversion_at(p, a, ea, model, times), _slow_twin(p, a, ea, model, times), atol=2e-7, rtol=0
        )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1.0, 7200.0), st.floats(280.0, 1700.0)), min_size=1, max_size=6),
    st.floats(290.0, 1200.0), st.floats(20e3, 600e3), st.integers(2, 30),
)  # fmt: skip
def test_outputs_never_depend_on_where_a_program_is_cut(
    steps: list[tuple[float, float]], start: float, ea: float, n: int
) -> None:
    t = np.concatenate([[0.0], np.cumsum([s[0] for s in steps])])
    p = TemperatureProgram(tuple(t), (start, *(s[1] for s in steps)))
    middle = np.sort(np.unique(np.concatenate([t, np.linspace(0.0, t[-1], n)])))
    keep = np.concatenate([[True], np.diff(middle) > 1e-6 * t[-1]])
    cut = TemperatureProgram(tuple(middle[keep]), tuple(p.at(middle[keep])))
    peak = p.peak_K
    a = ea / float(R) / peak**2 * math.exp(ea / float(R) / peak)
    times = np.minimum(middle[keep], min(p.duration_s, cut.duration_s))
    one = batch(p, [a, a, a], [ea] * 3, ["F1", "R2", "A2"], times)[0]
    other = batch(cut, [a, a, a], [ea] * 3, ["F1", "R2", "A2"], times)[0]
    np.testing.assert_allclose(one, other, atol=2e-10, rtol=0)
    assert np.all(np.diff(one, axis=0) >= -1e-12)
    assert (one >= 0).all() and (one <= 1).all()


def test_batches_agree_with_single_runs_and_with_threads() -> None:
    rng = np.random.default_rng(1)
    models = ["F1", "R3", "A2", "D4", "F1.5", "SB(0.3,1)"]
    n = 7
    ea = rng.uniform(100e3, 300e3, (n, 6))
    a = ea / 8.3 / 900.0**2 * np.exp(ea / 8.3 / 900.0)
    t = np.array([np.cumsum([0.0, *rng.uniform(100, 5000, 3)]) for _ in range(n)])
    temps = rng.uniform(300, 1300, (n, 4))
    together = batch((t, temps), a, ea, models, 9)
    np.testing.assert_array_equal(together, batch((t, temps), a, ea, models, 9, threads=2))
    np.testing.assert_array_equal(together[:, -1], batch((t, temps), a, ea, models))
    for i in range(n):
        p = TemperatureProgram(tuple(t[i]), tuple(temps[i]))
        for j, model in enumerate(models):
            single = conversion_at(p, a[i, j], ea[i, j], model, 9)
            np.testing.assert_allclose(together[i, :, j], single, rtol=0, atol=1e-15)
    one_law = batch((t, temps), a[0], ea[0], models)
    np.testing.assert_array_equal(one_law[0], together[0, -1])


def test_contracting_reactions_end_and_stay_complete() -> None:
    # an implicit solver may return nonsense past the corner of R2 and R3; the closed form cannot
    alpha = conversion_at("10 K/min to 1400 degC, hold 5 h", 8.9e5, 176.4e3, "R2", 500)
    assert alpha[-1] == 1.0
    assert np.all(np.diff(alpha) >= 0)
    assert np.all(alpha[np.argmax(alpha >= 1.0) :] == 1.0)


def test_dataset_carries_units_sources_and_what_is_left_out() -> None:
    known = reactions()
    ds = conversion("10 K/min to 1000 degC", [known["kaolinite"], known["calcite"], "illite/ondro-2019-tv"], times=50)
    assert ds.sizes == {"time": 50, "reaction": 3}
    assert all("units" in v.attrs for v in ds.variables.values())
    assert "calcite" in ds.attrs["warnings"] and "kaolinite" not in ds.attrs["warnings"]
    assert ds.attrs["evidence"] == "secondary"
    fine = conversion("10 K/min to 1000 degC", triplet("kaolinite/eskelinen-2015"), times=4001)
    alpha, rate = fine["conversion"].values[:, 0], fine["rate"].values[:, 0]
    np.testing.assert_allclose(np.gradient(alpha, fine["time"].values)[5:-5], rate[5:-5], rtol=1e-2, atol=1e-9)


def test_a_reaction_without_triplet_says_what_to_do() -> None:
    with pytest.raises(MissingDataError, match=r"kinetics unknown.*fit_kinetics"):
        conversion("10 K/min to 1000 degC", reactions()["muscovite"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"A": [-1.0]}, "above zero"), ({"Ea": [5e3]}, "outside 10000"), ({"times": [5.0, 1.0]}, "ascend"),
        ({"times": [1e9]}, "end of the program"), ({"times": 1}, "at least 2"), ({"A": [1.0, 2.0]}, "models"),
        ({"program": ([[0.0, 0.0]], [[300.0, 400.0]])}, "length above zero"),
        ({"program": ([[0.0, 1.0]], [[300.0, 2400.0]])}, "outside 273"),
    ],
)  # fmt: skip
def test_bad_input_is_named(change: dict[str, object], words: str) -> None:
    given_values: dict[str, object] = {"program": "10 K/min to 900 degC", "A": [1e7], "Ea": [145e3], "models": ["F1"]}
    given_values.update(change)
    with pytest.raises(ValidityError, match=words):
        batch(**given_values)  # type: ignore[arg-type]
