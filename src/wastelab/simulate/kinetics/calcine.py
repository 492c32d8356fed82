"""Calcination of a mix: what a temperature program does to its phases, mass, gas and heat, over time.

The kinetics of `coupled` over the phases of `mineralogy`, with the heats of `reference.thermochemistry`. No transport
within grains or beds beyond what the rate laws hold, no recarbonation on cooling, no melt.
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
from ...reference.thermochemistry import Thermochemistry, thermochemistry
from ...units import parse
from ..atmosphere import Atmosphere, as_atmosphere
from ..heating import TemperatureProgram, as_program
from .coupled import TOLERANCE, enthalpy, pack, solve_batch
from .mineralogy import Mineralogy, mineralogy_of
from .network import Network, build, own_phases

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Points of a run where no times are named, beside the corners of the program.
POINTS = 400
#: Molar volume of a gas at 0 degC and 1 atm, as flow meters count [m3/mol].
_MOLAR_VOLUME = 8.31446261815324 * 273.15 / 101325.0
_START_LOWEST = 273.15
_ASSUMED = (
    "heat: gas leaves at the temperature of the sample; positive is taken up (endothermic)",
    "no recarbonation or rehydration: a reaction stops where its equilibrium is passed and never runs backwards",
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
        known of). Attributes: ``summary`` (JSON: end state), ``unknown_kinetics``, ``warnings``, ``assumptions``,
        ``mineralogy``, sources, versions, hashes.

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
    at. Heats are those of the phases with data; reactions and phases without are named in the attributes and
    contribute nothing to ``heat``.

    References
    ----------
    .. [1] S. Vyazovkin et al., ICTAC Kinetics Committee recommendations, Thermochim. Acta 520 (2011) 1-19,
       doi:10.1016/j.tca.2011.03.034.
    """
    run = as_program(program)
    if min(run.temperature_K) < _START_LOWEST:
        lowest = min(run.temperature_K) - 273.15
        raise ValidityError(f"The program goes to {lowest:g} degC, below ambient; start at 25 degC.")
    gas = as_atmosphere(atmosphere)
    table = thermo or thermochemistry()
    chosen = (
        list(reactions.values() if isinstance(reactions, Mapping) else reactions) if reactions is not None else None
    )
    minerals = mineralogy_of(mix, phases, own=own_phases(chosen))
    wet = _moisture(moisture)
    shares = {k: v / 100.0 for k, v in minerals.phases.items()}
    if wet:
        shares["water"] = wet / (1.0 - wet)
    pressures = dict(gas.pressures)
    network = build(shares, chosen, triplets=triplets, pressures=pressures, thermo=table)
    start = np.array([shares.get(p, 0.0) for p in network.phases]) / network.molar
    flow = _flow(gas_flow, sample_mass)
    asked = _times(times, run)
    fine = _fine(asked, run)
    packed = pack(network, pressures, total=gas.total, thermo=table)
    extents = solve_batch(packed, start, run, fine, flow=flow, tolerance=tolerance)[0]
    state = _State(network, table, start, fine, run.at(fine), extents)
    data = _dataset(state, np.searchsorted(fine, asked))
    warnings = [*minerals.warnings, *state.warnings(), *_range_warnings(network, state)]
    unknown = {k: p for k, p in network.unknown.items() if state.mass[:, network.phases.index(p)].max() > 1e-6}
    if unknown:
        left = ", ".join(f"{k} ({p})" for k, p in unknown.items())
        warnings.append(
            f"no rate law is known for {left}: these do not run here and their phases stay as they are; give one by "
            "triplets={...}, from a fit of your own"
        )
    if uncertainty:
        _spread(data, network, packed, start, run, asked, flow, tolerance, uncertainty, draws, seed)
    if finish is not None:
        _finish(data, finish, state, run, gas, thermo)
    _attributes(data, run, gas, minerals, network, table, state, unknown, warnings, flow, wet)
    return data


