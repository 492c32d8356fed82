"""Equilibrium as a person asks for it: shapes, balances, derivatives, uncertainty, sulfur, bad input; twins."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from wastelab.chemistry.composition import Composition
from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import (
    CompositionError,
    DatasetError,
    MissingDataError,
    UnitError,
    UnknownNameError,
    ValidityError,
)
from wastelab.reference.thermochemistry import GAS_CONSTANT, thermochemistry
from wastelab.simulate.atmosphere import ATMOSPHERES, as_atmosphere
from wastelab.simulate.charge import ELEMENTS, as_charge
from wastelab.simulate.equilibrium import System, equilibrium
from wastelab.simulate.equilibrium.lp import solve

MASS = np.array([molar_mass(e) for e in ELEMENTS]) / 1e3
MEAL = {
    "CaO": 44,
    "SiO2": 14,
    "Al2O3": 12,
    "Fe2O3": 8,
    "MgO": 1,
    "TiO2": 1,
    "Na2O": 0.6,
    "K2O": 0.4,
    "SO3": 8,
    "LOI": 11,
}
BRICK = {"CaO": 6, "SiO2": 60, "Al2O3": 20, "Fe2O3": 6, "MgO": 2, "Na2O": 2, "K2O": 3, "TiO2": 1}
KILN = {"O2": "3 %", "CO2": "25 %", "H2O": "6 %", "SO2": "0.1 %"}


def elements_out(ds: xr.Dataset) -> np.ndarray:
    """Elements in phases [mol/kg], from the phases' own formulas and the compositions of solutions."""
    thermo = thermochemistry()
    system = System.build()
    out = np.zeros(len(ELEMENTS))
    for phase in ds["phase"].values:
        n = float(ds["phase_amount"].sel(phase=phase))
        if n == 0:
            continue
        if phase in thermo:
            parts = {phase: 1.0}
        else:
            solution = next(s for s in system.solutions if s.name == phase)
            parts, _ = solution.at(float(ds["solution_composition"].sel(solution=phase)))
        for name, k in parts.items():
            out += n * k * np.array([thermo[name].elements.get(e, 0.0) for e in ELEMENTS])
    return out


oxide = st.floats(0.0, 1.0)


@settings(max_examples=40, deadline=None)
@given(
    shares=st.lists(oxide, min_size=9, max_size=9).filter(lambda v: sum(v) > 0.05),
    kelvins=st.floats(298.15, 1800.0),
    gas=st.sampled_from(sorted(ATMOSPHERES)),
    solutions=st.booleans(),
)
def test_elements_and_mass_balance_everywhere(shares, kelvins, gas, solutions):
    names = ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "TiO2", "Na2O", "K2O", "SO3")
    total = sum(shares)
    mix = {o: 100 * s / total for o, s in zip(names, shares, strict=True)}
    ds = equilibrium(mix, f"{kelvins!r} kelvin", gas, solutions=solutions)
    charge = as_charge(mix)
    out = elements_out(ds)
    fixed = [ELEMENTS.index(e) for e in ("Ca", "Si", "Al", "Fe", "Mg", "Ti", "Na", "K")]
    assert out[fixed] == pytest.approx(charge.amount[0][fixed], abs=1e-9 * charge.amount.max())
    sulfur = ELEMENTS.index("S")
    so2 = float(ds["gas_released"].sel(gas="SO2")) / (molar_mass("SO2") / 1e3)
    assert out[sulfur] + so2 == pytest.approx(charge.amount[0][sulfur], abs=1e-9)
    assert so2 >= -1e-12
    assert float(ds["phase_fraction"].min()) >= 0
    assert float(ds["phase_fraction"].sum()) == pytest.approx(out @ MASS, abs=1e-9)
    assert float(ds["mass_loss"]) == pytest.approx(1 - float(ds["phase_fraction"].sum()), abs=1e-9)
    assert float(ds["gas_released"].sum()) == pytest.approx(float(ds["mass_loss"]), abs=1e-9)
    solid = 1.0 if float(ds["phase_fraction"].sum()) > 0 else 0.0
    assert float(ds["product_fraction"].sum()) == pytest.approx(solid, abs=1e-9)
    assert float(ds["mineral_fraction"].sum()) == pytest.approx(solid, abs=1e-9)
    assert not (ds["affinity"] < 0).any()


