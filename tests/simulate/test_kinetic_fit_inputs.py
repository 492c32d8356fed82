"""What a fit refuses, what it remarks, and the forms of data it reads, real instrument files among them."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from kinetic_fit_data import SINGLE, runs

from wastelab.errors import MissingDataError, UnitError, UnknownNameError, ValidityError
from wastelab.simulate import kinetic_fit as kf

ONE = [(1.0, "F1", *SINGLE["F1"])]
SHARED = Path(os.environ.get("WASTELAB_SHARED", Path(__file__).resolve().parents[3] / "shared"))
FILES = SHARED / "instrument_files"


def changed(index=0, rates=(2.5, 5, 10), **columns):
    data = runs(ONE, rates=rates)
    data[index] |= columns
    return data


def codes(fit):
    return {w.code for w in fit.warnings}


@pytest.mark.parametrize("curves", [[], ()])
def test_empty(curves):
    with pytest.raises(ValidityError, match="no curves"):
        kf.fit_kinetics(curves)


@pytest.mark.parametrize(
    ("curves", "said"),
    [
        (None, "curves is None; give a list"),
        (5, "curves is int 5; give a list"),
        ("nowhere.txt", r"path 'nowhere\.txt', and there is no such file"),
        (["a.txt", "b.txt", "c.txt"], r"Curve 1 is the path 'a\.txt'"),
        ([None, None, None], "Curve 1 is a NoneType; expected"),
        ([[1, 2], [3, 4]], "Curve 1 is a list; expected"),
    ],
)
def test_what_is_no_curve_is_told(curves, said):
    with pytest.raises(ValidityError, match=said):
        kf.fit_kinetics(curves)
    with pytest.raises(ValidityError, match=said):
        kf.conversions(curves)


def test_a_file_is_read_first(tmp_path):
    path = tmp_path / "run.csv"
    path.write_text("time_min,temperature_degC,mass_mg\n", encoding="utf-8")
    with pytest.raises(ValidityError, match=r"read it first: wastelab\.read"):
        kf.fit_kinetics([path])


def test_heavy_noise_is_called_noise():
    for seed in (0, 1, 3):
        fit = kf.fit_kinetics(runs(ONE, noise=0.03, seed=seed))
        assert "noisy" in codes(fit) and "ea_uncertain" in codes(fit)
        assert not codes(fit) & {"several_steps", "poor_fit", "ea_varies"}
        assert fit.best["Ea"].value == pytest.approx(150, rel=0.03)
        assert all(20 < c.smoothing_K < 40 for c in fit.conversions)
        assert seed == 3 or fit.best.family == "F1"


def test_a_method_that_fails_leaves_the_others():
    # two runs so near in rate that noise hides their shift
    fit = kf.fit_kinetics(runs(ONE, noise=0.03, seed=4, rates=(9, 10, 11)), models=("F1", "R3"))
    left_out = {w.text.split(" is left out")[0] for w in fit.warnings if w.code == "method_failed"}
    assert "shift_in_noise" in codes(fit) or left_out
    assert set(fit.energies) and fit.best["Ea"].value == pytest.approx(150, rel=0.25)
    assert all(w.text_zh for w in fit.warnings)
    report = fit.report("zh")
    assert "噪声" in report


def held(gas, rates=(2.5, 5, 10, 20)):
    import wastelab as wl

    made = [wl.calcine(None, f"from 400 degC, {r} K/min to 1200 degC", gas, phases={"calcite": 100}) for r in rates]
    return [
        {"name": f"{r} K/min", "time_s": d["time"].values, "temperature_degC": d["temperature"].values,
         "mass_%": d["mass"].values, "initial_mass_mg": 5.0}
        for r, d in zip(rates, made, strict=True)
    ]  # fmt: skip


def test_a_reaction_held_back_by_its_gas():
    fit = kf.fit_kinetics(held("co2"))
    assert {"held_by_gas", "method_failed"} <= codes(fit) and "ea_varies" not in codes(fit)
    assert "vyazovkin" not in fit.energies and {"friedman", "kas"} <= set(fit.energies)
    found = next(w for w in fit.warnings if w.code == "held_by_gas")
    # the decomposition temperature of calcite at 1 bar CO2, 887-904 degC (see docs/thermochemistry.md)
    assert found.severity == "severe" and 880 < float(found.text.split("near ")[1].split(" degC")[0]) < 910
    assert fit.triplet().default is False and fit.audit().predicted_K is not None
    assert "held_by_gas" not in codes(kf.fit_kinetics(held("nitrogen"), models=("R2", "F1")))


def test_one_curve_is_refused_unless_forced():
    data = runs(ONE, rates=(10,))
    with pytest.raises(ValidityError, match=r"single rate cannot fix.*three or more") as error:
        kf.fit_kinetics(data)
    assert "10 K/min" in str(error.value)
    fit = kf.fit_kinetics(data, force=True, models=("F1", "A2"))
    assert "single_rate" in codes(fit) and fit.energies == {} and fit.kissinger is None
    assert fit.triplet().default is False and "single_rate" in fit.triplet().note
    with pytest.raises(MissingDataError, match="three or more"):
        fit.ea  # noqa: B018
    assert "single_rate" in fit.report()


def test_replicates_at_one_rate_are_one_rate():
    with pytest.raises(ValidityError, match="3 curves at one heating rate"):
        kf.fit_kinetics(runs(ONE, rates=(10, 10.1, 9.9)))


def test_two_rates_leave_no_error():
    fit = kf.fit_kinetics(runs(ONE, rates=(5, 20)), models=("F1",))
    assert "two_rates" in codes(fit)
    assert np.isinf(fit.energies["vyazovkin"].se).all() and np.isinf(fit.energies["friedman"].high).all()
    assert fit.energies["vyazovkin"].Ea == pytest.approx(150e3, rel=1e-6)


def test_a_step_that_is_cut_off_is_remarked():
    data = runs(ONE, rates=(2.5, 5, 10))
    windows = [("100 degC", f"{c.peak_K - 263.15:.0f} degC") for c in kf.conversions(data)]
    fit = kf.fit_kinetics(data, window=windows, models=("F1",), methods=("kas",))
    found = [w for w in fit.warnings if w.code == "step_cut"]
    assert len(found) == 3 and "2.5 K/min: the window ends" in found[0].text and found[0].value > 0.15
    assert "step_cut" not in codes(kf.fit_kinetics(data, models=("F1",), methods=("kas",)))


def test_narrow_rates_and_heavy_samples_are_remarked():
    fit = kf.fit_kinetics(runs(ONE, rates=(8, 10, 12), mass_mg=40.0), models=("F1",), methods=("kas",))
    assert {"narrow_rates", "sample_mass"} <= codes(fit)
    light = kf.fit_kinetics(runs(ONE), models=("F1",), methods=("kas",))
    assert not codes(light) & {"narrow_rates", "sample_mass", "ea_varies", "poor_fit"}


def test_different_reactions():
    mixed = [*runs(ONE, rates=(2.5, 5)), *runs([(1.0, "F1", 250e3, 45.0)], rates=(10,))]
    with pytest.raises(ValidityError, match="different reactions or materials"):
        kf.fit_kinetics(mixed)
    losses = [*runs(ONE, rates=(2.5, 5)), *runs(ONE, rates=(10,), loss=0.1)]
    with pytest.raises(ValidityError, match="very different masses"):
        kf.fit_kinetics(losses)
    near = [*runs(ONE, rates=(2.5, 5)), *runs(ONE, rates=(10,), loss=0.38)]
    assert "loss_differs" in codes(kf.fit_kinetics(near, models=("F1",), methods=("kas",)))


def test_isothermal():
    t = np.linspace(0, 3600, 400)
    held = {"time_s": t, "temperature_K": np.full(400, 900.0), "mass_mg": 5 - t / 3600}
    with pytest.raises(ValidityError, match="isothermal"):
        kf.fit_kinetics([held, held, held])


def test_mass_that_rises():
    data = changed(mass_mg=5 + runs(ONE)[0]["time_s"] / 1e5)
    with pytest.raises(ValidityError, match=r"2\.5 K/min: the mass rises by"):
        kf.fit_kinetics(data)


def test_no_step_in_the_window():
    with pytest.raises(ValidityError, match="no step to fit"):
        kf.fit_kinetics(runs(ONE, noise=1e-3), window=("600 degC", "750 degC"))
    with pytest.raises(ValidityError, match="is not in it"):
        kf.fit_kinetics(runs(ONE), window=("1000 degC", "1200 degC"))
    with pytest.raises(ValidityError, match="is empty"):
        kf.fit_kinetics(runs(ONE), window=("600 degC", "500 degC"))
    with pytest.raises(ValidityError, match="'550 degC'"):
        kf.fit_kinetics(runs(ONE), window=(400, 600))
    with pytest.raises(UnitError, match="no unit"):
        kf.fit_kinetics(runs(ONE), window=("400", "600"))


def test_nan_names_the_place():
    mass = runs(ONE)[1]["mass_mg"].copy()
    mass[[41, 50]] = np.nan
    with pytest.raises(
        ValidityError, match=r"Curve 2 \(5 K/min\): column 'mass_mg' is not a number at 2 of 1600.*point 42"
    ):
        kf.fit_kinetics(changed(1, mass_mg=mass))


def test_temperature_that_falls():
    temperature = runs(ONE)[0]["temperature_K"].copy()
    temperature[800:] -= 60.0
    with pytest.raises(ValidityError, match=r"falls by .* K at .*one heating ramp"):
        kf.fit_kinetics(changed(temperature_K=temperature))


def test_cooling_after_the_ramp_is_left_out():
    data = runs(ONE, rates=(2.5, 5, 10))
    for d in data:
        n = d["time_s"].size
        d["time_s"] = np.concatenate([d["time_s"], d["time_s"][-1] + d["time_s"][1:]])
        d["temperature_K"] = np.concatenate([d["temperature_K"], d["temperature_K"][-2::-1]])
        d["mass_mg"] = np.concatenate([d["mass_mg"], np.full(n - 1, d["mass_mg"][-1])])
    fit = kf.fit_kinetics(data, models=("F1",), methods=("vyazovkin",))
    assert fit.energies["vyazovkin"].Ea == pytest.approx(150e3, rel=1e-5)


def test_time_that_goes_back():
    time = runs(ONE)[0]["time_s"].copy()
    time[10] = 0.0
    with pytest.raises(ValidityError, match="time goes back"):
        kf.fit_kinetics(changed(time_s=time))


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        ({"temperature": np.arange(25.0, 825, 0.5), "units": {"temperature": "K"}}, "degC given as K"),
        ({"temperature": np.arange(2000.0, 3600, 1.0), "units": {"temperature": "degC"}}, "K given as degC"),
        ({"temperature": np.arange(300.0, 1100, 0.5)}, "has no unit"),
        ({"temperature": np.arange(300.0, 1100, 0.5), "units": {"temperature": "bar"}}, "no unit of temperature"),
    ],
)
def test_wrong_units_of_temperature(columns, match):
    data = runs(ONE, rates=(2.5, 5, 10))
    del data[0]["temperature_K"]
    data[0] |= columns
    with pytest.raises(UnitError, match=match):
        kf.fit_kinetics(data)


def test_wrong_units_of_time_and_mass():
    fast = changed(time_s=runs(ONE)[0]["time_s"] / 600)
    with pytest.raises(ValidityError, match="minutes given as seconds"):
        kf.fit_kinetics(fast)
    data = runs(ONE, rates=(2.5, 5, 10))
    data[0]["mass_%"] = 0.01 * data[0].pop("mass_mg")
    with pytest.raises(UnitError, match="looks like a fraction"):
        kf.fit_kinetics(data, units={"mass_%": "%"})


def test_missing_columns_and_odd_things():
    data = runs(ONE)
    del data[0]["mass_mg"]
    with pytest.raises(MissingDataError, match="neither mass, conversion nor heat flow"):
        kf.fit_kinetics(data)
    with pytest.raises(MissingDataError, match="has no dsc"):
        kf.fit_kinetics(runs(ONE), signal="dsc")
    with pytest.raises(ValidityError, match="is a int; expected"):
        kf.fit_kinetics([3, 4, 5])
    with pytest.raises(ValidityError, match="differ in length"):
        kf.fit_kinetics(changed(mass_mg=np.ones(30)))
    with pytest.raises(ValidityError, match="no number"):
        kf.fit_kinetics(changed(mass_mg=["a"] * 1600))
    short = [{k: v[:10] if k != "name" else v for k, v in d.items()} for d in runs(ONE)]
    with pytest.raises(ValidityError, match="10 points"):
        kf.fit_kinetics(short)


def test_wrong_options():
    data = runs(ONE)
    with pytest.raises(UnknownNameError, match="Did you mean 'friedman'"):
        kf.fit_kinetics(data, methods=("freidman",))
    with pytest.raises(UnknownNameError, match="no reaction model 'A22x'"):
        kf.fit_kinetics(data, models=("A22x",))
    with pytest.raises(ValidityError, match=r"0\.005"):
        kf.fit_kinetics(data, alpha=(0.001, 0.999, 0.05))
    with pytest.raises(ValidityError, match="confidence"):
        kf.fit_kinetics(data, confidence=95)
    with pytest.raises(ValidityError, match="names has 1"):
        kf.fit_kinetics(data, names=["a"])
    with pytest.raises(ValidityError, match="not both"):
        kf.fit_kinetics(data, window=("300 degC", "500 degC"), step=1)
    with pytest.raises(UnitError):
        kf.fit_kinetics(data, smoothing="12")


def test_forms_of_data_give_the_same():
    data = runs(ONE, rates=(2.5, 5, 10))
    frames = []
    for d in data:
        frame = pd.DataFrame({"time [min]": d["time_s"] / 60, "temperature [degC]": d["temperature_K"] - 273.15,
                              "mass_percent": 100 * d["mass_mg"] / 5})  # fmt: skip
        frames.append(frame)
    sets = [
        xr.Dataset(
            {"temperature": ("time", d["temperature_K"] - 273.15, {"units": "degC"}),
             "mass_change": ("time", d["mass_mg"] - 5, {"units": "mg"}),
             "value": ("analyte", [5.0]), "unit": ("analyte", ["mg"])},
            {"time": ("time", d["time_s"], {"units": "s"}), "analyte": ["sample_mass"]}, {"sample": "S-1"},
        )
        for d in data
    ]  # fmt: skip
    fits = [kf.fit_kinetics(c, models=("F1",), methods=("vyazovkin",)) for c in (data, frames, sets)]
    for fit in fits[1:]:
        assert fit.energies["vyazovkin"].Ea == pytest.approx(fits[0].energies["vyazovkin"].Ea, rel=1e-8)
    assert "mass_unknown" in codes(fits[1]) and "mass_unknown" not in codes(fits[2])
    assert fits[2].conversions[0].change == pytest.approx(0.44, rel=1e-6)
    # one name for three runs: told apart by the rate
    assert [c.name for c in fits[2].conversions] == ["S-1, 2.5 K/min", "S-1, 5 K/min", "S-1, 10 K/min"]


@pytest.mark.parametrize(
    ("path", "window", "low", "high"),
    [
        ("tga_netzsch_txt/netzsch_example3.txt", ("400 degC", "900 degC"), 1.0, 60.0),
        ("tga_perkinelmer_txt/PerkinElmer_example_file.txt", ("150 degC", "550 degC"), 4.0, 60.0),
        ("sta_netzsch_ngb/Douglas_Fir_STA_10K_250730_R13.ngb-ss3", ("150 degC", "600 degC"), 8.0, 12.0),
        ("sta_netzsch_ngb/Red_Oak_STA_10K_250731_R7.ngb-ss3", ("150 degC", "600 degC"), 8.0, 12.0),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_real_thermograms_go_through_reading_and_the_one_rate_path(path, window, low, high):
    import wastelab as wl

    file = FILES / path
    if not file.is_file():
        pytest.skip(f"{file.name}: the collection of instrument files is not here")
    curve = wl.read(file)
    with pytest.raises(ValidityError, match="single rate"):
        kf.fit_kinetics([curve], window=window)
    fit = kf.fit_kinetics([curve], window=window, force=True, models=("F1", "D3", "Fn"))
    assert low < 60 * fit.conversions[0].beta < high
    assert {"single_rate"} <= codes(fit)
    assert 0.02 < fit.conversions[0].change < 1
    assert fit.conversions[0].alpha[-1] == pytest.approx(1, abs=0.02)
    assert fit.audit().predicted_K is not None


@pytest.mark.filterwarnings("ignore")
def test_a_wrong_model_of_two_woods_says_that_it_is_one():
    import wastelab as wl

    names = ("Douglas_Fir_STA_10K_250730_R13.ngb-ss3", "Red_Oak_STA_10K_250731_R7.ngb-ss3")
    files = [FILES / "sta_netzsch_ngb" / n for n in names]
    if not all(f.is_file() for f in files):
        pytest.skip(f"{files[0].name}: the collection of instrument files is not here")
    fit = kf.fit_kinetics([wl.read(f) for f in files], window=("150 degC", "600 degC"), force=True, models=("SB",))
    assert {"single_rate", "poor_fit", "at_bound"} <= codes(fit)
    assert fit.best.at_bound == ("Ea",) and fit.audit().agrees is False
    assert fit.triplet().default is False


@pytest.mark.filterwarnings("ignore")
def test_a_run_of_two_ramps_needs_a_window():
    import wastelab as wl

    file = FILES / "tga_perkinelmer_txt" / "PerkinElmer_example_file.txt"
    if not file.is_file():
        pytest.skip(f"{file.name}: the collection of instrument files is not here")
    with pytest.raises(ValidityError, match="window of one heating ramp"):
        kf.fit_kinetics([wl.read(file)], force=True)


def test_mettler_run_that_gains_mass_says_so():
    import wastelab as wl

    found = sorted(FILES.glob("tga_mettler_txt/*LNO*"))
    if not found:
        pytest.skip("mp2028_281122_LNO+C.txt: the collection of instrument files is not here")
    with pytest.raises(ValidityError, match="mass rises"):
        kf.fit_kinetics([wl.read(found[0])], force=True)
