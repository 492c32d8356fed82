"""The course of a calcination: amounts, gas, heat and rates that follow from the extents of its reactions.

Heat is that of the solids at the temperature of the program and of the gas at the temperature it left. Phases without
data take a stand-in where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...reference.kinetics import Reaction
from ...reference.thermochemistry import Thermochemistry
from ..stand_ins import StandIn, stand_ins
from .coupled import enthalpy
from .network import Network

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Mass from which a phase, or what a reaction took, is worth a word [kg/kg dry].
WORTH = 1e-3


class Course:
    """Everything that follows from the extents, on the fine times of a run.

    Parameters
    ----------
    network : Network
    thermo : Thermochemistry
    start : ndarray, shape (n_phases,)
        [mol/kg dry]
    time, temperature : ndarray, shape (n,)
        [s], [K]
    extents : ndarray, shape (n, n_reactions)
        [mol/kg dry]
    """

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
        extents = _within_supply(network, extents, start)
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
        self._nodes = _spaced(time)
        self._heat()

    def _heat(self) -> None:
        net, t = self.network, self.temperature
        self.stand_ins: dict[str, StandIn] = {}
        found: dict[str, FloatArray] = {}
        for p in net.phases:
            if p in self.thermo:
                found[p] = enthalpy(self.thermo[p], t)
            elif p in (known := stand_ins()) and all(x in self.thermo for x in known[p].parts):
                self.stand_ins[p] = known[p]
                parts = known[p].parts
                found[p] = np.asarray(sum(n * enthalpy(self.thermo[x], t) for x, n in parts.items()))
        self.known_mass = np.array([p in found for p in net.phases], dtype=float)
        h = np.stack([found.get(p, np.zeros(len(t))) for p in net.phases], axis=1)
        h_gas = np.zeros((len(t), len(net.gases)))
        for j, g in enumerate(net.gases):
            h_gas[:, j] = enthalpy(self.thermo[g], t)
        per = np.zeros((len(t), len(net.reactions)))
        self.without_heat: list[str] = []
        for i, r in enumerate(net.reactions):
            if all(p in found for p in (*r.consumed, *r.produced)):
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
        """Time derivative of values (n_times, ...), from times far enough apart that it is no noise."""
        at = self._nodes if values.size else np.arange(len(self.time))
        slope = np.gradient(values[at], self.time[at], axis=0)
        if len(at) == len(self.time):
            return np.asarray(slope)
        flat = slope.reshape(len(at), -1)
        out = np.stack([np.interp(self.time, self.time[at], flat[:, j]) for j in range(flat.shape[1])], axis=1)
        return out.reshape(values.shape)

    def most(self, phase: str) -> float:
        """Largest mass of a phase during the run [kg/kg dry]."""
        return float(self.mass[:, self.network.phases.index(phase)].max()) if phase in self.network.phases else 0.0

    def hottest(self, phases: Any) -> float:
        """Highest temperature at which all of some phases are there together [K]; 0 if they never are."""
        there = np.ones(len(self.time), dtype=bool)
        for p in phases:
            if p not in self.network.phases:
                return 0.0
            there &= self.mass[:, self.network.phases.index(p)] > WORTH
        return float(self.temperature[there].max()) if there.any() else 0.0

    def ran(self) -> dict[str, Reaction]:
        """Reactions that took a mass worth a word, by id."""
        net = self.network
        return {
            r.id: r
            for i, r in enumerate(net.reactions)
            if self.extents[-1, i] * net.molar[net.phases.index(r.reactant)] > WORTH
        }

    def conversion(self, reaction: str) -> FloatArray:
        """Part of all the reactant ever supplied that is gone, over time."""
        i = self.network.ids.index(reaction)
        return np.asarray(self.extents[:, i] / max(self.reach[-1, i], 1e-300))

    def dataset(self, at: NDArray[np.intp]) -> xr.Dataset:
        """The course at some of its times (indices), as `wastelab.calcine` returns it."""
        import xarray as xr

        net = self.network
        total, total_gas = self.mass.sum(axis=1), self.gas
        with np.errstate(divide="ignore", invalid="ignore"):
            conversion = np.where(self.reach > 0, self.extents / np.maximum(self.reach, 1e-300), 0.0)
        solid_loss = (net.consumed - net.produced) @ net.molar
        known = (self.mass * self.known_mass).sum(axis=1) / total
        heat_rate, reaction_rate = self.rate(self.heat), self.rate(self.heat_reaction)

        def over_time(values: FloatArray, units: str, name: str, *dims: str) -> tuple[Any, ...]:
            return ("time", *dims), np.ascontiguousarray(values[at]), {"units": units, "long_name": name}

        per_mass = 100.0 / self.initial
        return xr.Dataset(
            {
                "mass": over_time(total * per_mass, "%", "mass of the initial mass (TG)"),
                "dtg": over_time(self.rate(total) * per_mass * 60.0, "%/min", "rate of change of mass (DTG)"),
                "conversion": over_time(np.minimum(conversion, 1.0), "1", "part gone of the reactant supplied so far",
                                        "reaction"),
                "loss": over_time(self.extents * solid_loss * per_mass, "%", "mass lost by reaction, of the initial "
                                  "mass", "reaction"),
                "phase_fraction": over_time(self.mass, "kg/kg", "phase per initial dry mass", "phase"),
                "gas_rate": over_time(self.rate(total_gas), "kg/(kg s)", "gas given off per initial dry mass", "gas"),
                "gas_total": over_time(total_gas, "kg/kg", "gas given off so far per initial dry mass", "gas"),
                "heat_flow": over_time(heat_rate / self.initial / 1e3, "mW/mg",
                                       "heat taken up per initial mass, endothermic up"),
                "heat_flow_reaction": over_time(reaction_rate / self.initial / 1e3, "mW/mg",
                                                "part of heat_flow due to reactions, endothermic up"),
                "heat": over_time(self.heat / 1e3, "kJ/kg", "heat taken up so far per initial dry mass"),
                "heat_reaction": over_time(self.heat_reaction / 1e3, "kJ/kg", "part of heat due to reactions"),
                "heat_known": over_time(known, "kg/kg", "share of the solids whose enthalpy is known or stood in for"),
            },
            coords={
                "time": ("time", self.time[at], {"units": "s", "long_name": "time"}),
                "temperature": (
                    "time", self.temperature[at] - 273.15, {"units": "degC", "long_name": "temperature"}
                ),
                "time_min": ("time", self.time[at] / 60.0, {"units": "min", "long_name": "time"}),
                "reaction": ("reaction", list(net.ids), {"units": ""}),
                "phase": ("phase", list(net.phases), {"units": ""}),
                "gas": ("gas", [g[:-3] for g in net.gases], {"units": ""}),
            },
        )  # fmt: skip

    def summary(self) -> Mapping[str, Any]:
        """What people ask of a calcined product, at the end."""
        from ...chemistry.formulas import atoms, molar_mass

        net = self.network
        end = dict(zip(net.phases, self.mass[-1], strict=True))
        total = float(self.mass[-1].sum())
        held = {"H2O": 0.0, "CO2": 0.0, "C": 0.0}
        for p, m in end.items():
            parts = atoms(net.formulas[p]) if p in net.formulas else {}
            moles = m / (molar_mass(net.formulas[p]) / 1e3) if parts else 0.0
            held["H2O"] += moles * parts.get("H", 0.0) / 2.0 * molar_mass("H2O") / 1e3
            if parts == {"C": 1.0}:
                held["C"] += m
            else:
                held["CO2"] += moles * parts.get("C", 0.0) * molar_mass("CO2") / 1e3
        out: dict[str, Any] = {
            "mass_left_percent": 100.0 * total / self.initial,
            "loss_left_wt_percent_of_product": {k: 100.0 * v / total for k, v in held.items()},
            "phases_wt_percent_of_product": {p: 100.0 * m / total for p, m in end.items() if m > 1e-9},
            "free_lime_wt_percent_of_product": 100.0 * end.get("lime", 0.0) / total,
            "metakaolinite_wt_percent_of_product": 100.0 * end.get("metakaolinite", 0.0) / total,
            "heat_kJ_kg": float(self.heat[-1] / 1e3),
            "heat_reaction_kJ_kg": float(self.heat_reaction[-1] / 1e3),
        }
        if "kaolinite" in net.ids:
            i = net.ids.index("kaolinite")
            made, whole = float(self.extents[-1, i]), float(self.reach[-1, i])
            over = float(self.extents[-1, net.ids.index("metakaolinite")]) if "metakaolinite" in net.ids else 0.0
            out["kaolinite_dehydroxylated"] = made / whole if whole > 0 else 0.0
            out["metakaolinite_overcalcined"] = over / made if made > 0 else 0.0
        return out


def _spaced(time: FloatArray) -> NDArray[np.intp]:
    """Indices of times that are at least half the usual spacing apart, both ends among them."""
    if len(time) < 5:
        return np.arange(len(time))
    least = 0.5 * float(np.median(np.diff(time)))
    kept = [0]
    for i in range(1, len(time) - 1):
        if time[i] - time[kept[-1]] >= least:
            kept.append(i)
    if len(kept) > 1 and time[-1] - time[kept[-1]] < least:
        kept.pop()
    return np.array([*kept, len(time) - 1])


def _within_supply(network: Network, extents: FloatArray, start: FloatArray) -> FloatArray:
    """Extents that use up no more of any phase than there is.

    A solver that is right to its tolerance may consume a phase that is made and used at once by as much too far; what
    consumes it is taken back in proportion, and what that made with it, so that no matter comes from nowhere.
    """
    held: FloatArray = extents
    for _ in network.phases:  # what is taken back may be missing further on: one phase further each time at most
        amount = network.amounts(held, start)
        over = amount < 0.0
        if not over.any():
            break
        used = held @ network.consumed
        share = np.where(over & (used > 0.0), 1.0 + amount / np.where(used > 0.0, used, 1.0), 1.0)
        takes = network.consumed > 0.0
        held = held * np.where(takes[None], share[:, None, :], 1.0).min(axis=2)
    return held
