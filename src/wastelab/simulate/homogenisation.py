"""Blending beyond the mean: how far beds and silos even out a heap that varies along its tonnage.

A measured series gives a variogram (nugget + exponential); the variance of what is reclaimed from a chevron or
windrow bed, or leaves a mixed silo, follows exactly from it. Segregation by size within the bed is not modelled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..chemistry.composition import Composition
from ..chemistry.material import Material
from ..errors import UnknownNameError, ValidityError, suggest
from ..provenance import Evidence, Source
from ._indicator import FloatArray, array_within, dataset
from .variability import Variability, empirical_variogram, fit_variability

if TYPE_CHECKING:
    import xarray as xr

BED = Source(
    "variance of the mean of layers of a stationary series with nugget and exponential covariance, derived here",
    Evidence.COMPUTED,
)  # fmt: skip
SILO = Source("ideally mixed vessel as a first-order filter of a stationary series, derived here", Evidence.COMPUTED)
_GEOMETRY = Source("geometry of a ridge pile with conical ends", Evidence.COMPUTED)
TRAVEL = ("both_ways", "one_way")


def layers_of_bed(bed_mass: float, throughput: float, length: float, speed: float) -> float:
    """Number of layers a stacker lays.

    Parameters
    ----------
    bed_mass : float
        [t]
    throughput : float
        Stacking rate [t/h].
    length : float
        Travel of the stacker [m].
    speed : float
        Travelling speed [m/min].

    Returns
    -------
    float
        Bed mass over mass of one pass.
    """
    m, q, s, v = (
        float(array_within(value, 0, 1e9, name, units, inclusive=False))
        for value, name, units in (
            (bed_mass, "bed_mass", "t"), (throughput, "throughput", "t/h"), (length, "length", "m"),
            (speed, "speed", "m/min"),
        )
    )  # fmt: skip
    layers = m / (q * s / (60.0 * v))
    if layers < 1:
        raise ValidityError(f"the stacker does not finish one pass over the bed ({layers:.2g} layers).")
    return layers


def ridge_pile(length: float, height: float, repose: float, *, bulk_density: float) -> xr.Dataset:
    """Mass of a ridge pile and of its conical ends, where a reclaimer meets fewer layers.

    Parameters
    ----------
    length : float
        Length of the ridge, travel of the stacker [m].
    height : float
        [m]
    repose : float
        Angle of repose [deg].
    bulk_density : float
        [t/m3]

    Returns
    -------
    xarray.Dataset, dim "place"
        ``mass`` [t] in all, ``end_share`` [1] in both ends; ``layers_cut`` (place) [1], share of the layers of a
        chevron bed that a slice meets at the distance ``place`` beyond the ridge, as a share of the end's length.

    Notes
    -----
    After the share f of the layers the end reaches sqrt(f) of its final length, so a slice at x meets 1 - x^2 of
    them. Remedy in practice: shift the turning points, or put the ends back on the next bed.
    """
    s, h, angle, rho = (
        float(array_within(value, low, high, name, units, inclusive=False))
        for value, low, high, name, units in (
            (length, 0, 2000, "length", "m"), (height, 0, 60, "height", "m"), (repose, 5, 60, "repose", "deg"),
            (bulk_density, 0.1, 5, "bulk_density", "t/m3"),
        )
    )  # fmt: skip
    half = h / math.tan(math.radians(angle))
    ridge, cone = half * h * s, math.pi * half**2 * h / 3.0
    place = np.linspace(0.0, 1.0, 11)
    return dataset(
        "Ridge pile",
        {
            "mass": ((), (ridge + cone) * rho, "t", "of the pile"),
            "end_share": ((), cone / (ridge + cone), "1", "mass in both conical ends"),
            "layers_cut": (("place",), 1.0 - place**2, "1", "share of layers met"),
        },
        [_GEOMETRY], coords={"place": ("place", place, {"units": "1"})}, inputs=[s, h, angle, rho],
    )  # fmt: skip


def bed_blending(
    heap: Variability,
    *,
    bed_mass: float,
    layers: int,
    slice_mass: float,
    travel: str = "both_ways",
    places: int = 25,
) -> xr.Dataset:
    """Spread of what is reclaimed from a chevron, windrow or strata bed cut across all layers.

    Parameters
    ----------
    heap : Variability
    bed_mass : float
        [t]
    layers : int
        Number of layers, of equal mass.
    slice_mass : float
        Mass over which the reclaimed material is averaged [t] (a cut of the reclaimer, or what the mill holds).
    travel : {"both_ways", "one_way"}
        Whether the stacker lays going and coming (layers near a turning point follow each other at once) or only one
        way.
    places : int
        Places along the bed over which the variance is averaged.

    Returns
    -------
    xarray.Dataset, dim "place"
        In the unit of the property: ``sigma_in`` of increments, ``sigma_slice_in`` of the same mass unblended,
        ``sigma_within`` a bed (at most; ``sigma_within_least`` if the nugget is even inside increments),
        ``sigma_between`` beds, ``sigma_out`` in all, ``sigma_at`` (place). ``efficiency`` [1] = sigma_in/sigma_within,
        ``efficiency_independent`` [1] = sqrt(layers), what independent layers would give.

    Raises
    ------
    ValidityError
        If a slice is more than the bed, or takes more of a layer than half of it.

    Notes
    -----
    A slice at place u (share of the length) holds, of layer k, a stretch of slice_mass/layers from the series; its
    variance is the mean covariance over all pairs of layers, exact for the fitted model. Within-bed variance is that
    minus the variance of the bed mean. All layers weigh the same in chevron, windrow and strata: the three differ by
    segregation, which this does not see, so windrow does better than chevron for coarse material. Ends of the bed are
    left out (`ridge_pile`). A bed never reduces the between-bed spread: only larger beds do.
    """
    n = int(array_within(layers, 1, 100_000, "layers", "1"))
    total = float(array_within(bed_mass, 0, 1e8, "bed_mass", "t", inclusive=False))
    cut = float(array_within(slice_mass, 0, total, "slice_mass", "t", inclusive=False))
    if travel not in TRAVEL:
        raise UnknownNameError(f"travel {travel!r} is not one of {', '.join(TRAVEL)}.{suggest(travel, TRAVEL)}")
    count = int(array_within(places, 1, 1000, "places", "1"))
    layer = total / n
    piece = cut / n
    if piece > 0.5 * layer:
        raise ValidityError(f"slice_mass = {cut:g} t is more than half the bed of {total:g} t; a slice is a thin cut.")
    start = (np.arange(count) + 0.5) / count * (layer - piece)
    variance, least = (
        np.array([_slice_variance(heap, n, layer, piece, u, travel, fine) for u in start])
        for fine in ("white", "block")
    )
    between = float(heap.covariance(0.0, total))
    out = float(variance.mean())
    within = math.sqrt(max(out - between, 0.0))
    within_least = math.sqrt(max(float(least.mean()) - float(heap.covariance(0.0, total, fine="block")), 0.0))
    sigma_in = heap.sigma
    warnings = list(heap.warnings)
    if within > 1.2 * within_least + 1e-12:
        warnings.append(
            f"a slice takes {piece:.3g} t of a layer, less than an increment ({heap.increment:g} t): sigma_within lies "
            f"between {within_least:.3g} and {within:.3g}; sample finer increments to know."
        )
    if heap.range_t > 0.5 * total:
        warnings.append(
            "the heap varies over longer tonnages than a bed: beds will differ, blending within cannot help."
        )
    with np.errstate(divide="ignore"):
        efficiency = sigma_in / within if within > 0 else np.inf
    return dataset(
        "Blending bed",
        {
            "sigma_in": ((), sigma_in, heap.unit, "spread of increments of the heap"),
            "sigma_slice_in": ((), math.sqrt(float(heap.covariance(0.0, cut))), heap.unit, "same mass, unblended"),
            "sigma_within": ((), within, heap.unit, "spread of slices within a bed, at most"),
            "sigma_within_least": ((), within_least, heap.unit, "the same if increments are even inside"),
            "sigma_between": ((), math.sqrt(between), heap.unit, "spread of the means of beds"),
            "sigma_out": ((), math.sqrt(out), heap.unit, "spread of slices over many beds"),
            "efficiency": ((), efficiency, "1", "sigma_in/sigma_within"),
            "efficiency_independent": ((), math.sqrt(n), "1", "if layers were independent"),
            "sigma_at": (("place",), np.sqrt(variance), heap.unit, "spread of slices at a place of the bed"),
        },
        [BED, heap.source],
        coords={"place": ("place", (start + piece / 2) / layer, {"units": "1"})},
        assumptions=(
            "stationary series", "layers of equal mass, full-face reclaiming", "no segregation", "ends left out",
            "analysis error is not in the spread",
        ),
        warnings=warnings,
        inputs=[heap.nugget, heap.sill, heap.range_t, heap.increment, total, float(n), cut, travel],
    )  # fmt: skip


def _slice_variance(
    heap: Variability, n: int, layer: float, piece: float, start: float, travel: str, fine: str
) -> float:
    def cov(lag: ArrayLike) -> FloatArray:
        return heap.covariance(lag, piece, fine=fine)

    own = float(cov(0.0))
    j = np.arange(1, n)
    if travel == "one_way":
        total = n * own + 2.0 * float(((n - j) * cov(j * layer)).sum())
        return total / n**2
    back = layer - piece - start  # start of the stretch within a layer laid on the way back
    even, odd = j[j % 2 == 0], j[j % 2 == 1]
    total = n * own + 2.0 * float(((n - even) * cov(even * layer)).sum())
    there_back = np.ceil((n - odd) / 2)  # pairs whose first layer was laid on the way there
    back_there = np.floor((n - odd) / 2)
    total += 2.0 * float((there_back * cov(odd * layer + back - start)).sum())
    total += 2.0 * float((back_there * cov(odd * layer + start - back)).sum())
    return total / n**2


def mixing_silo(heap: Variability, *, active_mass: float, stages: int = 1) -> xr.Dataset:
    """Spread of what leaves one or several continuously mixed silos.

    Parameters
    ----------
    heap : Variability
        Of the material that enters.
    active_mass : float
        Mass that takes part in mixing, in all stages [t]; less than the content of a real silo: from a tracer test.
    stages : int
        Equal ideally mixed vessels in series, 1 to 5.

    Returns
    -------
    xarray.Dataset
        ``sigma_in``, ``sigma_out`` [its unit], ``efficiency`` [1].

    Notes
    -----
    A mixed vessel of mass V is a first-order filter: of a covariance sill exp(-h/a) it leaves sill a/(a + V), of a
    nugget on increments m it leaves nugget m/(2 V). Several stages by integration of the filter.
    """
    v = float(array_within(active_mass, 0, 1e7, "active_mass", "t", inclusive=False))
    k = int(array_within(stages, 1, 5, "stages", "1"))
    vessel, a = v / k, heap.range_t
    if k == 1:
        kept, white = a / (a + vessel), 1.0 / (2.0 * vessel)
    else:
        # h is a gamma density of order k; its autocorrelation R: kept = 2 integral of R exp(-x/a), white = R(0)
        kept, white = _stages(k, vessel, a)
    variance = heap.sill * kept + heap.nugget * min(heap.increment * white, 1.0)
    warnings = list(heap.warnings)
    if vessel < heap.increment:
        warnings.append("a vessel holds less than an increment: the nugget is taken as unmixed at most.")
    return dataset(
        "Mixing silo",
        {
            "sigma_in": ((), heap.sigma, heap.unit, "spread of increments that enter"),
            "sigma_out": ((), math.sqrt(variance), heap.unit, "spread of what leaves"),
            "efficiency": ((), heap.sigma / math.sqrt(variance), "1", "sigma_in/sigma_out"),
        },
        [SILO, heap.source], assumptions=("ideal mixing of the active mass", "steady flow"), warnings=warnings,
        inputs=[heap.nugget, heap.sill, heap.range_t, heap.increment, v, float(k)],
    )  # fmt: skip


def _stages(k: int, vessel: float, reach: float) -> tuple[float, float]:
    """Share of an exponential covariance, and white-noise factor, that k mixed vessels in series let through."""
    # R(x) = exp(-x/V)/V sum_j c_j (x/V)^j with c_j = C(2k-2-j, k-1) 2^j / (j! 2^(2k-1))
    r = vessel / reach
    kept = 0.0
    for j in range(k):
        c = math.comb(2 * k - 2 - j, k - 1) * 2.0**j / (math.factorial(j) * 2.0 ** (2 * k - 1))
        kept += 2.0 * c * math.factorial(j) / (1.0 + r) ** (j + 1)
    return kept, math.comb(2 * k - 2, k - 1) / 2.0 ** (2 * k - 1) / vessel


def homogenised(
    material: Material,
    reduction: float | Mapping[str, float] | xr.Dataset,
    *,
    analysis: Mapping[str, float] | None = None,
    note: str = "",
) -> Material:
    """The material with the spread it has after blending.

    Parameters
    ----------
    material : Material
        Its standard uncertainties are taken as the spread of the heap.
    reduction : float, mapping of str to float, or xarray.Dataset
        sigma_out/sigma_in: one for all components, one each, or a result of `bed_blending` (sigma_out, between beds
        included) or `mixing_silo`.
    analysis : mapping of str to float, optional
        Part of a component's standard uncertainty that is analysis, not heap [its unit]: it stays.
    note : str
        Added to the note of the material.

    Returns
    -------
    Material
        Means unchanged; standard uncertainties reduced; ranges (low, high) of the source are dropped where reduced,
        for they were those of the heap.

    Raises
    ------
    ValidityError
        For a reduction outside 0 to 1, or an analysis part larger than the uncertainty.
    UnknownNameError
        If a named component has no uncertainty.
    """
    known = material.sigma()
    given: Any = reduction
    if hasattr(given, "data_vars"):
        given = float(given["sigma_out"]) / float(given["sigma_in"])
    factors: dict[str, float] = (
        {str(k): float(v) for k, v in given.items()}
        if isinstance(given, Mapping)
        else dict.fromkeys(known, float(given))
    )
    floor = dict(analysis or {})
    for name in [*factors, *floor]:
        if name not in known:
            raise UnknownNameError(
                f"{material.id}: {name!r} has no standard uncertainty that blending could reduce.{suggest(name, known)}"
            )
    new = {}
    for name, factor in factors.items():
        array_within(factor, 0.0, 1.0, f"reduction of {name}", "1")
        own = floor.get(name, 0.0)
        if not 0 <= own <= known[name]:
            raise ValidityError(
                f"{material.id}: analysis part {own:g} of {name} is more than its uncertainty {known[name]:g}."
            )
        new[name] = math.sqrt(own**2 + (known[name] ** 2 - own**2) * factor**2)
    quantities = {
        k: replace(q, sigma=new[k], low=None, high=None) if k in new else q for k, q in material.quantities.items()
    }
    c = material.composition
    said = "; ".join(f"{k} {known[k]:.3g} -> {new[k]:.3g}" for k in sorted(new))
    text = f"spread after blending (sigma): {said}" + (f" ({note})" if note else "")
    return replace(
        material,
        id=f"{material.id}+blended",
        composition=Composition(
            c.contents, c.basis, {**c.sigma, **{k: v for k, v in new.items() if k in c.sigma}}, c.lod, c.moisture,
            c.moisture_sigma,
        ),
        quantities=quantities,
        note="\n".join(t for t in (material.note, text) if t),
    )  # fmt: skip


__all__ = [
    "TRAVEL",
    "Variability",
    "bed_blending",
    "empirical_variogram",
    "fit_variability",
    "homogenised",
    "layers_of_bed",
    "mixing_silo",
    "ridge_pile",
]