class _State:
    """Everything that follows from the extents, on the fine times of a run."""

    def __init__(
        self,
        network: Network,
        thermo: Thermochemistry,
        start: FloatArray,
        time: FloatArray,
        temperature: FloatArray,
        extents: FloatArray,
    ) -> None:
        self.network, self.thermo, self.start = network, thermo, start
        self.time, self.temperature, self.extents = time, temperature, extents
        self.amount = np.maximum(network.amounts(extents, start), 0.0)
        self.mass = self.amount * network.molar
        self.gas = network.released(extents) * network.gas_molar
        # largest extent each reaction had the reactants for, at every time
        given = start + extents @ network.produced
        nu = network.consumed
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(nu[None] > 0, given[:, None, :] / nu[None], np.inf)
        self.reach = reach.min(axis=2) if len(nu) else np.zeros((len(time), 0))
        self._heat()

    def _heat(self) -> None:
        net, t = self.network, self.temperature
        known = [p in self.thermo for p in net.phases]
        self.known_mass = np.array(known, dtype=float)
        h = np.zeros((len(t), len(net.phases)))
        for j, p in enumerate(net.phases):
            if known[j]:
                h[:, j] = enthalpy(self.thermo[p], t)
        h_gas = np.zeros((len(t), len(net.gases)))
        for j, g in enumerate(net.gases):
            h_gas[:, j] = enthalpy(self.thermo[g], t)
        per = np.zeros((len(t), len(net.reactions)))
        self.without_heat: list[str] = []
        for i, r in enumerate(net.reactions):
            lacking = [p for p in (*r.consumed, *r.produced) if p not in self.thermo]
            if not lacking:
                per[:, i] = (net.produced[i] - net.consumed[i]) @ h.T + net.gas[i] @ h_gas.T
            elif r.enthalpy is not None:
                per[:, i] = r.enthalpy
            else:
                self.without_heat.append(r.id)
        d_extent, middle = np.diff(self.extents, axis=0), 0.5 * (self.amount[1:] + self.amount[:-1])
        steps = (0.5 * (per[1:] + per[:-1]) * d_extent).sum(axis=1)
        warm = (middle * np.diff(h, axis=0)).sum(axis=1)
        self.heat_reaction = np.concatenate([[0.0], np.cumsum(steps)])
        self.heat = np.concatenate([[0.0], np.cumsum(steps + warm)])

    @property
    def initial(self) -> float:
        """Mass put in [kg/kg dry], moisture included."""
        return float(self.mass[0].sum())

    def rate(self, values: FloatArray) -> FloatArray:
        """Time derivative of values (n_times, ...)."""
        return np.asarray(np.gradient(values, self.time, axis=0))

    def warnings(self) -> list[str]:
        """What to doubt of the heats."""
        out = []
        ran = [r for i, r in enumerate(self.network.ids) if self.extents[-1, i] > 1e-6]
        lacking = [r for r in self.without_heat if r in ran]
        if lacking:
            out.append(f"no heat is known of the reactions {', '.join(lacking)}: it is missing in heat and heat_flow")
        bare = [p for j, p in enumerate(self.network.phases) if not self.known_mass[j] and self.mass[:, j].max() > 1e-3]
        if bare:
            out.append(f"no heat capacity is known of {', '.join(bare)}: their heating is missing in heat")
        hot = []
        for j, p in enumerate(self.network.phases):
            if p in self.thermo:
                there = self.mass[:, j] > 1e-3
                if there.any() and self.temperature[there].max() > self.thermo[p].T_max + 1.0:
                    hot.append(f"{p} (data to {self.thermo[p].T_max - 273.15:.0f} degC)")
        if hot:
            out.append(f"heat capacity held constant above its data for {', '.join(hot)}")
        return out


