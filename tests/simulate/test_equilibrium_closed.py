"""Closed systems: known limits, balances, and a twin by direct minimisation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import MissingDataError
from wastelab.reference.thermochemistry import GAS_CONSTANT, thermochemistry
from wastelab.simulate.charge import ELEMENTS, as_charge
from wastelab.simulate.equilibrium import equilibrium

CALCITE = {"CaO": 56.03, "carbonate_CO2": 43.97, "organic_C": 0.0, "bound_water": 0.0, "LOI": 43.97}
GYPSUM_COAL = {
    "CaO": 32.0, "SO3": 45.0, "SiO2": 1.0, "bound_water": 19.0, "organic_C": 3.0, "carbonate_CO2": 0.0, "LOI": 22.0,
}  # fmt: skip
MUD = {
    "CaO": 40, "SiO2": 12, "Al2O3": 12, "Fe2O3": 12, "TiO2": 2, "Na2O": 1.5, "SO3": 3.0, "carbonate_CO2": 14.0,
    "organic_C": 0.5, "bound_water": 3.0, "LOI": 17.5,
}  # fmt: skip


def direct(mix: dict[str, float], kelvins: float, solids: list[str], pressure: float = 1.0) -> dict[str, float]:
    """Amounts [mol/kg] by direct minimisation of G over given solids and all gases."""
    thermo = thermochemistry()
    gases = ["O2(g)", "CO2(g)", "CO(g)", "H2O(g)", "H2(g)", "SO2(g)", "SO3(g)"]
    names = [*solids, *gases]
    b = as_charge(mix).amount[0]
    rows = np.flatnonzero(b > 0)
    atoms = thermo.subset(names).matrix(ELEMENTS)
    keep = [i for i in range(len(names)) if not np.any(np.delete(atoms[i], rows))]
    names, a = [names[i] for i in keep], atoms[keep][:, rows]
    g = np.array([float(thermo[n].gibbs(kelvins)) for n in names]) / (GAS_CONSTANT * kelvins)
    gas = np.array([n.endswith("(g)") for n in names])
    scale = b[rows].max()

    def amounts(z: np.ndarray) -> np.ndarray:
        return np.where(gas, np.exp(np.minimum(z, 50.0)), z)

    def energy(z: np.ndarray) -> float:
        x = amounts(z)
        total = x[gas].sum()
        return float(x @ g + x[gas] @ (z[gas] - np.log(total) + np.log(pressure))) / scale

    def slope(z: np.ndarray) -> np.ndarray:
        x = amounts(z)
        mu = g + np.where(gas, z - np.log(x[gas].sum()) + np.log(pressure), 0.0)
        return mu * np.where(gas, x, 1.0) / scale

    best, least = None, np.inf
    for begin in (-3.0, 0.0, 2.0):
        found = minimize(
            energy, np.where(gas, begin, 1.0), jac=slope, method="SLSQP",
            bounds=[(-60.0, 5.0) if k else (0.0, None) for k in gas],
            constraints={
                "type": "eq", "fun": lambda z: (a.T @ amounts(z) - b[rows]) / scale,
                "jac": lambda z: (a.T * np.where(gas, amounts(z), 1.0)) / scale,
            },
            options={"ftol": 1e-15, "maxiter": 2000},
        )  # fmt: skip
        if np.abs(a.T @ amounts(found.x) - b[rows]).max() < 1e-7 and found.fun < least:
            best, least = found, found.fun
    assert best is not None
    found = best
    return {n: float(x) for n, x in zip(names, amounts(found.x), strict=True)}


@pytest.mark.parametrize(
    ("mix", "kelvins", "solids"),
    [
        (CALCITE, 1500.0, ["lime"]),
        (GYPSUM_COAL, 1200.0, ["lime", "anhydrite", "C2S_alpha_prime"]),
        (GYPSUM_COAL, 1450.0, ["lime", "anhydrite", "C2S_alpha_prime"]),
        (
            {"Fe2O3": 90.0, "organic_C": 5.0, "bound_water": 3.0, "carbonate_CO2": 2.0, "LOI": 10.0}, 1100.0,
            ["magnetite", "wustite_FeO", "hematite"],
        ),
        (
            {"SiO2": 90.0, "organic_C": 8.0, "bound_water": 2.0, "carbonate_CO2": 0.0, "LOI": 10.0}, 1100.0,
            ["quartz", "graphite"],
        ),
    ],
)  # fmt: skip
def test_closed_equals_direct_minimisation(mix, kelvins, solids):
    everything = {p.name for p in thermochemistry().values() if p.state != "gas"}
    ds = equilibrium(
        mix, f"{kelvins} kelvin", closed=True, solutions=False, suppress=sorted(everything - set(solids)),
    )  # fmt: skip
    twin = direct(mix, kelvins, solids)
    for name, n in twin.items():
        if name.endswith("(g)"):
            gas = name.removesuffix("(g)")
            found = float(ds["gas_released"].sel(gas=gas)) / (molar_mass(gas) / 1e3)
        else:
            found = float(ds["phase_amount"].sel(phase=name))
        assert found == pytest.approx(n, rel=2e-5, abs=2e-5)


def test_calcite_alone_holds_its_pressure():
    """In a closed vessel at 1 bar calcite exerts its equilibrium CO2 pressure and goes when that reaches 1 bar."""
    thermo = thermochemistry()
    cold = equilibrium(CALCITE, ["700 degC", "850 degC"], closed=True)
    for i, t in enumerate(cold["temperature_K"].values):
        k = np.exp(-thermo.reaction_gibbs({"calcite": -1, "lime": 1, "CO2(g)": 1}, t) / (GAS_CONSTANT * t))
        assert float(cold["phase_fraction"].sel(phase="calcite")[i]) > 0.999
        assert float(cold["gas_pressure"].sel(species="CO2")[i]) == pytest.approx(float(k), rel=1e-6)
        # lime and calcite leave the oxygen open: CO may stand at anything that keeps the total within 1 bar
    assert float(cold["gas_pressure"].sum("species", skipna=True)[i]) < 1.0 + 1e-9
    hot = equilibrium(CALCITE, "950 degC", closed=True)
    assert float(hot["phase_fraction"].sel(phase="calcite")) == 0
    assert float(hot["gas_released"].sel(gas="CO2")) == pytest.approx(0.4397, abs=1e-4)
    assert float(hot["gas_pressure"].sum("species", skipna=True)) == pytest.approx(1.0, rel=1e-9)
    pressed = equilibrium(CALCITE, "950 degC", closed=True, pressure="5 bar")
    assert float(pressed["phase_fraction"].sel(phase="calcite")) > 0.999


@settings(max_examples=25, deadline=None)
@given(
    kelvins=st.floats(298.15, 1800.0),
    carbon=st.floats(0.0, 4.0),
    water=st.floats(0.0, 8.0),
    co2=st.floats(0.0, 20.0),
    sulfate=st.floats(0.0, 10.0),
    solutions=st.booleans(),
)
def test_closed_systems_keep_everything(kelvins, carbon, water, co2, sulfate, solutions):
    mix = {"CaO": 34.0, "SiO2": 14.0, "Al2O3": 12.0, "Fe2O3": 10.0, "Na2O": 1.0, "K2O": 0.5, "MgO": 1.5, "TiO2": 1.0}
    mix |= {"SO3": sulfate, "organic_C": carbon, "bound_water": water, "carbonate_CO2": co2}
    loss = carbon + water + co2
    scale = 100.0 / (sum(mix.values()))
    mix = {k: v * scale for k, v in mix.items()} | {"LOI": loss * scale}
    ds = equilibrium(mix, f"{kelvins!r} kelvin", closed=True, solutions=solutions)
    gas = ds["gas_released"].values
    assert (gas >= 0).all()
    assert float(ds["phase_fraction"].sum()) + gas.sum() == pytest.approx(1.0, abs=1e-9)
    total = float(ds["gas_pressure"].sum("species", skipna=True))
    if gas.sum() > 0:
        assert total == pytest.approx(1.0, rel=1e-7)
    else:
        assert total <= 1 + 1e-7


def test_a_red_mud_mix_reduces_itself():
    """Carbon in a closed vessel takes oxygen from the iron; in air it burns and the iron stays ferric."""
    closed = equilibrium(MUD, "1000 degC", closed=True)
    opened = equilibrium(MUD, "1000 degC", "air")
    assert float(closed["gas_pressure"].sel(species="O2")) < 1e-6
    assert float(opened["gas_released"].sel(gas="O2")) < 0  # oxygen taken from the air for the carbon
    assert float(opened["gas_released"].sel(gas="CO2")) == pytest.approx(0.14 + 0.005 * 44.01 / 12.011, rel=1e-3)


def test_loss_must_be_known_by_species():
    with pytest.raises(MissingDataError, match="evolved-gas"):
        equilibrium({"CaO": 56.0, "LOI": 44.0}, "1000 degC", closed=True)
    with pytest.raises(MissingDataError, match="organic carbon"):
        equilibrium({"CaO": 56.0, "LOI": 44.0, "carbonate_CO2": 44.0}, "1000 degC", closed=True)


def test_ignited_mixes_need_no_split():
    ds = equilibrium({"CaO": 66.6, "SiO2": 33.4}, "1000 degC", closed=True)
    assert float(ds["gas_released"].sum()) == pytest.approx(0.0, abs=1e-9)
    assert float(ds["mineral_fraction"].sel(mineral="C2S")) > 0.9


def test_a_phase_whose_data_end_is_missed_aloud_in_a_closed_vessel():
    mix = {"Na2O": 35.0, "Fe2O3": 55.0, "SiO2": 10.0}
    assert "NaFeO2 is left out at 1360 degC" in equilibrium(mix, "1360 degC", closed=True).attrs["warnings"]
    assert "left out" not in equilibrium(MUD, "1000 degC", closed=True).attrs["warnings"]
