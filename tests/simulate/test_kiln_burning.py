"""What burns and what forms in the kilns: oxygen by its supply, feeds that need no fuel, clinker stages, moisture."""

from __future__ import annotations

import math

import numpy as np
import pytest

import wastelab as wl
from wastelab.errors import UnitError, ValidityError
from wastelab.plotting.kiln import kiln_profile
from wastelab.simulate.kiln import ConvergenceError, kiln
from wastelab.simulate.kiln import _kernels as kernels
from wastelab.simulate.kiln.chemistry import build
from wastelab.simulate.kiln.clinker import stages
from wastelab.simulate.kiln.combustion import boie, fuel
from wastelab.simulate.kiln.equipment import preset
from wastelab.simulate.kiln.result import minerals
from wastelab.simulate.kiln.tables import GASES

MEAL = {"calcite": 77.0, "kaolinite": 9.0, "quartz": 9.5, "hematite": 2.5, "dolomite": 2.0}
SULFO = {"calcite": 45.0, "gypsum": 20.0, "gibbsite": 25.0, "quartz": 10.0}
MUFFLE = "10 K/min to 750 degC, hold 2 h"


@pytest.fixture(scope="module")
def clinker():
    return kiln(phases=MEAL, target="1450 degC")


# ---------------------------------------------------------------- oxygen


def test_reaction_and_supply_of_oxygen_stand_in_series():
    """Twin: 1/rate = 1/(rate by kinetics) + resistance/pressure, by hand for the first second of a hot sample."""
    chem = build(minerals(None, {"graphite": 10.0, "quartz": 90.0}), pressures={"O2": 0.21})
    step = chem.steps[0]
    xi, n, gas = np.zeros(1), np.zeros(len(chem.species)), np.zeros(8)
    p = np.zeros(8)
    p[GASES.index("O2")] = 0.15
    T, tau, resistance = 1050.0, 1e-3, 300.0
    kernels.advance(T, tau, np.zeros(1), p, 0.0, resistance, *chem.kernel()[:5], 200.0, 5.0, xi, n, gas)
    free = step.A * math.exp(-step.Ea / (8.31446261815324 * T)) * (0.15 / 0.21) * step.total * 3.0  # R3 at its start
    assert xi[0] / tau == pytest.approx(1.0 / (1.0 / free + resistance / 0.15), rel=1e-3)
    assert gas[GASES.index("O2")] == pytest.approx(-xi[0])


def test_a_deep_layer_burns_slowly_and_stays_near_the_furnace():
    deep = kiln(equipment="muffle", phases={"kaolinite": 70, "graphite": 15, "quartz": 15}, program=MUFFLE)
    assert 750 < float(deep["sample_temperature"].max()) < 900
    assert float(deep["conversion"].sel(reaction="carbon")[-1]) < 0.9
    assert "above the furnace" in deep.attrs["warnings"]
    assert "carbon is incomplete" in deep.attrs["warnings"]
    # what is burnt is no more than what can diffuse through the layer: D e^1.5 / (d/3) * p/RT * area, at the hottest
    t = float(deep["sample_temperature"].max()) + 273.15
    layer = 3 * 2.0e-5 * (t / 293) ** 1.75 * (1 - 1000 / 2600) ** 1.5 / 0.02  # m/s
    most = layer * 0.20 / (8.314e-5 * t) / (1000 * 0.02)  # mol/kg/s
    rate = np.diff(deep["gas_released"].sel(gas="CO2")) / np.diff(deep["time"] * 60)
    assert 0 < rate.max() < most
    thin = kiln(
        equipment="muffle", phases={"kaolinite": 80, "graphite": 2, "quartz": 18}, program=MUFFLE, bed_depth="2 mm"
    )
    assert float(thin["conversion"].sel(reaction="carbon")[-1]) == pytest.approx(1.0)
    assert "above the furnace" not in thin.attrs["warnings"]


def test_gangue_in_the_muffle_is_not_over_calcined():
    ds = kiln(mix=wl.material("coal_gangue/kaolinitic"), equipment="muffle", program=MUFFLE)
    assert float(ds["conversion"].sel(reaction="metakaolinite")[-1]) < 0.01
    assert float(ds["conversion"].sel(reaction="carbon")[-1]) > 0.99


