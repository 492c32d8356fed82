"""What a calcination says of itself: what did not run, weak data, bad input; water and gypsum in steam."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import CompositionError, UnitError, UnknownNameError, ValidityError, WastelabError
from wastelab.reference.kinetics import Reaction, not_modelled, reaction, step_law
from wastelab.reference.thermochemistry import thermochemistry
from wastelab.simulate import water
from wastelab.simulate.atmosphere import Atmosphere
from wastelab.simulate.heating import TemperatureProgram
from wastelab.simulate.kinetics import calcine
from wastelab.simulate.kinetics.coupled import enthalpy
from wastelab.simulate.kinetics.network import build, liquid_water
from wastelab.simulate.stand_ins import stand_ins

RAMP = "10 K/min to 1000 degC"


def warned(ds: xr.Dataset, *parts: str) -> bool:
    """Whether one warning holds all of some words."""
    return any(all(p in line for p in parts) for line in ds.attrs["warnings"].splitlines())


def end(ds: xr.Dataset, phase: str) -> float:
    return float(ds["phase_fraction"].isel(time=-1).sel(phase=phase))


# ------------------------------------------------------------------------------------------- what does not run


def test_phases_that_the_gas_keeps_are_named_with_what_happens_instead():
    ds = calcine(None, RAMP, "nitrogen", phases={"pyrite": 50, "quartz": 50})
    assert float(ds["mass"][-1]) == pytest.approx(100.0)
    assert warned(ds, "pyrite does not react", "p(O2) from 0.001 bar", "1e-05 bar")
    assert warned(ds, "not modelled", "pyrrhotite")
    ds = calcine(None, "10 K/min to 1300 degC", "co2", phases={"pyrite": 20, "carbon": 30, "hematite": 50})
    assert warned(ds, "Boudouard") and warned(ds, "reduces iron oxides") and warned(ds, "graphite does not react")
    steam = calcine(None, RAMP, "steam", phases={"carbon": 30, "quartz": 70})
    assert warned(steam, "gasified by steam") and not warned(steam, "Boudouard")
    cold = calcine(None, "10 K/min to 200 degC", "nitrogen", phases={"pyrite": 50, "carbon": 50})
    assert cold.attrs["warnings"] == ""


def test_siderite_that_goes_another_way_is_not_called_excluded():
    network = build(["siderite"], pressures={"O2": 0.2})
    assert not network.excluded and network.unknown == {"siderite_oxidising": "siderite"}
    network = build(["graphite", "quartz"], pressures={"N2": 1.0})
    assert list(network.excluded) == ["carbon"]


def test_residual_oxygen_of_nitrogen_burns_nothing():
    ds = calcine(None, "10 K/min to 1200 degC", "nitrogen", phases={"carbon": 50, "quartz": 50})
    assert float(ds["mass"][-1]) == pytest.approx(100.0) and warned(ds, "graphite does not react by carbon")
    little = calcine(None, RAMP, {"O2": 0.005, "N2": 0.995}, phases={"carbon": 50, "quartz": 50})
    assert float(little["mass"][-1]) < 99 and warned(little, "oxygen is held at 0.005 bar")


def test_a_law_given_for_what_does_not_run_is_told():
    law = (1e12, 300e3, "F1")
    ds = calcine(None, RAMP, phases={"kaolinite": 100}, triplets={"calcite": law})
    assert warned(ds, "law given for calcite was not used", "no calcite")
    autoclave = Atmosphere({"H2O": 2.7}, total=2.7)
    ds = calcine(None, "2 K/min to 130 degC, hold 3 h", autoclave, phases={"gypsum": 100}, triplets={"anhydrite": law})
    assert warned(ds, "law given for anhydrite was not used", "gypsum_alpha, which has no rate law")
    assert warned(ds, "cannot be reached", "bassanite_alpha")
    assert "bassanite_alpha" in json.loads(ds.attrs["unreachable"])
    ds = calcine(None, RAMP, "nitrogen", phases={"carbon": 100}, triplets={"carbon": law})
    assert warned(ds, "law given for carbon was not used", "p(O2)")
    ds = calcine(None, "10 K/min to 300 degC", phases={"calcite": 100}, triplets={"calcite": law})
    assert warned(ds, "law given for calcite did next to nothing")


def test_missing_laws_count_only_where_they_would_be_seen():
    phases = {"quartz": 30, "calcite": 70}
    assert calcine(None, "10 K/min to 160 degC", phases=phases).attrs["unknown_kinetics"] == ""
    hot = calcine(None, "10 K/min to 1200 degC", phases=phases)
    assert hot.attrs["unknown_kinetics"] == "C2S (quartz)"
    mild = calcine(None, "10 K/min to 700 degC, hold 1 h", phases={"kaolinite": 100})
    assert not warned(mild, "spinel") and mild.attrs["unknown_kinetics"] == ""


def test_what_is_not_modelled_is_read_with_source_and_both_languages():
    for n in not_modelled():
        assert n.text_zh and n.source.evidence == "memory" and 500 < n.above_K < 1300


# ------------------------------------------------------------------------------------------- gypsum and anhydrite


@pytest.mark.parametrize("gas", ["steam", {"H2O": 0.999}, {"H2O": 1.0}])
def test_gypsum_in_superheated_steam_gives_beta_and_anhydrite(gas):
    ds = calcine(None, "10 K/min to 600 degC", gas, phases={"gypsum": 100})
    assert float(ds["mass"][-1]) == pytest.approx(100 - 20.93, abs=0.01)
    made = ds["phase_fraction"].max("time")
    assert float(made.sel(phase="bassanite_beta")) > 0.8 and end(ds, "anhydrite") == pytest.approx(0.7907, abs=1e-4)
    # held back by the steam: at 1 bar nothing happens below the temperature of equilibrium, 107 to 115 degC
    start = float(ds["temperature"][int(np.argmax(ds["mass"].values < 99.9))])
    assert start > 105


def test_liquid_water_is_where_the_vapour_is_saturated_at_the_reaction():
    """Saturation pressure: 1.43 bar at 110 degC, 4.0 bar at 143.6 degC, 2.0 bar at 120.2 degC (steam tables)."""
    slow, flash = TemperatureProgram.parse("2 K/min to 130 degC"), TemperatureProgram((0.0, 60.0), (473.15, 473.15))
    assert not liquid_water(1.0) and not liquid_water(1.0, slow) and not liquid_water(0.0)
    assert liquid_water(2.0) and liquid_water(2.0, slow) and not liquid_water(2.0, flash)
    assert not liquid_water(2.0, TemperatureProgram.parse("2 K/min to 105 degC"))
    assert build(["gypsum"], pressures={"H2O": 1.0}).ids[0] == "gypsum_beta"
    assert build(["gypsum"], pressures={"H2O": 2.0}, program=slow).unknown == {"gypsum_alpha": "gypsum"}


def test_calcium_sulfate_goes_on_to_lime_where_a_law_is_given():
    """CaO/CaSO4.2H2O = 56.077/172.17: 32.57 % is left; through anhydrite II above 350 degC."""
    law = {"anhydrite": (1e12, 400e3, "F1")}
    ds = calcine(None, "10 K/min to 1300 degC, hold 1 h", phases={"gypsum": 100}, triplets=law)
    assert float(ds["mass"][-1]) == pytest.approx(32.57, abs=0.01) and end(ds, "lime") > 0.3
    so2 = float(ds["gas_total"].isel(time=-1).sel(gas="SO2"))
    assert so2 == pytest.approx(molar_mass("SO2") / molar_mass("gypsum"), rel=1e-6)
    fast = calcine(None, "in 1 s to 1300 degC, hold 1 h", phases={"gypsum": 100}, triplets=law)
    assert float(fast["mass"][-1]) == pytest.approx(32.57, abs=0.01)


@pytest.mark.parametrize("rate", [1, 10, 100])
def test_anhydrite_three_inverts_in_a_step(rate):
    ds = calcine(None, f"{rate} K/min to 500 degC", phases={"gypsum": 100}, times=2000)
    t, share = ds["temperature"].values, ds["conversion"].sel(reaction="anhydrite_III").values
    assert 330 < np.interp(0.1, share, t) < np.interp(0.9, share, t) < 370
    assert warned(ds, "from memory are the rates", "a step at 350 degC")
    law = step_law("x", 623.0, reaction("anhydrite_III").source)
    assert reaction("anhydrite_III").prompt_above == 623.0 and law.A == reaction("anhydrite_III").triplet.A


# ------------------------------------------------------------------------------------------- water


def test_free_water_stays_below_its_saturation_pressure():
    wet = {"phases": {"quartz": 100}, "moisture": "20 %"}
    held = calcine(None, "in 1 min to 80 degC, hold 1 h", "steam", **wet)
    assert float(held["mass"][-1]) == pytest.approx(100.0)
    dried = calcine(None, "in 1 min to 120 degC, hold 1 h", "steam", **wet)
    assert float(dried["mass"][-1]) == pytest.approx(80.0, abs=1e-6)
    # of the moist mass: 0.25 kg per kg dry; 2202 kJ/kg at 120 degC (steam tables), liquid 4.18 kJ/(kg K)
    data = thermochemistry()
    quartz = float(enthalpy(data["quartz"], 393.15) - enthalpy(data["quartz"], 298.15)) / molar_mass("SiO2")
    assert float(dried["heat"][-1]) - quartz == pytest.approx(0.25 * (2202 + 4.18 * 95), rel=0.03)
    assert float(dried["heat_known"].min()) == pytest.approx(1.0)
    air = calcine(None, "in 1 min to 80 degC, hold 1 h", "air", **wet)
    assert float(air["mass"][-1]) == pytest.approx(80.0, abs=0.01)
    first = float(water.saturation_pressure(353.15))
    assert 0.46 < first < 0.48  # what holds it in steam


@pytest.mark.parametrize("bad", [8, 0.08, "8", float("nan"), "-3 %", "95 %"])
def test_moisture_must_say_what_it_is(bad):
    with pytest.raises((UnitError, ValidityError), match="moisture"):
        calcine(None, RAMP, phases={"quartz": 100}, moisture=bad)


def test_vapour_that_rate_laws_do_not_know_is_told():
    ds = calcine(None, RAMP, {"H2O": 0.3, "O2": 0.1}, phases={"kaolinite": 60, "gibbsite": 40})
    assert warned(ds, "water vapour of 0.3 bar", "kaolinite", "gibbsite")
    assert not warned(calcine(None, RAMP, "air", phases={"kaolinite": 100}), "water vapour")
    assert not warned(calcine(None, RAMP, {"H2O": 0.3}, phases={"brucite": 100}), "water vapour")  # has p_eq


# ------------------------------------------------------------------------------------------- evidence, rates, heats


def test_evidence_of_the_data_stands_apart_from_that_of_the_input():
    ds = calcine(None, RAMP, "air", phases={"dolomite": 100})
    assert ds.attrs["data_evidence"] == "memory" and ds.attrs["input_evidence"] == "recipe"
    assert warned(ds, "from memory are the rates of", "dolomite/jacers-2002-completed")
    own = calcine(
        None, RAMP, phases={"dolomite": 100}, triplets=dict.fromkeys(("dolomite", "calcite"), (1e9, 2e5, "F1"))
    )
    assert not warned(own, "from memory are the rates") and own.attrs["input_evidence"] == "recipe"
    calm = calcine(None, RAMP, phases={"quartz": 100})
    assert calm.attrs["data_evidence"] == "secondary"


def test_weak_thermochemistry_is_carried_over():
    ds = calcine(None, "10 K/min to 300 degC", "gypsum_open", phases={"gypsum": 90, "quartz": 10})
    assert warned(ds, "thermochemical data to be doubted", "bassanite_beta", "anhydrite_III")
    assert warned(calcine(None, "10 K/min to 700 degC", phases={"kaolinite": 100}), "to be doubted", "metakaolinite")
    assert not warned(calcine(None, RAMP, "nitrogen", phases={"calcite": 100}), "to be doubted")


@pytest.mark.parametrize(
    "law, said",
    [
        ("kaolinite/ptacek-2010-pt203", ("1165 K", "implausible")),
        ("gypsum/screening-memory", ("another process", "gypsum")),
        ((1e3, 145e3, "F1"), ("kaolinite/own", "implausible")),
        ((6e8, 145e3, "F1"), ("A read as 1/min",)),
    ],
)
def test_laws_given_are_audited(law, said):
    ds = calcine(None, "10 K/min to 900 degC", phases={"kaolinite": 100}, triplets={"kaolinite": law})
    assert warned(ds, "rate law given for kaolinite", *said)


def test_a_good_law_given_is_not_doubted():
    law = (1.0e7, 145e3, "F1")
    ds = calcine(None, "10 K/min to 700 degC, hold 1 h", phases={"kaolinite": 100}, triplets={"kaolinite": law})
    assert not warned(ds, "given for kaolinite")


@pytest.mark.parametrize("program, far", [("0.01 K/min to 700 degC", True), ("5000 K/min to 1200 degC", True),
                                          ("10 K/min to 700 degC, hold 1 h", False)])  # fmt: skip
def test_default_laws_far_from_where_they_were_checked(program, far):
    ds = calcine(None, program, phases={"kaolinite": 100})
    assert warned(ds, "kaolinite is half gone at", "extrapolation") is far


def test_validity_of_what_ran_reaches_the_result():
    ds = calcine(None, "10 K/min to 700 degC, hold 1 h", phases={"kaolinite": 50, "calcite": 50})
    said = json.loads(ds.attrs["validity"])
    assert "water vapour delays" in said["kaolinite"] and "metakaolinite" not in said


def test_heats_of_phases_without_data_are_those_of_their_stand_ins():
    """As in the kiln: the parts of the stand-in, by hand."""
    ds = calcine(None, "10 K/min to 900 degC", phases={"illite": 100})
    data, parts = thermochemistry(), stand_ins()
    k = 298.15

    def h(phase: str) -> float:
        return sum(n * float(enthalpy(data[p], k)) for p, n in parts[phase].parts.items())

    per_mol = h("illite_dehydroxylated") + float(enthalpy(data["H2O(g)"], k)) - h("illite")
    per_kg = per_mol / molar_mass("K0.65Al2.65Si3.35O10(OH)2")
    assert float(ds["heat_reaction"][-1]) == pytest.approx(per_kg, rel=0.12)  # at 25 and at some 600 degC
    assert float(ds["heat_known"].min()) == pytest.approx(1.0)
    assert set(json.loads(ds.attrs["stand_ins"])) == {"illite", "illite_dehydroxylated"}
    assert warned(ds, "heats rest on this stand-in", "illite")


def test_lime_that_would_take_up_carbon_dioxide_again():
    program = "10 K/min to 1000 degC, 10 K/min to 30 degC"
    ds = calcine(None, program, "co2", phases={"calcite": 100})
    assert end(ds, "lime") > 0.55 and warned(ds, "lime would take up CO2 again", "go back to calcite")
    assert not warned(calcine(None, program, "air", phases={"calcite": 100}), "take up")
    sulfur = calcine(None, "10 K/min to 1000 degC, hold 1 h", {"SO2": 0.01, "O2": 0.1}, phases={"calcite": 100})
    assert warned(sulfur, "lime would take up SO2 again")


# ------------------------------------------------------------------------------------------- equilibrium, hash, rates


def test_equilibrium_at_the_end_keeps_its_warnings_and_the_habits_of_portland_clinker():
    meal = {"calcite": 79.0, "quartz": 11.5, "kaolinite": 7.0, "hematite": 2.5}
    ds = calcine(None, "10 K/min to 1450 degC, hold 20 min", "rotary_kiln", phases=meal, finish="equilibrium")
    made = {str(k): float(v) for k, v in zip(ds["final_phase"].values, ds["final_phase_fraction"].values, strict=True)}
    assert made["C3S_R"] > 0.3 and "C12A7" not in made and made.get("C3A", 0.0) > 0.0
    assert warned(ds, "equilibrium at the end", "melt")


def test_the_hash_holds_everything_a_result_follows_from():
    base = {"phases": {"calcite": 60, "quartz": 40}, "atmosphere": "nitrogen", "program": RAMP, "times": 20}
    changes = [
        {}, {"times": 30}, {"tolerance": 1e-6}, {"finish": "equilibrium"}, {"moisture": "3 %"},
        {"reactions": ["calcite"]},
        {"uncertainty": {"calcite": (0.1, 1e3, 0.9)}, "seed": 1, "draws": 5},
        {"uncertainty": {"calcite": (0.1, 1e3, 0.9)}, "seed": 2, "draws": 5},
        {"thermo": thermochemistry(adjusted=False)}, {"atmosphere": "air"},
        {"gas_flow": "1 L/min", "sample_mass": "1 g"},
        {"triplets": {"calcite": "calcite/limestone-2016-r3"}},
    ]  # fmt: skip
    seen = set()
    for change in changes:
        call = {**base, **change}
        seen.add(calcine(None, call.pop("program"), call.pop("atmosphere"), **call).attrs["inputs_sha256"])
    alike = {"thermo"}  # calcite, lime, quartz and CO2 are not adjusted: the same data, the same hash
    assert len(seen) >= len(changes) - len(alike)
    assert set(json.loads(calcine(None, RAMP, phases={"quartz": 100}).attrs["versions"])) >= {"wastelab", "numpy"}


def test_heat_flow_over_a_measured_program_has_no_spikes():
    """Times of a logger, some of them nearly coincident: the rate is that of the smooth curve."""
    rng = np.random.default_rng(0)
    time = np.unique(np.r_[np.sort(rng.uniform(0, 6000, 300)), 0.0, 2500.0, 2500.0004, 2500.001, 6000.0])
    program = (time, 298.15 + 0.15 * time)
    phases = {"calcite": 60, "kaolinite": 20, "quartz": 20}
    rough = calcine(None, program, "nitrogen", phases=phases, times=time)
    even = calcine(None, "9 K/min to 925 degC", "nitrogen", phases=phases, times=1500)
    for name in ("heat_flow", "dtg"):
        smooth = np.interp(time[:-1], even["time"].values, even[name].values)
        assert np.abs(rough[name].values[:-1] - smooth).max() < 0.02 * np.abs(smooth).max(), name


# ------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "change, error, said",
    [
        ({"phases": ["kaolinite"]}, ValidityError, "phases"),
        ({"program": None}, ValidityError, "program"),
        ({"program": 5}, ValidityError, "program"),
        ({"program": ([0, 60], [300])}, ValidityError, "equally long"),
        ({"program": ([[0, 60]], [[300, 400]])}, ValidityError, "one row"),
        ({"program": (["a", "b"], [300, 400])}, ValidityError, "program"),
        ({"atmosphere": 5}, WastelabError, "atmosphere"),
        ({"times": "x"}, ValidityError, "times"),
        ({"triplets": ["calcite"]}, ValidityError, "triplets"),
        ({"uncertainty": {"calcite": (0.1, 1e3)}, "seed": 1}, ValidityError, "three numbers"),
        ({"uncertainty": {"calcite": (float("nan"), 1e3, 0.0)}, "seed": 1}, ValidityError, "expected"),
        ({"uncertainty": 3, "seed": 1}, ValidityError, "uncertainty"),
        ({"reactions": "calcit"}, UnknownNameError, "Did you mean 'calcite'"),
        ({"reactions": 7}, ValidityError, "reactions"),
        ({"phases": {"calcite": "much"}}, CompositionError, "calcite"),
    ],
)  # fmt: skip
def test_bad_input_is_answered_in_words(change, error, said):
    call = {"program": RAMP, "atmosphere": "air", "phases": {"calcite": 100.0}, **change}
    program, gas = call.pop("program"), call.pop("atmosphere")
    with pytest.raises(error, match=said):
        calcine(None, program, gas, **call)


def test_one_reaction_may_be_named_alone():
    ds = calcine(None, RAMP, "nitrogen", phases={"calcite": 50, "dolomite": 50}, reactions="calcite")
    assert list(ds["reaction"].values) == ["calcite"] and isinstance(reaction("calcite"), Reaction)
