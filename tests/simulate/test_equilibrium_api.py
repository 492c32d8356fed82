"""Equilibrium as a person asks for it: shapes, balances, derivatives, uncertainty, sulfur, bad input; twins."""

from __future__ import annotations

import json
from dataclasses import replace

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
    WastelabError,
)
from wastelab.reference.melting import melting_points
from wastelab.reference.thermochemistry import GAS_CONSTANT, thermochemistry
from wastelab.simulate.atmosphere import ATMOSPHERES, as_atmosphere
from wastelab.simulate.charge import ELEMENTS, as_charge
from wastelab.simulate.equilibrium import System, equilibrium, melt_warnings
from wastelab.simulate.equilibrium.lp import solve
from wastelab.simulate.equilibrium.notices import names_of

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
    assert "p(SO2)" not in leave.attrs["warnings"]  # the user named it
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


def test_sulfur_of_a_gas_that_names_none_leaves_to_a_trace():
    """SO2 that nobody named is a trace, as CO2 and H2O are: sulfates do not last to 1 bar of it."""
    sulfate = {"CaO": 41.2, "SO3": 58.8}
    for gas in (None, "nitrogen", {"O2": "5 %"}, {"CO": "5 %", "CO2": "45 %"}):
        ds = equilibrium(sulfate, "1500 degC", gas)
        assert float(ds["mineral_fraction"].sel(mineral="CaSO4")) == 0
        assert float(ds["gas_pressure"].sel(species="SO2")) <= 1e-6 * (1 + 1e-9)
        assert "p(SO2) was taken as 1e-06 bar" in ds.attrs["warnings"]
    assert "the preset 'air'" in equilibrium(sulfate, "1500 degC").attrs["warnings"]
    assert "names none" in equilibrium(sulfate, "1500 degC", {"O2": "5 %"}).attrs["warnings"]
    kept = equilibrium(sulfate, "1400 degC", sulfur="retain")
    assert float(kept["mineral_fraction"].sel(mineral="CaSO4")) > 0.99
    assert (
        "was taken as 0.001 bar (that of the preset 'rotary_kiln')"
        in equilibrium(sulfate, "1400 degC", "rotary_kiln").attrs["warnings"]
    )
    assert "SO2" not in equilibrium({"CaO": 60, "SiO2": 40}, "1400 degC").attrs["warnings"]


def test_heat_is_not_given_where_minerals_do_not_fit():
    mix = {"CaO": 60, "SiO2": 40}
    with pytest.raises(CompositionError, match=r"Ca 0 against 42\.9 wt%"):
        equilibrium(mix, "1000 degC", reactants={"quartz": 100.0})
    own = replace(as_charge(mix), phases={"quartz": 100.0})  # as a Material brings them
    ds = equilibrium(own, "1000 degC")
    assert "heat_of_reaction" not in ds
    assert "minerals of the mix hold" in ds.attrs["warnings"]
    nobody = equilibrium(replace(as_charge(mix), phases={"illite": 100.0}), "1000 degC")
    assert "no phase 'illite'" in nobody.attrs["warnings"]


def test_melt_is_told_by_what_is_present():
    """Cases of ash, ferrite pellet and reduced gangue below 1327 degC; clinker has its own sentence."""
    ash = equilibrium({"SiO2": 68, "Al2O3": 16, "K2O": 8, "Na2O": 4, "CaO": 2, "Fe2O3": 2}, "1300 degC")
    first = ash.attrs["warnings"].split("\n")[0]
    assert "leucite" in first
    assert "at 950 degC" in first
    assert "Portland" not in ash.attrs["warnings"]
    ferrite = equilibrium({"CaO": 35, "Fe2O3": 65}, "1300 degC").attrs["warnings"]
    assert "CF melts in part at 1216 degC" in ferrite
    assert "melt" not in equilibrium({"CaO": 35, "Fe2O3": 65}, "1150 degC").attrs["warnings"]
    gas = {"CO": "20 %", "CO2": "20 %"}
    gangue = equilibrium(
        {"SiO2": 50, "Al2O3": 20, "Fe2O3": 10, "K2O": 4, "Na2O": 3, "CaO": 8, "MgO": 5}, "1250 degC", gas
    )
    assert "fayalite" in gangue.attrs["warnings"]
    clinker = equilibrium({"CaO": 66.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8}, "1450 degC", suppress="portland")
    assert "20 to 30 % of a Portland clinker" in clinker.attrs["warnings"]
    plain = equilibrium({"Al2O3": 60.0, "MgO": 40.0}, "1400 degC")  # no row applies to spinel
    assert plain.attrs["warnings"].count("no row of the table") == 1


