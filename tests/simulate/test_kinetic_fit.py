"""Fits of simulated runs return what they were made with, by every method."""

import re
import warnings

import numpy as np
import pytest
from kinetic_fit_data import RATES, SINGLE, R, conversion, runs, theta
from scipy.integrate import quad

from wastelab.errors import MissingDataError, UnknownNameError, ValidityError
from wastelab.simulate import kinetic_fit as kf
from wastelab.simulate.heating import TemperatureProgram
from wastelab.simulate.kinetic_fit import integrals
from wastelab.simulate.kinetics import reaction_model


@pytest.fixture(scope="module")
def fits():
    return {m: kf.fit_kinetics(runs([(1.0, m, *p)])) for m, p in SINGLE.items()}


@pytest.mark.parametrize("model", SINGLE)
def test_every_isoconversional_method_returns_the_energy(fits, model):
    Ea = SINGLE[model][0]
    found = {m: e.Ea / Ea - 1 for m, e in fits[model].energies.items()}
    assert set(found) == set(kf.METHODS)
    for method in ("friedman", "vyazovkin", "vyazovkin_incremental"):
        assert np.abs(found[method]).max() < 1e-6, method
    for method in ("kas_corrected", "ofw_corrected"):
        assert np.abs(found[method]).max() < 1e-4, method
    assert np.abs(found["starink"]).max() < 1e-3
    # the approximations themselves: KAS 2/x^2, Doyle some percent away from x = Ea/RT = 30 (ICTAC 2011, section 3)
    x = Ea / (R * fits[model].temperature_K.mean())
    assert np.all((found["kas"] < 0) & (found["kas"] > -2.6 / x**2))
    assert np.abs(found["ofw"]).max() < 0.025


@pytest.mark.parametrize("model", SINGLE)
def test_model_fit_returns_model_and_triplet(fits, model):
    Ea, ln_A = SINGLE[model]
    fit = fits[model]
    assert fit.best.family == model
    assert fit.best["Ea"].value == pytest.approx(Ea / 1e3, rel=1e-8)
    assert fit.best["ln_A"].value == pytest.approx(ln_A, rel=1e-8)
    assert fit.models.iloc[0]["delta_aicc"] == 0
    assert fit.models["weight"].sum() == pytest.approx(1)
    assert fit.master.best()[0] == model


@pytest.mark.parametrize("model", SINGLE)
def test_kissinger_within_its_known_bias(fits, model):
    # exact for F1; for other models f'(alpha_p) drifts with the rate, a bias of some tenths of a percent
    Ea, ln_A = SINGLE[model]
    found = fits[model].kissinger
    assert found.Ea == pytest.approx(Ea, rel=1e-4 if model == "F1" else 3e-3)
    if model == "F1":
        assert found.ln_A == pytest.approx(ln_A, abs=3e-3)


def test_peaks_of_noisy_runs_do_not_jump():
    found = [
        kf.fit_kinetics(
            runs([(1.0, "A2", *SINGLE["A2"])], noise=1e-3, seed=s), models=None, methods=("kas",)
        ).kissinger.Ea
        for s in range(6)
    ]
    assert found == pytest.approx([150e3] * 6, rel=0.01)


@pytest.mark.parametrize(
    ("family", "made", "expected"),
    [("Fn", "F1.5", {"n": 1.5}), ("An", "A1.6", {"n": 1.6}), ("SB", "SB(0.4,1.1,0)", {"m": 0.4, "n": 1.1})],
)
def test_fitted_exponents(family, made, expected):
    fit = kf.fit_kinetics(
        runs([(1.0, made, 180e3, 26.0)], rates=(3, 8, 20)), models=("F1", family), methods=("friedman",)
    )
    assert fit.best.family == family
    assert fit.best["Ea"].value == pytest.approx(180.0, rel=2e-4)
    assert fit.best["ln_A"].value == pytest.approx(26.0, abs=0.01)
    for name, value in expected.items():
        assert fit.best[name].value == pytest.approx(value, abs=2e-3)