def _dataset(s: _State, at: NDArray[np.intp]) -> xr.Dataset:
    import xarray as xr

    net = s.network
    total, total_gas = s.mass.sum(axis=1), s.gas
    with np.errstate(divide="ignore", invalid="ignore"):
        conversion = np.where(s.reach > 0, s.extents / np.maximum(s.reach, 1e-300), 0.0)
    solid_loss = (net.consumed - net.produced) @ net.molar
    known = (s.mass * s.known_mass).sum(axis=1) / total
    heat_rate, reaction_rate = s.rate(s.heat), s.rate(s.heat_reaction)

    def over_time(values: FloatArray, units: str, name: str, *dims: str) -> tuple[Any, ...]:
        return ("time", *dims), np.ascontiguousarray(values[at]), {"units": units, "long_name": name}

    per_mass = 100.0 / s.initial
    return xr.Dataset(
        {
            "mass": over_time(total * per_mass, "%", "mass of the initial mass (TG)"),
            "dtg": over_time(s.rate(total) * per_mass * 60.0, "%/min", "rate of change of mass (DTG)"),
            "conversion": over_time(np.minimum(conversion, 1.0), "1", "part gone of the reactant supplied so far",
                                    "reaction"),
            "loss": over_time(s.extents * solid_loss * per_mass, "%", "mass lost by reaction, of the initial mass",
                              "reaction"),
            "phase_fraction": over_time(s.mass, "kg/kg", "phase per initial dry mass", "phase"),
            "gas_rate": over_time(s.rate(total_gas), "kg/(kg s)", "gas given off per initial dry mass", "gas"),
            "gas_total": over_time(total_gas, "kg/kg", "gas given off so far per initial dry mass", "gas"),
            "heat_flow": over_time(heat_rate / s.initial / 1e3, "mW/mg",
                                   "heat taken up per initial mass, endothermic up"),
            "heat_flow_reaction": over_time(reaction_rate / s.initial / 1e3, "mW/mg",
                                            "part of heat_flow due to reactions, endothermic up"),
            "heat": over_time(s.heat / 1e3, "kJ/kg", "heat taken up so far per initial dry mass"),
            "heat_reaction": over_time(s.heat_reaction / 1e3, "kJ/kg", "part of heat due to reactions"),
            "heat_known": over_time(known, "kg/kg", "share of the solids whose heat capacity is known"),
        },
        coords={
            "time": ("time", s.time[at], {"units": "s", "long_name": "time"}),
            "temperature": ("time", s.temperature[at] - 273.15, {"units": "degC", "long_name": "temperature"}),
            "time_min": ("time", s.time[at] / 60.0, {"units": "min", "long_name": "time"}),
            "reaction": ("reaction", list(net.ids), {"units": ""}),
            "phase": ("phase", list(net.phases), {"units": ""}),
            "gas": ("gas", [g[:-3] for g in net.gases], {"units": ""}),
        },
    )  # fmt: skip


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


def _moisture(moisture: str | None) -> float:
    if moisture is None:
        return 0.0
    wet = parse(moisture, "kg/kg", what="moisture")
    if not 0.0 <= wet < 0.95:
        raise ValidityError(f"moisture = {moisture!r}; expected 0 to 95 % of the moist mass.")
    return wet


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
    out = np.atleast_1d(np.asarray(times, dtype=np.float64))
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


def _range_warnings(network: Network, s: _State) -> list[str]:
    out = []
    for i, r in enumerate(network.reactions):
        t = r.triplet
        if t is None or s.extents[-1, i] <= 0:
            continue
        alpha = s.extents[:, i] / max(s.reach[-1, i], 1e-300)
        runs = s.temperature[(alpha > 0.02) & (alpha < 0.98)]
        if runs.size and ((t.T_low and runs.min() < t.T_low - 1) or (t.T_high and runs.max() > t.T_high + 1)):
            out.append(
                f"{r.id} runs from {runs.min() - 273.15:.0f} to {runs.max() - 273.15:.0f} degC, its rate law {t.id} "
                f"was measured from {(t.T_low or 0) - 273.15:.0f} to {(t.T_high or 0) - 273.15:.0f} degC"
            )
    return out


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
        s_a, s_e, rho = values
        if s_a < 0 or s_e < 0 or not -1 <= rho <= 1:
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
    data: xr.Dataset, finish: str, s: _State, run: TemperatureProgram, gas: Atmosphere, thermo: Thermochemistry | None
) -> None:
    """Equilibrium of the solids left, at the peak temperature."""
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
    found = equilibrium(charge, f"{run.peak_K - 273.15!r} degC", gas, phases=thermo)
    fraction = found["phase_fraction"].squeeze(drop=True)
    present = fraction.values > 1e-9
    data["final_phase_fraction"] = (
        "final_phase", fraction.values[present] * mass,
        {"units": "kg/kg", "long_name": "phase at equilibrium at the peak temperature, per initial dry mass"},
    )  # fmt: skip
    data["final_phase"] = ("final_phase", [str(p) for p in fraction["phase"].values[present]], {"units": ""})
    data.attrs["finish"] = (
        f"solids left at the end brought to equilibrium at {run.peak_K - 273.15:.1f} degC in {gas.name}, whatever "
        "their kinetics" + (f"; kept apart as inert: {', '.join(inert)}" if inert else "")
    )