def test_melt_warnings_by_names_and_amounts():
    (text,) = melt_warnings(["leucite", "quartz"], 1573.0)
    assert text.startswith("leucite + SiO2 begin to melt at 990 degC (eutectic")
    assert "[memory]" in text
    assert melt_warnings(["leucite", "quartz"], 1200.0) == []
    assert melt_warnings({"leucite": 0.3, "quartz": 1e-4}, 1573.0) == []
    rich, poor = {"albite": 0.3, "anorthite": 0.01}, {"albite": 0.05, "anorthite": 0.3}
    assert "1145 degC" in melt_warnings(rich, 1450.0)[0]
    assert melt_warnings(poor, 1450.0) == []
    # the lower of two that hold the same minerals is told once
    assert len(melt_warnings({"fayalite": 0.2, "quartz": 0.2}, 1500.0)) == 1


def test_melting_points_are_read_with_their_source(tmp_path, monkeypatch):
    rows = melting_points()
    assert len({(r.minerals, tuple(r.share.items())) for r in rows}) == len(rows)
    names = {n for p in thermochemistry().values() for n in names_of(p.name)}
    assert {m for r in rows for m in r.minerals} <= names
    assert all(r.source.text and 700 < r.temperature_K < 1850 for r in rows)
    folder = tmp_path / "datasets" / "equilibrium"
    folder.mkdir(parents=True)
    for line, words in (
        ('minerals = []', "minerals"), ('minerals = ["x"]\nT_degC = "a"', "T_degC"),
        ('minerals = ["x"]\nT_degC = 900\nkind = "odd"', "kind"), ('mineral = ["x"]', "Did you mean 'minerals'"),
        ('minerals = ["x"]\nT_degC = 900\nkind = "eutectic"\nsource = ""', "source"),
        ('minerals = ["x"]\nT_degC = 900\nkind = "eutectic"\nsource = "s"\nevidence = "e"', "evidence"),
        ('minerals = ["x"]\nT_degC = 900\nkind = "eutectic"\nsource = "s"\nevidence = "memory"\nof = "a"', "of"),
        ('minerals = ["x"]\nT_degC = 900\nkind = "eutectic"\nsource = "s"\nevidence = "memory"\nshare = {y = 1}',
         "share"),
    ):  # fmt: skip
        (folder / "melting.toml").write_text(f"[[melt]]\n{line}\n")
        monkeypatch.setenv("WASTELAB_DATA", str(tmp_path))
        with pytest.raises(DatasetError, match=words):
            melting_points.__wrapped__()


def test_a_phase_whose_data_end_is_missed_aloud():
    """Sodium ferrite has data to 1620 K; above, it is left out and the assemblage jumps."""
    mix = {"Na2O": 38.8 * 0.9, "Fe2O3": 61.2 * 0.9, "SiO2": 10.0}
    below, above = (equilibrium(mix, t) for t in ("1340 degC", "1360 degC"))
    assert float(below["mineral_fraction"].sel(mineral="NaFeO2")) > 0.5
    assert "left out" not in below.attrs["warnings"]
    assert "NaFeO2" not in above["phase"].values or float(above["phase_fraction"].sel(phase="NaFeO2")) == 0
    assert "NaFeO2 is left out at 1360 degC because its data hold from 25 to 1347 degC" in above.attrs["warnings"]
    several = equilibrium(pd.DataFrame([mix, {"CaO": 60.0, "SiO2": 40.0}]).fillna(0.0), ["1360 degC", "1400 degC"])
    assert "1360 to 1400 degC" in several.attrs["warnings"]
    assert "in 1 of 2 mixes" in several.attrs["warnings"]
    assert "left out" not in equilibrium(BRICK, "1100 degC").attrs["warnings"]