def test_the_temperature_integral_against_quadrature():
    for Ea, T in ((1e4, 1000.0), (6e4, 450.0), (1.5e5, 700.0), (3e5, 1500.0), (1e6, 300.0)):
        x = Ea / (R * T)
        scaled = quad(lambda u, x=x: np.exp(-u) * (1 + u / x) ** -2 / x, 0, 60, epsabs=0, epsrel=1e-12)[0]
        assert float(integrals.log_temperature_integral(Ea, T)) == pytest.approx(np.log(T * scaled) - x, rel=1e-13)


def test_slope_factors_against_finite_differences():
    Ea, u = 1.4e5, np.array([1 / 650.0, 1 / 650.001])
    for power in (0.0, 1.92, 2.0):
        y = np.log(theta(Ea, 1 / u)) + power * np.log(u)  # ln beta - power ln T, up to a constant
        slope = (y[1] - y[0]) / (u[1] - u[0])
        assert float(integrals.slope_factor(Ea, 650.0, power)) == pytest.approx(-slope * R / Ea, rel=1e-4)


def test_published_factors_are_near_the_exact_ones():
    # Doyle 1962: 1.052; Starink 2003: 1.0008 with T^1.92
    assert float(integrals.slope_factor(30 * R * 700, 700.0, 0.0)) == pytest.approx(1.052, abs=0.015)
    assert float(integrals.slope_factor(30 * R * 700, 700.0, 1.92)) == pytest.approx(1.0008, abs=5e-4)


def test_kas_returns_150_and_not_1245():
    # the trap: a slope over 1/T taken with a factor R too many
    b = np.array(RATES) / 60
    T = np.array([[600.0, 613.0, 627.0, 642.0]])
    by_hand = -np.polyfit(1 / T[0], np.log(b / T[0] ** 2), 1)[0] * R
    assert kf.kissinger_akahira_sunose(T, b).Ea[0] == pytest.approx(by_hand, rel=1e-10)
    assert 100e3 < by_hand < 200e3


def test_kissinger_by_hand_in_kelvin():
    peaks, b = np.array([617.2, 631.2, 645.9, 661.2]), np.array(RATES) / 60
    slope, level = np.polyfit(1 / peaks, np.log(b / peaks**2), 1)
    found = kf.kissinger(peaks, b)
    assert found.Ea == pytest.approx(-slope * R, rel=1e-9)
    assert np.exp(found.ln_A) == pytest.approx(-slope * np.exp(level), rel=1e-6)
    assert found.peak_at(10 / 60) == pytest.approx(645.9, abs=0.3)
    with pytest.raises(ValidityError, match="degC"):
        kf.kissinger([100.0, 110.0, 120.0], b[:3])


def test_heating_rate_is_measured_not_read_from_the_programme():
    data = runs([(1.0, "F1", *SINGLE["F1"])], rates=(2, 5, 10))
    for d in data:
        d["program_temperature_K"] = 300.0 + 1.2 * (d["temperature_K"] - 300.0)
    fit = kf.fit_kinetics(data, models=None, methods=("kas_corrected",))
    assert [60 * c.beta for c in fit.conversions] == pytest.approx([2, 5, 10], rel=1e-9)
    assert sum(w.code == "rate_not_programme" for w in fit.warnings) == 3
    assert fit.energies["kas_corrected"].Ea == pytest.approx(150e3, rel=1e-4)


def test_incremental_method_and_model_fit_take_any_temperature_program():
    # heating that curves: T = T0 + b t + c t^2, integrated by SciPy as a twin
    from scipy.integrate import cumulative_simpson

    Ea, ln_A, data = 150e3, 23.0, []
    for rate in (2, 5, 12):
        t = np.linspace(0, 600 / (rate / 60) * 0.6, 4001)
        T = 350 + rate / 60 * t * (1 + 0.8 * t / t[-1])
        g = cumulative_simpson(np.exp(ln_A - Ea / (R * T)), x=t, initial=0)
        data.append({"time_s": t, "temperature_K": T, "mass_mg": 5 * (1 - 0.3 * -np.expm1(-g)), "name": f"{rate}"})
    fit = kf.fit_kinetics(data, models=("F1",))
    assert fit.energies["vyazovkin_incremental"].Ea == pytest.approx(Ea, rel=1e-4)
    assert fit.energies["friedman"].Ea == pytest.approx(Ea, rel=1e-4)
    assert fit.best["Ea"].value == pytest.approx(150, rel=1e-5)
    assert any(w.code == "rate_not_constant" for w in fit.warnings)


