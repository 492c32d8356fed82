"""Ternary phase diagrams: which phases stand together over a triangle of oxides, at one temperature in one gas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...chemistry.formulas import atoms, molar_mass
from ...errors import CompositionError, ValidityError
from ...reference.thermochemistry import Thermochemistry
from ...units import parse
from ..atmosphere import Atmosphere
from ..charge import ELEMENTS
from .notices import melt_fallback, melt_texts
from .system import PhaseTable, System

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Mass fraction of the solid from which a phase belongs to an assemblage [kg/kg].
PRESENT = 1e-4
FINEST = 0.1


def phase_diagram(
    corners: Sequence[str] = ("CaO", "SiO2", "Al2O3"),
    temperature: str = "1250 degC",
    atmosphere: Atmosphere | str | Mapping[str, str | float] | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
    step: str = "1 %",
    phases: Thermochemistry | str | Path | Sequence[str | Path] | None = None,
    suppress: Iterable[str] | str = (),
    allow: Iterable[str] | str = (),
    solutions: bool | Iterable[str] = True,
    sulfur: str = "leave",
) -> xr.Dataset:
    """Assemblages over the triangle of three oxides.

    Parameters
    ----------
    corners : sequence of three str
        Oxides at the corners: left, right, top.
    temperature : str
        With unit.
    atmosphere : Atmosphere, str or mapping, optional
        Furnace gas, air by default.
    fixed : mapping of str to float, optional
        Further oxides, the same everywhere [wt% of the ignited mix]; the corners share the rest.
    step : str
        Distance of the points along an edge, 0.1 to 20 %.
    phases, suppress, allow, solutions, sulfur
        See `equilibrium`.

    Returns
    -------
    xarray.Dataset
        Over point: `part` (point, corner) [wt% of the three], `assemblage` (point) as a number into the coordinate
        `field`, `mineral_fraction` (point, mineral) [kg/kg of the solid]; `compound` lists the phases that lie in the
        triangle.

    Raises
    ------
    CompositionError, UnitError, UnknownNameError, ValidityError

    Notes
    -----
    The pseudo-phases of solid solutions are used as they are, so that their fields have straight pieces for edges.
    No melt: above about 1600 K it is a subsolidus diagram continued, not a liquidus diagram.
    """
    import xarray as xr

    from .api import temperatures, thermo_of

    names = tuple(corners)
    extra = {k: float(v) for k, v in (fixed or {}).items()}
    if len(names) != 3 or len(set(names)) != 3:
        raise CompositionError(f"corners = {list(names)}: expected three different oxides, ('CaO', 'SiO2', 'Al2O3').")
    for oxide in (*names, *extra):
        if not set(atoms(oxide)) <= set(ELEMENTS):
            raise CompositionError(f"{oxide}: no thermochemical data cover it; elements are {', '.join(ELEMENTS)}.")
        if oxide in names and oxide in extra:
            raise CompositionError(f"{oxide} is a corner and fixed as well.")
    rest = 100.0 - sum(extra.values())
    if not all(np.isfinite(v) and v >= 0 for v in extra.values()) or not rest > 0:
        raise CompositionError(f"fixed = {extra}: expected contents of 0 wt% or more that leave something of 100 wt%.")
    width = 100.0 * parse(step, "kg/kg", what="step")
    if not FINEST <= width <= 20:
        raise ValidityError(f"step = {step!r} is outside {FINEST:g} to 20 %.")
    t, single = temperatures(temperature)
    if not single:
        raise ValidityError("a phase diagram is drawn at one temperature; call it once for each.")
    system = System.build(
        thermo_of(phases), atmosphere, suppress=suppress, allow=allow, solutions=solutions, sulfur=sulfur
    )
    table = system.table(float(t[0]))
    parts = lattice(round(100.0 / width))
    element = np.array([[10.0 / molar_mass(o) * atoms(o).get(e, 0.0) for e in ELEMENTS] for o in (*names, *extra)])
    content = np.hstack([parts * rest, np.broadcast_to(list(extra.values()), (len(parts), len(extra)))])
    minerals = tuple(system.minerals)
    mass, solid, _ = table.mineral_mass(content @ element, minerals)
    share = mass / np.where(solid > 0, solid, 1.0)[:, None]
    there = share > PRESENT
    used = np.flatnonzero(there.any(axis=0))
    patterns, number = np.unique(there[:, used], axis=0, return_inverse=True)
    labels = [" + ".join(minerals[used[j]] for j in np.flatnonzero(p)) for p in patterns]
    order = np.argsort([-int((number == k).sum()) for k in range(len(labels))], kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    always = [minerals[j] for j in used if there[:, j].all()]
    compounds = _compounds(system, names, extra, share, minerals, used)
    warnings = _melting(table, content @ element, solid)
    ds = xr.Dataset(
        {
            "part": (("point", "corner"), 100.0 * parts),
            "assemblage": (("point",), rank[number.ravel()].astype(np.int64)),
            "mineral_fraction": (("point", "mineral"), share[:, used]),
            "compound_part": (("compound", "corner"), np.array(list(compounds.values())).reshape(-1, 3)),
        },
        coords={
            "corner": list(names), "mineral": [minerals[j] for j in used], "field": [labels[k] for k in order],
            "compound": list(compounds),
        },
        attrs={
            "title": f"phases of {'-'.join(names)} at {t[0] - 273.15:g} degC",
            "temperature_degC": float(t[0] - 273.15),
            "fixed": json.dumps(extra),
            "everywhere": json.dumps(always),
            "step_percent": width,
            "atmosphere": json.dumps(dict(system.atmosphere.pressures)) if system.atmosphere is not None else "",
            "suppressed": json.dumps(dict(system.suppressed), ensure_ascii=False),
            "warnings": "\n".join(warnings),
        },
    )  # fmt: skip
    for name, units, text in (
        ("part", "wt%", "share of each corner in the three"),
        ("assemblage", "1", "number of the field, by area"),
        ("mineral_fraction", "kg/kg", "mass per mass of solid"),
        ("compound_part", "wt%", "where the composition of a compound lies in the triangle"),
    ):
        ds[name].attrs.update(units=units, long_name=text)
    return ds


def _melting(table: PhaseTable, amount: FloatArray, solid: FloatArray) -> list[str]:
    """Where the triangle is molten, as far as the table of melting points knows."""
    thermo = table.system.thermo
    mass = table.set_mass(amount) / np.where(solid > 0, solid, 1.0)[:, None]
    share = {p: mass[:, [k]] for k, p in enumerate(thermo.names) if mass[:, k].any()}
    kelvins = np.array([table.temperature_K])
    return [w.replace("mixes", "points") for w in melt_texts(share, kelvins)] + melt_fallback(share, kelvins)


def lattice(n: int) -> FloatArray:
    """Points of the triangle with parts in steps of 1/n, shape ((n+1)(n+2)/2, 3)."""
    first, second = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    keep = first + second <= n
    a, b = first[keep], second[keep]
    return np.column_stack([a, b, n - a - b]) / n


def _compounds(
    system: System, names: tuple[str, ...], extra: Mapping[str, float], share: FloatArray, minerals: tuple[str, ...],
    used: NDArray[Any],
) -> dict[str, list[float]]:  # fmt: skip
    """Minerals that appear and are made of the corner oxides alone, with their place in the triangle [wt%]."""
    basis = np.array([[atoms(o).get(e, 0.0) for e in ELEMENTS] for o in names])
    mass = np.array([molar_mass(o) for o in names])
    out: dict[str, list[float]] = {}
    for j in used:
        phase = system.minerals[minerals[j]][0]
        ends = {x.name: x.phases for x in system.solutions}.get(phase, (phase,))
        for end in ends:
            target = np.array([system.thermo[end].elements.get(e, 0.0) for e in ELEMENTS])
            moles, *_ = np.linalg.lstsq(basis.T, target, rcond=None)
            if np.abs(moles @ basis - target).max() < 1e-9 and (moles > -1e-9).all():
                parts = np.maximum(moles, 0) * mass
                out[minerals[j]] = (100.0 * parts / parts.sum()).tolist()
    return out
