"""Blending of dry materials: mass is conserved, loss on ignition is carried, unknown stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..chemistry.composition import Composition
from ..chemistry.material import Material, unit_of
from ..chemistry.quantity import Quantity
from ..errors import CompositionError, FractionSumError, MissingDataError
from ..provenance import Source, weakest

if TYPE_CHECKING:
    import xarray as xr

FloatArray = NDArray[np.float64]

#: Components that do not mix by mass.
NOT_ADDITIVE = frozenset({"density", "blaine", "bet", "d50", "glass", "moisture", "price"})


def blend(mix: Mapping[Material, float], *, name: str = "blend", weighing_sigma: float = 0.0) -> Material:
    """The material that results from mixing dry materials.

    Parameters
    ----------
    mix : mapping of Material to float
        Dry mass fraction of each material [kg/kg]. They sum to 1.
    name : str
        Name of the result.
    weighing_sigma : float
        Standard uncertainty of each fraction, relative to it [kg/kg per kg/kg].

    Returns
    -------
    Material
        kind ``"blend"``; contents are mass-weighted means, standard uncertainties propagated linearly
        (materials independent). A component that any material present lacks is absent.

    Raises
    ------
    FractionSumError
        If the fractions are negative or do not sum to 1 within 1e-9.
    """
    materials, x = list(mix), np.array(list(mix.values()), dtype=np.float64)
    check_fractions(x[None, :])
    present = [(m, f) for m, f in zip(materials, x, strict=True) if f > 0]
    tables = [m.components() for m, _ in present]
    spreads = [m.sigma() for m, _ in present]
    names = [n for n in tables[0] if all(n in t for t in tables) and n not in NOT_ADDITIVE and n != "mass"]
    level = weakest(m.evidence for m, _ in present)
    source = Source("mass balance of " + ", ".join(f"{100 * f:g} % {m.id}" for m, f in present), level)
    contents, sigma, quantities = {}, {}, {}
    for component in names:
        value = sum(f * t[component] for (_, f), t in zip(present, tables, strict=True))
        variance = sum((f * s.get(component, 0.0)) ** 2 for (_, f), s in zip(present, spreads, strict=True))
        if weighing_sigma:
            variance += sum(
                (weighing_sigma * f * (t[component] - value)) ** 2 for (_, f), t in zip(present, tables, strict=True)
            )
        spread = float(np.sqrt(variance))
        if all(component in m.composition for m, _ in present):
            contents[component] = float(value)
            if spread:
                sigma[component] = spread
        else:
            quantities[component] = Quantity(float(value), unit_of(component), source, spread or None)
    wet = _blend_moisture(present)
    if wet is not None:
        quantities["moisture"] = Quantity(wet, "wt%", source)
    return Material(
        id=name,
        name=name,
        waste_class=_class_of(present),
        kind="blend",
        composition=Composition(contents, "dry", sigma, {}, wet),
        quantities=quantities,
        oxide_sources=dict.fromkeys(contents, source),
        note=source.text,
        phases=_blend_phases(present, source),
    )


def _blend_phases(present: Sequence[tuple[Material, float]], source: Source) -> dict[str, Quantity]:
    """Mineral phases of the blend, if those of every material present are known; one not listed counts as absent."""
    if not all(m.phases for m, _ in present):
        return {}
    out = {}
    for name in dict.fromkeys(n for m, _ in present for n in m.phases):
        held = [(f, m.phases[name]) for m, f in present if name in m.phases]
        value = sum(f * q.value for f, q in held)
        variance = sum((f * (q.sigma or 0.0)) ** 2 for f, q in held)
        out[name] = Quantity(float(value), "wt%", source, float(np.sqrt(variance)) or None)
    return out


def blend_table(fractions: ArrayLike, composition: xr.DataArray) -> xr.DataArray:
    """Compositions of many mixes of dry materials at once.

    Parameters
    ----------
    fractions : array_like, shape (n_mixes, n_materials)
        Dry mass fraction of each material in each mix [kg/kg]. Rows sum to 1.
    composition : xarray.DataArray, dims ("material", "oxide")
        Oxide content of each material, dry basis [wt%]; NaN where not measured.

    Returns
    -------
    xarray.DataArray, dims ("mix", "oxide")
        Oxide content of each mix, dry basis [wt%]; NaN where a material present lacks the oxide.

    Raises
    ------
    FractionSumError
        If a row does not sum to 1 within 1e-9; names the first such row.
    CompositionError
        If the dimensions do not fit.

    Notes
    -----
    Mass is conserved: loss on ignition is carried as a component and is not normalised away.
    """
    import xarray as xr

    x = np.asarray(fractions, dtype=np.float64)
    if x.ndim == 1:
        x = x[None, :]
    if tuple(composition.dims) != ("material", "oxide") or x.shape[1] != composition.sizes["material"]:
        raise CompositionError(
            f"fractions {x.shape} do not fit a composition with dims {composition.dims} {composition.shape}; "
            "expected (n_mixes, n_materials) and ('material', 'oxide')."
        )
    check_fractions(x)
    values = composition.values.astype(np.float64)
    lacking = np.isnan(values)
    out = x @ np.where(lacking, 0.0, values)
    out[((x > 0).astype(float) @ lacking.astype(float)) > 0] = np.nan
    return xr.DataArray(
        out,
        dims=("mix", "oxide"),
        coords={"oxide": composition["oxide"].values},
        attrs={"units": "wt%", "basis": "dry", "long_name": "oxide content of the mix"},
    )


def blend_monte_carlo(
    mix: Mapping[Material, float], *, draws: int = 10_000, seed: int, weighing_sigma: float = 0.0
) -> dict[str, FloatArray]:
    """Drawn compositions of a blend: every component of every material varies normally, independently.

    Parameters
    ----------
    mix : mapping of Material to float
    draws : int
    seed : int
    weighing_sigma : float
        As in `blend`; drawn fractions are brought back to a sum of 1.

    Returns
    -------
    dict of str to ndarray, shape (draws,)
    """
    materials, x = list(mix), np.array(list(mix.values()), dtype=np.float64)
    check_fractions(x[None, :])
    rng = np.random.default_rng(seed)
    shares = np.broadcast_to(x, (draws, len(x)))
    if weighing_sigma:
        shares = shares * (1.0 + weighing_sigma * rng.standard_normal((draws, len(x))))
        shares = shares / shares.sum(axis=1, keepdims=True)
    present = [i for i, f in enumerate(x) if f > 0]
    tables = [materials[i].components() for i in present]
    spreads = [materials[i].sigma() for i in present]
    out: dict[str, FloatArray] = {}
    for name in tables[0]:
        if name in NOT_ADDITIVE or name == "mass" or not all(name in t for t in tables):
            continue
        total = np.zeros(draws)
        for column, table, spread in zip(present, tables, spreads, strict=True):
            s = spread.get(name, 0.0)
            drawn = table[name] + s * rng.standard_normal(draws) if s else table[name]
            total = total + shares[:, column] * drawn
        out[name] = total
    return out


def dry_fractions(wet: Mapping[Material, float]) -> dict[Material, float]:
    """Dry mass fractions from proportions weighed as received.

    Raises
    ------
    MissingDataError
        If the moisture of a material is not known.
    """
    dry = {}
    for m, share in wet.items():
        if "moisture" not in m.quantities:
            raise MissingDataError(f"{m.id}: moisture is not known; measure it (105 degC).")
        dry[m] = share * (1.0 - m.quantities["moisture"].value / 100.0)
    total = sum(dry.values())
    return {m: share / total for m, share in dry.items()}


def wet_fractions(dry: Mapping[Material, float]) -> dict[Material, float]:
    """Proportions to weigh as received from dry mass fractions; the inverse of `dry_fractions`."""
    wet = {}
    for m, share in dry.items():
        if "moisture" not in m.quantities:
            raise MissingDataError(f"{m.id}: moisture is not known; measure it (105 degC).")
        wet[m] = share / (1.0 - m.quantities["moisture"].value / 100.0)
    total = sum(wet.values())
    return {m: share / total for m, share in wet.items()}


def check_fractions(x: FloatArray) -> None:
    """Raise `FractionSumError` for the first row with a negative fraction or a sum other than 1."""
    negative = np.argwhere(x < 0)
    if len(negative):
        i, j = negative[0]
        raise FractionSumError(f"Mix {i}: fraction {j} is {x[i, j]:g}; a share cannot be negative.")
    bad = np.flatnonzero(~(np.abs(x.sum(axis=1) - 1.0) <= 1e-9))
    if len(bad):
        raise FractionSumError(f"Mix {bad[0]}: the fractions sum to {x[bad[0]].sum():.9g}, expected 1.")


def _class_of(present: Sequence[tuple[Material, float]]) -> str:
    classes = {m.waste_class for m, _ in present}
    return classes.pop() if len(classes) == 1 else "raw"


def _blend_moisture(present: Sequence[tuple[Material, float]]) -> float | None:
    ratio = 0.0
    for m, f in present:
        if "moisture" not in m.quantities:
            return None
        w = m.quantities["moisture"].value
        ratio += f * w / (100.0 - w)
    return 100.0 * ratio / (1.0 + ratio)


__all__ = [
    "blend",
    "blend_monte_carlo",
    "blend_table",
    "check_fractions",
    "dry_fractions",
    "wet_fractions",
]
