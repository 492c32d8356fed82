"""The Dataset that an equilibrium gives: masses, gas, heat, potentials, and what to know before relying on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import molar_mass
from ...provenance import weakest
from ...reference.thermochemistry import GAS_CONSTANT, T0
from ..charge import ELEMENTS, Charge
from .cautions import REST, absent_of, cautions, unspecified
from .closed import Point, gas_species
from .gas import SPECIES
from .heat import NET, heats, net_gas
from .notices import (
    WORTH,
)  # fmt: skip
from .system import TRACE, PhaseTable, System

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Entry of `mineral_fraction` for the oxides set aside.
INERT = "set_aside"

TEXT = {
    "phase_fraction": ("kg/kg", "mass of each phase per mass of dry mix"),
    "phase_amount": ("mol/kg", "amount of each phase per mass of dry mix; solutions per formula of their composition"),
    "product_fraction": ("kg/kg", "mass of each phase per mass of solid product, oxides set aside included"),
    "mineral_fraction": (
        "kg/kg",
        "product_fraction summed over polymorphs and solutions, by the name of practice; set_aside for inert oxides",
    ),
    "solution_composition": ("1", "share of the second end member in each solid solution; NaN where it is absent"),
    "set_aside": ("kg/kg", "oxides without thermochemical data, inert, per mass of dry mix"),
    "gas_released": ("kg/kg", "gas given off per mass of dry mix; negative is taken up"),
    "gas_pressure": ("bar", "equilibrium partial pressure over the solid; NaN for elements the system lacks"),
    "mass_loss": ("kg/kg", "mass lost per mass of dry mix; negative is gained"),
    "enthalpy": ("kJ/kg", "enthalpy of the solid product at the temperature against the elements at 298.15 K"),
    "heat_content": ("kJ/kg", "enthalpy of the solid product above the same at 298.15 K, per mass of dry mix"),
    "heat_of_reaction": ("kJ/kg", "product and gas less reactants, all at 298.15 K, per mass of dry mix"),
    "heat_required": ("kJ/kg", "product and gas at the temperature less reactants at 298.15 K, per mass of dry mix"),
    "element_potential": (
        "kJ/mol",
        "chemical potential of each element, one of many where few phases are present; NaN for elements not there",
    ),
    "affinity": (
        "kJ/mol",
        "Gibbs energy that a phase lacks to form, per formula; 0 if present, NaN without data there or its elements",
    ),
    "stable": ("1", "whether the phase is present"),
    "present_phases": ("1", "number of phases present"),
}
DIMS = {
    "phase_fraction": "phase", "phase_amount": "phase", "product_fraction": "phase", "mineral_fraction": "mineral",
    "solution_composition": "solution", "set_aside": "oxide_aside", "gas_released": "gas", "gas_pressure": "species",
    "element_potential": "element", "affinity": "phase", "stable": "phase",
}  # fmt: skip


@dataclass(frozen=True)
class Solved:
    """Equilibria of all mixes (n) at all temperatures (m) as arrays.

    Attributes
    ----------
    phases : tuple of str
        Reported phases.
    amount, fraction : ndarray, shape (n, m, n_phases)
        [mol/kg], [kg/kg]
    members : mapping of str to ndarray, shape (n, m)
        Phases of the thermochemical set, end members of solutions for themselves [kg/kg].
    held : ndarray, shape (n, m, 12)
        Elements in the solid [mol/kg].
    hot, cold : ndarray, shape (n, m)
        Enthalpy of the solid at the temperature and at 298.15 K [J/kg].
    potential : ndarray, shape (n, m, 12)
        [J/mol]; NaN where neither mix nor gas has the element.
    pi : ndarray, shape (n, m, n_row)
        Potentials of the rows [J/mol].
    share : ndarray, shape (n, m, n_solutions)
        NaN where a solution is absent.
    refined : bool
        Whether solid solutions are continuous.
    gas : ndarray or None
        Species of a closed system [mol/kg].
    affinity : ndarray or None
        [kJ/mol]
    """

    phases: tuple[str, ...]
    amount: FloatArray
    fraction: FloatArray
    members: Mapping[str, FloatArray]
    held: FloatArray
    hot: FloatArray
    cold: FloatArray
    potential: FloatArray
    pi: FloatArray
    share: FloatArray
    refined: bool
    gas: FloatArray | None = None
    affinity: FloatArray | None = None


def from_points(charge: Charge, tables: Sequence[PhaseTable], points: Sequence[Sequence[Point]]) -> Solved:
    """Lay out equilibria that were solved one by one."""
    system = tables[0].system
    thermo = system.thermo
    names = list(thermo.names)
    mass_of = np.array([p.molar_mass / 1e3 for p in thermo.values()])
    parts = np.array([[p.parts for p in row] for row in points]).transpose(1, 0, 2)  # mix, T, phase of the set
    amount = np.array([[p.amount for p in row] for row in points]).transpose(1, 0, 2)
    members = {s.name: s.phases for s in system.solutions}
    fraction = np.zeros(amount.shape)
    for j, phase in enumerate(system.phases):
        if phase in thermo:
            fraction[..., j] = amount[..., j] * mass_of[names.index(phase)]
        else:
            of = [names.index(p) for p in members[phase]]
            fraction[..., j] = parts[..., of] @ mass_of[of]
    potential = np.array(
        [
            [potentials(t, p.pi, charge.amount[i]) for i, p in enumerate(row)]
            for t, row in zip(tables, points, strict=True)
        ]
    ).transpose(1, 0, 2)
    h = np.nan_to_num(np.array([system.enthalpy(t.temperature_K) for t in tables]))
    gas = np.array([[p.gas for p in row] for row in points]).transpose(1, 0, 2) if system.closed else None
    share = np.array([[[p.share.get(s.name, np.nan) for s in system.solutions] for p in row] for row in points])
    return Solved(
        system.phases, amount, fraction,
        {p: parts[..., k] * mass_of[k] for k, p in enumerate(names) if parts[..., k].any()},
        parts @ thermo.matrix(ELEMENTS), (parts * h).sum(axis=-1), parts @ np.nan_to_num(system.enthalpy(T0)),
        potential,
        np.array([[p.pi for p in row] for row in points]).transpose(1, 0, 2),
        share.reshape(len(tables), charge.n, -1).transpose(1, 0, 2), True, gas,
        _affinity(tables, potential, amount),
    )  # fmt: skip


def assemble(
    charge: Charge,
    tables: Sequence[PhaseTable],
    solved: Solved,
    bar: float,
    single_t: bool,
    reactants: Mapping[str, float] | None,
) -> xr.Dataset:
    """Lay the equilibria of every temperature and mix out as a Dataset."""
    import xarray as xr

    system = tables[0].system
    thermo = system.thermo
    n, m = charge.n, len(tables)
    phases, fraction = solved.phases, solved.fraction
    aside_names = list(charge.set_aside)
    aside = np.array([charge.set_aside[o] / 100.0 for o in aside_names]).reshape(len(aside_names), n).T
    solid = fraction.sum(axis=-1) + aside.sum(axis=-1)[:, None]
    whole = np.where(solid > 0, solid, 1.0)
    product = fraction / whole[..., None]
    minerals = {k: [phases.index(p) for p in of if p in phases] for k, of in system.minerals.items()}
    minerals = {k: of for k, of in minerals.items() if of}
    sums = [product[..., of].sum(axis=-1) for of in minerals.values()]
    labels = list(minerals)
    if aside_names:
        sums.append(aside.sum(axis=-1)[:, None] / whole)
        labels.append(INERT)
    rest = unspecified(charge)
    lost = charge.amount[:, None, :] - solved.held
    element_mass = np.array([molar_mass(e) for e in ELEMENTS]) / 1e3
    species = gas_species(system)
    if solved.gas is not None:
        gases = [s.removesuffix("(g)") for s in species]
        released = solved.gas * np.array([thermo[s].molar_mass / 1e3 for s in species])
    else:
        gases = [*NET, *([REST] if rest.any() else [])]
        released = net_gas(lost) * np.array([molar_mass(g) / 1e3 for g in NET])
        released[np.abs(released) < 1e-14] = 0.0
        if rest.any():
            released = np.concatenate([released, np.broadcast_to(rest[:, None, None], (n, m, 1))], axis=-1)
    fed = charge.amount @ element_mass + aside.sum(axis=-1) + rest
    kelvins = np.array([t.temperature_K for t in tables])
    heat, why = heats(charge, system, kelvins, solved.hot, solved.cold, lost, reactants)
    data: dict[str, Any] = {
        "phase_fraction": fraction,
        "phase_amount": solved.amount,
        "product_fraction": product,
        "mineral_fraction": np.stack(sums, axis=-1) if sums else np.zeros((n, m, 0)),
        "gas_released": released,
        "gas_pressure": _pressures(system, kelvins, solved.potential),
        "mass_loss": fed[:, None] - solid,
        **heat,
        "element_potential": solved.potential / 1e3,
        "stable": solved.amount > 0,
        "present_phases": (solved.amount > 0).sum(axis=-1),
    }
    if solved.affinity is not None:
        data["affinity"] = solved.affinity
    if system.solutions:
        data["solution_composition"] = solved.share
    if aside_names:
        data["set_aside"] = np.broadcast_to(aside[:, None, :], (n, m, len(aside_names)))
    coords: dict[str, Any] = {
        "mix": list(charge.labels), "temperature": np.round(kelvins - 273.15, 9), "phase": list(phases),
        "mineral": labels, "element": list(ELEMENTS), "gas": gases,
        "species": [s.removesuffix("(g)") for s in SPECIES if s in thermo],
    }  # fmt: skip
    if system.solutions:
        coords["solution"] = [s.name for s in system.solutions]
    if aside_names:
        coords["oxide_aside"] = aside_names
    ds = xr.Dataset(
        {
            name: (("mix", "temperature", DIMS[name]) if name in DIMS else ("mix", "temperature"), values)
            for name, values in data.items()
        },
        coords=coords,
    )
    ds["temperature"].attrs.update(units="degC", long_name="temperature")
    ds = ds.assign_coords(
        temperature_K=("temperature", kelvins, {"units": "K"}),
        formula=("phase", [thermo[p].formula if p in thermo else "solid solution" for p in phases]),
    )
    for name in ds.data_vars:
        units, text = TEXT[str(name)]
        ds[name].attrs.update(units=units, long_name=text)
    warnings = cautions(charge, tables, solved, ds, rest, solid)
    if why:
        warnings.append(why)
    ds.attrs.update(_attrs(charge, tables, solved, bar, warnings))
    drop: dict[str, Any] = {}
    if charge.single:
        drop["mix"] = 0
    if single_t:
        drop["temperature"] = 0
    return ds.isel(drop) if drop else ds


def potentials(table: PhaseTable, pi: FloatArray, amount: FloatArray) -> FloatArray:
    """Of all elements [J/mol], shape (..., 12); NaN where neither mix nor gas has one.

    Parameters
    ----------
    table : PhaseTable
    pi : ndarray, shape (..., n_row)
    amount : ndarray, shape (..., 12)
    """
    system = table.system
    out = np.full(amount.shape, np.nan)
    if not system.closed:
        for e, mu in system.gas(table.temperature_K).potential.items():
            if e not in system.rows:
                out[..., ELEMENTS.index(e)] = mu[0]
    rows = [ELEMENTS.index(e) for e in system.rows]
    there = amount[..., rows] > TRACE * amount.max(axis=-1, keepdims=True)
    out[..., rows] = np.where(there, pi, np.nan)
    return out


def _pressures(system: System, kelvins: FloatArray, potential: FloatArray) -> FloatArray:
    """Partial pressures [bar], shape (mix, T, species)."""
    thermo = system.thermo
    species = [s for s in SPECIES if s in thermo]
    matrix = thermo.subset(species).matrix(ELEMENTS)
    known = np.array([set(thermo[s].elements) <= set(ELEMENTS) for s in species])
    g = np.array([thermo[s].gibbs(kelvins) for s in species]).T
    unknown = (np.isnan(potential).astype(np.float64) @ (matrix > 0).T) > 0
    ln_p = (np.nan_to_num(potential) @ matrix.T - g[None]) / (GAS_CONSTANT * kelvins)[None, :, None]
    out = np.where(known & ~unknown, np.exp(np.minimum(ln_p, 700.0)), np.nan)
    if system.atmosphere is not None and "N2(g)" in species:
        out[..., species.index("N2(g)")] = system.atmosphere.p("N2")
    return np.asarray(out)


def _affinity(
    tables: Sequence[PhaseTable], potential: FloatArray, amount: FloatArray
) -> FloatArray:  # fmt: skip
    """Reduced cost of each phase [kJ/mol]; of a solution at the composition nearest to forming."""
    system = tables[0].system
    n = potential.shape[0]
    out = np.full((n, len(tables), len(system.phases)), np.nan)
    index = {p: j for j, p in enumerate(system.phases)}
    matrix = system.full
    for k, table in enumerate(tables):
        g = system.gibbs(table.temperature_K)
        bad = ~np.isfinite(g)
        cost = system.combination @ np.where(bad, 0.0, g)
        cost += GAS_CONSTANT * table.temperature_K * np.array([c.mixing for c in system.columns])
        cost[(np.abs(system.combination) > 0) @ bad] = np.nan
        for i in range(n):
            mu = potential[i, k]
            reduced = cost - (matrix * np.where(matrix != 0, mu, 0.0)).sum(axis=-1)
            for j, column in enumerate(system.columns):
                if column.name in index and column.kind in ("phase", "solution"):
                    at = (i, k, index[column.name])
                    out[at] = np.fmin(out[at], reduced[j])
    out = np.where(amount > 0, 0.0, np.maximum(out, 0.0))
    return np.asarray(out / 1e3)


def _attrs(
    charge: Charge, tables: Sequence[PhaseTable], solved: Solved, bar: float, warnings: list[str]
) -> dict[str, Any]:  # fmt: skip
    from importlib.metadata import version

    system = tables[0].system
    thermo = system.thermo
    used = [p for p, mass in solved.members.items() if (np.abs(mass) > WORTH).any()]
    assumptions = [
        "complete reaction to the least Gibbs energy, pure phases and ideal solid solutions",
        "no melt; alite, belite and spinel without solid solution; alkalis do not evaporate",
    ]
    for s in system.solutions:
        gap = s.gap() * GAS_CONSTANT * tables[-1].temperature_K
        how = "refined to it here" if solved.refined else "used as they are (refine=False)"
        assumptions.append(f"{s.name}: {s.source}; pseudo-phases {gap:.0f} J/mol from the curve at most, {how}")
    attrs: dict[str, Any] = {
        "title": "equilibrium of a closed system" if system.closed else "equilibrium in a furnace gas",
        "pressure_bar": bar,
        "refined": str(solved.refined).lower(),
        "mix_source": str(charge.source),
        "evidence": str(
            weakest([
                thermo.subset(used).evidence, charge.source.evidence,
                *([system.atmosphere.source.evidence] if system.atmosphere is not None else []),
                *(s.source.evidence for s in system.solutions if s.name in solved.phases and _has(solved, s.name)),
            ])
        ),
        "thermochemistry_evidence": str(thermo.evidence),
        "absent_phases": json.dumps(
            [
                {"name": a.name, "formula": a.formula, "instead": a.instead, "why": a.why}
                for a in absent_of(charge, system, np.array([t.temperature_K for t in tables]))
            ],
            ensure_ascii=False,
        ),
        "suppressed": json.dumps(dict(system.suppressed), ensure_ascii=False),
        "minerals": json.dumps(system.minerals, ensure_ascii=False),
    }  # fmt: skip
    if system.atmosphere is not None:
        gas = system.gas(tables[-1].temperature_K)
        assumptions += gas.notes
        assumptions.append("the furnace gas is large against what the solid gives off: it fixes O, C and H")
        if system.sulfur == "leave":
            assumptions.append(
                f"SO2 may leave to the gas, at its p(SO2) of {system.so2_bar:g} bar, and does not enter from it"
            )
        attrs["atmosphere"] = json.dumps(
            {"name": system.atmosphere.name, "pressures_bar": dict(system.atmosphere.pressures)}, ensure_ascii=False
        )
        attrs["atmosphere_source"] = str(system.atmosphere.source)
        attrs["sulfur"] = system.sulfur
        if system.oxygen_potential is not None:
            attrs["oxygen_potential_kJ_mol"] = system.oxygen_potential / 1e3
    changes = {
        p: [a.reason for a in thermo[p].adjustments] for p in used if thermo[p].adjustments
    }  # fmt: skip
    table = json.dumps(
        [[p.name, p.formula, [[s.T_min, s.T_max, *s.g] for s in p.segments], p.sigma_G] for p in thermo.values()]
    )
    given = json.dumps(list(map(str, charge.labels))).encode() + np.ascontiguousarray(charge.amount).tobytes()
    attrs |= {
        "assumptions": "\n".join(assumptions),
        "warnings": "\n".join(warnings),
        "adjustments_of_phases_present": json.dumps(changes, ensure_ascii=False),
        "versions": json.dumps({p: version(p) for p in ("wastelab", "numpy")}),
        "thermochemistry_sha256": hashlib.sha256(table.encode()).hexdigest(),
        "mix_sha256": hashlib.sha256(given).hexdigest(),
    }
    return attrs


def _has(solved: Solved, phase: str) -> bool:
    return bool((solved.fraction[..., solved.phases.index(phase)] > WORTH).any())