@pytest.mark.parametrize("equipment", ["rotary_lab", "rotary_kiln_long_dry", "rotary_kiln_wet"])
def test_coal_gangue_runs_in_the_rotary_kilns(equipment):
    ds = kiln(mix=wl.material("coal_gangue/kaolinitic"), equipment=equipment, target="800 degC", fuel="natural gas")
    assert float(ds["peak_bed_temperature"]) == pytest.approx(800.0, abs=1e-2)
    assert float(ds["conversion"].sel(reaction="kaolinite")[-1]) > 0.99
    assert float(ds["CO2_feed_carbon"]) > 10
    assert float(ds["CO2"]) == pytest.approx(float(ds["CO2_process"] + ds["CO2_feed_carbon"] + ds["CO2_fuel"]))
    assert float(ds["gas_fraction"].sel(gas="O2").min()) > 0
    assert abs(float(ds["heat_closure_error"])) < 1e-5


def test_a_feed_that_needs_no_fuel_says_so():
    ds = kiln(mix=wl.material("coal_gangue/kaolinitic"), target="800 degC", fuel="natural gas")
    assert float(ds["fuel_per_feed"]) == 0.0
    assert float(ds["peak_bed_temperature"]) > 800
    assert "needs no fuel" in ds.attrs["warnings"]
    assert abs(float(ds["heat_closure_error"])) < 1e-5
    assert float(ds["exit_gas_fraction"].sel(gas="O2")) > 0.01  # air of its own, with the excess of the preset


def test_a_bed_that_lights_up_has_no_state_in_between():
    with pytest.raises(ConvergenceError, match="lights up in between"):
        kiln(
            phases={"kaolinite": 60, "quartz": 38, "graphite": 2}, equipment="rotary_lab", target="800 degC",
            fuel="natural gas", excess_air=1.0,
        )  # fmt: skip


# ---------------------------------------------------------------- reactions left out


def test_reactions_without_a_rate_law_are_named():
    phases = {"kaolinite": 50, "pyrite": 10, "siderite": 10, "muscovite": 10, "portlandite": 10, "quartz": 10}
    ds = kiln(equipment="muffle", phases=phases, program="10 K/min to 900 degC, hold 1 h")
    for name in ("pyrite", "siderite", "muscovite", "portlandite"):
        assert f"{name} stays as it is" in ds.attrs["warnings"]
    cold = kiln(equipment="muffle", phases=phases, program="10 K/min to 200 degC")
    assert "stays as it is" not in cold.attrs["warnings"]
    lab = kiln(
        equipment="rotary_lab", phases={"kaolinite": 80, "pyrite": 10, "portlandite": 10}, target="800 degC",
        fuel="methane",
    )  # fmt: skip
    assert "pyrite stays as it is" in lab.attrs["warnings"]
    assert "portlandite stays as it is" in lab.attrs["warnings"]


def test_a_gas_that_stops_a_reaction_is_named():
    ds = kiln(
        equipment="muffle", phases={"kaolinite": 80, "pyrite": 20}, atmosphere="nitrogen",
        program="10 K/min to 800 degC",
    )  # fmt: skip
    assert "reaction pyrite does not run in this gas" in ds.attrs["warnings"]


def test_the_kettle_says_how_far_it_came():
    ds = kiln(
        equipment="gypsum_kettle", phases={"gypsum": 95, "quartz": 5}, program="5 K/min to 160 degC, hold 1 h",
        moisture="10 %",
    )  # fmt: skip
    assert "temperature of the pan" in ds.attrs["warnings"]
    assert "not begun: gypsum_beta" in ds.attrs["warnings"]
    assert "still moist" in ds.attrs["warnings"]


def test_heats_of_phases_that_hardly_form_are_not_worth_a_word():
    ds = kiln(equipment="muffle", phases={"kaolinite": 100}, program="10 K/min to 600 degC, hold 1 h")
    assert "spinel" not in ds.attrs["warnings"]


