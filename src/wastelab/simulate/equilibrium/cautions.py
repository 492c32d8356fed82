"""What to know before relying on the result of an equilibrium: every warning of it, in one place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms, molar_mass
from ...provenance import Evidence
from ...reference.thermo_report import Absent, absent_phases
from ..charge import ELEMENTS, LOSS, Charge
from .notices import (
    WORTH,
    aside_texts,
    beyond_range,
    clay_text,
    melt_fallback,
    melt_texts,
    range_text,
    sulfide_texts,
    weak_texts,
)  # fmt: skip
from .solutions import INTERVALS
from .system import TRACE, PhaseTable, System

if TYPE_CHECKING:
    import xarray as xr

    from .result import Solved

FloatArray = NDArray[np.float64]

#: Gas that stands for a loss on ignition that is not split.
REST = "unspecified"


def cautions(
    charge: Charge, tables: Sequence[PhaseTable], solved: Solved, ds: xr.Dataset, rest: FloatArray, solid: FloatArray
) -> list[str]:  # fmt: skip
    system = tables[0].system
    kelvins = np.array([t.temperature_K for t in tables])
    share = {k: v / np.where(solid > 0, solid, 1.0) for k, v in solved.members.items()}
    out = melt_texts(share, kelvins) + melt_fallback(share, kelvins)
    out += _range_warnings(charge, tables, solved)
    out += weak_texts(system.thermo, system.solutions, share)
    out += sulfide_texts(share)
    out += clay_text(share, kelvins, _aluminous(charge))
    absent = absent_of(charge, system, kelvins)
    if absent:
        out.append(f"phases without data that may form here: {', '.join(a.name for a in absent)}; see absent_phases")
    out += aside_texts(charge.set_aside)
    if rest.any():
        out.append(
            "loss on ignition not split into CO2, carbon and water: it leaves whole at every temperature, as gas "
            f"'{REST}'"
        )
    if not solved.refined and any(
        np.nanmax(v, initial=0.0) > 0 for v in solved.share.reshape(-1, solved.share.shape[-1]).T
    ):
        out.append(
            f"refine=False: solid solutions stand at {INTERVALS + 1} fixed compositions each; they and the phases "
            "beside them are off by less than 1 wt% in 99 of 100 mixes"
        )
    if system.atmosphere is not None:
        out += _sulfur_warnings(charge, system, ds)
        out += _carbon_warnings(system, kelvins)
    return out


def _range_warnings(charge: Charge, tables: Sequence[PhaseTable], solved: Solved) -> list[str]:
    """Phases left out for the range of their data that would be present."""
    system = tables[0].system
    b = system.b(charge)
    where: dict[str, tuple[list[float], int]] = {}
    for k, table in enumerate(tables):
        for phase, count in beyond_range(table, b, solved.pi[:, k]).items():
            hot, most = where.get(phase, ([], 0))
            where[phase] = ([*hot, table.temperature_K], max(most, count))
    return [range_text(system, phase, hot, most, charge.n) for phase, (hot, most) in where.items()]


def _aluminous(charge: Charge) -> NDArray[np.bool_]:
    """Mixes that may have been clay: 30 wt% SiO2 and 10 wt% Al2O3 at least, at most 15 wt% CaO."""
    silica = charge.element("Si") * molar_mass("SiO2") / 10.0
    alumina = charge.element("Al") * molar_mass("Al2O3") / 20.0
    lime = charge.element("Ca") * molar_mass("CaO") / 10.0
    return np.asarray((silica >= 30) & (alumina >= 10) & (lime <= 15))


def _sulfur_warnings(charge: Charge, system: System, ds: xr.Dataset) -> list[str]:
    """Which p(SO2) was used, where the mix has sulfur and the user named none, and what leaves."""
    gas = system.atmosphere
    sulfur = charge.element("S") > TRACE * charge.amount.max(axis=1)
    if gas is None or not sulfur.any():
        return []
    out = []
    if system.sulfur == "retain":
        p = ds["gas_pressure"].values[..., ds["species"].values.tolist().index("SO2")]
        worst = float(np.nanmax(np.where(sulfur[:, None], p, np.nan)))
        out.append(
            f"sulfur='retain': sulfur stays in the solid up to {gas.total:g} bar of SO2 (highest found: {worst:.2g} "
            "bar); p(SO2) of a real gas decides whether anhydrite and ye'elimite survive"
        )
    elif gas.source.evidence != Evidence.RECIPE or not gas.names_so2:
        named = f"that of the preset '{gas.name}'" if gas.p("SO2") > 0 else "a trace, the atmosphere names none"
        out.append(
            f"p(SO2) was taken as {system.so2_bar:g} bar ({named}); it decides whether anhydrite and ye'elimite "
            "survive: give that of your gas, {..., 'SO2': '0.1 %'}, or keep all sulfur with sulfur='retain'"
        )
    if (net := ds["gas_released"].sel(gas="SO2").values).max() > WORTH:
        out.append(f"up to {100 * float(net.max()):.3g} wt% of SO2 leaves")
    return out


def _carbon_warnings(system: System, kelvins: FloatArray) -> list[str]:
    """Where the gas would deposit carbon."""
    if "graphite" not in system.thermo:
        return []
    for t in kelvins:
        mu = float(system.gas(float(t)).potential["C"][0])
        if mu > float(system.thermo["graphite"].gibbs(float(t))):
            return [
                f"at {t - 273.15:.0f} degC this gas would deposit carbon; that, and carbon left in the mix, is not "
                "modelled"
            ]
    return []


def unspecified(charge: Charge) -> FloatArray:
    """Loss on ignition that is not split into CO2, carbon and water [kg/kg], shape (n_mixes,)."""
    known = np.zeros(charge.n)
    for name in (*LOSS, "CO2", "H2O", "C"):
        if name in charge.oxides:
            known = known + np.nan_to_num(charge.oxides[name])
    rest = np.where(np.isfinite(charge.loss), charge.loss - known, 0.0) / 100.0
    return np.zeros(charge.n) if charge.loss_split else np.maximum(rest, 0.0)


def absent_of(charge: Charge, system: System, kelvins: FloatArray) -> list[Absent]:
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