def test_dsc_with_a_step_in_heat_capacity():
    # baseline proportional to the area; by the proportional construction the conversion comes back
    data = []
    for rate in (2, 5, 10, 20):
        T = np.arange(420.0, 820.0, 0.25)
        alpha = conversion("F1", 150e3, 23.0, rate / 60, T)
        t = (T - T[0]) / (rate / 60)
        flow = 800 * np.gradient(alpha, t) + (1 - alpha) * (0.2 + 1e-4 * (T - 420)) + alpha * (0.35 + 2e-4 * (T - 420))
        data.append({"time_s": t, "temperature_K": T, "heat_flow_specific": flow, "name": f"{rate}"})
    fit = kf.fit_kinetics(data, signal="dsc", units={"heat_flow_specific": "mW/mg"}, models=("F1", "A2", "R3"))
    assert fit.best.family == "F1"
    assert fit.best["Ea"].value == pytest.approx(150, rel=3e-3)
    assert fit.mean_Ea("vyazovkin")[0] == pytest.approx(150, rel=3e-3)
    # a straight baseline under a step in heat capacity moves conversions so far that the runs no longer belong together
    with pytest.raises(ValidityError, match="baseline is wrong"):
        kf.fit_kinetics(data, signal="dsc", units={"heat_flow_specific": "mW/mg"}, baseline="linear")


@pytest.mark.parametrize("baseline", ["linear", "tangential"])
def test_drift_of_the_balance_is_taken_off(baseline):
    data = runs([(1.0, "F1", *SINGLE["F1"])], rates=(2, 5, 10), low=420.0, high=850.0)
    for d in data:
        d["mass_mg"] = d["mass_mg"] + 4e-4 * (d["temperature_K"] - 420.0)  # 0.17 mg of apparent gain
    plain = kf.fit_kinetics(data, models=("F1",), methods=("vyazovkin",), baseline="horizontal")
    drift = kf.fit_kinetics(data, models=("F1",), methods=("vyazovkin",), baseline=baseline)
    error = [np.abs(f.energies["vyazovkin"].Ea / 150e3 - 1).max() for f in (plain, drift)]
    assert error[1] < 2e-3 < error[0]


def test_triplet_predicts_the_measured_peak_and_is_a_reference_triplet(fits):
    from wastelab.reference.kinetics import Triplet

    fit = fits["A2"]
    audit = fit.audit()
    assert audit.agrees and audit.predicted_K == pytest.approx(audit.measured_K, abs=0.5)
    made = fit.triplet(id="sim/a2", process="simulated", reaction="A -> B")
    assert isinstance(made, Triplet)
    assert (made.A, made.Ea, made.model) == pytest.approx((np.exp(22.0), 150e3, "A2")) or made.model == "A2"
    assert made.Ea == pytest.approx(150e3, rel=1e-8) and pytest.approx(np.exp(22.0), rel=1e-6) == made.A
    assert made.default and 500 < made.T_low < made.T_high < 750
    # another model of the same runs is worse, and says where its peak is
    assert abs(fit.audit("D3").predicted_K - audit.measured_K) > 1.0


def test_dtg_peak_against_the_kissinger_condition():
    # at the peak of a first-order reaction Ea beta/(R T^2) = A exp(-Ea/RT), exactly
    Ea, A, beta = 180e3, 1e12, 10 / 60
    T = kf.dtg_peak(A, Ea, reaction_model("F1"))
    assert Ea * beta / (R * T**2) == pytest.approx(A * np.exp(-Ea / (R * T)), rel=2e-4)
    with pytest.raises(ValidityError, match="no peak"):
        kf.dtg_peak(1e-3, 300e3, reaction_model("F1"))


