"""The Dataset that an equilibrium gives: masses, gas, heat, potentials, and what to know before relying on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms, molar_mass
from ...errors import UnknownNameError, suggest
from ...provenance import weakest
from ...reference.thermo_report import Absent, absent_phases
from ...reference.thermochemistry import GAS_CONSTANT, T0
from ..charge import ELEMENTS, LOSS, Charge
from .closed import Point, gas_species
from .gas import SPECIES
from .phases import symbols
from .system import TRACE, PhaseTable, System

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Above this part of most mixes is molten [K].
MELT_K = 1600.0
#: Salts that are molten above these temperatures [K] (handbook melting points, from memory).
SALTS = {
    "Na2SO4": 1157.0, "K2SO4": 1342.0, "Na2CO3": 1124.0, "K2CO3": 1174.0, "Na2SiO3": 1362.0, "Na2Si2O5": 1147.0,
    "K2SiO3": 1249.0, "K2Si2O5": 1318.0,
}  # fmt: skip
#: Gas of an open system, as net exchange with the furnace gas.
NET = ("CO2", "H2O", "SO2", "O2")
REST = "unspecified"
#: Mass fraction from which a phase counts in warnings [kg/kg].
WORTH = 1e-4
#: Share of the mass by which reactants may differ from the oxides of the mix [kg/kg].
MISMATCH = 0.02

TEXT = {
    "phase_fraction": ("kg/kg", "mass of each phase per mass of dry mix"),
    "phase_amount": ("mol/kg", "amount of each phase per mass of dry mix; solutions per formula of their composition"),
    "product_fraction": ("kg/kg", "mass of each phase per mass of solid product, oxides set aside included"),
    "mineral_fraction": ("kg/kg", "product_fraction summed over polymorphs and solutions, by the name of practice"),
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


def net_gas(elements: FloatArray) -> FloatArray:
    """CO2, H2O, SO2 and O2 that amounts of elements make [mol], shape (..., 4); O2 is the balance."""
    c, h, s, o = (elements[..., ELEMENTS.index(e)] for e in ("C", "H", "S", "O"))
    return np.stack([c, h / 2, s, (o - 2 * c - h / 2 - 2 * s) / 2], axis=-1)


def unspecified(charge: Charge) -> FloatArray:
    """Loss on ignition that is not split into CO2, carbon and water [kg/kg], shape (n_mixes,)."""
    known = np.zeros(charge.n)
    for name in (*LOSS, "CO2", "H2O", "C"):
        if name in charge.oxides:
            known = known + np.nan_to_num(charge.oxides[name])
    rest = np.where(np.isfinite(charge.loss), charge.loss - known, 0.0) / 100.0
    return np.zeros(charge.n) if charge.loss_split else np.maximum(rest, 0.0)


def assemble(
    charge: Charge,
    tables: Sequence[PhaseTable],
    points: Sequence[Sequence[Point]],
    bar: float,
    single_t: bool,
    reactants: Mapping[str, float] | None,
) -> xr.Dataset:
    """Lay the points of every temperature and mix out as a Dataset."""
    import xarray as xr

    system = tables[0].system
    thermo = system.thermo
    n, m = charge.n, len(tables)
    names = list(thermo.names)
    mass_of = np.array([thermo[p].molar_mass / 1e3 for p in names])
    matrix = thermo.matrix(ELEMENTS)
    parts = np.array([[p.parts for p in row] for row in points]).transpose(1, 0, 2)  # mix, T, phase of the set
    amount = np.array([[p.amount for p in row] for row in points]).transpose(1, 0, 2)
    member = _members(system)
    fraction = np.zeros((n, m, len(system.phases)))
    for j, phase in enumerate(system.phases):
        if phase in thermo:
            fraction[..., j] = amount[..., j] * mass_of[names.index(phase)]
        else:
            of = [names.index(p) for p in member[phase]]
            fraction[..., j] = parts[..., of] @ mass_of[of]
    aside_names = list(charge.set_aside)
    aside = np.array([charge.set_aside[o] / 100.0 for o in aside_names]).reshape(len(aside_names), n).T
    solid = fraction.sum(axis=-1) + aside.sum(axis=-1)[:, None]
    product = fraction / np.where(solid > 0, solid, 1.0)[..., None]
    minerals = system.minerals
    mineral = np.stack(
        [product[..., [system.phases.index(p) for p in of]].sum(axis=-1) for of in minerals.values()], axis=-1
    )
    rest = unspecified(charge)
    lost = charge.amount[:, None, :] - parts @ matrix
    element_mass = np.array([molar_mass(e) for e in ELEMENTS]) / 1e3
    species = gas_species(system)
    if system.closed:
        gases = [s.removesuffix("(g)") for s in species]
        moles = np.array([[p.gas for p in row] for row in points]).transpose(1, 0, 2)
        released = moles * np.array([thermo[s].molar_mass / 1e3 for s in species])
    else:
        gases = [*NET, *([REST] if rest.any() else [])]
        released = net_gas(lost) * np.array([molar_mass(g) / 1e3 for g in NET])
        released[np.abs(released) < 1e-14] = 0.0
        if rest.any():
            released = np.concatenate([released, np.broadcast_to(rest[:, None, None], (n, m, 1))], axis=-1)
    fed = charge.amount @ element_mass + aside.sum(axis=-1) + rest
    here = np.array(
        [[_potentials(t, p, charge, i) for i, p in enumerate(row)] for t, row in zip(tables, points, strict=True)]
    )
    potential = here.transpose(1, 0, 2)
    heat = _heat(charge, tables, parts, reactants, matrix)
    data: dict[str, Any] = {
        "phase_fraction": fraction,
        "phase_amount": amount,
        "product_fraction": product,
        "mineral_fraction": mineral,
        "gas_released": released,
        "gas_pressure": _pressures(tables, potential, charge, bar),
        "mass_loss": fed[:, None] - solid,
        **{k: v for k, v in heat.items() if k != "why"},
        "element_potential": potential / 1e3,
        "affinity": _affinity(tables, points, potential, amount),
        "stable": amount > 0,
        "present_phases": (amount > 0).sum(axis=-1),
    }
    if system.solutions:
        data["solution_composition"] = np.array(
            [[[p.share.get(s.name, np.nan) for s in system.solutions] for p in row] for row in points]
        ).transpose(1, 0, 2)
    if aside_names:
        data["set_aside"] = np.broadcast_to(aside[:, None, :], (n, m, len(aside_names)))
    kelvins = np.array([t.temperature_K for t in tables])
    coords: dict[str, Any] = {
        "mix": list(charge.labels), "temperature": np.round(kelvins - 273.15, 9), "phase": list(system.phases),
        "mineral": list(minerals), "element": list(ELEMENTS), "gas": gases,
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
        formula=("phase", [thermo[p].formula if p in thermo else "solid solution" for p in system.phases]),
    )
    for name in ds.data_vars:
        units, text = TEXT[str(name)]
        ds[name].attrs.update(units=units, long_name=text)
    warnings = _warnings(charge, system, kelvins, ds, rest)
    if heat.get("why") is not None:
        warnings.append(str(heat["why"]))
    ds.attrs.update(_attrs(charge, tables, ds, bar, warnings))
    drop: dict[str, Any] = {}
    if charge.single:
        drop["mix"] = 0
    if single_t:
        drop["temperature"] = 0
    return ds.isel(drop) if drop else ds


def _members(system: System) -> dict[str, tuple[str, ...]]:
    return {s.name: s.phases for s in system.solutions}


def _potentials(table: PhaseTable, point: Point, charge: Charge, i: int) -> FloatArray:
    """Of all elements [J/mol]; NaN where neither mix nor gas has one."""
    system = table.system
    out = np.full(len(ELEMENTS), np.nan)
    if not system.closed:
        for e, mu in system.gas(table.temperature_K).potential.items():
            if e not in system.rows:
                out[ELEMENTS.index(e)] = mu[0]
    for e, mu in zip(system.rows, point.pi, strict=True):
        if charge.amount[i, ELEMENTS.index(e)] > TRACE * charge.amount[i].max():
            out[ELEMENTS.index(e)] = mu
    return out


def _pressures(tables: Sequence[PhaseTable], potential: FloatArray, charge: Charge, bar: float) -> FloatArray:
    """Partial pressures [bar], shape (mix, T, species)."""
    system = tables[0].system
    thermo = system.thermo
    species = [s for s in SPECIES if s in thermo]
    matrix = thermo.subset(species).matrix(ELEMENTS)
    known = np.array([set(thermo[s].elements) <= set(ELEMENTS) for s in species])
    t = np.array([v.temperature_K for v in tables])
    g = np.array([thermo[s].gibbs(t) for s in species]).T
    need = matrix[None, None] * np.where(matrix > 0, potential[:, :, None, :], 0.0)
    ln_p = (need.sum(axis=-1) - g[None]) / (GAS_CONSTANT * t)[None, :, None]
    out = np.where(known, np.exp(np.minimum(ln_p, 700.0)), np.nan)
    if system.atmosphere is not None and "N2(g)" in species:
        out[..., species.index("N2(g)")] = system.atmosphere.p("N2")
    return np.asarray(out)


def _affinity(
    tables: Sequence[PhaseTable], points: Sequence[Sequence[Point]], potential: FloatArray, amount: FloatArray
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


def _heat(
    charge: Charge, tables: Sequence[PhaseTable], parts: FloatArray, reactants: Mapping[str, float] | None,
    matrix: FloatArray,
) -> dict[str, Any]:  # fmt: skip
    """Enthalpies of the solid product and, where the minerals of the mix are known, of the whole change [kJ/kg]."""
    system = tables[0].system
    thermo = system.thermo
    h = np.nan_to_num(np.array([system.enthalpy(t.temperature_K) for t in tables]))
    h0 = np.nan_to_num(system.enthalpy(T0))
    out: dict[str, Any] = {
        "enthalpy": (parts * h).sum(axis=-1) / 1e3,
        "heat_content": (parts * (h - h0)).sum(axis=-1) / 1e3,
    }
    given = dict(reactants) if reactants is not None else dict(charge.phases)
    if not given or (charge.n > 1 and reactants is None):
        return out
    known = symbols(thermo)
    start = np.zeros(len(thermo))
    for name, share in given.items():
        phase = name if name in thermo else known.get(name, ("",))[0]
        if phase not in thermo or thermo[phase].state == "gas":
            if reactants is None:
                out["why"] = f"heat of reaction not given: no enthalpy of {name!r}, a phase of the mix"
                return out
            raise UnknownNameError(f"reactants: there is no phase {name!r} in the set.{suggest(name, known)}")
        start[thermo.names.index(phase)] += share * 10.0 / thermo[phase].molar_mass
    elements = start @ matrix
    mass = np.array([molar_mass(e) for e in ELEMENTS]) / 1e3
    cations = np.array([e not in ("C", "O", "H", "S") for e in ELEMENTS])
    off = float((np.abs(elements - charge.amount) * mass)[:, cations].sum(axis=1).max())
    if off > MISMATCH:
        out["why"] = (
            f"heat of reaction not given: the minerals of the mix hold {100 * off:.3g} wt% of metals that differ from "
            f"its oxides (at most {100 * MISMATCH:g})"
        )
        return out
    gas = net_gas(elements - parts @ matrix)
    gas_h = np.array([thermo[f"{g}(g)"].enthalpy(np.array([t.temperature_K for t in tables])) for g in NET]).T
    gas_h0 = np.array([float(thermo[f"{g}(g)"].enthalpy(T0)) for g in NET])
    before = float(start @ h0)
    out["heat_of_reaction"] = ((parts @ h0) + gas @ gas_h0 - before) / 1e3
    out["heat_required"] = ((parts * h).sum(axis=-1) + (gas * gas_h).sum(axis=-1) - before) / 1e3
    return out


def _warnings(
    charge: Charge, system: System, kelvins: FloatArray, ds: xr.Dataset, rest: FloatArray
) -> list[str]:  # fmt: skip
    out = []
    thermo = system.thermo
    fraction = ds["phase_fraction"].values
    most = fraction.max(axis=0)  # T, phase
    if (kelvins > MELT_K).any():
        out.append(
            f"above {MELT_K - 273.15:.0f} degC part of most mixes is molten (20 to 30 % of a Portland clinker at "
            "1450 degC); no melt is modelled, amounts of C3A and ferrite stand for it"
        )
    for salt, melting in SALTS.items():
        if salt in system.phases:
            hot = (most[:, system.phases.index(salt)] > WORTH) & (kelvins > melting)
            if hot.any():
                out.append(f"{salt} is present above its melting point ({melting - 273.15:.0f} degC): molten, pure")
    for j, phase in enumerate(system.phases):
        names = (phase,) if phase in thermo else next(s.phases for s in system.solutions if s.name == phase)
        weak = [thermo[name].weak for name in names if thermo[name].weak] if (most[:, j] > WORTH).any() else []
        out += [f"{phase} is present and its data are weak: {text}" for text in weak]
    sulfides = [p for p in ("pyrite", "troilite", "oldhamite") if p in system.phases]
    there = [p for p in sulfides if (most[:, system.phases.index(p)] > WORTH).any()]
    if there:
        out.append(
            f"{', '.join(there)}: sulfides are pure here, without pyrrhotite, and their gases H2S, COS, S2 absent"
        )
    absent = _absent(charge, system, kelvins)
    if absent:
        out.append(f"phases without data that may form here: {', '.join(a.name for a in absent)}; see absent_phases")
    for oxide, values in charge.set_aside.items():
        out.append(f"{oxide} set aside as inert mass, at most {float(values.max()):.3g} wt%: no data for its phases")
    if rest.any():
        out.append(
            "loss on ignition not split into CO2, carbon and water: it leaves whole at every temperature, as gas "
            f"'{REST}'"
        )
    sulfur = charge.element("S") > TRACE * charge.amount.max(axis=1)
    if system.atmosphere is not None and sulfur.any():
        kept = system.sulfur == "retain" or (system.sulfur == "leave" and system.atmosphere.p("SO2") == 0)
        if kept:
            species = ds["species"].values.tolist()
            p = ds["gas_pressure"].values[..., species.index("SO2")]
            worst = float(np.nanmax(np.where(sulfur[:, None], p, np.nan)))
            why = "sulfur='retain'" if system.sulfur == "retain" else "the atmosphere names no SO2"
            out.append(
                f"{why}: sulfur stays in the solid up to {system.atmosphere.total:g} bar of SO2 (highest found: "
                f"{worst:.2g} bar); give p(SO2), it decides whether anhydrite and ye'elimite survive"
            )
        if (net := ds["gas_released"].sel(gas="SO2").values).max() > WORTH:
            out.append(f"up to {100 * float(net.max()):.3g} wt% of SO2 leaves")
    if system.atmosphere is not None and "graphite" in thermo:
        for t in kelvins:
            mu = float(system.gas(float(t)).potential["C"][0])
            if mu > float(thermo["graphite"].gibbs(float(t))):
                out.append(
                    f"at {t - 273.15:.0f} degC this gas would deposit carbon; that, and carbon left in the mix, is "
                    "not modelled"
                )
                break
    return out


def _attrs(
    charge: Charge, tables: Sequence[PhaseTable], ds: xr.Dataset, bar: float, warnings: list[str]
) -> dict[str, Any]:  # fmt: skip
    from importlib.metadata import version

    system = tables[0].system
    thermo = system.thermo
    assumptions = [
        "complete reaction to the least Gibbs energy, pure phases and ideal solid solutions",
        "no melt; alite, belite and spinel without solid solution; alkalis do not evaporate",
    ]
    for s in system.solutions:
        gap = s.gap() * GAS_CONSTANT * tables[-1].temperature_K
        assumptions.append(
            f"{s.name}: {s.source}; pseudo-phases {gap:.0f} J/mol from the curve at most, refined to it here"
        )
    attrs: dict[str, Any] = {
        "title": "equilibrium of a closed system" if system.closed else "equilibrium in a furnace gas",
        "pressure_bar": bar,
        "mix_source": str(charge.source),
        "evidence": str(
            weakest([
                thermo.subset(_used(system, ds)).evidence, charge.source.evidence,
                *([system.atmosphere.source.evidence] if system.atmosphere is not None else []),
                *(s.source.evidence for s in system.solutions if _has(ds, s.name)),
            ])
        ),
        "thermochemistry_evidence": str(thermo.evidence),
        "absent_phases": json.dumps(
            [
                {"name": a.name, "formula": a.formula, "instead": a.instead, "why": a.why}
                for a in _absent(charge, system, np.array([t.temperature_K for t in tables]))
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
            assumptions.append("SO2 may leave to the gas, at its p(SO2), and does not enter from it")
        attrs["atmosphere"] = json.dumps(
            {"name": system.atmosphere.name, "pressures_bar": dict(system.atmosphere.pressures)}, ensure_ascii=False
        )
        attrs["atmosphere_source"] = str(system.atmosphere.source)
        attrs["sulfur"] = system.sulfur
        if system.oxygen_potential is not None:
            attrs["oxygen_potential_kJ_mol"] = system.oxygen_potential / 1e3
    changes = {
        p: [a.reason for a in thermo[p].adjustments] for p in _used(system, ds) if thermo[p].adjustments
    }  # fmt: skip
    table = json.dumps(
        [[p.name, p.formula, [[s.T_min, s.T_max, *s.g] for s in p.segments], p.sigma_G] for p in thermo.values()]
    )
    given = json.dumps([list(map(str, charge.labels)), charge.amount.tolist()])
    attrs |= {
        "assumptions": "\n".join(assumptions),
        "warnings": "\n".join(warnings),
        "adjustments_of_phases_present": json.dumps(changes, ensure_ascii=False),
        "versions": json.dumps({p: version(p) for p in ("wastelab", "numpy")}),
        "thermochemistry_sha256": hashlib.sha256(table.encode()).hexdigest(),
        "mix_sha256": hashlib.sha256(given.encode()).hexdigest(),
    }
    return attrs


def _absent(charge: Charge, system: System, kelvins: FloatArray) -> list[Absent]:
    """Phases that nobody has data for, of the elements of the mixes, in the range of temperature."""
    held = {e for e, n in zip(ELEMENTS, charge.amount.sum(axis=0), strict=True) if n > 0} | {"C", "O", "H"}
    held |= {e for o in charge.set_aside for e in atoms(o)}
    covered = [atoms(f) for s in system.solutions for f in s.covers]
    return [
        a
        for a in absent_phases()
        if set(atoms(a.formula)) <= held
        and atoms(a.formula) not in covered
        and bool(np.any((kelvins >= a.T_low) & (kelvins <= a.T_high)))
    ]


def _has(ds: xr.Dataset, phase: str) -> bool:
    column = ds["phase"].values.tolist().index(phase)
    return bool((ds["phase_fraction"].values[..., column] > WORTH).any())


def _used(system: System, ds: xr.Dataset) -> list[str]:
    """Phases of the set that the result rests on."""
    out: list[str] = []
    for phase in system.phases:
        if _has(ds, phase):
            out += [phase] if phase in system.thermo else list(_members(system)[phase])
    return list(dict.fromkeys(out))