def test_evidence_of_data_stands_apart_from_that_of_the_input(clinker):
    assert clinker.attrs["input_evidence"] == "recipe"
    assert clinker.attrs["data_evidence"] == "memory"
    assert clinker.attrs["evidence"] == "recipe"


# ---------------------------------------------------------------- clinker


def test_the_preset_burns_the_meal_to_a_usual_free_lime(clinker):
    # calibrated: 1 to 2 % free lime at 1450 degC
    product = clinker["product_fraction"]
    assert 0.010 < float(product.sel(phase="lime")) < 0.020
    assert float(product.sel(phase="C3S")) > 0.6
    assert not [p for p in product["phase"].values if str(p).startswith(("C2S_", "C3S_"))]
    assert float(product.sum()) == pytest.approx(1.0)
    assert float(product.sel(phase="fuel_ash")) == pytest.approx(float(clinker["fuel_ash_in_product"]))


def test_no_cell_runs_away_and_cells_do_not_matter(clinker):
    assert float(clinker["bed_temperature"].diff("z").max()) < 80
    fine = kiln(phases=MEAL, target="1450 degC", cells=360)
    steepest = [float(d["bed_temperature"].diff("z").max()) / float(d["z"][1]) for d in (clinker, fine)]
    assert steepest[0] == pytest.approx(steepest[1], rel=0.2)
    belite = clinker["conversion"].sel(reaction="clinker_below_alite")
    cold = belite.where(clinker["bed_temperature"] < 830, drop=True)
    assert float(cold.max()) < 0.30  # of the share that 700 to 1300 degC allow


def test_a_stage_goes_as_far_as_its_temperature_lets_it():
    """Twin of the kernel: x' = k (x_max(T) - x), held at one temperature."""
    chem = build(minerals(None, MEAL), clinker=stages(1723.15, 1473.15, "rotary_kiln", None), pressures={"CO2": 0.25})
    i = [s.id for s in chem.steps].index("clinker_below_alite")
    start = np.array([s.total for s in chem.steps])
    start[i:] = 0.0
    xi, n, gas = np.zeros(len(start)), np.zeros(len(chem.species)), np.zeros(8)
    T, tau = 1273.0, 100.0
    kernels.advance(T, tau, start, np.zeros(8), 0.0, 0.0, *chem.kernel()[:5], 200.0, 5.0, xi, n, gas)
    s = chem.steps[i]
    k = s.A * math.exp(-s.Ea / (8.31446261815324 * T))
    assert s.ramp == (973.0, 1573.0)
    assert xi[i] == pytest.approx(0.5 * -math.expm1(-k * tau), rel=1e-9)
    assert xi[i + 1] == 0.0  # no alite below its limit


def test_clinker_without_alite_has_one_stage():
    ds = kiln(phases=SULFO, target="1280 degC")
    assert "clinker_forming" in ds["reaction"].values
    assert "clinker_burning" not in ds["reaction"].values
    product = ds["product_fraction"]
    assert float(product.sel(phase="yeelimite")) > 0.35
    assert "ternesite" not in product["phase"].values
    assert float(ds["conversion"].sel(reaction="clinker_forming")[-1]) > 0.9


def test_fuel_given_for_a_meal_needs_to_know_the_clinker(clinker):
    rate = float(clinker["fuel_per_feed"])
    with pytest.raises(ValidityError, match="where clinker forms"):
        kiln(phases=MEAL, fuel_rate=0.2)
    same = kiln(phases=MEAL, fuel_rate=rate, clinker="1450 degC")
    assert float(same["peak_bed_temperature"]) == pytest.approx(1450.0, abs=0.05)
    assert float(same["product_fraction"].sel(phase="C3S")) == pytest.approx(
        float(clinker["product_fraction"].sel(phase="C3S")), abs=1e-3
    )
    inert = kiln(phases=MEAL, fuel_rate=0.2, clinker=False)
    assert "clinker=False" in inert.attrs["warnings"]


# ---------------------------------------------------------------- fuel and air


