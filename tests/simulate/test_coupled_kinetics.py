"""Coupled reactions: the kernel against its slow twin, against analytic solutions, and at the corners of rate laws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import expn

from wastelab.errors import MissingDataError, UnknownNameError, ValidityError
from wastelab.provenance import Evidence, Source
from wastelab.reference.kinetics import Reaction
from wastelab.reference.thermochemistry import GAS_CONSTANT, thermochemistry
from wastelab.simulate.heating import TemperatureProgram
from wastelab.simulate.kinetics import build, pack, reaction_model, solve_batch
from wastelab.simulate.kinetics._coupled_kernels import _psi
from wastelab.simulate.kinetics.coupled import gibbs

R = GAS_CONSTANT
RAMP = TemperatureProgram.parse("from 300 K, 10 K/min to 1400 K")
HELD = TemperatureProgram.isothermal(900.0, 1000.0)


def reaction(
    name: str, consumed: dict, produced: dict, gas: dict | None = None, approach: dict | None = None
) -> Reaction:
    """A reaction of test phases; formulas do not matter to kinetics."""
    formulas = dict.fromkeys((*consumed, *produced), "SiO2")
    return Reaction(
        name, name, name, next(iter(consumed)), consumed, produced, gas or {}, None, approach, (), (), "",
        Source("test", Evidence.COMPUTED), None, "", formulas,
    )  # fmt: skip


def network(parts: list[tuple[Reaction, float, float, str]], present: list[str], pressures: dict | None = None):
    laws = {r.id: (a, ea, model) for r, a, ea, model in parts}
    return build(present, [r for r, *_ in parts], triplets=laws, pressures=pressures)


def twin(net, start, program, times, pressures, total=1.0, flow=0.0):
    """The same equations by scipy at tight tolerance, in plain Python: extents [mol/kg]."""
    n_r, thermo = len(net.reactions), thermochemistry()
    laws = [(r.triplet.A, r.triplet.Ea, reaction_model(r.triplet.model)) for r in net.reactions]
    gases = [g[:-3] for g in net.gases]

    def ln_peq(i, t):
        r = net.reactions[i]
        own = f"{r.approach['gas']}(g)"
        g = sum(n * float(gibbs(thermo[p], t)) for p, n in r.stoichiometry.items())
        return -g / (R * t) / r.gas[own]

    def rate(t, xi):
        temperature = float(program.at(t))
        given = start + xi @ net.produced
        left = np.maximum(given - xi @ net.consumed, 0.0)
        mole = np.zeros(n_r)
        for i, (a, ea, model) in enumerate(laws):
            nu = net.consumed[i]
            whole, rest = min(given[nu > 0] / nu[nu > 0]), min(left[nu > 0] / nu[nu > 0])
            if whole > 0 and rest > 0:
                mole[i] = a * np.exp(-ea / R / temperature) * whole * float(model.f(1.0 - rest / whole))
        p = {g: pressures.get(g, 0.0) for g in gases}

        peq = [np.exp(ln_peq(i, temperature)) if r.approach and r.approach["kind"] == "equilibrium" else 0.0
               for i, r in enumerate(net.reactions)]  # fmt: skip

        def factors(p):
            out = np.ones(n_r)
            for i, r in enumerate(net.reactions):
                if r.approach is None:
                    continue
                own = p[r.approach["gas"]]
                if r.approach["kind"] == "oxygen":
                    out[i] = (max(own, 0.0) / 0.21) ** r.approach["order"]
                else:
                    out[i] = max(0.0, 1.0 - own / peq[i])
            return out

        if flow:
            for _ in range(50):
                before = dict(p)
                for j, g in enumerate(gases):

                    def off(x, j=j, g=g):
                        rates = mole * factors({**p, g: x})
                        gas = rates @ net.gas
                        return x * (flow + gas.sum()) - pressures.get(g, 0.0) * flow - total * gas[j]

                    p[g] = brentq(off, 0.0, total, xtol=1e-15, rtol=1e-14) if off(0.0) < 0 else 0.0
                if max(abs(p[g] - before[g]) for g in gases) < 1e-13:
                    break
        return mole * factors(p)

    found = solve_ivp(
        rate, (0.0, program.duration_s), np.zeros(n_r), method="LSODA", rtol=1e-8, atol=1e-10, t_eval=times,
        max_step=program.duration_s / 100,
    )  # fmt: skip
    assert found.success
    return found.y.T


def test_integral_of_arrhenius_against_exponential_integral():
    x = np.geomspace(0.5, 500.0, 300)
    assert np.allclose([_psi(v) for v in x], expn(2, x) * np.exp(x), rtol=5e-12)


def test_consecutive_first_order_is_bateman():
    a = reaction("a", {"A": 1.0}, {"B": 1.0})
    b = reaction("b", {"B": 1.0}, {"C": 1.0})
    ka, kb = 4e-3, 1.1e-2
    net = network([(a, ka * np.exp(8e4 / R / 900), 8e4, "F1"), (b, kb * np.exp(1e5 / R / 900), 1e5, "F1")], ["A"])
    start = np.array([1.0 if p == "A" else 0.0 for p in net.phases])
    t = np.linspace(0, 1000, 41)
    amount = net.amounts(solve_batch(pack(net, {}), start, HELD, t, tolerance=1e-7)[0], start)
    got = {p: amount[:, i] for i, p in enumerate(net.phases)}
    assert np.allclose(got["A"], np.exp(-ka * t), atol=1e-12)
    assert np.allclose(got["B"], ka / (kb - ka) * (np.exp(-ka * t) - np.exp(-kb * t)), atol=2e-7)


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e9])
def test_a_fast_second_step_is_stiff_and_still_right(ratio):
    a = reaction("a", {"A": 1.0}, {"B": 1.0})
    b = reaction("b", {"B": 1.0}, {"C": 1.0})
    ka = 4e-3
    net = network(
        [(a, ka * np.exp(8e4 / R / 900), 8e4, "F1"), (b, ratio * ka * np.exp(8e4 / R / 900), 8e4, "F1")], ["A"]
    )
    start = np.array([1.0 if p == "A" else 0.0 for p in net.phases])
    t = np.linspace(0, 1000, 21)
    extents = solve_batch(pack(net, {}), start, HELD, t, tolerance=1e-6)[0]
    kb = ratio * ka
    exact = 1 - np.exp(-ka * t) - ka / (kb - ka) * (np.exp(-ka * t) - np.exp(-kb * t))
    assert np.allclose(extents[:, net.ids.index("b")], exact, atol=2e-6)


@pytest.mark.parametrize(
    "model, whole", [("R2", 1.0), ("R3", 1.0), ("F0", 1.0), ("F0.5", 2.0), ("P2", 1.0), ("D1", 1.0)]
)
def test_models_that_end_complete_at_the_exact_time(model, whole):
    """g(1) = k t: the time of completion is known exactly, and nothing happens after it."""
    a = reaction("a", {"A": 1.0}, {"B": 1.0})
    k = 2.5e-3
    net = network([(a, k * np.exp(1.5e5 / R / 900), 1.5e5, model)], ["A"])
    end = whole / k
    t = np.array([0.0, 0.5 * end, end * (1 - 1e-4), end * (1 + 1e-9), 999.0])
    alpha = solve_batch(pack(net, {}), np.array([1.0, 0.0]), HELD, t)[0][:, 0]
    assert alpha[3] == 1.0 and alpha[4] == 1.0
    assert 0.5 < alpha[2] < 1.0
    assert alpha[1] == pytest.approx(float(reaction_model(model).alpha(0.5 * whole)), abs=1e-12)


def test_implicit_solvers_pass_the_corner_that_an_event_stops_at():
    """R3 isothermal ends at t = 1/k. BDF with default tolerance goes past alpha = 1, where the law has no meaning."""
    k = 2.5e-3

    def naive(t, a):
        return [3 * k * np.sign(1 - a[0]) * abs(1 - a[0]) ** (2 / 3)]

    ran = solve_ivp(lambda t, a: [3 * k * ((1 - a[0]) ** 2) ** (1 / 3)], (0, 1000), [0.0], method="BDF")
    assert ran.success and ran.y[0].max() > 1.05  # nonsense, reported as success
    held = solve_ivp(naive, (0, 1000), [0.0], method="BDF")
    off = abs(
        held.y[0][np.searchsorted(held.t, 395) - 1] - (1 - (1 - k * held.t[np.searchsorted(held.t, 395) - 1]) ** 3)
    )
    net = network([(reaction("a", {"A": 1.0}, {"B": 1.0}), k * np.exp(1.5e5 / R / 900), 1.5e5, "R3")], ["A"])
    ours = solve_batch(pack(net, {}), np.array([1.0, 0.0]), HELD, np.array([395.0, 400.0, 1000.0]))[0][:, 0]
    assert abs(ours[0] - (1 - (1 - k * 395.0) ** 3)) < 1e-14 <= off
    assert ours[1] == pytest.approx(1.0, abs=1e-12) and ours[2] == 1.0


def test_a_contracting_second_step_stops_when_its_supply_is_gone():
    a = reaction("a", {"A": 1.0}, {"B": 1.0})
    b = reaction("b", {"B": 1.0}, {"C": 1.0})
    net = network([(a, 1e7, 1.45e5, "F1"), (b, 1e8, 1.9e5, "R3")], ["A"])
    start = np.array([2.0 if p == "A" else 0.0 for p in net.phases])
    t = np.linspace(0, RAMP.duration_s, 60)
    extents = solve_batch(pack(net, {}), start, RAMP, t, tolerance=1e-6)[0]
    i, j = net.ids.index("a"), net.ids.index("b")
    assert np.all(np.diff(extents, axis=0) >= -1e-8)
    assert np.all(extents[:, j] <= extents[:, i] + 1e-12)
    assert extents[-1, j] == pytest.approx(2.0, abs=1e-9)
    assert np.allclose(extents, twin(net, start, RAMP, t, {}), atol=4e-5)


@pytest.mark.parametrize("flow", [0.0, 2e-2])
def test_kernel_against_its_twin(flow):
    """Gypsum in two steps, kaolinite and over-calcination, calcite and carbon, held pressures or a stream of gas."""
    pressures = {"CO2": 0.05, "O2": 0.15, "H2O": 0.02}
    net = build(["kaolinite", "calcite", "gypsum", "carbon"], pressures=pressures)
    start = np.zeros(len(net.phases))
    start[:4] = [1.2, 2.5, 1.0, 0.8]
    program = TemperatureProgram.parse("from 300 K, 20 K/min to 1340 K, hold 10 min")
    t = np.linspace(0, program.duration_s, 25)
    ours = solve_batch(pack(net, pressures), start, program, t, flow=flow, tolerance=1e-6)[0]
    origin = {"metakaolinite": "kaolinite", "bassanite_beta": "gypsum", "anhydrite_III": "gypsum"}
    limit = np.array([start[net.phases.index(origin.get(r.reactant, r.reactant))] for r in net.reactions])
    theirs = np.minimum(twin(net, start, program, t, pressures, flow=flow), limit)  # it steps past the end
    assert np.abs((ours - theirs) / limit).max() < 2e-5
    assert ours[-1] == pytest.approx(limit, rel=1e-6)


def test_competing_reactions_share_by_their_rates():
    a = reaction("a", {"A": 1.0}, {"B": 1.0})
    b = reaction("b", {"A": 1.0}, {"C": 1.0})
    ka, kb = 4e-3, 1.2e-2
    net = network([(a, ka * np.exp(8e4 / R / 900), 8e4, "F1"), (b, kb * np.exp(1e5 / R / 900), 1e5, "F1")], ["A"])
    start = np.array([1.0 if p == "A" else 0.0 for p in net.phases])
    extents = solve_batch(pack(net, {}), start, HELD, np.linspace(0, 1000, 11), tolerance=1e-7)[0]
    gone = 1 - np.exp(-(ka + kb) * np.linspace(0, 1000, 11))
    assert np.allclose(extents, np.outer(gone, [ka, kb]) / (ka + kb), atol=1e-6)


def test_two_solids_react_until_the_scarcer_is_gone():
    a = reaction("a", {"A": 1.0, "L": 2.0}, {"B": 1.0})
    net = network([(a, 1e9, 1.8e5, "D4")], ["A", "L"])
    start = np.array([1.0, 1.0, 0.0])
    extents = solve_batch(pack(net, {}), start, RAMP, [RAMP.duration_s])[0]
    assert extents[-1, 0] == pytest.approx(0.5, abs=1e-9)


def test_separable_reactions_in_closed_form_equal_the_integrated_ones():
    """The same reactions, once alone (closed form) and once in a stream of gas so strong that it changes nothing."""
    net = build(["kaolinite", "gypsum", "goethite"], ["kaolinite", "gypsum_beta", "goethite"])
    start = np.zeros(len(net.phases))
    start[:3] = 1.0
    t = np.linspace(0, RAMP.duration_s, 30)
    packed = pack(net, {"H2O": 0.01})
    closed = solve_batch(packed, start, RAMP, t)[0]
    coupled = solve_batch(packed, start, RAMP, t, flow=1e9, tolerance=1e-8)[0]
    assert np.allclose(closed, coupled, atol=3e-7)


@pytest.mark.parametrize("flow", [0.0, 5e-3])
def test_default_tolerance_keeps_conversions_to_1e_5(flow):
    """Six coupled reactions of many mixes, with the corners where equilibria are passed, against a tight run."""
    pressures = {"CO2": 0.1, "H2O": 0.01}
    packed = pack(build(["gypsum", "kaolinite", "calcite", "goethite"], pressures=pressures), pressures)
    start = np.zeros((40, len(packed.network.phases)))
    start[:, :4] = np.random.default_rng(5).uniform(0.1, 3.0, (40, 4))
    t = np.linspace(0, RAMP.duration_s, 21)
    got = solve_batch(packed, start, RAMP, t, flow=flow)
    tight = solve_batch(packed, start, RAMP, t, flow=flow, tolerance=1e-9)
    assert np.abs((got - tight) / tight.max(1, keepdims=True)).max() < 1.2e-5
    assert np.all(np.diff(got, axis=1) >= 0)  # nothing runs backwards, between steps either


def test_reactions_that_do_not_heed_the_gas_are_not_changed_by_it():
    """Kaolinite, its over-calcination and goethite give water off that calcite notices; they notice nothing."""
    pressures = {"CO2": 0.1, "H2O": 0.01}
    net = build(["kaolinite", "calcite", "goethite"], pressures=pressures)
    start = np.zeros(len(net.phases))
    start[:3] = [1.0, 2.0, 1.5]
    t = np.linspace(0, RAMP.duration_s, 30)
    held, stream = (solve_batch(pack(net, pressures), start, RAMP, t, flow=q, tolerance=1e-7)[0] for q in (0.0, 1e-3))
    free = [net.ids.index(i) for i in ("kaolinite", "goethite")]
    assert np.array_equal(held[:, free], stream[:, free])
    assert np.allclose(held[:, net.ids.index("metakaolinite")], stream[:, net.ids.index("metakaolinite")], atol=1e-6)
    calcite = net.ids.index("calcite")
    assert (held[:, calcite] - stream[:, calcite]).max() > 0.1  # its own CO2 holds it back


def test_batch_equals_one_by_one_and_takes_own_laws():
    net = build(["kaolinite", "gypsum", "calcite"])
    packed = pack(net, {"CO2": 4e-4})
    rng = np.random.default_rng(3)
    start = np.zeros((20, len(net.phases)))
    start[:, :3] = rng.uniform(0.1, 3.0, (20, 3))
    t = np.linspace(0, RAMP.duration_s, 5)
    ln_a = packed.nums[None, :, 0] + rng.normal(0, 0.3, (20, len(net.ids)))
    together = solve_batch(packed, start, RAMP, t, ln_A=ln_a)
    alone = np.array([solve_batch(packed, start[i], RAMP, t, ln_A=ln_a[i : i + 1])[0] for i in range(20)])
    assert np.array_equal(together, alone)


def test_programs_and_gases_of_each_mix():
    net = build(["calcite"])
    packed = pack(net, {"CO2": 4e-4})
    start = np.repeat([[10.0, 0.0]], 2, 0)
    programs = [TemperatureProgram.parse(f"10 K/min to {t} degC, hold 1 h") for t in (600, 880)]
    ends = solve_batch(packed, start, programs, [[p.duration_s] for p in programs])[:, 0, 0]
    assert ends[0] < ends[1]
    held = solve_batch(packed, start, programs[1], [programs[1].duration_s], p_in=[[0.0004], [1.0]])[:, 0, 0]
    assert held[0] == pytest.approx(10.0) and held[1] == 0.0  # 1 bar CO2 holds calcite below 1160-1170 K


def test_bad_input_of_batches():
    net = build(["calcite"])
    packed = pack(net, {})
    with pytest.raises(ValidityError, match="does not fit 2 phases"):
        solve_batch(packed, [[1.0]], RAMP, [1.0])
    with pytest.raises(ValidityError, match="negative"):
        solve_batch(packed, [[-1.0, 0.0]], RAMP, [1.0])
    with pytest.raises(ValidityError, match="rising"):
        solve_batch(packed, [[1.0, 0.0]], RAMP, [2.0, 1.0])
    with pytest.raises(ValidityError, match="tolerance"):
        solve_batch(packed, [[1.0, 0.0]], RAMP, [1.0], tolerance=1.0)
    with pytest.raises(ValidityError, match="flow"):
        solve_batch(packed, [[1.0, 0.0]], RAMP, [1.0], flow=-1.0)
    with pytest.raises(UnknownNameError, match="calcite"):
        build(["calcite"], ["calcit"])
    with pytest.raises(UnknownNameError, match="calcite"):
        build(["calcite"], triplets={"calcit": (1e5, 1e5, "F1")})
    with pytest.raises(ValidityError, match="J/mol"):
        build(["calcite"], triplets={"calcite": (1e5, 176.0, "F1")})
    silica = reaction("x", {"quartz": 1.0}, {"unheard": 1.0}, {"CO2(g)": 1.0}, {"gas": "CO2", "kind": "equilibrium"})
    with pytest.raises(MissingDataError, match="unheard"):
        pack(network([(silica, 1e5, 1e5, "F1")], ["quartz"]), {})