def test_small_programme_equals_the_full_one():
    """Twin: eliminating O, C and H against 12 rows with gases in excess at their pressures."""
    rng = np.random.default_rng(7)
    thermo = thermochemistry()
    for gas, t in (("rotary_kiln", 1523.0), ("muffle", 900.0), ("calciner", 1150.0), ("gypsum_kettle", 400.0)):
        atmosphere = as_atmosphere(gas).having(SO2=1e-3)
        system = System.build(thermo, atmosphere, solutions=False)
        table = system.table(t)
        names = [c.name for c in system.columns if c.kind == "phase"]
        usable = [n for n in names if thermo[n].T_min - 1e-6 <= t <= thermo[n].T_max + 1e-6]
        gases = ["O2(g)", "CO2(g)", "H2O(g)", "SO2(g)"]
        a = np.vstack([thermo.subset(usable).matrix(ELEMENTS), thermo.subset(gases).matrix(ELEMENTS)])
        log_p = {g: float(v[0]) for g, v in system.gas(t).log_p.items()} | {"SO2(g)": np.log(1e-3)}
        cost = np.array(
            [float(thermo[n].gibbs(t)) for n in usable]
            + [float(thermo[g].gibbs(t)) + GAS_CONSTANT * t * log_p[g] for g in gases]
        )
        oxides = ("lime", "quartz", "corundum", "hematite", "periclase", "rutile", "Na2O", "K2O")
        start = [usable.index(n) for n in oxides] + [len(usable) + k for k in (3, 1, 0, 2)]
        amount = rng.dirichlet(np.ones(9), size=20)
        for row in amount:
            mix = dict(
                zip(("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "TiO2", "Na2O", "K2O", "SO3"), 100 * row, strict=True)
            )
            b = as_charge(mix).amount
            excess = np.array([thermo[g].elements.get(e, 0.0) for g in gases for e in ELEMENTS]).reshape(4, -1)
            full = b + 50.0 * excess[:3].sum(axis=0)
            big = solve(a, full, cost, start)
            x = np.zeros(len(cost))
            x[big.basis[0]] = big.amount[0]
            small = table.column_amounts(b)[0]
            index = {c.name: j for j, c in enumerate(system.columns)}
            assert [small[index[n]] for n in usable] == pytest.approx(x[: len(usable)], abs=1e-8)
            assert small[index["SO2(g)"]] == pytest.approx(x[-1], abs=1e-8)


def test_shapes_follow_what_was_given():
    one = equilibrium(BRICK, "1000 degC")
    assert "mix" not in one.dims
    assert "temperature" not in one.dims
    several = equilibrium(BRICK, ["900 degC", "1000 degC"])
    assert several["phase_fraction"].dims == ("temperature", "phase")
    xr.testing.assert_allclose(several["phase_fraction"].sel(temperature=1000.0), one["phase_fraction"])
    frame = pd.DataFrame([BRICK, {**BRICK, "CaO": 10, "SiO2": 56}], index=["a", "b"])
    both = equilibrium(frame, ["900 degC", "1000 degC"])
    assert both["phase_fraction"].dims == ("mix", "temperature", "phase")
    assert both["mix"].values.tolist() == ["a", "b"]
    xr.testing.assert_allclose(
        both["phase_fraction"].sel(mix="a").drop_vars("mix"), several["phase_fraction"].drop_vars("mix")
    )
    array = xr.DataArray(frame.to_numpy(), dims=("mix", "oxide"), coords={"oxide": list(frame.columns)})
    assert equilibrium(array, "1000 degC").sizes["mix"] == 2
    t = xr.DataArray([1173.15, 1273.15], dims="t", attrs={"units": "K"})
    xr.testing.assert_allclose(equilibrium(BRICK, t)["phase_fraction"], several["phase_fraction"])
    for name, variable in one.data_vars.items():
        assert variable.attrs["units"], name
        assert variable.attrs["long_name"], name


def test_result_can_be_stored(tmp_path):
    ds = equilibrium({**MEAL, "P2O5": 0.5}, ["1200 degC", "1300 degC"], KILN, derivatives=True, uncertainty=10, seed=3)
    ds.to_netcdf(tmp_path / "equilibrium.nc", engine="h5netcdf")
    back = xr.load_dataset(tmp_path / "equilibrium.nc", engine="h5netcdf")
    assert back["phase_fraction"].values == pytest.approx(ds["phase_fraction"].values)
    assert back.attrs["warnings"] == ds.attrs["warnings"]
    assert "P2O5 set aside" in back.attrs["warnings"]
    assert float(back["set_aside"].sel(oxide_aside="P2O5")[0]) == pytest.approx(0.005)
    assert float(back["product_fraction"].sum("phase")[0]) < 1
    assert json.loads(back.attrs["atmosphere"])["pressures_bar"]["SO2"] == 0.001
    assert back.attrs["evidence"] == "recipe"


@pytest.mark.parametrize(("mix", "gas", "t"), [(MEAL, KILN, 1523.15), (BRICK, "air", 1273.15), (MEAL, KILN, 1373.15)])
def test_derivatives_equal_differences(mix, gas, t):
    ds = equilibrium(mix, f"{t} kelvin", gas, derivatives=True)
    h = 1e-3
    for name in ds["oxide"].values:
        up = equilibrium({**mix, name: mix[name] + h}, f"{t} kelvin", gas)
        down = equilibrium({**mix, name: mix[name] - h}, f"{t} kelvin", gas)
        difference = (up["phase_fraction"] - down["phase_fraction"]) / (2 * h)
        assert ds["d_phase_d_oxide"].sel(oxide=name).values == pytest.approx(difference.values, abs=1e-8)
    up, down = equilibrium(mix, f"{t + 0.5} kelvin", gas), equilibrium(mix, f"{t - 0.5} kelvin", gas)
    if np.array_equal(up["stable"], down["stable"]):
        assert ds["d_phase_dT"].values == pytest.approx(
            (up["phase_fraction"] - down["phase_fraction"]).values, abs=1e-8
        )


def test_pure_phases_do_not_change_with_temperature():
    ds = equilibrium(MEAL, "1250 degC", KILN, solutions=False, derivatives=True)
    assert (ds["d_phase_dT"] == 0).all()


def test_a_phase_not_there_yet_takes_up_its_element():
    mix = {"CaO": 66, "SiO2": 22, "Al2O3": 6, "Fe2O3": 4, "MgO": 0.0, "TiO2": 2.0}
    ds = equilibrium(mix, "1350 degC", "air", derivatives=True)
    slope = ds["d_phase_d_oxide"].sel(oxide="MgO", phase="periclase")
    assert float(slope) == pytest.approx(0.01, rel=1e-6)


def test_affinity_is_the_energy_that_lacks():
    """Lowering a phase's G by its affinity brings it to the edge of forming; by more, it forms."""
    ds = equilibrium(MEAL, "1250 degC", KILN, solutions=False)
    lacking = float(ds["affinity"].sel(phase="gehlenite")) * 1e3
    assert lacking > 0
    system = System.build(None, as_atmosphere(KILN), solutions=False)
    table = system.table(1523.15)
    j = next(i for i, c in enumerate(system.columns) if c.name == "gehlenite")
    k = system.phases.index("gehlenite")
    shift = np.zeros((2, len(system.columns)))
    shift[:, j] = [-lacking + 1.0, -lacking - 1.0]
    mass = table.perturbed_mass(np.repeat(as_charge(MEAL).amount, 2, axis=0), shift)
    assert mass[0, k] == 0
    assert mass[1, k] > 1e-4


def test_cached_table_equals_single_equilibria():
    rng = np.random.default_rng(2)
    names = ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "SO3")
    rows = 100 * rng.dirichlet([6, 3, 2, 1, 0.3, 1], size=200)
    array = xr.DataArray(rows, dims=("mix", "oxide"), coords={"oxide": list(names)})
    system = System.build(None, as_atmosphere(KILN), solutions=False)
    table = system.table(1523.15)
    many = table.phase_mass(as_charge(array).amount)
    for i in range(0, 200, 20):
        one = equilibrium(dict(zip(names, rows[i], strict=True)), "1250 degC", KILN, solutions=False)
        assert many[i] == pytest.approx(one["phase_fraction"].values, abs=1e-10)
    mass, solid, so3 = table.mineral_mass(as_charge(array).amount, ("C2S", "C4A3S", "ferrite", "SiO2")[:2])
    of = [system.phases.index(p) for p in system.phases if p.startswith("C2S")]
    assert mass[:, 0] == pytest.approx(many[:, of].sum(axis=1))
    assert solid == pytest.approx(many.sum(axis=1))
    assert (so3 <= rows[:, -1] / 100 + 1e-12).all()


def test_sulfur_leaves_stays_or_is_taken_up():
    lime = {"CaO": 100.0}
    mix = {"CaO": 70.0, "SO3": 30.0}
    gas = {"O2": "5 %", "SO2": "0.1 %"}
    leave = equilibrium(mix, "1250 degC", gas)
    assert float(leave["gas_released"].sel(gas="SO2")) > 0.2
    stay = equilibrium(mix, "1250 degC", gas, sulfur="retain")
    assert float(stay["gas_released"].sel(gas="SO2")) == pytest.approx(0.0, abs=1e-12)
    assert float(stay["gas_pressure"].sel(species="SO2")) > 1e-3
    assert "sulfur='retain'" in stay.attrs["warnings"]
    silent = equilibrium(mix, "1250 degC", {"O2": "5 %"})
    assert float(silent["gas_released"].sel(gas="SO2")) == pytest.approx(0.0, abs=1e-12)
    assert "names no SO2" in silent.attrs["warnings"]
    none = equilibrium(lime, "900 degC", gas)
    assert float(none["mineral_fraction"].sel(mineral="CaSO4")) == 0
    taken = equilibrium(lime, "900 degC", gas, sulfur="exchange")
    assert float(taken["mineral_fraction"].sel(mineral="CaSO4")) == pytest.approx(1.0)
    assert float(taken["mass_loss"]) == pytest.approx(1 - molar_mass("CaSO4") / molar_mass("CaO"), abs=1e-9)


def test_oxygen_can_be_imposed():
    air = equilibrium({"Fe2O3": 100.0}, "1300 degC", {"O2": "21 %"})
    assert float(air["phase_fraction"].sel(phase="hematite")) == pytest.approx(1.0)
    low = equilibrium({"Fe2O3": 100.0}, "1300 degC", "air", oxygen_potential="-200 kJ/mol")
    assert float(low["phase_fraction"].sel(phase="magnetite")) == pytest.approx(0.9666, abs=1e-3)
    p = np.exp(-200e3 / GAS_CONSTANT / 1573.15)
    assert float(low["gas_pressure"].sel(species="O2")) == pytest.approx(p, rel=1e-9)


def test_co_beside_oxygen_burns_first():
    """CO 2 % with O2 5 % leaves 4 % O2 and adds 2 % CO2."""
    ds = equilibrium(BRICK, "1000 degC", {"O2": "5 %", "CO": "2 %", "CO2": "10 %"})
    assert float(ds["gas_pressure"].sel(species="O2")) == pytest.approx(0.04, rel=1e-4)
    assert float(ds["gas_pressure"].sel(species="CO2")) == pytest.approx(0.12, rel=1e-4)


def test_heat_is_a_function_of_state():
    """Heats over a cycle of temperatures close; heat required = reaction at 298 K + heat contents (Hess)."""
    meal = {"calcite": 80.0, "quartz": 20.0}
    mix = {"CaO": 80 * molar_mass("CaO") / molar_mass("CaCO3"), "SiO2": 20.0}
    mix["carbonate_CO2"] = 80.0 - mix["CaO"]
    mix |= {"LOI": mix["carbonate_CO2"], "organic_C": 0.0, "bound_water": 0.0}
    ds = equilibrium(mix, ["25 degC", "1000 degC", "1300 degC"], "co2", reactants=meal)
    thermo = thermochemistry()
    for i, t in enumerate(ds["temperature_K"].values):
        n = {g: float(ds["gas_released"].sel(gas=g)[i]) / (molar_mass(g) / 1e3) for g in ("CO2", "H2O", "SO2", "O2")}
        gas = (
            sum(v * float(thermo[f"{g}(g)"].enthalpy(t) - thermo[f"{g}(g)"].enthalpy(298.15)) for g, v in n.items())
            / 1e3
        )
        whole = float(ds["heat_of_reaction"][i]) + float(ds["heat_content"][i]) + gas
        assert float(ds["heat_required"][i]) == pytest.approx(whole, abs=1e-9 * abs(whole) + 1e-9)
    # at 25 degC in CO2 nothing reacts
    assert float(ds["heat_required"][0]) == pytest.approx(0.0, abs=1e-6)


def test_heat_is_not_given_where_minerals_do_not_fit():
    ds = equilibrium({"CaO": 60, "SiO2": 40}, "1000 degC", reactants={"quartz": 100.0})
    assert "heat_of_reaction" not in ds
    assert "minerals of the mix hold" in ds.attrs["warnings"]


def test_loss_on_ignition_not_split_is_said():
    ds = equilibrium(MEAL, "1250 degC", KILN)
    assert float(ds["gas_released"].sel(gas="unspecified")) == pytest.approx(0.11)
    assert "not split" in ds.attrs["warnings"]


def test_uncertainty_is_repeatable_and_grows():
    mix = Composition(
        {"CaO": 66.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8, "MgO": 1.0, "SO3": 1.0},
        "ignited",
        {"CaO": 0.5, "SiO2": 0.3},
    )
    first = equilibrium(mix, "1450 degC", KILN, suppress="portland", uncertainty=100, seed=5)
    again = equilibrium(mix, "1450 degC", KILN, suppress="portland", uncertainty=100, seed=5)
    xr.testing.assert_identical(first, again)
    c3s = next(p for p in ("C3S_R", "C3S_M3", "C3S_T") if float(first["phase_fraction"].sel(phase=p)) > 0)
    assert float(first["phase_fraction_sigma"].sel(phase=c3s)) > 0.01
    assert 0.3 < float(first["probability_present"].sel(phase=c3s)) <= 1
    assert (first["phase_fraction_low"] <= first["phase_fraction_high"]).all()
    told = json.loads(first.attrs["uncertainty"])
    assert told["oxides_with_sigma"] == ["CaO", "SiO2"]
    assert told["draws"] == 100


def test_own_phases_by_file(tmp_path):
    thermo = thermochemistry()
    table = tmp_path / "mine.csv"
    head = (
        "id,phase,formula,state,set,segment,dHf298,S298,cp_a,cp_b,cp_c,cp_d,cp_e,cp_f,T_min,T_max,dHtr,sigma_G,weak,"
        "source,evidence,doi,licence,note"
    )
    h = thermo["gehlenite"].dHf298 / 1e3 - 500
    row = f"mine/1,mystery,Ca2Al2SiO7,solid,primary,0,{h},200,250,0,0,0,0,0,298.15,1800,0,5,,test,recipe,,facts,"
    table.write_text(f"{head}\n{row}\n")
    mix = {"CaO": 40.9, "SiO2": 21.9, "Al2O3": 37.2}
    ds = equilibrium(mix, "1000 degC", phases=table)
    assert float(ds["mineral_fraction"].sel(mineral="mystery")) > 0.99


def test_suppressing_takes_symbols_groups_and_presets():
    mix = {"CaO": 63, "SiO2": 37}
    assert float(equilibrium(mix, "1000 degC")["mineral_fraction"].sel(mineral="C2S")) > 0.5
    assert "C2S" not in equilibrium(mix, "1000 degC", suppress="C2S")["mineral"].values
    system = System.build(suppress=["portland", "quenched"])
    assert "C12A7" in system.suppressed
    assert "C2S_gamma" in system.suppressed
    assert "metakaolinite" in system.suppressed
    assert "metakaolinite" in System.build(allow=["metakaolinite"]).phases
    assert System.build(suppress="ferrite").members("C4AF") == ("C4AF",)
    assert System.build().members("C4AF") == ("ferrite",)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"temperature": 1250}, UnitError, "no unit"),
        ({"temperature": "1250"}, UnitError, "no unit"),
        ({"temperature": "1600 degC"}, ValidityError, "1526.85"),
        ({"temperature": "10 degC"}, ValidityError, "outside 25"),
        ({"temperature": []}, ValidityError, "no temperature"),
        ({"temperature": xr.DataArray([1500.0])}, UnitError, "units"),
        ({"mix": {}}, MissingDataError, "empty"),
        ({"mix": {"CaO": 50, "SiO2": 20}}, CompositionError, "sum to 70"),
        ({"mix": {"CaO": float("nan"), "SiO2": 50}}, CompositionError, "NaN"),
        ({"mix": {"P2O5": 60, "MnO": 40}}, CompositionError, "none of the elements"),
        ({"atmosphere": {"O2": "5 %", "Ar": "95 %"}}, UnknownNameError, "no gas 'Ar'"),
        ({"atmosphere": {"N2": "100 %"}}, MissingDataError, "oxygen_potential"),
        ({"atmosphere": {"CO": "10 %"}}, MissingDataError, "CO and CO2"),
        ({"suppress": ["C2Z"]}, UnknownNameError, "Did you mean"),
        ({"solutions": ["ferite"]}, UnknownNameError, "ferrite"),
        ({"sulfur": "leav"}, UnknownNameError, "leave"),
        ({"sulfur": "exchange", "atmosphere": "air"}, MissingDataError, "partial pressure of SO2"),
        ({"uncertainty": 100}, MissingDataError, "seed"),
        ({"uncertainty": 1, "seed": 1}, ValidityError, "draws"),
        ({"closed": True, "atmosphere": "air"}, ValidityError, "no furnace gas"),
        ({"closed": True, "derivatives": True}, ValidityError, "open systems"),
        ({"pressure": "1000 bar"}, ValidityError, "0.001 to 100"),
        ({"phases": "nowhere.csv"}, DatasetError, "no such file"),
        ({"reactants": {"quarz": 100.0}}, UnknownNameError, "quartz"),
        ({"oxygen_potential": "-300"}, UnitError, "no unit"),
    ],
)
def test_bad_input_is_told(change, error, words):
    call = {"mix": {"CaO": 66.6, "SiO2": 33.4}, "temperature": "1250 degC"} | change
    with pytest.raises(error, match=words):
        equilibrium(**call)


def test_an_element_without_phase_is_told():
    thermo = thermochemistry()
    titanium = [p.name for p in thermo.values() if "Ti" in p.elements]
    with pytest.raises(MissingDataError, match="Ti"):
        equilibrium({"CaO": 60, "SiO2": 35, "TiO2": 5}, "1000 degC", suppress=titanium)