def test_fired_clay_points_to_kinetics():
    clay = {"SiO2": 60.0, "Al2O3": 32.0, "MgO": 4.0, "K2O": 1.0, "LOI": 3.0}
    assert "wastelab.calcine" in equilibrium(clay, "800 degC").attrs["warnings"]
    assert "wastelab.calcine" not in equilibrium(clay, "1200 degC").attrs["warnings"]
    assert "wastelab.calcine" not in equilibrium({"CaO": 60, "SiO2": 40}, "800 degC").attrs["warnings"]


def test_too_much_without_data_is_refused():
    mix = {"CaO": 50, "SiO2": 10, "P2O5": 40}
    with pytest.raises(ValidityError, match=r"P2O5 \(40 wt%\).*allow_set_aside"):
        equilibrium(mix, "1300 degC")
    ds = equilibrium(mix, "1300 degC", allow_set_aside=True)
    assert "binds about 3 CaO" in ds.attrs["warnings"]
    assert float(ds["mineral_fraction"].sum()) == pytest.approx(1.0, abs=1e-12)
    assert float(ds["mineral_fraction"].sel(mineral="set_aside")) == pytest.approx(0.4, abs=1e-9)
    assert float(ds["product_fraction"].sum()) == pytest.approx(0.6, abs=1e-9)
    small = equilibrium({"CaO": 60, "SiO2": 36, "P2O5": 2, "SrO": 2}, "1300 degC")
    assert "SrO set aside" in small.attrs["warnings"]
    with pytest.raises(ValidityError, match="mix 'b'"):
        equilibrium(pd.DataFrame({"CaO": [60, 50], "SiO2": [40, 40], "MnO": [0, 10]}, index=["a", "b"]), "1000 degC")


def test_many_mixes_at_once_equal_one_by_one():
    """Without solutions exactly; with them within 1 wt% in almost all mixes, at the pseudo-phases' compositions."""
    rng = np.random.default_rng(4)
    names = ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "Na2O", "K2O", "SO3")
    rows = 100 * rng.dirichlet([6, 3, 2, 1, 0.5, 0.2, 0.2, 1], size=60)
    mixes = xr.DataArray(rows, dims=("mix", "oxide"), coords={"oxide": list(names)})
    hot = ["1000 degC", "1250 degC"]
    for solutions, far in ((False, 1e-9), (True, 0.04)):
        one = equilibrium(mixes, hot, KILN, solutions=solutions, refine=True)
        many = equilibrium(mixes, hot, KILN, solutions=solutions, refine=False)
        assert many.attrs["refined"] == str(not solutions).lower()
        assert set(many["phase"].values) <= set(one["phase"].values)
        assert "affinity" not in many
        same = one.sel(phase=many["phase"].values, mineral=many["mineral"].values)
        for name in ("phase_fraction", "product_fraction", "mineral_fraction", "mass_loss", "gas_released"):
            assert many[name].values == pytest.approx(same[name].values, abs=far), name
        absent = ~np.isin(one["phase"].values, many["phase"].values)
        assert float(one["phase_fraction"].values[..., absent].max(initial=0.0)) < far
        assert many["mineral_fraction"].sum("mineral").values == pytest.approx(1.0, abs=1e-9)
        if not solutions:
            for name in ("enthalpy", "heat_content", "phase_amount", "element_potential", "gas_pressure"):
                assert many[name].values == pytest.approx(same[name].values, rel=1e-7, abs=1e-7, nan_ok=True), name
        else:
            off = np.abs(many["mineral_fraction"].values - same["mineral_fraction"].values).max(axis=2)
            assert np.quantile(off, 0.98) < 0.01
            x = many["solution_composition"].values, one["solution_composition"].values
            assert np.nanmax(np.abs(x[0] - x[1])) < 0.03
            assert "65 fixed compositions" in many.attrs["warnings"]
    assert equilibrium(mixes, hot, KILN).attrs["refined"] == "true"
    big = mixes.isel(mix=rng.integers(0, 60, 2001))
    assert equilibrium(big, "1250 degC", KILN).attrs["refined"] == "false"


