"""What to know before relying on a calcination: what did not run and why, rates and heats that are weak, limits passed.

Only what touches a mass worth a word at a temperature where it can be seen is said, so that nothing that matters is
buried.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from ...provenance import Evidence
from ...reference.kinetics import LIQUID, Reaction, Triplet, not_modelled, triplets, windows
from ...reference.thermochemistry import GAS_CONSTANT
from .coupled import gibbs
from .course import WORTH, Course
from .network import Network

FloatArray = NDArray[np.float64]

#: Water vapour from which the rate laws of dry gas are doubtful for clays and hydroxides, from memory [bar].
VAPOUR = 0.1
#: Oxygen below which it is said that it is held however much burns [bar].
LITTLE_OXYGEN = 0.02
#: A gas is taken up again only above this temperature at a rate worth a word, from memory [K], ...
TAKE_UP_K = 673.15
#: ... from this pressure [bar], ...
TAKE_UP_BAR = 1e-3
#: ... within this time [s].
TAKE_UP_S = 60.0
#: Half conversion further than this from where laboratories see the peak at 10 K/min is an extrapolation [K].
FAR_K = 100.0


def unknown_kinetics(course: Course) -> dict[str, str]:
    """Reactions without a rate law that could be seen in a run, with the phase they would take."""
    net = course.network
    return {k: p for k, p in net.unknown.items() if _seen(course, net.pool[k])}


def notices(course: Course, supplied: Mapping[str, Triplet], pressures: Mapping[str, float], flow: float) -> list[str]:
    """Everything to know of a run, the most severe first.

    Parameters
    ----------
    course : Course
    supplied : mapping of str to Triplet
        Rate laws that the user gave.
    pressures : mapping of str to float
        Partial pressures of the gas put in [bar].
    flow : float
        Gas through the sample [mol/(kg s)]; 0 where the pressures hold.
    """
    ran = course.ran()
    return [
        *_not_running(course, pressures),
        *_supplied(course, supplied),
        *_gas(course, ran, pressures, flow),
        *_taken_up(course, pressures),
        *_rates(course, ran, supplied),
        *_heats(course, ran),
    ]


def _seen(course: Course, r: Reaction) -> bool:
    """Whether all it consumes is there at a temperature where it can be seen."""
    hottest = course.hottest(r.consumed)
    return hottest > 0 and hottest >= (r.onset or 0.0)


def _not_running(course: Course, pressures: Mapping[str, float]) -> list[str]:
    net, out = course.network, []
    for k, why in net.excluded.items():
        r = net.pool[k]
        if _seen(course, r):
            has = ", ".join(
                f"{c.gas} {pressures.get(c.gas, 0.0):.3g} bar" for c in r.unmet(pressures) if c.gas != LIQUID
            )
            out.append(
                f"{r.reactant} does not react by {k} ({r.name}): it {why}, the gas has {has or 'none'}; what it does "
                "instead is not described"
            )
    said = []
    for n in not_modelled():
        if n.happens(pressures) and course.hottest(n.phases) >= n.above_K and n.text not in said:
            said.append(n.text)
    out += [f"not modelled: {text}; the phases stay as they are here" for text in said]
    unknown = unknown_kinetics(course)
    if unknown:
        left = ", ".join(f"{k} ({p})" for k, p in unknown.items())
        out.append(
            f"no rate law is known for {left}: these do not run here and their phases stay as they are; give one by "
            "triplets={...}, from a fit of your own"
        )
    waiting = {k: o for k, o in net.blocked.items() if net.pool[k].triplet is not None and o in unknown}
    if waiting:
        out.append(
            "cannot be reached, because what they consume comes from a reaction without a rate law: "
            + ", ".join(f"{k} (waits for {o})" for k, o in waiting.items())
        )
    return out


def _supplied(course: Course, supplied: Mapping[str, Triplet]) -> list[str]:
    from .audit import audit_triplet

    net, out = course.network, []
    processes = {t.process for t in triplets().values()}
    for k, t in supplied.items():
        if k not in net.ids:
            if k in net.blocked:
                why = f"{', '.join(net.pool[k].consumed)} would come from {net.blocked[k]}, which has no rate law"
            elif k in net.excluded:
                why = f"it {net.excluded[k]}"
            elif unmet := net.pool[k].unmet(net.pressures):
                why = f"it needs {' and '.join(map(str, unmet))}"
            else:
                missing = [p for p in net.pool[k].consumed if p not in net.phases]
                why = f"there is no {', '.join(missing)}"
            out.append(f"the rate law given for {k} was not used: {why}")
            continue
        if course.most(net.pool[k].reactant) > WORTH and course.conversion(k)[-1] < 1e-3:
            out.append(f"the rate law given for {k} did next to nothing: conversion {course.conversion(k)[-1]:.2g}")
        expected = _process(net, k)
        if t.process in processes and t.process != expected:
            out.append(f"the rate law given for {k}, {t.id}, describes another process: {t.process}")
        found = audit_triplet(t.A, t.Ea, t.model, expected) if 10e3 <= t.Ea <= 1000e3 else None
        if found is not None and found.verdict == "implausible":
            out.append(f"the rate law given for {k}, {t.id}, {found}")
    return out


def _process(net: Network, reaction: str) -> str:
    """Key of the window in which laboratories see a reaction."""
    from ...reference.kinetics import reactions

    shipped = reactions().get(reaction)
    if shipped is not None and shipped.triplet is not None:
        return shipped.triplet.process
    return reaction


def _gas(course: Course, ran: Mapping[str, Reaction], pressures: Mapping[str, float], flow: float) -> list[str]:
    out = []
    vapour = pressures.get("H2O", 0.0)
    wet = [k for k, r in ran.items() if r.gas.get("H2O(g)", 0.0) > 0 and r.approach is None]
    if vapour > VAPOUR and wet:
        out.append(
            f"water vapour of {vapour:.2g} bar delays clays and hydroxides; the rate laws of {', '.join(wet)} are "
            "those of dry gas and do not know it"
        )
    burning = [k for k, r in ran.items() if r.gas.get("O2(g)", 0.0) < 0]
    oxygen = pressures.get("O2", 0.0)
    if burning and flow == 0.0 and oxygen < LITTLE_OXYGEN:
        out.append(
            f"oxygen is held at {oxygen:.2g} bar however much {', '.join(burning)} takes up; give gas_flow and "
            "sample_mass to let it run short"
        )
    return out


def _taken_up(course: Course, pressures: Mapping[str, float]) -> list[str]:
    """Products that the gas would turn back into what they came from."""
    out, net = [], course.network
    every = course.temperature
    for r in net.pool.values():
        if r.approach is None or r.approach.get("kind") != "equilibrium" or not r.produced:
            continue
        gas = str(r.approach["gas"])
        p = pressures.get(gas, 0.0)
        known = all(x in course.thermo for x in r.stoichiometry)
        if p < TAKE_UP_BAR or not known or not all(course.most(x) > WORTH for x in r.produced):
            continue
        others = [(g[:-3], n) for g, n in r.gas.items() if g != f"{gas}(g)"]
        if any(pressures.get(g, 0.0) <= 0 for g, _ in others):
            continue
        there = np.all([course.mass[:, net.phases.index(x)] > WORTH for x in r.produced], axis=0)
        change = np.asarray(sum(n * gibbs(course.thermo[x], every) for x, n in r.stoichiometry.items()))
        ln_p = -change / (GAS_CONSTANT * every) - sum(n * np.log(pressures[g]) for g, n in others)
        over = there & (every > TAKE_UP_K) & (np.log(p) > ln_p / r.gas[f"{gas}(g)"])
        length = float((np.diff(course.time) * (over[1:] & over[:-1])).sum())
        if length > TAKE_UP_S:
            span = every[over] - 273.15
            out.append(
                f"{', '.join(r.produced)} would take up {gas} again for {length / 60:.3g} min ({span.min():.0f} to "
                f"{span.max():.0f} degC, {p:.3g} bar) and go back to {r.reactant}: not modelled"
            )
    return out


def _rates(course: Course, ran: Mapping[str, Reaction], supplied: Mapping[str, Triplet]) -> list[str]:
    out = []
    weak = []
    for k, r in ran.items():
        if r.triplet is not None and k not in supplied and r.triplet.source.evidence == Evidence.MEMORY:
            at = "" if r.prompt_above is None else f", a step at {r.prompt_above - 273.15:.0f} degC"
            weak.append(f"{k} ({r.triplet.id}{at})")
    if weak:
        out.append(f"from memory are the rates of {', '.join(weak)}; check them against a TG of your own")
    seen = windows()
    for k, r in ran.items():
        t = r.triplet
        if t is None or r.prompt_above is not None:
            continue
        alpha = course.conversion(k)
        runs = course.temperature[(alpha > 0.02) & (alpha < 0.98)]
        if not runs.size:  # all of it between two times
            i = int(np.argmax(alpha >= 0.5))
            runs = course.temperature[max(i - 1, 0) : i + 1]
        low, high = runs.min() - 273.15, runs.max() - 273.15
        if (t.T_low and runs.min() < t.T_low - 1) or (t.T_high and runs.max() > t.T_high + 1):
            out.append(
                f"{k} runs from {low:.0f} to {high:.0f} degC, its rate law {t.id} was measured from "
                f"{(t.T_low or 273.15) - 273.15:.0f} to {(t.T_high or 2273.15) - 273.15:.0f} degC"
            )
        elif not t.T_low and not t.T_high and t.process in seen and k not in supplied and alpha[-1] > 0.5:
            window = seen[t.process]
            half = float(course.temperature[int(np.argmax(alpha >= 0.5))])
            if not window.T_low - FAR_K <= half <= window.T_high + FAR_K:
                out.append(
                    f"{k} is half gone at {half - 273.15:.0f} degC, far from where its rate law {t.id} was checked "
                    f"({window.T_low - 273.15:.0f} to {window.T_high - 273.15:.0f} degC at 10 K/min): an extrapolation"
                )
    return out


def _heats(course: Course, ran: Collection[str]) -> list[str]:
    out, net = [], course.network
    present = [p for p in net.phases if course.most(p) > WORTH]
    lacking = [r for r in course.without_heat if r in ran]
    if lacking:
        out.append(f"no heat is known of the reactions {', '.join(lacking)}: it is missing in heat and heat_flow")
    bare = [p for p in present if not course.known_mass[net.phases.index(p)]]
    if bare:
        out.append(f"no heat capacity is known of {', '.join(bare)}: their heating is missing in heat")
    stood = [p for p in present if p in course.stand_ins]
    if stood:
        out.append(
            "no enthalpy is known of "
            + "; ".join(f"{p}, {course.stand_ins[p].reason}" for p in stood)
            + ": heats rest on this stand-in"
        )
    weak = [p for p in present if p in course.thermo and course.thermo[p].weak]
    if weak:
        out.append(
            "thermochemical data to be doubted, and with them heats and equilibria: "
            + "; ".join(f"{p} ({course.thermo[p].weak})" for p in weak)
        )
    hot = []
    for p in present:
        if p in course.thermo:
            top = course.thermo[p].T_max
            if course.hottest([p]) > top + 1.0:
                hot.append(f"{p} (data to {top - 273.15:.0f} degC)")
    if hot:
        out.append(f"heat capacity held constant above its data for {', '.join(hot)}")
    return out
