"""Calcination of a mix: what a temperature program does to its phases, mass, gas and heat, over time.

The kinetics of `coupled` over the phases of `mineralogy`, with the heats of `reference.thermochemistry` or stand-ins.
No transport within grains or beds beyond what the rate laws hold, no recarbonation on cooling, no melt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import MissingDataError, UnknownNameError, ValidityError, suggest
from ...provenance import weakest
from ...reference.kinetics import Reaction, Triplet
from ...reference.phase_names import name_of
from ...reference.thermochemistry import Thermochemistry, thermochemistry
from ...units import parse
from ..atmosphere import Atmosphere, as_atmosphere
from ..heating import TemperatureProgram, as_program
from ..water import NAME as WATER
from ..water import parse_moisture, with_water
from .coupled import TOLERANCE, pack, solve_batch
from .course import Course
from .mineralogy import Mineralogy, mineralogy_of
from .network import Network, build, own_phases
from .notices import notices, unknown_kinetics

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Points of a run where no times are named, beside the corners of the program.
POINTS = 400
#: Molar volume of a gas at 0 degC and 1 atm, as flow meters count [m3/mol].
_MOLAR_VOLUME = 8.31446261815324 * 273.15 / 101325.0
_START_LOWEST = 273.15
_EXAMPLES = {
    "phases": "{'kaolinite': 80, 'quartz': 20} in wt% of the dry mass",
    "triplets": "{'calcite': (A [1/s], Ea [J/mol], 'R2')}",
    "uncertainty": "{'calcite': (0.5, 4e3, 0.99)}: of ln A, of Ea [J/mol], correlation",
}
_ASSUMED = (
    "heat: gas leaves at the temperature of the sample; positive is taken up (endothermic)",
    "no recarbonation, rehydration or condensation: what stops at its equilibrium never runs backwards",
    "the sample has the temperature of the program throughout",
)


def calcine(
    mix: Any,
    program: TemperatureProgram | str | tuple[ArrayLike, ArrayLike],
    atmosphere: Atmosphere | str | Mapping[str, str | float] | None = None,
    *,
    phases: Mapping[str, float] | None = None,
    moisture: str | None = None,
    reactions: Iterable[str | Reaction] | Mapping[str, Reaction] | None = None,
    triplets: Mapping[str, Triplet | str | tuple[float, float, str]] | None = None,
    thermo: Thermochemistry | None = None,
    times: int | ArrayLike | None = None,
    gas_flow: str | None = None,
    sample_mass: str | None = None,
    tolerance: float = TOLERANCE,
    finish: str | None = None,
    uncertainty: Mapping[str, tuple[float, float, float]] | None = None,
    draws: int = 200,
    seed: int | None = None,
) -> xr.Dataset:
    """What becomes of a mix on heating.

    Parameters
    ----------
    mix : Material, mapping of Material to float, or anything `wastelab.simulate.charge.as_charge` reads
        A mapping of materials to dry mass fractions takes the phases of each; None if `phases` says it all.
    program : str, TemperatureProgram or (time [s], temperature [K])
        ``"10 K/min to 1250 degC, hold 30 min"``, or a measured program.
    atmosphere : Atmosphere, str or mapping, optional
        ``"air"`` (default), ``"rotary_kiln"``, ``{"CO2": "25 %", "O2": "3 %"}``; its pressures hold throughout unless
        `gas_flow` is given.
    phases : mapping of str to float, optional
        Mineral phases [wt% dry] in place of those the mix brings; what is missing to 100 is inert.
    moisture : str, optional
        Free water of the sample as put in, ``"8 %"`` of the moist mass; a dry sample by default.
    reactions, triplets
        See `wastelab.simulate.kinetics.network.build`; ``triplets={"calcite": fit.triplet()}`` takes a fit.
    thermo : Thermochemistry, optional
        Data in place of the shipped set.
    times : int or array_like, optional
        Number of evenly spaced times, or times [s]; 400 and the corners by default.
    gas_flow, sample_mass : str, optional
        ``"100 mL/min"`` (0 degC, 1 atm) over ``"20 mg"`` of dry sample: CO2, water and SO2 given off and O2 taken up
        then change the gas, taken as well mixed, and so all rates. Both or neither.
    tolerance : float
        Error of a conversion per step where no closed form exists.
    finish : {None, "equilibrium"}
        Bring the solids left at the peak temperature to equilibrium afterwards: ``final_phase_fraction``.
    uncertainty : mapping of str to (float, float, float), optional
        By reaction: standard uncertainty of ln A and of Ea [J/mol], and their correlation (near 1 in fits).
    draws, seed : int
        Monte Carlo draws over `uncertainty`, and their seed, which must then be given.

    Returns
    -------
    xarray.Dataset
        Over ``time`` [s], with coordinates ``temperature`` [degC] and ``time_min``: ``mass`` (TG), ``dtg``,
        ``conversion`` (reaction), ``phase_fraction`` (phase), ``gas_rate`` and ``gas_total`` (gas), ``heat_flow`` and
        ``heat`` with their part ``_reaction``, ``loss`` (reaction), ``heat_known`` (share of the solids that heat is
        known of or stood in for). Attributes: ``summary`` (JSON: end state), ``warnings`` (what did not run and why,
        then what is weak), ``unknown_kinetics``, ``unreachable``, ``validity`` (JSON, by reaction), ``stand_ins``,
        ``assumptions``, ``mineralogy``, ``sources``, ``versions``, ``inputs_sha256``; ``data_evidence`` of rates and
        heats, ``input_evidence`` of what was given, ``evidence`` the weaker of both.

    Raises
    ------
    MissingDataError
        If the mineralogy is not known; says what to measure.
    UnknownNameError
        For a phase, reaction or atmosphere that does not exist.
    CompositionError, UnitError, ValidityError
        For phases above 100 wt%, a program below ambient or with a ramp of no length, times outside the program.

    Notes
    -----
    Solids of one analysis are heated as if each grain were alone: rate laws hold for the fineness they were measured
    at. Heats are those of the phases with data, or of a stand-in of the same composition (named in ``stand_ins``);
    reactions and phases without either contribute nothing to ``heat`` and are named. Free water evaporates at
    1 - p/p_sat of its rate: not at all in steam below 100 degC. Gypsum goes to beta-hemihydrate unless the vapour is
    liquid on it at 110 degC or more (see `wastelab.simulate.kinetics.network.liquid_water`).

    References
    ----------
    .. [1] S. Vyazovkin et al., ICTAC Kinetics Committee recommendations, Thermochim. Acta 520 (2011) 1-19,
       doi:10.1016/j.tca.2011.03.034.
    """
    run = as_program(program)
    if min(run.temperature_K) < _START_LOWEST:
        lowest = min(run.temperature_K) - 273.15
        raise ValidityError(f"The program goes to {lowest:g} degC, below ambient; start at 25 degC.")
    for what, value in (("phases", phases), ("triplets", triplets), ("uncertainty", uncertainty)):
        if value is not None and not isinstance(value, Mapping):
            raise ValidityError(f"{what} = {value!r}; expected a mapping, such as {_EXAMPLES[what]}.")
    gas = as_atmosphere(atmosphere)
    table = with_water(thermo or thermochemistry())
    chosen = [reactions] if isinstance(reactions, str | Reaction) else reactions
    minerals = mineralogy_of(mix, phases, own=own_phases(chosen))
    wet = parse_moisture(moisture)
    shares = {k: v / 100.0 for k, v in minerals.phases.items()}
    if wet:
        shares[WATER] = wet
    pressures = dict(gas.pressures)
    network = build(shares, chosen, triplets=triplets, pressures=pressures, program=run, thermo=table)
    start = np.array([shares.get(p, 0.0) for p in network.phases]) / network.molar
    flow = _flow(gas_flow, sample_mass)
    asked = _times(times, run)
    fine = _fine(asked, run)
    packed = pack(network, pressures, total=gas.total, thermo=table)
    extents = solve_batch(packed, start, run, fine, flow=flow, tolerance=tolerance)[0]
    course = Course(network, table, start, fine, run.at(fine), extents)
    data = course.dataset(np.searchsorted(fine, asked))
    supplied = {k: t for k in triplets or {} if (t := network.pool[k].triplet) is not None}
    warnings = [*minerals.warnings, *notices(course, supplied, pressures, flow)]
    if uncertainty:
        _spread(data, network, packed, start, run, asked, flow, tolerance, uncertainty, draws, seed)
    if finish is not None:
        warnings += _finish(data, finish, course, run, gas, thermo)
    said = _said(
        network, table, program=[run.time_s, run.temperature_K], pressures=pressures, total=gas.total,
        phases=dict(minerals.phases), moisture=wet, flow=flow, times=asked.tolist(), tolerance=tolerance, finish=finish,
        uncertainty={k: list(v) for k, v in uncertainty.items()} if uncertainty else None,
        draws=draws if uncertainty else None, seed=seed if uncertainty else None,
    )  # fmt: skip
    _attributes(data, said, run, gas, minerals, course, supplied, warnings, flow)
    return data


def compare(simulated: xr.Dataset, time_s: ArrayLike, mass: ArrayLike) -> xr.Dataset:
    """A simulated TG beside a measured one.

    Parameters
    ----------
    simulated : xarray.Dataset
        From `calcine`, over the program of the measurement.
    time_s : array_like
        Times of the measurement [s], on the clock of the program.
    mass : array_like
        Measured mass [% of the initial mass].

    Returns
    -------
    xarray.Dataset
        ``measured``, ``simulated``, ``difference`` (simulated less measured) over time [%]; attributes ``rms`` and
        ``largest`` [%].

    Raises
    ------
    ValidityError
        If lengths differ, values are no numbers, or times lie outside the simulation.
    """
    import xarray as xr

    t, m = np.asarray(time_s, dtype=np.float64), np.asarray(mass, dtype=np.float64)
    if t.ndim != 1 or t.shape != m.shape or t.size == 0:
        raise ValidityError(f"times {t.shape} and mass {m.shape} of a measurement must be one row of equal length.")
    if not (np.isfinite(t).all() and np.isfinite(m).all()):
        raise ValidityError("the measurement holds values that are no numbers; cut them out.")
    clock = simulated["time"].values
    if t.min() < clock[0] - 1e-6 or t.max() > clock[-1] + 1e-6:
        raise ValidityError(
            f"the measurement runs from {t.min():g} to {t.max():g} s, the simulation from {clock[0]:g} to "
            f"{clock[-1]:g} s; simulate the measured program: calcine(mix, (time_s, temperature_K))."
        )
    own = np.interp(t, clock, simulated["mass"].values)
    units = {"units": "%"}
    out = xr.Dataset(
        {"measured": ("time", m, units), "simulated": ("time", own, units), "difference": ("time", own - m, units)},
        coords={
            "time": ("time", t, {"units": "s"}),
            "temperature": ("time", np.interp(t, clock, simulated["temperature"].values), {"units": "degC"}),
        },
    )
    out.attrs["rms"] = float(np.sqrt(np.mean((own - m) ** 2)))
    out.attrs["largest"] = float(np.abs(own - m).max())
    return out


def _flow(gas_flow: str | None, sample_mass: str | None) -> float:
    """Gas through the sample [mol/(kg s)]."""
    if gas_flow is None and sample_mass is None:
        return 0.0
    if gas_flow is None or sample_mass is None:
        raise MissingDataError("gas_flow and sample_mass belong together: '100 mL/min' over '20 mg'.")
    volume, mass = parse(gas_flow, "m**3/s", what="gas_flow"), parse(sample_mass, "kg", what="sample_mass")
    if volume <= 0 or mass <= 0:
        raise ValidityError(f"gas_flow = {gas_flow!r}, sample_mass = {sample_mass!r}; expected both above zero.")
    return volume / _MOLAR_VOLUME / mass


def _times(times: int | ArrayLike | None, run: TemperatureProgram) -> FloatArray:
    if times is None:
        corners = list(run.time_s) if len(run.time_s) <= POINTS else []
        return np.unique(np.concatenate([np.linspace(0.0, run.duration_s, POINTS), corners]))
    if isinstance(times, int | np.integer) and not isinstance(times, bool):
        if times < 2:
            raise ValidityError(f"times = {times}; expected at least 2 points, or times in s.")
        return np.linspace(0.0, run.duration_s, int(times))
    try:
        out = np.atleast_1d(np.asarray(times, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValidityError(f"times = {times!r}; expected a number of points, or times in s.") from None
    if out.ndim != 1 or out.size == 0 or not np.isfinite(out).all() or (np.diff(out) <= 0).any():
        raise ValidityError("times must be one row of rising numbers [s].")
    if out[0] < 0 or out[-1] > run.duration_s * (1 + 1e-12):
        raise ValidityError(
            f"times reach from {out[0]:g} to {out[-1]:g} s; the program from 0 to {run.duration_s:g} s."
        )
    return np.minimum(out, run.duration_s)


def _fine(asked: FloatArray, run: TemperatureProgram) -> FloatArray:
    """Times asked for, and enough between them for rates and heats."""
    corners = np.array(run.time_s)
    if len(corners) > 5 * POINTS:
        corners = corners[:: len(corners) // (2 * POINTS)]
    density = 2 * POINTS / run.duration_s
    between = [np.linspace(a, b, 1 + max(2, int(density * (b - a)))) for a, b in pairwise(corners)]
    every = np.concatenate([[0.0, run.duration_s], *between])
    every = every[(every >= 0) & (every <= run.duration_s)]
    # points much closer than the spacing to one asked for would only make noise in the rates
    close = 1e-3 / density
    index = np.clip(np.searchsorted(asked, every), 1, max(len(asked) - 1, 1))
    near = (
        np.minimum(np.abs(every - asked[index - 1]), np.abs(every - asked[np.minimum(index, len(asked) - 1)])) < close
    )
    keep = ~near | (every == 0.0) | (every == run.duration_s)
    return np.unique(np.concatenate([asked, every[keep]]))


def _spread(
    data: xr.Dataset,
    network: Network,
    packed: Any,
    start: FloatArray,
    run: TemperatureProgram,
    asked: FloatArray,
    flow: float,
    tolerance: float,
    uncertainty: Mapping[str, tuple[float, float, float]],
    draws: int,
    seed: int | None,
) -> None:
    if seed is None or draws < 2:
        raise ValidityError("uncertainty needs a seed and at least 2 draws: calcine(..., uncertainty=..., seed=1).")
    from ...reference.thermochemistry import GAS_CONSTANT

    rng = np.random.default_rng(seed)
    ln_a, ea = np.repeat(packed.nums[None, :, 0], draws, 0), np.repeat(packed.nums[None, :, 1], draws, 0)
    ea = ea * GAS_CONSTANT
    for name, values in uncertainty.items():
        if name not in network.ids:
            raise UnknownNameError(f"uncertainty: no reaction {name!r} runs here.{suggest(name, network.ids)}")
        try:
            s_a, s_e, rho = map(float, values)
        except (TypeError, ValueError):
            raise ValidityError(
                f"uncertainty[{name!r}] = {values!r}; expected three numbers: standard uncertainty of ln A, of "
                "Ea [J/mol], and their correlation."
            ) from None
        if not (s_a >= 0 and s_e >= 0 and -1 <= rho <= 1):
            raise ValidityError(f"uncertainty[{name!r}] = {values!r}; expected (>= 0, >= 0 J/mol, -1 to 1).")
        i, z = network.ids.index(name), rng.standard_normal((2, draws))
        ln_a[:, i] += s_a * z[0]
        ea[:, i] += s_e * (rho * z[0] + np.sqrt(1 - rho**2) * z[1])
    extents = solve_batch(
        packed, np.repeat(start[None], draws, 0), run, asked, flow=flow, ln_A=ln_a, Ea=ea, tolerance=tolerance
    )
    mass = network.amounts(extents, start) * network.molar
    total = mass.sum(axis=2) * 100.0 / (start @ network.molar)
    data["mass_sigma"] = (
        "time",
        total.std(axis=0, ddof=1),
        {"units": "%", "long_name": "standard uncertainty of mass"},
    )
    data["phase_sigma"] = (
        ("time", "phase"), mass.std(axis=0, ddof=1),
        {"units": "kg/kg", "long_name": "standard uncertainty of phase_fraction"},
    )  # fmt: skip
    data.attrs["draws"], data.attrs["seed"] = draws, seed


def _finish(
    data: xr.Dataset, finish: str, s: Course, run: TemperatureProgram, gas: Atmosphere, thermo: Thermochemistry | None
) -> list[str]:
    """Equilibrium of the solids left, at the peak temperature; returns what to know of it."""
    if finish != "equilibrium":
        raise ValidityError(f"finish = {finish!r}; expected None or 'equilibrium'.")
    from ...chemistry.formulas import atoms
    from ..charge import ELEMENTS, Charge
    from ..equilibrium import equilibrium

    end, amount = s.amount[-1], np.zeros((1, len(ELEMENTS)))
    inert = []
    for j, p in enumerate(s.network.phases):
        parts = atoms(s.network.formulas[p]) if p in s.network.formulas else {}
        if parts and set(parts) <= set(ELEMENTS):
            for e, k in parts.items():
                amount[0, ELEMENTS.index(e)] += k * end[j]
        elif s.mass[-1, j] > 0:
            inert.append(p)
    mass = float(sum(s.mass[-1, j] for j, p in enumerate(s.network.phases) if p not in inert))
    if mass <= 0:
        raise MissingDataError("finish='equilibrium': nothing but inert mass is left; name the phases of the mix.")
    charge = Charge(
        ELEMENTS, amount / mass, ("residue",), {}, np.zeros(1), True, {}, {}, {}, True,
    )  # fmt: skip
    peak, without = f"{run.peak_K - 273.15!r} degC", ""
    found = equilibrium(charge, peak, gas, phases=thermo)
    if _holds(found, "C3S") and _holds(found, "C12A7"):  # beside alite C12A7 does not form in Portland clinker
        found = equilibrium(charge, peak, gas, phases=thermo, suppress="portland")
        without = ", without C12A7 beside alite"
    fraction = found["phase_fraction"].squeeze(drop=True)
    present = fraction.values > 1e-9
    data["final_phase_fraction"] = (
        "final_phase", fraction.values[present] * mass,
        {"units": "kg/kg", "long_name": "phase at equilibrium at the peak temperature, per initial dry mass"},
    )  # fmt: skip
    data["final_phase"] = ("final_phase", [str(p) for p in fraction["phase"].values[present]], {"units": ""})
    data.attrs["finish"] = (
        f"solids left at the end brought to equilibrium at {run.peak_K - 273.15:.1f} degC in {gas.name}{without}, "
        "whatever their kinetics" + (f"; kept apart as inert: {', '.join(inert)}" if inert else "")
    )
    return [f"equilibrium at the end: {w}" for w in str(found.attrs.get("warnings", "")).splitlines() if w]


def _holds(found: xr.Dataset, phase: str) -> bool:
    """Whether an equilibrium has a phase, in any of its polymorphs."""
    fraction = found["phase_fraction"].squeeze(drop=True)
    return any(
        name_of(str(p)).group == phase and f > 1e-9
        for p, f in zip(fraction["phase"].values, fraction.values, strict=True)
    )


def _attributes(
    data: xr.Dataset,
    said: Mapping[str, Any],
    run: TemperatureProgram,
    gas: Atmosphere,
    minerals: Mineralogy,
    course: Course,
    supplied: Mapping[str, Triplet],
    warnings: list[str],
    flow: float,
) -> None:
    from importlib.metadata import version

    from ... import __version__

    net, ran = course.network, course.ran()
    laws = {r.id: r.triplet for r in net.reactions if r.triplet is not None}
    used = [laws[k].source for k in ran if k not in supplied]
    present = [p for p in net.phases if course.most(p) > 0]
    data_level = weakest([
        *(s.evidence for s in used), *(r.source.evidence for r in ran.values()),
        *(course.thermo[p].source.evidence for p in present if p in course.thermo),
        *(course.stand_ins[p].source.evidence for p in present if p in course.stand_ins),
    ])  # fmt: skip
    input_level = weakest([
        minerals.source.evidence, gas.source.evidence, *(supplied[k].source.evidence for k in ran if k in supplied),
    ])  # fmt: skip
    assumptions = list(_ASSUMED)
    assumptions.append(
        "pressures of the atmosphere hold throughout" if flow == 0.0
        else f"well-mixed gas, {flow:.4g} mol per kg of dry sample and second at the inlet"
    )  # fmt: skip
    data.attrs.update(
        {
            "title": "calcination",
            "program": str(run),
            "atmosphere": f"{gas.name}: " + ", ".join(f"{k} {v:g} bar" for k, v in gas.pressures.items()),
            "mineralogy": minerals.statement,
            "mineralogy_kind": minerals.kind,
            "unknown_kinetics": ", ".join(f"{k} ({p})" for k, p in unknown_kinetics(course).items()),
            "unreachable": json.dumps({k: o for k, o in net.blocked.items() if net.pool[k].triplet is not None}),
            "triplets": json.dumps({k: t.id for k, t in laws.items()}),
            "validity": json.dumps({k: r.validity for k, r in ran.items() if r.validity}),
            "stand_ins": json.dumps({p: course.stand_ins[p].reason for p in present if p in course.stand_ins}),
            "summary": json.dumps(course.summary()),
            "assumptions": "\n".join(assumptions),
            "warnings": "\n".join(dict.fromkeys(warnings)),
            "evidence": str(weakest([data_level, input_level])),
            "data_evidence": str(data_level),
            "input_evidence": str(input_level),
            "sources": "\n".join(dict.fromkeys([
                str(minerals.source), str(gas.source), *(str(laws[k].source) for k in ran),
                *(str(course.stand_ins[p].source) for p in present if p in course.stand_ins),
            ])),
            "wastelab_version": __version__,
            "versions": json.dumps({"wastelab": __version__, **{k: version(k) for k in ("numpy", "numba", "xarray")}}),
            "inputs_sha256": hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest(),
        }
    )  # fmt: skip


def _said(network: Network, thermo: Thermochemistry, **others: Any) -> dict[str, Any]:
    """Everything a result follows from, as JSON can hold it."""
    names = [p for p in (*network.phases, *network.gases) if p in thermo]
    return {
        "reactions": [
            [r.id, dict(r.consumed), dict(r.produced), dict(r.gas), r.approach, r.enthalpy,
             None if r.triplet is None else [r.triplet.A, r.triplet.Ea, r.triplet.model]]
            for r in network.reactions
        ],
        "thermo": {p: [[x.T_min, x.T_max, x.g] for x in thermo[p].segments] for p in names},
        **others,
    }  # fmt: skip