def test_a_heating_value_has_to_fit_its_composition():
    with pytest.raises(ValidityError, match="Boie"):
        fuel({"C": 0.7, "H": 0.05, "lhv_MJ_kg": 90})
    assert boie({"C": 0.74869, "H": 0.25131}) == pytest.approx(50.03e6, rel=0.02)  # methane
    assert fuel({"C": 0.5, "H": 0.06, "O": 0.43, "lhv_MJ_kg": 18.5}).lhv == 18.5e6  # dry wood, about 18 to 19 (memory)


def test_secondary_air_is_no_hotter_than_the_product():
    ds = kiln(phases=MEAL, target="1450 degC", cooler_efficiency=0.95, excess_air=0.0, primary_air=0.7)
    assert float(ds["secondary_air_temperature"]) <= float(ds["discharge_temperature"]) + 1e-6
    assert "secondary air as hot as the product" in ds.attrs["warnings"]
    assert abs(float(ds["heat_closure_error"])) < 1e-5


def test_an_exit_gas_below_its_dew_point_is_refused():
    with pytest.raises((ValidityError, ConvergenceError), match=r"dew point|no steady state"):
        kiln(equipment="rotary_kiln_wet", phases=MEAL, fuel_rate=0.02)


def test_a_target_out_of_reach_is_refused_at_once():
    with pytest.raises(ValidityError, match="outside of 200"):
        kiln(phases=MEAL, target="100 degC")


# ---------------------------------------------------------------- moisture and other input


def test_moisture_is_a_share_of_the_moist_mass():
    for equipment, options in (
        ("muffle", {"program": "10 K/min to 300 degC, hold 5 h"}),
        ("flash", {"d50": "20 um", "gas_temperature": "900 degC"}),
    ):
        ds = kiln(equipment=equipment, phases={"quartz": 100}, moisture="20 %", **options)
        wet = 0.25  # kg water per kg dry
        if equipment == "muffle":
            assert float(ds["mass"][-1]) == pytest.approx(1 / (1 + wet), rel=1e-6)
        else:
            assert float(ds["product_per_feed"]) == pytest.approx(1.0, abs=1e-6)
    assert preset("rotary_kiln_wet", moisture="40 %")["moisture"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"equipment": "muffle", "program": MUFFLE, "moisture": 0.1}, UnitError, "moist mass"),
        ({"equipment": "muffle", "program": MUFFLE, "moisture": 8}, UnitError, "moist mass"),
        ({"equipment": "muffle", "program": MUFFLE, "moisture": "120 %"}, ValidityError, "95 %"),
        ({"equipment": "muffle", "program": ([0, 60], [300])}, ValidityError, "program"),
        ({"equipment": "muffle", "program": MUFFLE, "steps": 50.5}, ValidityError, "steps"),
        ({"equipment": "flash", "d50": "20 um", "conversion": 0.95}, ValidityError, "conversion"),
        ({"equipment": "flash", "sizes": [1, 2]}, ValidityError, "sizes"),
        ({"target": "1450 degC", "moisture": 0.3}, UnitError, "moist mass"),
        ({"target": "1450 degC", "cells": 50.5}, ValidityError, "cells"),
        ({"target": "1450 degC", "fuel": 5}, ValidityError, "fuel"),
        ({"target": "1450 degC", "fuel": {"C": "70 %", "lhv_MJ_kg": 27}}, ValidityError, "C = '70 %'"),
        ({"conversion": 0.95}, ValidityError, "conversion"),
        ({"conversion": ("calcite", "95 %")}, ValidityError, "between 0 and 1"),
        ({"fuel_rate": "0.12"}, ValidityError, "fuel_rate"),
        ({"fuel_rate": 0.0}, ValidityError, "fuel_rate"),
        ({"fuel_rate": 0.1, "clinker": True}, Exception, "burning temperature"),
    ],
)
def test_bad_input_is_one_clear_error(options, error, text):
    with pytest.raises(error, match=text) as caught:
        kiln(phases=MEAL, **options)
    assert isinstance(caught.value, wl.errors.WastelabError)


def test_the_figure_is_for_rotary_kilns():
    ds = kiln(equipment="muffle", phases={"quartz": 100}, program="10 K/min to 300 degC")
    with pytest.raises(ValidityError, match="rotary"):
        kiln_profile(ds)
    assert ds["phase"].attrs["long_name"] == "solid phase"
