"""Overlapping steps: seen by the checks, taken apart, and fitted as parallel reactions."""

import numpy as np
import pytest
from kinetic_fit_data import SINGLE, runs

from wastelab.errors import UnknownNameError, ValidityError
from wastelab.simulate import kinetic_fit as kf

TWO = [(0.4, "F1", 140e3, 22.0), (0.6, "F1", 190e3, 28.0)]


def codes(fit):
    return {w.code: w for w in fit.warnings}


def test_two_parallel_steps_are_noticed():
    fit = kf.fit_kinetics(runs(TWO))
    found = codes(fit)
    assert {"several_steps", "ea_varies", "methods_differ", "poor_fit"} <= set(found)
    assert found["ea_varies"].severity == "severe" and found["ea_varies"].value > 0.2
    assert all(w.text and w.text_zh for w in fit.warnings)
    assert fit.triplet().default is False and "ea_varies" in fit.triplet().note
    # where one step rules, Ea is its own: differential and incremental methods see it, integral ones average
    free = {m: e.Ea / 1e3 for m, e in fit.energies.items()}
    assert free["friedman"][0] == pytest.approx(140, abs=3) and free["friedman"][-1] == pytest.approx(190, abs=1)
    assert free["vyazovkin_incremental"] == pytest.approx(free["friedman"], abs=3)
    assert np.abs(free["vyazovkin"] - free["friedman"]).max() > 20


def test_parallel_fit_returns_what_the_runs_were_made_with():
    fit = kf.fit_parallel(runs(TWO), ("F1", "F1"))
    for component, (share, model, Ea, ln_A) in zip(fit.components, TWO, strict=True):
        assert component.model.name == model
        assert component.share == pytest.approx(share, rel=1e-6)
        assert component.Ea == pytest.approx(Ea, rel=1e-6)
        assert component["ln_A"].value == pytest.approx(ln_A, rel=1e-6)
    assert sum(c.share for c in fit.components) == pytest.approx(1, abs=1e-12)
    assert list(fit.table["model"]) == ["F1", "F1"]
    assert "Component 2" in fit.report()


def test_parallel_fit_with_noise_and_another_model():
    made = [(0.35, "F1", 150e3, 24.0), (0.65, "A2", 220e3, 31.0)]
    fit = kf.fit_parallel(runs(made, noise=2e-3, seed=2), ("F1", "An"))
    for component, (share, _, Ea, ln_A) in zip(fit.components, made, strict=True):
        assert abs(component.share - share) < 4 * component["share"].se < 0.02
        assert abs(component.Ea - Ea) < 4e3 * component["Ea"].se < 5e3
        assert abs(component["ln_A"].value - ln_A) < 4 * component["ln_A"].se
    assert fit.components[1]["n"].value == pytest.approx(2.0, abs=0.05)