def _attributes(
    data: xr.Dataset,
    run: TemperatureProgram,
    gas: Atmosphere,
    minerals: Mineralogy,
    network: Network,
    thermo: Thermochemistry,
    s: _State,
    unknown: Mapping[str, str],
    warnings: list[str],
    flow: float,
    wet: float,
) -> None:
    from ... import __version__

    laws = {r.id: r.triplet for r in network.reactions if r.triplet is not None}
    used = [thermo[p].source.evidence for p in network.phases if p in thermo]
    level = weakest([
        minerals.source.evidence, gas.source.evidence, *(t.source.evidence for t in laws.values()),
        *(r.source.evidence for r in network.reactions), *used,
    ])  # fmt: skip
    said = json.dumps(
        [run.time_s, run.temperature_K, dict(gas.pressures), dict(minerals.phases), wet, flow,
         {k: (t.A, t.Ea, t.model) for k, t in laws.items()}], sort_keys=True
    )  # fmt: skip
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
            "unknown_kinetics": ", ".join(f"{k} ({p})" for k, p in unknown.items()),
            "triplets": json.dumps({k: t.id for k, t in laws.items()}),
            "summary": json.dumps(_summary(s)),
            "assumptions": "\n".join(assumptions),
            "warnings": "\n".join(warnings),
            "evidence": str(level),
            "sources": "\n".join(dict.fromkeys([
                str(minerals.source), str(gas.source), *(str(t.source) for t in laws.values()),
            ])),
            "wastelab_version": __version__,
            "inputs_sha256": hashlib.sha256(said.encode()).hexdigest(),
        }
    )  # fmt: skip


def _summary(s: _State) -> dict[str, Any]:
    """What people ask of a calcined product."""
    end = dict(zip(s.network.phases, s.mass[-1], strict=True))
    total = float(s.mass[-1].sum())
    held = {"H2O": 0.0, "CO2": 0.0, "C": 0.0}
    from ...chemistry.formulas import atoms, molar_mass

    for p, m in end.items():
        parts = atoms(s.network.formulas[p]) if p in s.network.formulas else {}
        moles = m / (molar_mass(s.network.formulas[p]) / 1e3) if parts else 0.0
        held["H2O"] += moles * parts.get("H", 0.0) / 2.0 * molar_mass("H2O") / 1e3
        if parts == {"C": 1.0}:
            held["C"] += m
        else:
            held["CO2"] += moles * parts.get("C", 0.0) * molar_mass("CO2") / 1e3
    out: dict[str, Any] = {
        "mass_left_percent": 100.0 * total / s.initial,
        "loss_left_wt_percent_of_product": {k: 100.0 * v / total for k, v in held.items()},
        "phases_wt_percent_of_product": {p: 100.0 * m / total for p, m in end.items() if m > 1e-9},
        "free_lime_wt_percent_of_product": 100.0 * end.get("lime", 0.0) / total,
        "metakaolinite_wt_percent_of_product": 100.0 * end.get("metakaolinite", 0.0) / total,
        "heat_kJ_kg": float(s.heat[-1] / 1e3),
        "heat_reaction_kJ_kg": float(s.heat_reaction[-1] / 1e3),
    }
    if "kaolinite" in s.network.ids:
        i = s.network.ids.index("kaolinite")
        made = float(s.extents[-1, i])
        whole = float(s.reach[-1, i])
        over = float(s.extents[-1, s.network.ids.index("metakaolinite")]) if "metakaolinite" in s.network.ids else 0.0
        out["kaolinite_dehydroxylated"] = made / whole if whole > 0 else 0.0
        out["metakaolinite_overcalcined"] = over / made if made > 0 else 0.0
    return out
