"""Fineness of ground mixtures: combined size distribution and surface, Rosin-Rammler fits, comminution energy.

What adds up does (mass in classes, surface by mass). What grinding several materials together does to each of them
does not: the softer shields or coats the harder; that is unknown without trials and never computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import MissingDataError, ValidityError
from ..provenance import Evidence, Source
from ._indicator import FloatArray, array_within, dataset
from .blending import check_fractions
from .particle_size import ParticleSizes, as_sizes, common_edges

if TYPE_CHECKING:
    import xarray as xr

ADDITIVE = Source("mass and surface balance of separately ground parts", Evidence.COMPUTED)
BOND = Source(
    "F. C. Bond, The third theory of comminution, Trans. AIME 193 (1952) 484-494, as quoted in engineering guides",
    Evidence.SECONDARY,
)  # fmt: skip
_WALKER = Source(
    "general form dE = -C dx/x^n (Walker et al. 1937): Rittinger n = 2, Bond n = 1.5, Kick n = 1; integrated here",
    Evidence.COMPUTED,
)  # fmt: skip
_RRSB = Source(
    "P. Rosin & E. Rammler, J. Inst. Fuel 7 (1933) 29-36; least squares here", Evidence.COMPUTED, edition="1933"
)
_SURFACE = Source("surface of equidimensional grains, 6 f/(density x size), integrated over classes", Evidence.COMPUTED)
_SEPARATE = "parts ground separately; grinding together (inter-grinding) gives other distributions: unknown, measure"
#: Exponents of the laws of comminution.
LAWS = {"rittinger": 2.0, "bond": 1.5, "kick": 1.0}


def combine_sizes(parts: Sequence[Any], fractions: ArrayLike, *, densities: ArrayLike | None = None) -> ParticleSizes:
    """Size distribution of a mix of separately ground parts.

    Parameters
    ----------
    parts : sequence
        Distributions (see `as_sizes`), by volume.
    fractions : array_like
        Dry mass fraction of each part; they sum to 1.
    densities : array_like, optional
        Grain density of each part [g/cm3 or any one unit]; without, all are taken as equal.

    Returns
    -------
    ParticleSizes
        By volume of the mix.
    """
    if isinstance(parts, str) or not isinstance(parts, Sequence):
        raise ValidityError(f"parts = {parts!r}: expected a list of size distributions.")
    sizes = [as_sizes(p) for p in parts]
    x = _numbers(fractions, "fractions", "kg/kg")
    if x.shape != (len(sizes),):
        raise ValidityError(f"{len(sizes)} distributions and fractions of shape {x.shape}; give one fraction each.")
    check_fractions(x[None, :])
    volume = x / _densities(densities, len(sizes))
    volume = volume / volume.sum()
    edges = np.unique(np.concatenate([s.edges for s in sizes]))
    share = sum((v * np.diff(s.finer(edges)) for v, s in zip(volume, sizes, strict=True)), np.zeros(len(edges) - 1))
    return ParticleSizes(edges, share)


def combine_surface(surfaces: ArrayLike, fractions: ArrayLike, *, sigma: ArrayLike | None = None) -> xr.Dataset:
    """Specific surface of mixes of separately ground parts.

    Parameters
    ----------
    surfaces : array_like, shape (n_parts,)
        Specific surface of each part, all by one method [m2/kg].
    fractions : array_like, shape (n_mixes, n_parts) or (n_parts,)
        Dry mass fractions.
    sigma : array_like, optional
        Standard uncertainty of each surface [m2/kg].

    Returns
    -------
    xarray.Dataset, dim "mix"
        ``surface``, ``sigma`` [m2/kg].

    Notes
    -----
    Surface adds by mass exactly. The Blaine test measures it through permeability, whose value for a mix of very
    unlike finenesses can deviate from the sum: check one mix.
    """
    s = np.atleast_1d(array_within(surfaces, 0, 1e5, "surfaces", "m2/kg", inclusive=False))
    x = np.atleast_2d(_numbers(fractions, "fractions", "kg/kg"))
    if x.shape[1] != len(s):
        raise ValidityError(f"{len(s)} surfaces and fractions of shape {x.shape}; give one fraction per surface.")
    check_fractions(x)
    u = np.zeros_like(s) if sigma is None else np.broadcast_to(array_within(sigma, 0, 1e5, "sigma", "m2/kg"), s.shape)
    warnings = [] if s.max() / s.min() < 3 else ["finenesses differ by more than three: Blaine of the mix may deviate."]
    return dataset(
        "Specific surface of mixes",
        {
            "surface": (("mix",), x @ s, "m2/kg", "specific surface"),
            "sigma": (("mix",), np.sqrt((x**2) @ (u**2)), "m2/kg", "standard uncertainty"),
        },
        [ADDITIVE], coords={"mix": np.arange(len(x))}, assumptions=(_SEPARATE,), warnings=warnings, inputs=[s, x, u],
    )  # fmt: skip


@dataclass(frozen=True)
class RosinRammler:
    """Fitted distribution: share coarser than x is exp(-(x/size)^n).

    Attributes
    ----------
    size : float
        Size with 36.8 % coarser [um].
    n : float
        Uniformity.
    size_sigma, n_sigma : float
        Standard errors of the fit.
    rms : float
        Root mean square deviation of the cumulative share [1].
    """

    size: float
    n: float
    size_sigma: float
    n_sigma: float
    rms: float
    source: Source = _RRSB

    def finer(self, size: ArrayLike) -> FloatArray:
        """Share finer than a size [um]."""
        return np.asarray(-np.expm1(-((np.asarray(size, dtype=np.float64) / self.size) ** self.n)))

    def sizes(self, low: float, high: float, classes: int = 100) -> ParticleSizes:
        """Classes of the fitted distribution, truncated to a range [um]."""
        if not 0 < low < high:
            raise ValidityError(f"range {low:g} to {high:g} um: expected 0 < low < high.")
        edges = np.geomspace(low, high, classes + 1)
        share = np.diff(self.finer(edges))
        return ParticleSizes(edges, share / share.sum())

    def __str__(self) -> str:
        return (
            f"x' = {self.size:.4g} ± {self.size_sigma:.2g} um, n = {self.n:.4g} ± {self.n_sigma:.2g}, "
            f"rms {100 * self.rms:.2g} %"
        )


def rosin_rammler(psd: Any, *, low: float = 0.02, high: float = 0.98) -> RosinRammler:
    """Fit Rosin, Rammler, Sperling and Bennett's distribution.

    Parameters
    ----------
    psd : see `as_sizes`
    low, high : float
        Only edges with a cumulative share between them take part: the ends of an analysis weigh too much else.

    Returns
    -------
    RosinRammler

    Raises
    ------
    MissingDataError
        If fewer than four edges lie in the range.

    Notes
    -----
    Non-linear least squares on the cumulative share, started from the straight line of ln(-ln R) over ln x.
    """
    from scipy.optimize import curve_fit

    s = as_sizes(psd)
    q = s.cumulative
    used = (q > low) & (q < high)
    if used.sum() < 4:
        raise MissingDataError(f"Rosin-Rammler: only {used.sum()} class limits between {low:g} and {high:g}; need 4.")
    x, q = s.edges[used], q[used]
    slope, start = np.polyfit(np.log(x), np.log(-np.log1p(-q)), 1)

    def model(log_x: FloatArray, log_size: float, n: float) -> FloatArray:
        return np.asarray(-np.expm1(-np.exp(np.clip(n * (log_x - log_size), -700, 50))))

    found, cov = curve_fit(model, np.log(x), q, p0=(-start / slope, slope))
    rms = float(np.sqrt(np.mean((model(np.log(x), *found) - q) ** 2)))
    size = float(np.exp(found[0]))
    return RosinRammler(size, float(found[1]), size * float(np.sqrt(cov[0, 0])), float(np.sqrt(cov[1, 1])), rms)


def surface_from_sizes(psd: Any, density: float, *, shape_factor: float = 1.0) -> xr.Dataset:
    """Specific surface of grains from their size distribution.

    Parameters
    ----------
    psd : see `as_sizes`
    density : float
        Grain density [g/cm3].
    shape_factor : float
        Surface over that of spheres of the same size; 1 for spheres, to be calibrated on a measured Blaine.

    Returns
    -------
    xarray.Dataset
        ``surface`` [m2/kg], ``d32`` [um].

    Notes
    -----
    6 f/(rho d32), with d32 from classes in which size is spread evenly over its logarithm. The finest class decides:
    a distribution that ends at 1 um has no colloidal surface. Porous grains (BET) have far more.
    """
    s = as_sizes(psd)
    rho = float(array_within(density, 0.3, 20.0, "density", "g/cm3"))
    f = float(array_within(shape_factor, 1.0, 20.0, "shape_factor", "1"))
    a, b = s.edges[:-1], s.edges[1:]
    inverse = float((s.share * (1 / a - 1 / b) / np.log(b / a)).sum())
    return dataset(
        "Specific surface from particle sizes",
        {
            "surface": ((), 6000.0 * f * inverse / rho, "m2/kg", "outer surface"),
            "d32": ((), 1.0 / inverse, "um", "Sauter mean diameter"),
        },
        [_SURFACE], assumptions=(f"shape factor {f:g}", "dense grains"), inputs=[s.edges, s.share, rho, f],
    )  # fmt: skip


def calibrate_shape(psd: Any, density: float, surface: float) -> float:
    """Shape factor that makes `surface_from_sizes` give a measured surface [m2/kg].

    Raises
    ------
    ValidityError
        If it comes out below 1: the surface or the distribution is wrong, a sphere has the least.
    """
    measured = float(array_within(surface, 1.0, 1e6, "surface", "m2/kg"))
    factor = measured / float(surface_from_sizes(psd, density)["surface"])
    if factor < 1.0 - 1e-9:
        raise ValidityError(
            f"shape factor {factor:.3g} is below 1, that of spheres: {measured:g} m2/kg is less than the sizes give. "
            "Check density, dispersion of the size analysis, or Blaine."
        )
    return factor


def bond_energy(
    work_index: ArrayLike, feed: ArrayLike, product: ArrayLike, *, fine_correction: bool = False
) -> xr.Dataset:
    """Energy of grinding by Bond's law, for a work index from a test.

    Parameters
    ----------
    work_index : array_like
        Bond work index [kWh/t], from a grindability test of this material: none is assumed.
    feed, product : array_like
        80 % passing sizes F80 and P80 [um].
    fine_correction : bool
        Multiply by (P80 + 10.3)/(1.145 P80) where P80 is below 75 um (Rowland; from memory).

    Returns
    -------
    xarray.Dataset, dim "case"
        ``energy`` [kWh/t].

    Raises
    ------
    ValidityError
        For a product coarser than the feed, F80 above 25 mm, or P80 below 15 um, where the law does not hold.

    Notes
    -----
    W = 10 Wi (1/sqrt(P80) - 1/sqrt(F80)) at the mill pinion, wet closed-circuit ball mill. Dry grinding takes about
    1.3 times as much (from memory; not applied). Below about 50 um Bond understates the energy; a warning says so.
    """
    wi, f, p = np.broadcast_arrays(
        array_within(work_index, 0.5, 60, "work_index", "kWh/t"),
        array_within(feed, 1, 25_000, "feed F80", "um"),
        array_within(product, 15, 25_000, "product P80", "um"),
    )
    wi, f, p = (np.atleast_1d(v).ravel() for v in (wi, f, p))
    if (p > f).any():
        bad = int(np.argmax(p > f))
        raise ValidityError(f"case {bad}: product P80 = {p[bad]:g} um is coarser than feed F80 = {f[bad]:g} um.")
    energy = 10.0 * wi * (1 / np.sqrt(p) - 1 / np.sqrt(f))
    sources, warnings = [BOND], []
    if fine_correction:
        energy = energy * np.where(p < 75.0, (p + 10.3) / (1.145 * p), 1.0)
        sources.append(Source("C. A. Rowland: fine-grinding factor of Bond's equation", Evidence.MEMORY))
    elif (p < 75).any():
        warnings.append("P80 below 75 um: Bond's law understates the energy; see fine_correction.")
    return dataset(
        "Grinding energy after Bond",
        {"energy": (("case",), energy, "kWh/t", "at the pinion, wet closed circuit")},
        sources, coords={"case": np.arange(len(p))}, warnings=warnings, inputs=[wi, f, p, float(fine_correction)],
    )  # fmt: skip


def comminution_energy(constant: ArrayLike, feed: ArrayLike, product: ArrayLike, *, law: str) -> xr.Dataset:
    """Energy by the general law dE = -C dx/x^n, with a constant from a test.

    Parameters
    ----------
    constant : array_like
        C [kWh/t um^(n-1)], from `comminution_constant` on a measured grind of this material in this mill.
    feed, product : array_like
        Characteristic sizes of one kind [um].
    law : {"rittinger", "bond", "kick"}

    Returns
    -------
    xarray.Dataset, dim "case"
        ``energy`` [kWh/t].
    """
    f = np.atleast_1d(array_within(feed, 0.1, 1e6, "feed", "um"))
    p = np.atleast_1d(array_within(product, 0.1, 1e6, "product", "um"))
    c = np.atleast_1d(array_within(constant, 0, 1e9, "constant", "kWh/t um^(n-1)"))
    _exponent(law)
    c, f, p = np.broadcast_arrays(c, f, p)
    if (p > f).any():
        raise ValidityError("the product is coarser than the feed.")
    return dataset(
        f"Grinding energy after {law.capitalize()}",
        {"energy": (("case",), c * _reduction(f, p, law), "kWh/t", "for the mill of the constant")},
        [_WALKER], coords={"case": np.arange(len(f))},
        assumptions=("same mill and way of grinding as the test of the constant",), inputs=[c, f, p, law],
    )  # fmt: skip


def comminution_constant(energy: float, feed: float, product: float, *, law: str) -> float:
    """Constant of `comminution_energy` from one measured grind [kWh/t um^(n-1)]."""
    e = float(array_within(energy, 0, 1e5, "energy", "kWh/t", inclusive=False))
    f, p = (float(array_within(v, 0.1, 1e6, n, "um")) for v, n in ((feed, "feed"), (product, "product")))
    if p >= f:
        raise ValidityError(f"product {p:g} um is not finer than feed {f:g} um: nothing to calibrate on.")
    return e / float(_reduction(np.array(f), np.array(p), law))


def surface_energy(constant: ArrayLike, start: ArrayLike, end: ArrayLike) -> xr.Dataset:
    """Energy to raise the specific surface, in proportion to new surface (Rittinger).

    Parameters
    ----------
    constant : array_like
        [kWh/t per m2/kg], from a measured grind: energy over gain of Blaine.
    start, end : array_like
        Blaine before and after [m2/kg].
    """
    k = array_within(constant, 0, 10, "constant", "kWh/t per m2/kg")
    a, b = array_within(start, 0, 3000, "start", "m2/kg"), array_within(end, 0, 3000, "end", "m2/kg")
    k, a, b = (np.atleast_1d(v).ravel() for v in np.broadcast_arrays(k, a, b))
    if (b < a).any():
        raise ValidityError("the surface at the end is below that at the start.")
    warnings = ["above 400 m2/kg agglomeration makes grinding dearer than proportional."] if (b > 400).any() else []
    return dataset(
        "Grinding energy by new surface",
        {"energy": (("case",), k * (b - a), "kWh/t", "for the mill of the constant")},
        [_WALKER], coords={"case": np.arange(len(a))}, warnings=warnings, inputs=[k, a, b],
    )  # fmt: skip


def mix_energy(energies: Mapping[str, float], fractions: Mapping[str, float]) -> float:
    """Energy of grinding the parts of a mix separately [kWh/t of mix].

    Raises
    ------
    MissingDataError
        If the energy of a part that is present is not known.
    ValidityError
        If an energy or fraction is not a number of 0 or more.
    """
    for what, given in (("energies", energies), ("fractions", fractions)):
        if not isinstance(given, Mapping):
            raise ValidityError(f"{what} = {given!r}: expected a number for each part, {{'slag': 0.4, ...}}.")
    x = np.array([[float(_numbers(v, f"fraction of {k}", "kg/kg")) for k, v in fractions.items()]])
    check_fractions(x)
    lacking = [k for k, v in fractions.items() if v > 0 and k not in energies]
    if lacking:
        raise MissingDataError(f"grinding energy of {', '.join(lacking)} is not known; test its grindability.")
    return float(
        sum(
            v * float(array_within(energies[k], 0, 1e5, f"energy of {k}", "kWh/t"))
            for k, v in fractions.items()
            if v > 0
        )
    )


def _reduction(feed: FloatArray, product: FloatArray, law: str) -> FloatArray:
    n = _exponent(law)
    if n == 1.0:
        return np.asarray(np.log(feed / product))
    return np.asarray((product ** (1 - n) - feed ** (1 - n)) / (n - 1))


def _exponent(law: Any) -> float:
    if not isinstance(law, str) or law not in LAWS:
        raise ValidityError(f"law {law!r} is not one of {', '.join(LAWS)}.")
    return LAWS[law]


def _numbers(values: Any, what: str, unit: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValidityError(f"{what} = {values!r}: expected numbers in {unit}.") from None


def _densities(densities: ArrayLike | None, n: int) -> FloatArray:
    if densities is None:
        return np.ones(n)
    return np.broadcast_to(array_within(densities, 0.1, 20000, "densities", "g/cm3"), (n,))


__all__ = [
    "LAWS",
    "ParticleSizes",
    "RosinRammler",
    "as_sizes",
    "bond_energy",
    "calibrate_shape",
    "combine_sizes",
    "combine_surface",
    "comminution_constant",
    "comminution_energy",
    "common_edges",
    "mix_energy",
    "rosin_rammler",
    "surface_energy",
    "surface_from_sizes",
]