def test_prediction_over_another_program_against_an_ode_solver(fits):
    from scipy.integrate import solve_ivp

    program = TemperatureProgram.parse("from 200 degC, 30 K/min to 330 degC, hold 60 min")
    made = fits["F1"].predict(program, points=50)
    k = lambda t: np.exp(23.0 - 150e3 / (R * program.at(t)))  # noqa: E731
    twin = solve_ivp(lambda t, y: k(t) * (1 - y), (0, program.duration_s), [0.0], t_eval=made.time.values,
                     method="LSODA", rtol=1e-10, atol=1e-12, max_step=20.0)  # fmt: skip
    assert np.abs(made["alpha"].values - twin.y[0]).max() < 1e-6
    free = fits["F1"].predict(program, points=50, by="friedman")
    assert np.abs(free["alpha"].values - twin.y[0]).max() < 0.03
    assert made.attrs["warnings"] == "" and made["alpha"].attrs["units"] == "1"
    assert "measured were" in fits["F1"].predict("from 20 degC, 2000 K/min to 900 degC").attrs["warnings"]


def test_tables_and_text(fits, tmp_path):
    fit = fits["R3"]
    assert set(fit.ea.dims) == {"by", "alpha", "run"}
    assert all("units" in v.attrs for v in fit.ea.data_vars.values())
    assert float(fit.ea["Ea"].sel(by="friedman").mean()) == pytest.approx(200, rel=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit.to_dataset().to_netcdf(tmp_path / "fit.nc", engine="h5netcdf")
    text = fit.report()
    for word in ("Friedman", "R3", "Vyazovkin", "DTG peak", "Correlations", "agrees"):
        assert word in text
    chinese = fit.report("zh")
    assert "动力学拟合" in chinese and "一致" in chinese and "OFW(修正)" in chinese
    assert "水平" in chinese and "[[机理函数]] R3" in fit.fit_report(lang="zh")
    allowed = {"K", "min", "R", "F", "A", "D", "P", "n", "m", "Fn", "An", "SB", "Ea", "ln", "kJ", "mol", "C", "AICc",
               "AIC", "DTG", "Friedman", "Ozawa", "Flynn", "Wall", "OFW", "KAS", "Starink", "Vyazovkin", "Kissinger",
               "e", "mg", "c", "ln_A", "s", "t"}  # fmt: skip
    words = set(re.findall(r"[A-Za-z_]+", re.sub(r"\[\w+\]$", "", chinese, flags=re.MULTILINE)))
    assert words <= allowed | {"ΔAICc"}
    assert "C(Ea, ln_A)" in fit.fit_report()
    with pytest.raises(UnknownNameError, match="was not fitted"):
        fit.fit_of("A7")
    with pytest.raises(MissingDataError, match="No model was fitted"):
        kf.fit_kinetics(runs([(1.0, "F1", *SINGLE["F1"])]), models=None, methods=("kas",)).best  # noqa: B018


def test_calcine_takes_the_triplet_at_once():
    from wastelab.simulate.kinetics.calcine import calcine

    fit = kf.fit_kinetics(runs([(1.0, "R3", 190e3, 14.5)], low=500.0, high=1400.0), models=("R3", "F1"))
    made = calcine(None, "from 227 degC, 15 K/min to 1100 degC", "nitrogen", phases={"calcite": 100.0},
                   triplets={"calcite": fit.triplet(id="sim/calcite")})  # fmt: skip
    expected = fit.predict("from 227 degC, 15 K/min to 1100 degC", made["time"].values)
    # calcine slows calcite by its equilibrium pressure, which nitrogen leaves at next to nothing
    assert np.abs(made["conversion"].values[:, 0] - expected["alpha"].values).max() < 2e-3
    d_ln_A, d_Ea, together = fit.uncertainty()
    assert d_ln_A >= 0 and d_Ea >= 0 and 0.9 < together <= 1.0


def test_the_temperature_integral_is_that_of_the_separable_kinetics():
    from wastelab.simulate.kinetics.temperature_integral import temperature_integral

    T = np.linspace(300.0, 1800.0, 40)
    ours = np.exp(integrals.log_temperature_integral(180e3, T))
    assert ours == pytest.approx(temperature_integral(180e3, T), rel=1e-11)


def test_compensation_line_gives_the_factor(fits):
    # Vyazovkin et al. 2011, section 4.1: the line through single-run pairs gives ln A at the isoconversional Ea
    fit = fits["F1"]
    assert fit.compensation.ln_A == pytest.approx(23.0, abs=1.2)
    assert fit.compensation.r2 > 0.97


def test_conversions_do_not_depend_on_units():
    data = runs([(1.0, "F1", *SINGLE["F1"])], rates=(2, 5, 10))
    other = [
        {"time": d["time_s"] / 60, "temperature": d["temperature_K"] - 273.15, "mass": d["mass_mg"] / 5 * 100}
        for d in data
    ]
    units = {"time": "min", "temperature": "degC", "mass": "%"}
    a = kf.fit_kinetics(data, models=("F1",), methods=("kas",))
    b = kf.fit_kinetics(other, models=("F1",), methods=("kas",), units=units)
    c = kf.fit_kinetics([tuple(d.values()) for d in other], models=("F1",), methods=("kas",), units=units)
    for fit in (b, c):
        assert fit.energies["kas"].Ea == pytest.approx(a.energies["kas"].Ea, rel=1e-8)
        assert fit.best["Ea"].value == pytest.approx(a.best["Ea"].value, rel=1e-8)


def test_order_of_runs_does_not_matter(fits):
    data = runs([(1.0, "A2", *SINGLE["A2"])])
    turned = kf.fit_kinetics(data[::-1])
    for method in kf.METHODS:
        assert turned.energies[method].Ea == pytest.approx(fits["A2"].energies[method].Ea, rel=1e-7)


@pytest.mark.parametrize(("model", "Ea", "ln_A"), [("R3", 150e3, 20.0), ("F1", 150e3, 23.0), ("D3", 250e3, 30.0)])
@pytest.mark.parametrize("seed", [1, 3])
def test_more_exponents_do_not_win_by_errors_of_the_levels(model, Ea, ln_A, seed):
    # made with one model; Sestak-Berggren bends with the errors of the levels of 0 and 1 and must not be preferred
    fit = kf.fit_kinetics(runs([(1.0, model, Ea, ln_A)], noise=1e-3, seed=seed, rates=(5, 10, 20)), methods=("kas",))
    assert fit.best.family == model
    assert fit.best["Ea"].value == pytest.approx(Ea / 1e3, rel=0.01)
    lowest = fit.models["delta_aicc"].min()
    assert lowest == 0 and fit.models["delta_aicc"].iloc[0] < 10
    alike = [w for w in fit.warnings if w.code == "models_alike"]
    if model != "D3":  # D3 is no case of Sestak-Berggren
        assert alike and model in alike[0].text and alike[0].text_zh


def test_fitted_exponents_win_where_the_data_ask_for_them():
    for model, family in (("SB(0.4,1.1,0)", "SB"), ("F1.5", "Fn")):
        fit = kf.fit_kinetics(runs([(1.0, model, 180e3, 26.0)], noise=3e-3, seed=2), methods=("kas",))
        assert fit.best.family == family


def test_whitened_residuals_against_the_full_covariance():
    # twin: generalised least squares with the covariance written out
    from wastelab.simulate.kinetic_fit.model_fit import Problem, fit_model
    from wastelab.simulate.kinetic_fit.selection import _weigh

    made = kf.conversions(runs([(1.0, "F1", *SINGLE["F1"])], noise=2e-3, seed=5, rates=(5, 10, 20)))
    problem = Problem(made, 0.05, 0.95)
    fit = fit_model(problem, "F1")
    rest = _weigh(problem, fit, [c.noise for c in made])
    total = 0.0
    blocks, scale = [], []
    for part, c in zip(problem.slices, made, strict=True):
        a = problem.measured[part]
        shapes = np.column_stack([(1 - a) * c.end_se[0], a * c.end_se[1]])
        blocks.append(np.linalg.inv(np.eye(a.size) + shapes @ shapes.T / c.noise**2))
        scale.append(a.size)
    weight = np.zeros((sum(scale), sum(scale)))
    for part, block in zip(problem.slices, blocks, strict=True):
        weight[part, part] = block
    r, jac = np.concatenate(fit.residuals), fit.jacobian
    step = np.linalg.solve(jac.T @ weight @ jac, jac.T @ weight @ r)
    total = (r - jac @ step) @ weight @ (r - jac @ step)
    assert rest @ rest == pytest.approx(total, rel=1e-8)


def test_errors_that_noise_gives_the_energies_against_repeated_runs():
    from wastelab.simulate.kinetic_fit.energy_checks import noise_errors

    found, said = [], ()
    for seed in range(20):
        data = runs([(1.0, "F1", *SINGLE["F1"])], noise=3e-3, seed=seed)
        fit = kf.fit_kinetics(data, models=None, methods=("vyazovkin", "friedman"))
        found.append([fit.energies[m].Ea for m in ("vyazovkin", "friedman")])
        said = noise_errors(fit.alpha, fit.temperature_K, fit.rate, 150e3, fit.conversions)
    seen = np.std(found, axis=0, ddof=1)
    # twenty draws give a standard deviation to 16 %
    assert np.all(np.abs(np.log(seen / np.array(said))) < np.log(2.2))
    assert np.abs(np.log(seen / np.array(said))).mean() < 0.25


def test_noise_and_intervals():
    data = runs([(1.0, "A2", *SINGLE["A2"])], noise=2e-3, seed=4, low=420.0, high=900.0)
    fit = kf.fit_kinetics(data, models=("F1", "A2", "A3", "R3"))
    assert fit.best.family == "A2"
    assert all(c.noise == pytest.approx(2e-3, rel=0.2) for c in fit.conversions)
    assert all(c.smoothing_K > 3 for c in fit.conversions)
    assert fit.best["Ea"].low < 150 < fit.best["Ea"].high
    assert abs(fit.mean_Ea("vyazovkin")[0] - 150) < 1.0
    profile = kf.fit_kinetics(data, models=("A2",), methods=("kas",), interval="profile").best["Ea"]
    boot = kf.fit_kinetics(data, models=("A2",), methods=("kas",), interval="bootstrap", draws=60, seed=3).best["Ea"]
    again = kf.fit_kinetics(data, models=("A2",), methods=("kas",), interval="bootstrap", draws=60, seed=3).best["Ea"]
    assert boot == again
    plain = fit.best["Ea"]
    assert boot.se == pytest.approx(plain.se, rel=0.4)
    assert profile.low < profile.value < profile.high
    assert (profile.high - profile.low) <= 1.1 * (plain.high - plain.low)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    hits, free = [], []
    for seed in range(100):
        data = runs([(1.0, "F1", *SINGLE["F1"])], noise=3e-3, seed=seed, low=400.0, high=1000.0)
        fit = kf.fit_kinetics(data, models=("F1",), methods=("friedman", "vyazovkin"))
        hits.append([fit.best["Ea"].low < 150 < fit.best["Ea"].high, fit.best["ln_A"].low < 23 < fit.best["ln_A"].high])
        free.append([np.mean((e.low < 150e3) & (e.high > 150e3)) for e in fit.energies.values()])
    # 95 % intervals, 100 draws: binomial standard deviation 2.2 %
    assert np.all(np.mean(hits, axis=0) >= 0.88)
    assert np.all(np.mean(free, axis=0) >= 0.90)
    assert np.all(np.mean(free, axis=0) <= 0.99)
