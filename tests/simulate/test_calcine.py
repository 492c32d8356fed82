"""Calcination: mass losses of pure minerals, balances, heats, and what the programs of practice do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import wastelab as wl
from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import (
    CompositionError,
    MissingDataError,
    UnitError,
    UnknownNameError,
    ValidityError,
)
from wastelab.reference.thermochemistry import thermochemistry
from wastelab.simulate.heating import TemperatureProgram
from wastelab.simulate.kinetics import calcine, compare
from wastelab.simulate.kinetics.coupled import enthalpy
from wastelab.simulate.kinetics.network import build


def summary(ds: xr.Dataset) -> dict:
    return json.loads(ds.attrs["summary"])


def loss(ds: xr.Dataset) -> float:
    return float(100.0 - ds["mass"][-1])


OWN = (1e12, 2.0e5, "F1")  # a rate law that is done by 800 degC; what is tested is stoichiometry


@pytest.mark.parametrize(
    "phase, program, gas, laws, percent",
    [
        ("kaolinite", "10 K/min to 900 degC", "air", {}, 13.96),
        ("calcite", "10 K/min to 1000 degC", "nitrogen", {}, 43.97),
        ("dolomite", "10 K/min to 1000 degC", "nitrogen", {}, 47.73),
        ("magnesite", "10 K/min to 1000 degC", "nitrogen", {"magnesite": OWN}, 52.20),
        ("brucite", "10 K/min to 800 degC", "nitrogen", {}, 30.89),
        ("portlandite", "10 K/min to 1000 degC", "nitrogen", {"portlandite": OWN}, 24.31),
        ("goethite", "10 K/min to 800 degC", "air", {}, 10.14),
        ("gibbsite", "10 K/min to 1000 degC", "air", {}, 34.64),
        ("boehmite", "10 K/min to 1000 degC", "air", {}, 15.02),
        ("diaspore", "10 K/min to 1000 degC", "air", {"diaspore": OWN}, 15.02),
        ("siderite", "10 K/min to 1000 degC", "air", {"siderite_oxidising": OWN}, 31.08),
        ("siderite", "10 K/min to 1000 degC", "nitrogen", {"siderite_neutral": OWN}, 33.38),
        ("pyrite", "10 K/min to 1000 degC", "air", {"pyrite": OWN}, 33.45),
        ("carbon", "10 K/min to 1000 degC", "air", {}, 100.0),
        ("quartz", "10 K/min to 1000 degC", "air", {}, 0.0),
    ],
)
def test_mass_loss_of_pure_minerals(phase, program, gas, laws, percent):
    """From molar masses (IUPAC atomic weights): CO2/CaCO3 = 44.009/100.086 and so on."""
    extra = {"quartz": 1e-9} if phase == "carbon" else {}
    ds = calcine(None, program, gas, phases={phase: 100.0 - sum(extra.values()), **extra}, triplets=laws)
    assert loss(ds) == pytest.approx(percent, abs=0.006)


def test_gypsum_loses_its_water_in_two_steps():
    """CaSO4.2H2O: 15.70 % to hemihydrate, 5.23 % more to anhydrite (18.015/172.17 each half mole)."""
    ds = calcine(None, "10 K/min to 400 degC", "gypsum_open", phases={"gypsum": 100.0})
    by = ds["loss"].isel(time=-1)
    assert float(by.sel(reaction="gypsum_beta")) == pytest.approx(15.70, abs=0.005)
    assert float(by.sel(reaction="bassanite_beta")) == pytest.approx(5.23, abs=0.005)
    assert loss(ds) == pytest.approx(20.93, abs=0.005)


def test_heat_of_calcination_of_calcite():
    """1.78 MJ/kg at 25 degC (formation enthalpies of handbooks, factor F025), 1.65-1.70 near 890 degC."""
    data = thermochemistry()
    change = {"calcite": -1.0, "lime": 1.0, "CO2(g)": 1.0}
    mass = molar_mass("CaCO3") / 1e3
    cold = sum(n * float(enthalpy(data[p], 298.15)) for p, n in change.items()) / mass / 1e6
    hot = sum(n * float(enthalpy(data[p], 1163.0)) for p, n in change.items()) / mass / 1e6
    assert cold == pytest.approx(1.78, abs=0.015)
    assert hot == pytest.approx(1.66, abs=0.04)
    ds = calcine(None, "10 K/min to 1000 degC", {"CO2": 0.9}, phases={"calcite": 100.0})
    assert summary(ds)["heat_reaction_kJ_kg"] == pytest.approx(1000 * hot, rel=0.02)


def test_calcite_in_carbon_dioxide_waits_for_its_equilibrium():
    """In 1 bar CO2 nothing happens below the decomposition temperature, 1160-1170 K; in nitrogen it is long gone."""
    ds = calcine(None, "10 K/min to 1050 degC", "co2", phases={"calcite": 100.0})
    onset = float(ds["temperature"][int(np.argmax(ds["conversion"].values[:, 0] > 1e-3))]) + 273.15
    assert 1160 < onset < 1180
    in_n2 = calcine(None, "10 K/min to 1050 degC", "nitrogen", phases={"calcite": 100.0})
    assert float(in_n2["conversion"].isel(reaction=0).sel(time=in_n2.time[in_n2.temperature > 880][0])) > 0.999


def test_own_carbon_dioxide_delays_calcite_in_a_small_stream():
    t50 = []
    for flow, mass in ((None, None), ("50 mL/min", "20 mg"), ("50 mL/min", "1 g")):
        ds = calcine(
            None, "10 K/min to 1100 degC", "nitrogen", phases={"calcite": 100.0}, gas_flow=flow, sample_mass=mass
        )
        t50.append(float(np.interp(0.5, ds["conversion"].values[:, 0], ds["temperature"])))
    assert t50[0] < t50[1] < t50[2]
    assert t50[2] - t50[0] > 40


def test_carbon_needs_oxygen():
    none = calcine(None, "10 K/min to 1000 degC", {"N2": 1.0}, phases={"carbon": 5.0, "quartz": 95.0})
    assert loss(none) == 0.0
    air = calcine(None, "10 K/min to 1000 degC", "air", phases={"carbon": 5.0, "quartz": 95.0})
    assert loss(air) == pytest.approx(5.0, abs=1e-6)
    short = calcine(
        None,
        "10 K/min to 900 degC",
        "air",
        phases={"carbon": 20.0, "quartz": 80.0},
        gas_flow="5 mL/min",
        sample_mass="1 g",
    )
    fed = float(short.time[-1]) * 5e-6 / 60 / 0.022414 * 0.2075 * molar_mass("C") * 100.0  # % of 1 g
    assert loss(short) <= fed and loss(short) < 20.0
    uptake = -float(short["gas_total"].sel(gas="O2")[-1])
    assert loss(short) / 100 / 0.012011 == pytest.approx(uptake / 0.031998, rel=1e-4)


def test_gangue_at_750_is_metakaolin_and_at_1100_over_calcined():
    gangue = wl.material("coal_gangue/kaolinitic")
    good = summary(calcine(gangue, "10 K/min to 750 degC, hold 60 min"))
    assert good["kaolinite_dehydroxylated"] > 0.999 and good["metakaolinite_overcalcined"] < 1e-6
    assert good["metakaolinite_wt_percent_of_product"] > 75
    assert good["loss_left_wt_percent_of_product"]["H2O"] < 0.01
    over = summary(calcine(gangue, "10 K/min to 1100 degC"))
    assert over["metakaolinite_overcalcined"] > 0.999 and over["metakaolinite_wt_percent_of_product"] < 0.01
    raw = summary(calcine(gangue, "10 K/min to 350 degC"))
    assert raw["kaolinite_dehydroxylated"] < 0.01


def test_gypsum_passes_through_hemihydrate():
    """Dry gas at 160 degC for 2 h leaves soluble anhydrite, as the rate laws have it; hemihydrate comes before."""
    ds = calcine(wl.material("fgd_gypsum/wet"), "5 K/min to 160 degC, hold 2 h", "gypsum_open", moisture="10 %")
    share = ds["phase_fraction"]
    whole = 0.91 / molar_mass("gypsum")
    hemihydrate = share.sel(phase="bassanite_beta") / molar_mass("CaSO4(H2O)0.5") / whole
    assert float(hemihydrate.max()) > 0.6
    assert float(share.sel(phase="anhydrite_III")[-1]) / molar_mass("CaSO4") / whole == pytest.approx(1.0, abs=1e-6)
    assert float(share.sel(phase="water")[-1]) < 1e-9
    dry = 0.9 * (1 - 0.91 * 2 * molar_mass("H2O") / molar_mass("gypsum"))
    assert float(ds["mass"][-1]) == pytest.approx(100 * dry, abs=0.01)
    mild = calcine(wl.material("fgd_gypsum/wet"), "5 K/min to 90 degC, hold 1 h", "gypsum_open")
    made = mild["phase_fraction"].isel(time=-1)
    assert float(made.sel(phase="bassanite_beta")) > 10 * float(made.sel(phase="anhydrite_III"))


def test_clinker_meal_by_equilibrium_at_the_end():
    mix = {wl.material("raw/limestone"): 0.8, wl.material("coal_gangue/kaolinitic"): 0.2}
    ds = calcine(mix, "10 K/min to 1250 degC, hold 30 min", "rotary_kiln", finish="equilibrium")
    identified = float(ds["phase_fraction"].drop_sel(phase="unidentified").isel(time=-1).sum())
    assert float(ds["final_phase_fraction"].sum()) == pytest.approx(identified, rel=1e-3)
    assert "whatever their kinetics" in ds.attrs["finish"] and "unidentified" in ds.attrs["finish"]
    assert "C2S" in ds.attrs["warnings"]  # no rate law: quartz and lime stay in the kinetics


def test_measured_program_and_comparison():
    time = np.linspace(0, 6000, 301)
    temperature = 298.15 + 900 * (time / 6000) ** 0.9
    ds = calcine(None, (time, temperature), "nitrogen", phases={"calcite": 90.0, "quartz": 10.0}, times=time)
    assert np.array_equal(ds["time"].values, time)
    rng = np.random.default_rng(0)
    beside = compare(ds, time, ds["mass"].values + rng.normal(0, 0.05, len(time)))
    assert beside.attrs["rms"] == pytest.approx(0.05, rel=0.2)
    with pytest.raises(ValidityError, match="measurement runs"):
        compare(ds, time + 100, ds["mass"].values)


def test_dtg_and_heat_flow_integrate_to_mass_and_heat():
    ds = calcine(None, "20 K/min to 1000 degC", "nitrogen", phases={"calcite": 60.0, "kaolinite": 40.0}, times=2000)
    t = ds["time"].values
    assert np.trapezoid(ds["dtg"].values, t / 60) == pytest.approx(-loss(ds), rel=1e-4)
    assert np.trapezoid(ds["heat_flow"].values, t) == pytest.approx(float(ds["heat"][-1]), rel=1e-3)
    assert np.trapezoid(ds["gas_rate"].sum("gas").values, t) == pytest.approx(
        float(ds["gas_total"][-1].sum()), rel=1e-4
    )


PHASES = ("kaolinite", "calcite", "gypsum", "dolomite", "goethite", "gibbsite", "carbon", "quartz", "brucite")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    shares=st.lists(st.floats(0.0, 1.0), min_size=len(PHASES), max_size=len(PHASES)).filter(lambda x: sum(x) > 0.1),
    rate=st.floats(1.0, 100.0),
    peak=st.floats(500.0, 1500.0),
    hold=st.floats(1.0, 7200.0),
    gas=st.sampled_from(["air", "nitrogen", "rotary_kiln", "gypsum_kettle"]),
    flow=st.sampled_from([None, "100 mL/min"]),
)
@example([0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 37.0, 1074.0, 4.0, "gypsum_kettle", None)
@example([0.0, 0.0, 5e-324, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 1.0, 500.0, 1.0, "air", None)
def test_elements_mass_and_energy_balance(shares, rate, peak, hold, gas, flow):
    total = sum(shares)
    phases = {p: 99.9 * s / total for p, s in zip(PHASES, shares, strict=True)}
    end = (peak - 298.15) / rate * 60
    program = TemperatureProgram((0.0, end, end + hold, end + hold + 600), (298.15, peak, peak, 400.0))
    ds = calcine(
        None, program, gas, phases=phases, times=30, gas_flow=flow, sample_mass=None if flow is None else "1 g"
    )
    solids, gases = ds["phase_fraction"].values, ds["gas_total"].values
    assert np.all(solids >= 0) and not any(bool(v.isnull().any()) for v in ds.data_vars.values())
    # mass: what is left and what left make what was put in
    assert np.allclose(solids.sum(axis=1) + gases.sum(axis=1), 1.0, atol=1e-9)
    net = build(
        [p for p, share in phases.items() if share > 0], pressures=wl.simulate.atmosphere.ATMOSPHERES[gas].pressures
    )
    names, of_solids, of_gases = net.elements()
    assert [str(p) for p in ds["phase"].values if p != "unidentified"] == list(net.phases)
    known = [p != "unidentified" for p in ds["phase"].values]
    atoms = solids[:, known] / net.molar @ of_solids + gases / net.gas_molar @ of_gases
    assert np.allclose(atoms, atoms[0], rtol=1e-9, atol=1e-9), names
    # energy: state function of the solids plus gas at the temperature it left = heat, where every heat is known
    assert np.all(ds["heat_reaction"].values[0] == 0.0)


@pytest.mark.parametrize("gas", ["nitrogen", "co2"])
def test_energy_is_that_of_the_states(gas):
    """Heat taken up = H(solids at the end) - H(solids at the start) + H(gas where it left), to 1e-9 of the total."""
    data = thermochemistry()
    ds = calcine(
        None, "10 K/min to 1000 degC, hold 10 min, 20 K/min to 25 degC", gas, phases={"calcite": 70, "quartz": 30}
    )
    end = ds["phase_fraction"].isel(time=-1)
    n = {p: float(end.sel(phase=p)) / (molar_mass(data[p].formula) / 1e3) for p in ("calcite", "quartz", "lime")}
    n0 = {"calcite": 0.7 / (molar_mass("CaCO3") / 1e3), "quartz": 0.3 / (molar_mass("SiO2") / 1e3), "lime": 0.0}
    solids = sum((n[p] - n0[p]) * float(enthalpy(data[p], 298.15)) for p in n)
    temperature = ds["temperature"].values + 273.15
    co2 = ds["gas_total"].sel(gas="CO2").values / (molar_mass("CO2") / 1e3)
    h = enthalpy(data["CO2(g)"], temperature)
    left = float(np.sum(0.5 * (h[1:] + h[:-1]) * np.diff(co2)))
    assert float(ds["heat"][-1]) * 1e3 == pytest.approx(solids + left, rel=2e-5)  # the output grid is coarser
    fine = calcine(None, "10 K/min to 1000 degC", gas, phases={"quartz": 100})
    warm = float(enthalpy(data["quartz"], 1273.15) - enthalpy(data["quartz"], 298.15)) / molar_mass("SiO2")
    assert float(fine["heat"][-1]) == pytest.approx(warm, rel=1e-9)


def test_result_says_what_it_rests_on(tmp_path):
    ds = calcine(wl.material("raw/limestone"), "10 K/min to 1000 degC")
    assert ds.attrs["mineralogy_kind"] == "norm" and "not a measurement" in ds.attrs["mineralogy"]
    assert ds.attrs["evidence"] == "memory"
    assert "endothermic" in ds.attrs["assumptions"] and "recarbonation" in ds.attrs["assumptions"]
    assert json.loads(ds.attrs["triplets"])["calcite"] == "calcite/overall-study-r2"
    assert all("units" in v.attrs for v in (*ds.data_vars.values(), *ds.coords.values()))
    again = calcine(wl.material("raw/limestone"), "10 K/min to 1000 degC")
    assert again.attrs["inputs_sha256"] == ds.attrs["inputs_sha256"] and again.identical(ds)
    ds.to_netcdf(tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc") as read:
        assert np.array_equal(read["mass"].values, ds["mass"].values)


def test_phases_without_rate_law_stay_and_are_named():
    ds = calcine(None, "10 K/min to 600 degC", phases={"pyrite": 10.0, "quartz": 90.0})
    assert loss(ds) == 0.0
    assert ds.attrs["unknown_kinetics"] == "pyrite (pyrite)" and "no rate law" in ds.attrs["warnings"]


def test_uncertainty_of_a_rate_law_reaches_the_mass():
    kwargs = {"phases": {"calcite": 100.0}, "uncertainty": {"calcite": (1.2, 9e3, 0.99)}, "draws": 60, "times": 50}
    ds = calcine(None, "10 K/min to 1000 degC", "nitrogen", seed=4, **kwargs)
    assert float(ds["mass_sigma"].max()) > 1.0 and float(ds["mass_sigma"][-1]) < 1e-6
    same = calcine(None, "10 K/min to 1000 degC", "nitrogen", seed=4, **kwargs)
    assert np.array_equal(same["mass_sigma"].values, ds["mass_sigma"].values)
    with pytest.raises(ValidityError, match="seed"):
        calcine(None, "10 K/min to 1000 degC", "nitrogen", **kwargs)


@pytest.mark.parametrize(
    "change, error, said",
    [
        ({"program": "10 K/min to -10 degC"}, ValidityError, "outside|ambient|negative"),
        ({"program": "10 K/min to 25 degC"}, ValidityError, "no length"),
        ({"program": "to the top"}, UnitError, "not understood"),
        ({"program": ([0.0, 0.0], [300.0, 900.0])}, ValidityError, "come after"),
        ({"atmosphere": "airr"}, UnknownNameError, "Did you mean 'air'"),
        ({"phases": {"calcit": 100.0}}, UnknownNameError, "Did you mean 'calcite'"),
        ({"phases": {"calcite": 80.0, "quartz": 40.0}}, CompositionError, "more than 100"),
        ({"phases": {}}, MissingDataError, "empty"),
        ({"phases": None, "mix": {"SiO2": 50.0, "Al2O3": 36.0, "LOI": 14.0}}, MissingDataError, "XRD"),
        ({"phases": None, "mix": "red"}, CompositionError, "is no mix"),
        ({"reactions": ["calcit"]}, UnknownNameError, "Did you mean 'calcite'"),
        ({"triplets": {"calcite": "calcite/nobody"}}, UnknownNameError, "no triplet"),
        ({"triplets": {"calcite": (1e5, 1.8e5, "R9")}}, UnknownNameError, "R1, R2 or R3"),
        ({"times": [10.0, 5.0]}, ValidityError, "rising"),
        ({"times": [0.0, 1e9]}, ValidityError, "the program from 0"),
        ({"times": 1}, ValidityError, "at least 2"),
        ({"gas_flow": "50 mL/min"}, MissingDataError, "sample_mass"),
        ({"gas_flow": "50", "sample_mass": "20 mg"}, UnitError, "gas_flow"),
        ({"moisture": "99 %"}, ValidityError, "moisture"),
        ({"finish": "melt"}, ValidityError, "equilibrium"),
    ],
)
def test_bad_input_is_answered(change, error, said):
    call = {"mix": None, "program": "10 K/min to 900 degC", "phases": {"calcite": 100.0}, **change}
    mix, program = call.pop("mix"), call.pop("program")
    with pytest.raises(error, match=said):
        calcine(mix, program, **call)


def test_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "calcination.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert "81 % metakaolinite" in capsys.readouterr().out
    assert (tmp_path / "tg.png").stat().st_size > 10_000
