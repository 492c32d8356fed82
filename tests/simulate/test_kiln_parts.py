"""Parts of the kiln models against hand calculations: heat transfer, combustion, particles, single vessels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from wastelab.errors import MissingDataError, UnknownNameError, ValidityError
from wastelab.reference.thermochemistry import thermochemistry
from wastelab.simulate.kiln import _kernels as kernels
from wastelab.simulate.kiln import equipment
from wastelab.simulate.kiln import heat_transfer as ht
from wastelab.simulate.kiln.chemistry import INERT_CP, build
from wastelab.simulate.kiln.combustion import adiabatic_flame_temperature, air, fuel
from wastelab.simulate.kiln.flash import size_classes
from wastelab.simulate.kiln.result import minerals
from wastelab.simulate.kiln.tables import GASES, GRID, T0, at, gas_table


def chemistry(phases: dict[str, float], **options: object):
    return build(minerals(None, phases), pressures={"O2": 0.03, "CO2": 0.0}, **options)  # type: ignore[arg-type]


def inert():
    """A feed that only takes up heat: 1 kJ/(kg K)."""
    return chemistry({"quartz": 76.0, "corundum": 24.0})


def test_smith_emissivity_in_the_range_of_the_charts():
    # Hottel's charts, as usually drawn: about 0.3 at 1200 K for 0.2 bar CO2 + 0.2 bar H2O over 1.5 m (read from memory)
    value = float(ht.smith_emissivity(1200.0, 0.2, 0.2, 1.5))
    assert 0.25 < value < 0.38
    assert float(ht.smith_emissivity(1200.0, 0.0, 0.0, 3.0)) == 0.0
    path = np.linspace(0.0, 20.0, 50)
    assert (np.diff(ht.smith_emissivity(1500.0, 0.2, 0.1, path)) >= 0).all()
    # the four sets themselves at their ratios, by the printed polynomials
    b = np.array([[5.150e-1, -2.303e-4, 0.9779e-7, -1.494e-11], [0.7749e-1, 3.399e-4, -2.297e-7, 3.770e-11],
                  [1.907e-1, -1.824e-4, 0.5608e-7, -0.5122e-11]])  # fmt: skip
    k = np.array([0.4303, 7.055, 178.1])
    t, x = 1500.0, 0.4 / 1.01325 * 2.0
    hand = float((b @ np.array([1, t, t**2, t**3])) @ (1 - np.exp(-k * x)))
    assert float(ht.smith_emissivity(t, 0.2, 0.2, 2.0)) == pytest.approx(hand, rel=1e-12)


def test_sullivan_residence_time():
    # worked example of the formula: L = 30 m, D = 2.5 m, N = 2 rpm, s = 0.03 give 38.0 min
    assert ht.sullivan_residence(30.0, 2.5, 2.0, 0.03) == pytest.approx(38.0 * 60, rel=1e-12)
    with pytest.raises(ValidityError, match="rpm"):
        ht.sullivan_residence(30.0, 2.5, -2.0, 0.03)


def test_bed_angle_inverts_the_segment():
    angle = np.linspace(0.3, 3.0, 20)
    filling = (angle - np.sin(angle)) / (2 * np.pi)
    assert ht.bed_angle(filling) == pytest.approx(angle, rel=1e-9)


def test_flame_temperature_is_the_hand_enthalpy_balance():
    f = fuel("methane")
    t = adiabatic_flame_temperature(f, excess_air=0.2)
    thermo = thermochemistry()
    n = 1.0  # mol CH4 = CO2 + 2 H2O + excess and nitrogen
    o2, n2 = 0.2 * 2.0 * n, 1.2 * 2.0 * n * 0.7905 / 0.2095
    heat = sum(
        k * float(np.interp(t, GRID, gas_table(thermo)[:, GASES.index(g)]) - thermo[f"{g}(g)"].dHf298)
        for g, k in (("CO2", n), ("H2O", 2 * n), ("O2", o2), ("N2", n2))
    )
    assert heat == pytest.approx(f.lhv * 0.016043, rel=2e-3)
    assert 2280 < adiabatic_flame_temperature("methane") < 2360  # 2330 K without dissociation (textbook value, memory)


def test_fuel_burns_with_element_balance():
    f = fuel("bituminous coal")
    gas = air(f.oxygen) + f.change
    assert gas[GASES.index("O2")] == pytest.approx(0.0, abs=1e-12)
    assert gas[GASES.index("CO2")] * 12.011 / 1000 == pytest.approx(f.parts["C"], rel=1e-4)
    # factor table: 94.6 kg CO2/GJ for other bituminous coal
    assert f.co2 / (f.lhv / 1e9) == pytest.approx(94.6, rel=2e-3)


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ("cole", UnknownNameError, "Fuels"),
        ({"C": 0.7, "H": 0.05}, MissingDataError, "lhv_MJ_kg"),
        ({"C": 0.9, "H": 0.3, "lhv_MJ_kg": 30}, ValidityError, "sum"),
        ({"C": -0.1, "lhv_MJ_kg": 30}, ValidityError, "C"),
    ],
)
def test_bad_fuel(given, error, text):
    with pytest.raises(error, match=text):
        fuel(given)


def test_presets_carry_source_and_evidence():
    for p in equipment.presets().values():
        assert set(p.values) == set(p.sources)
        assert all(s.text for s in p.sources.values())
    with pytest.raises(UnknownNameError, match="rotary_kiln_wet"):
        equipment.preset("rotary_kiln_wett")
    with pytest.raises(ValidityError, match="diameter"):
        equipment.preset("rotary_kiln_wet", diameter="-4 m")
    with pytest.raises(ValidityError, match="no unit"):
        equipment.preset("rotary_kiln_wet", length=45)


def heat_once(chem, coefficient, gas_K, start_K, seconds, steps=400, p=None):
    times = np.linspace(0.0, seconds, steps + 1)
    coef = np.zeros((steps + 1, 10))
    coef[:, 0] = coefficient
    n_r, n_s = len(chem.steps), len(chem.species)
    t, xi, n = np.zeros(steps + 1), np.zeros((steps + 1, n_r)), np.zeros((steps + 1, n_s))
    gas, heat = np.zeros((steps + 1, 8)), np.zeros(steps + 1)
    status = kernels.heat_program(
        times, np.full(steps + 1, gas_K), coef, np.zeros(8) if p is None else p, start_K, 298.15, chem.kernel(), t,
        xi, n, gas, heat,
    )  # fmt: skip
    assert status == 0
    return times, t, xi, n, gas, heat


def test_lumped_heating_follows_the_exponential():
    chem = build(minerals(None, {"quartz": 75.0}), extra_inert=1e6)  # heat capacity that of the inert alone
    u = 1e6 * INERT_CP / 500.0
    times, t, *_ = heat_once(chem, u, 900.0, 300.0, 1000.0, 4000)
    exact = 900.0 - 600.0 * np.exp(-times / 500.0)
    assert t == pytest.approx(exact, abs=0.1)  # implicit Euler, first order in the step


@pytest.mark.parametrize(("phase", "model"), [("kaolinite", "F1"), ("goethite", "F1")])
def test_isothermal_conversion_is_the_closed_form(phase, model):
    chem = chemistry({phase: 100.0})
    step = chem.steps[0]
    assert step.model.name == model
    T = 750.0 if phase == "kaolinite" else 520.0
    times, t, xi, *_ = heat_once(chem, 1e9, T, T, 60.0)
    k = step.A * math.exp(-step.Ea / (8.31446261815324 * T))
    assert t == pytest.approx(T, abs=1e-3)
    assert xi[:, 0] / step.total == pytest.approx(-np.expm1(-k * times), abs=2e-6)


def test_contracting_reaction_stops_at_its_corner():
    chem = chemistry({"calcite": 100.0})
    step = chem.steps[0]
    T = 1150.0
    times, _, xi, n, _, _ = heat_once(chem, 1e9, T, T, 3000.0)
    k = step.A * math.exp(-step.Ea / (8.31446261815324 * T))
    alpha = xi[:, 0] / step.total
    exact = 1.0 - np.maximum(1.0 - k * times, 0.0) ** 2  # R2
    assert alpha == pytest.approx(exact, abs=1e-5)
    assert alpha[-1] == 1.0
    assert (n >= 0).all()


def test_calcite_stands_still_at_its_equilibrium_pressure():
    chem = chemistry({"calcite": 100.0})
    T = 1100.0
    peq = float(np.exp(np.interp(T, GRID, chem.lnp[:, 0])))
    thermo = thermochemistry()
    g = float(thermo.reaction_gibbs({"calcite": -1, "lime": 1, "CO2(g)": 1}, T))
    assert peq == pytest.approx(math.exp(-g / (8.31446261815324 * T)), rel=1e-9)
    p = np.zeros(8)
    p[GASES.index("CO2")] = peq * 1.0001
    _, _, xi, *_ = heat_once(chem, 1e9, T, T, 600.0, p=p)
    assert xi[-1, 0] == 0.0


def test_kernel_against_a_stiff_integrator():
    """Twin: kaolinite heated through a finite coefficient, by solve_ivp on the same equations."""
    chem = chemistry({"kaolinite": 70.0, "quartz": 30.0})
    s = chem.steps[0]
    gas_K, u = 950.0, 40.0

    def rhs(_, y):
        T, x = y
        rate = s.A * math.exp(-s.Ea / (8.31446261815324 * T)) * max(s.total - x, 0.0)
        n = chem.initial + x * chem.nu[0]
        i = int((T - GRID[0]) / 5.0)
        cp = float(n @ (chem.enthalpy[i + 1] - chem.enthalpy[i])) / 5.0
        dh = float(chem.nu[0] @ at(chem.enthalpy, T) + chem.nu_gas[0] @ at(chem.gas_enthalpy, T))
        return [(u * (gas_K - T) - rate * dh) / cp, rate]

    ref = solve_ivp(rhs, (0, 200.0), [300.0, 0.0], method="LSODA", rtol=1e-8, atol=1e-8, max_step=1.0)
    _, t, xi, *_ = heat_once(chem, u, gas_K, 300.0, 200.0, 8000)
    assert t[-1] == pytest.approx(ref.y[0, -1], abs=0.3)
    assert xi[-1, 0] / s.total == pytest.approx(ref.y[1, -1] / s.total, abs=2e-3)


def test_heat_is_conserved_to_rounding():
    chem = chemistry({"calcite": 60.0, "kaolinite": 30.0, "quartz": 10.0})
    _, t, _, n, gas, heat = heat_once(chem, 300.0, 1250.0, 300.0, 900.0, 300)
    released = np.diff(gas, axis=0)
    carried = sum(float(r @ at(chem.gas_enthalpy, v)) for r, v in zip(released, t[1:], strict=True))
    change = chem.heat(n[-1], t[-1]) - chem.heat(chem.initial, 300.0)
    assert change + carried == pytest.approx(heat[-1], rel=1e-9)


def test_size_classes():
    d, w = size_classes(blaine="350 m2/kg", density=2600.0)
    assert d[0] == pytest.approx(6.0 / (2600.0 * 350.0))
    d, w = size_classes(d50="20 um", classes=101)
    assert float(np.median(d)) == pytest.approx(20e-6, rel=1e-6)
    assert w.sum() == pytest.approx(1.0)
    with pytest.raises(MissingDataError, match="once"):
        size_classes()
    with pytest.raises(ValidityError, match="sum"):
        size_classes({"5 um": 0.3, "20 um": 0.3})
    with pytest.raises(ValidityError, match="d50"):
        size_classes(d50="-3 um")


def test_stand_ins_have_the_composition_they_stand_for():
    from wastelab.chemistry.formulas import atoms
    from wastelab.reference.kinetics import reactions
    from wastelab.simulate.stand_ins import stand_ins

    formulas = {k: v for r in reactions().values() for k, v in r.formulas.items()}
    thermo = thermochemistry()
    for name, entry in stand_ins().items():
        parts = entry.parts
        total: dict[str, float] = {}
        for p, n in parts.items():
            for e, k in thermo[p].elements.items():
                total[e] = total.get(e, 0.0) + n * k
        want = atoms(formulas[name])
        if name == "illite_dehydroxylated":
            assert "H" not in total
        for e in {*total, *want}:
            assert total.get(e, 0.0) == pytest.approx(want.get(e, 0.0), abs=1e-9), (name, e)


def test_reference_state_of_heat():
    chem = inert()
    assert chem.heat(chem.initial, 400.0) - chem.heat(chem.initial, T0) > 0
    assert chem.steps == ()