def test_warnings_and_draws_of_a_short_list():
    table = System.build(None, "rotary_kiln", suppress="portland").table(1723.15)
    mixes = xr.DataArray(
        [[66.6, 21.5, 5.2, 2.8, 0.0, 0.0], [5.0, 60.0, 20.0, 6.0, 4.0, 5.0]], dims=("mix", "oxide"),
        coords={"oxide": ["CaO", "SiO2", "Al2O3", "Fe2O3", "K2O", "MgO"]},
    )  # fmt: skip
    amount = as_charge(mixes).amount
    clinker, brick = table.warnings(amount)
    assert any("Portland" in w for w in clinker)
    assert any(w.startswith("C4AF (end member of ferrite) is present and its data are weak") for w in clinker)
    assert not any("Portland" in w for w in brick)
    assert any("melt" in w for w in brick)
    mass, solid, so3 = table.mineral_mass_draws(amount, ("C3S", "C2S"), draws=50, seed=7)
    assert (mass.shape, solid.shape, so3.shape) == ((50, 2, 2), (50, 2), (50, 2))
    again, _, _ = table.mineral_mass_draws(amount, ("C3S", "C2S"), draws=50, seed=7)
    assert np.array_equal(mass, again)
    single, _, _ = table.mineral_mass_draws(amount[:1], ("C3S", "C2S"), draws=50, seed=7)
    assert np.array_equal(single[:, 0], mass[:, 0])
    assert mass[:, 0, 0].std() > 0.005
    # a draw is the equilibrium with that draw's Gibbs energies
    shift = table.draw_shift(50, 7)
    twin = table.perturbed_mass(np.repeat(amount[:1], 50, axis=0), shift)
    of = [k for k, p in enumerate(table.phases) if p.startswith("C3S")]
    assert twin[:, of].sum(axis=1) == pytest.approx(mass[:, 0, 0])
    with pytest.raises(ValidityError, match="2 draws"):
        table.mineral_mass_draws(amount, ("C3S",), draws=1, seed=7)


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
        ({"temperature": 1250}, UnitError, "1250 degC"),
        ({"temperature": "1250"}, UnitError, "1250 degC"),
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
        ({"oxygen_potential": "-300"}, UnitError, "-300 kJ/mol"),
        ({"oxygen_potential": -300}, UnitError, "-300 kJ/mol"),
        ({"oxygen_potential": "300 kJ/mol"}, ValidityError, "p.O2. of 1.9e.10 bar.*'-300 kJ/mol'"),
        ({"temperature": ["1250 degC", 1300]}, UnitError, "1300 degC"),
        ({"mix": {"CaO": float("inf"), "SiO2": 50}}, CompositionError, "inf"),
        ({"reactants": {"calcite": "x"}}, CompositionError, "calcite = 'x'"),
        ({"reactants": {"calcite": float("nan")}}, CompositionError, "no.* content"),
        ({"reactants": {}}, MissingDataError, "empty"),
        ({"reactants": ["calcite"]}, CompositionError, "expected minerals"),
        ({"reactants": {"CO2(g)": 10.0}}, UnknownNameError, "CO2"),
        ({"refine": "never"}, ValidityError, "'auto'"),
        ({"refine": False, "derivatives": True}, ValidityError, "always refined"),
        ({"refine": False, "uncertainty": 10, "seed": 1}, ValidityError, "uncertainty is always refined"),
        ({"refine": False, "closed": True}, ValidityError, "always refined"),
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


@pytest.mark.parametrize(
    ("options", "words"),
    [({"suppress": 5}, "names no phase"), ({"allow": 5}, "names no phase"), ({"uncertainty": "x", "seed": 1}, "draws")],
)
def test_options_of_the_wrong_kind(options, words):
    with pytest.raises(WastelabError, match=words):
        equilibrium({"CaO": 66.0, "SiO2": 34.0}, "1450 degC", **options)