def test_parallel_prediction_is_the_sum():
    fit = kf.fit_parallel(runs(TWO, rates=(3, 6, 12)), ("F1", "F1"))
    made = fit.predict("from 27 degC, 10 K/min to 700 degC", points=100)
    total = (made["share"] * made["alpha_component"]).sum("component")
    assert np.allclose(total, made["alpha"], atol=1e-12)
    assert float(made["alpha"][-1]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", ["fraser_suzuki", "gaussian", "bigaussian"])
def test_shapes_have_their_height_and_width(shape):
    from wastelab.simulate.kinetic_fit.deconvolution import SHAPES

    function, k = SHAPES[shape]
    T = np.linspace(300, 900, 60001)
    y = function(T, *(2.0, 600.0, 50.0, -0.3)[:k])
    above = T[y >= 1.0]
    assert y.max() == pytest.approx(2.0, rel=1e-6)
    assert T[np.argmax(y)] == pytest.approx(600, abs=0.02)
    # Fraser-Suzuki: width at half height is w sinh(s)/s (from the definition, ln(1 + 2 s x/w) = +-s)
    expected = 50 * np.sinh(-0.3) / -0.3 if shape == "fraser_suzuki" else 50
    assert np.ptp(above) == pytest.approx(expected, abs=0.05)


def test_gaussian_peaks_come_back_exactly():
    from wastelab.simulate.kinetic_fit.deconvolution import gaussian

    T = np.arange(500.0, 900.0, 0.25)
    data = []
    for k, rate in enumerate((5, 10, 20)):
        made = [(0.3, 640 + 8 * k, 40), (0.7, 720 + 8 * k, 60)]
        y = sum(gaussian(T, s / (w * np.sqrt(np.pi / np.log(2)) / 2), p, w) for s, p, w in made)
        alpha = np.concatenate([[0], np.cumsum(0.5 * (y[1:] + y[:-1]) * 0.25)])
        data.append({"time_s": (T - T[0]) / (rate / 60), "temperature_K": T, "alpha": alpha, "name": f"{rate}"})
    found = kf.deconvolve(data, 2, shape="gaussian")
    table = found.table
    assert list(table["position_degC"] + 273.15) == pytest.approx([640, 720, 648, 728, 656, 736], abs=0.05)
    assert list(table["width_K"]) == pytest.approx([40, 60] * 3, rel=2e-3)
    assert found.shares() == pytest.approx(np.array([[0.3, 0.7]] * 3), abs=2e-3)
    assert max(found.rms) < 1e-3


def test_a_deconvolved_step_can_be_fitted():
    apart = kf.deconvolve(runs(TWO), 2)
    assert apart.shares() == pytest.approx(np.array([[0.4, 0.6]] * 4), abs=0.006)
    for peak, (_, _, Ea, _) in enumerate(TWO, 1):
        fit = kf.fit_kinetics(apart.step(peak), models=("F1", "A2", "R3"))
        assert fit.mean_Ea("vyazovkin")[0] == pytest.approx(Ea / 1e3, rel=0.02)
        assert fit.best.family == "F1"
    with pytest.raises(ValidityError, match="no peak 3"):
        apart.step(3)


def test_steps_far_apart_are_found_and_chosen():
    made = [(0.3, "F1", 120e3, 25.0), (0.7, "R3", 220e3, 24.0)]
    data = runs(made, rates=(3, 8, 20), high=1500.0, noise=5e-4)
    found = kf.steps(data[0])
    assert len(found) == 2 and found[0].high_K <= found[1].low_K
    assert [s.share for s in found] == pytest.approx([0.3, 0.7], abs=0.03)
    first = kf.fit_kinetics(data, step=1, models=("F1", "A2"), methods=("vyazovkin",))
    second = kf.fit_kinetics(data, step="largest", models=("F1", "R3"), methods=("vyazovkin",))
    assert first.mean_Ea()[0] == pytest.approx(120, rel=0.02) and second.mean_Ea()[0] == pytest.approx(220, rel=0.02)
    assert first.best.family == "F1" and second.best.family == "R3"
    assert not {"several_steps"} & set(codes(first))
    by_window = kf.fit_kinetics(data, window=("330 degC", "1100 degC"), models=None, methods=("vyazovkin",))
    assert by_window.mean_Ea()[0] == pytest.approx(220, rel=0.02)
    with pytest.raises(ValidityError, match="step = 3"):
        kf.fit_kinetics(data, step=3)


def test_single_rate_cannot_be_taken_apart_into_reactions():
    with pytest.raises(ValidityError, match="single rate"):
        kf.fit_parallel(runs(TWO, rates=(10,)))
    with pytest.raises(ValidityError, match="not SB"):
        kf.fit_parallel(runs(TWO), ("SB",))
    with pytest.raises(UnknownNameError, match="fraser_suzuki"):
        kf.deconvolve(runs(TWO), 2, shape="fraser")


def test_figures_show_the_runs():
    from wastelab.plotting.kinetics import deconvolution_figure, kinetic_figure
    from wastelab.plotting.style import can_draw
    from wastelab.simulate.kinetic_fit.words import word

    fit = kf.fit_kinetics(runs([(1.0, "A2", *SINGLE["A2"])], noise=1e-3), models=("F1", "An", "SB"))
    figure = fit.plot()
    assert len(figure.axes) == 4
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert "2.5 K/min" in labels and any(label.startswith("An (n = ") for label in labels)
    assert [line.get_ydata().max() > 0.9 for line in figure.axes[0].lines[:4]] == [True] * 4
    for kind in ("curves", "energies", "residuals", "master"):
        assert len(kinetic_figure(fit, kind, model="SB").axes) == 1
    with pytest.raises(UnknownNameError, match="energies"):
        fit.plot("energy")
    axes = kinetic_figure(fit, lang="zh").axes
    shown = "转化率" if can_draw("转化率") else "conversion"
    assert axes[0].get_ylabel() == axes[1].get_xlabel() == shown
    assert word("figure_residual", "zh", name="A2") == "实测 − A2"
    lone = kf.fit_kinetics(runs([(1.0, "A2", *SINGLE["A2"])], rates=(10,)), force=True, models=("F1", "A2"))
    assert "one heating rate" in lone.plot().axes[1].texts[0].get_text()
    apart = deconvolution_figure(kf.deconvolve(runs(TWO), 2))
    assert [ax.get_title() for ax in apart.axes] == ["2.5 K/min", "5 K/min", "10 K/min", "20 K/min"]
