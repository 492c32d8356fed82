"""How sure the phases are: random draws over the Gibbs energies of the phases and over the oxides of the mix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms, molar_mass
from ...errors import ValidityError
from ..charge import ELEMENTS, LOSS, Charge
from .notices import WORTH
from .table import MOST_DRAWN, PhaseTable

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]


def add_uncertainty(data: xr.Dataset, charge: Charge, tables: Sequence[PhaseTable], draws: int, seed: int) -> None:
    """Add standard deviations and probabilities of the phases.

    Parameters
    ----------
    data : xarray.Dataset
        Result of an open system to add to.
    charge : Charge
    tables : sequence of PhaseTable
    draws : int
    seed : int

    Notes
    -----
    Gibbs energies are drawn from normal distributions of the stated standard uncertainty of each solid, constant over
    temperature, independently between phases but with one deviate for all polymorphs of a phase, whose differences are
    known far better than the phase; gases are taken as exact. Oxides are drawn from normal distributions of
    theirs, not below zero. The draws use the pseudo-phases of solid solutions as they are, not refined.
    """
    system = tables[0].system
    thermo = system.thermo
    if draws * charge.n * len(tables) > MOST_DRAWN:
        raise ValidityError(
            f"{draws} draws of {charge.n} mixes at {len(tables)} temperatures are more than {MOST_DRAWN:,} equilibria; "
            "take fewer draws or mixes at a time."
        )
    solids = [p for p in thermo.values() if p.state != "gas"]
    moved = tables[0].draw_shift(draws, seed)  # the same at every temperature and for every mix
    rng = np.random.default_rng([seed, 1])
    mixes = [_drawn(charge, i, rng, draws) for i in range(charge.n)]
    shape = (charge.n, len(tables), len(system.phases))
    deviation, chance, low, high = (np.zeros(shape) for _ in range(4))
    for k, table in enumerate(tables):
        for i, amounts in enumerate(mixes):
            mass = table.perturbed_mass(amounts, moved)
            deviation[i, k] = mass.std(axis=0, ddof=1)
            chance[i, k] = (mass > WORTH).mean(axis=0)
            low[i, k], high[i, k] = np.quantile(mass, (0.05, 0.95), axis=0)
    keep = tuple(d for d in ("mix", "temperature") if d in data.dims)
    at = tuple(slice(None) if d in data.dims else 0 for d in ("mix", "temperature"))
    for name, values, units, text in (
        ("phase_fraction_sigma", deviation, "kg/kg", "standard deviation of phase_fraction over the draws"),
        ("phase_fraction_low", low, "kg/kg", "5 % quantile of phase_fraction over the draws"),
        ("phase_fraction_high", high, "kg/kg", "95 % quantile of phase_fraction over the draws"),
        ("probability_present", chance, "1", f"share of the draws with more than {WORTH:g} kg/kg of the phase"),
    ):
        data[name] = ((*keep, "phase"), values[at])
        data[name].attrs.update(units=units, long_name=text)
    exact = [p.name for p in solids if not p.sigma_G]
    data.attrs["uncertainty"] = json.dumps({
        "draws": draws, "seed": seed, "taken_as_exact": exact,
        "oxides_with_sigma": sorted(charge.sigma) if charge.single else [],
    })  # fmt: skip


def _drawn(charge: Charge, i: int, rng: np.random.Generator, draws: int) -> FloatArray:
    """Elements of one mix over the draws [mol/kg], shape (draws, 12)."""
    out = np.repeat(charge.amount[i][None, :], draws, axis=0)
    if not charge.single:
        return out
    for oxide, sigma in sorted(charge.sigma.items()):
        formula = LOSS.get(oxide, oxide)
        if oxide not in charge.oxides or oxide in charge.set_aside or oxide in ("LOI", "free_CaO", "moisture", "glass"):
            continue
        parts = atoms(formula)
        if not sigma or not set(parts) <= set(ELEMENTS):
            continue
        content = float(charge.oxides[oxide][i])
        change = np.maximum(content + sigma * rng.standard_normal(draws), 0.0) - content
        for element, n in parts.items():
            out[:, ELEMENTS.index(element)] += n * change * 10.0 / molar_mass(formula)
    return out
