"""Packing of powders and aggregates: Dinger-Funk target curves, Furnas's ideal, de Larrard's compressible packing.

The compressible packing model turns size distributions and the measured packing of each material alone into the
packing of any mix. Dry, geometric packing: adhesion of fine powders enters only through the measured packings.
"""

from __future__ import annotations

from collections.abc import Mapping
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

DINGER_FUNK = Source(
    "D. R. Dinger & J. E. Funk, Predictive Process Control of Crowded Particulate Suspensions, Kluwer 1994",
    Evidence.MEMORY, doi="10.1007/978-1-4615-3118-0",
)  # fmt: skip
CPM = Source(
    "F. de Larrard, Concrete Mixture Proportioning, E & FN Spon 1999, ch. 1: compressible packing model; equations "
    "from memory, consistent with their limits", Evidence.MEMORY, edition="1999",
)  # fmt: skip
FURNAS = Source("filling of voids by infinitely smaller sizes (Furnas 1931), derived here", Evidence.COMPUTED)
#: Compaction index of ways of packing dry grains, from memory of de Larrard 1999.
COMPACTION = {"poured": 4.1, "rodded": 4.5, "vibrated": 4.75, "vibrated_10kPa": 9.0, "wet": 6.7}

#: Share below which a class is taken as absent: it bears nothing [m3/m3].
PRESENT = 1e-12


def dinger_funk(size: ArrayLike, smallest: float, largest: float, q: float) -> FloatArray:
    """Modified Andreasen (Dinger-Funk) curve.

    Parameters
    ----------
    size : array_like
        [um]
    smallest, largest : float
        Size range [um].
    q : float
        Distribution modulus, 0 to 1; 0.37 gives the densest packing in their simulations, 0.20 to 0.25 flows better
        (from memory).

    Returns
    -------
    ndarray
        Volume share finer [1]: (x^q - smallest^q)/(largest^q - smallest^q), logarithmic for q = 0.
    """
    if not 0 < smallest < largest:
        raise ValidityError(f"size range {smallest:g} to {largest:g} um: expected 0 < smallest < largest.")
    modulus = float(array_within(q, 0.0, 1.0, "q", "1"))
    x = np.clip(array_within(size, 0, np.inf, "size", "um"), smallest, largest)
    if modulus < 1e-9:
        return np.asarray(np.log(x / smallest) / np.log(largest / smallest))
    low = modulus * np.log(x / smallest)
    return np.asarray(np.expm1(low) / np.expm1(modulus * np.log(largest / smallest)))


def fit_to_target(
    parts: Mapping[str, Any],
    q: float,
    *,
    smallest: float | None = None,
    largest: float | None = None,
    densities: Mapping[str, float] | None = None,
    limits: Mapping[str, tuple[float, float]] | None = None,
    per_decade: int = 20,
) -> xr.Dataset:
    """Mix of materials whose size distribution comes nearest to the Dinger-Funk curve.

    Parameters
    ----------
    parts : mapping of str to distribution
        See `as_sizes`.
    q : float
        Distribution modulus of the target.
    smallest, largest : float, optional
        Range of the target [um]; by default that of the parts.
    densities : mapping of str to float, optional
        Grain densities [g/cm3]; without, mass fractions are not given.
    limits : mapping of str to (low, high), optional
        Bounds of volume fractions.
    per_decade : int
        Points of comparison per decade of size.

    Returns
    -------
    xarray.Dataset, dims ("material", "size")
        ``volume_fraction``, ``mass_fraction`` (NaN without densities), ``mix`` and ``target`` (size) [1], ``rms`` [1].

    Notes
    -----
    Least squares over points evenly spaced in the logarithm of size, fractions above zero and adding to 1. Without
    upper limits the minimum is exact (non-negative least squares on the differences to the target; Lawson & Hanson
    1974); with them it is found by sequential quadratic programming. A good fit of the curve is no measured packing:
    see `packing_of_mixes`.
    """
    names, sizes = _parts(parts)
    edges = common_edges(*sizes, per_decade=int(array_within(per_decade, 3, 500, "per_decade", "1")))
    low = edges[0] if smallest is None else smallest
    high = edges[-1] if largest is None else largest
    target = dinger_funk(edges, low, high, q)
    curves = np.stack([s.finer(edges) for s in sizes], axis=1)
    bounds = np.array([(0.0, 1.0)] * len(names))
    for name, pair in (limits or {}).items():
        if name not in names:
            raise MissingDataError(f"limits name {name!r}, which is no part; parts: {', '.join(names)}.")
        bounds[names.index(name)] = pair
    if (bounds[:, 0] < 0).any() or (bounds[:, 1] > 1).any() or (bounds[:, 0] > bounds[:, 1]).any():
        raise ValidityError("limits: each is (low, high) with 0 <= low <= high <= 1.")
    if bounds[:, 0].sum() > 1 + 1e-12 or bounds[:, 1].sum() < 1 - 1e-12:
        raise ValidityError("limits: the lower ones sum to more than 1, or the upper ones to less.")
    x = _nearest(curves - target[:, None], bounds)
    rms = float(np.sqrt(np.mean((curves @ x - target) ** 2)))
    warnings = []
    if rms > 0.05:
        warnings.append(f"the parts cannot follow the curve: rms {100 * rms:.2g} %; a size range is missing.")
    mass = np.full(len(names), np.nan)
    if densities is not None:
        rho = np.array([_density(densities, n) for n in names])
        mass = x * rho / (x * rho).sum()
    return dataset(
        "Mix nearest to the Dinger-Funk curve",
        {
            "volume_fraction": (("material",), x, "m3/m3", "of the solids"),
            "mass_fraction": (("material",), mass, "kg/kg", "dry"),
            "mix": (("size",), curves @ x, "1", "volume share finer, mix"),
            "target": (("size",), target, "1", "volume share finer, target"),
            "rms": ((), rms, "1", "root mean square deviation"),
        },
        [DINGER_FUNK],
        coords={"material": names, "size": ("size", edges, {"units": "um"})},
        assumptions=(f"q = {q:g}, range {low:g} to {high:g} um", "sizes by volume"),
        warnings=warnings, inputs=[curves, target, bounds],
    )  # fmt: skip


def furnas(densities: ArrayLike) -> xr.Dataset:
    """Densest packing of sizes so unlike that each fills the voids of the coarser ones.

    Parameters
    ----------
    densities : array_like
        Packing density of each size alone, coarsest first [m3/m3].

    Returns
    -------
    xarray.Dataset, dim "class"
        ``packing`` [m3/m3] = 1 - product of (1 - density), ``volume_fraction`` of each size in the solids.
    """
    b = np.atleast_1d(array_within(densities, 0.0, 1.0, "densities", "m3/m3", inclusive=False))
    voids = np.concatenate(([1.0], np.cumprod(1.0 - b)[:-1]))
    solid = voids * b
    return dataset(
        "Ideal packing after Furnas",
        {
            "packing": ((), solid.sum(), "m3/m3", "upper bound of packing density"),
            "volume_fraction": (("class",), solid / solid.sum(), "m3/m3", "of the solids"),
        },
        [FURNAS], coords={"class": np.arange(len(b))}, assumptions=("size ratios infinite",), inputs=[b],
    )  # fmt: skip


def loosening(ratio: ArrayLike) -> FloatArray:
    """De Larrard's loosening coefficient a for fine over coarse size: 0 no interaction, 1 equal sizes."""
    r = array_within(ratio, 0.0, 1.0, "size ratio", "1")
    return np.asarray(np.sqrt(1.0 - (1.0 - r) ** 1.02))


def wall_effect(ratio: ArrayLike) -> FloatArray:
    """De Larrard's wall coefficient b for fine over coarse size: 0 no interaction, 1 equal sizes."""
    r = array_within(ratio, 0.0, 1.0, "size ratio", "1")
    return np.asarray(1.0 - (1.0 - r) ** 1.50)


def interaction(size: ArrayLike, residual: ArrayLike) -> FloatArray:
    """Matrix L of the virtual packing density: 1/gamma_i = (1 - sum_j L_ij y_j)/beta_i.

    Parameters
    ----------
    size : array_like, shape (n,)
        Size of each class [um], any order.
    residual : array_like, shape (n,)
        Residual (virtual) packing density beta of each class [m3/m3].

    Notes
    -----
    With class i dominant: a coarser class j takes 1 - beta_i + b_ij beta_i (1 - 1/beta_j), a finer one
    1 - a_ij beta_i/beta_j. Both are 1 - beta_i/beta_j for equal sizes.
    """
    d, b = _classes(size, residual)
    with np.errstate(over="ignore"):
        fine_over_coarse = np.minimum(d[:, None], d[None, :]) / np.maximum(d[:, None], d[None, :])
    bi, bj = b[:, None], b[None, :]
    coarser = 1.0 - bi + wall_effect(fine_over_coarse) * bi * (1.0 - 1.0 / bj)
    finer = 1.0 - loosening(fine_over_coarse) * bi / bj
    out = np.where(d[None, :] > d[:, None], coarser, finer)
    np.fill_diagonal(out, 0.0)
    return np.asarray(out)


def compressible_packing(size: ArrayLike, share: ArrayLike, residual: ArrayLike, compaction: float) -> xr.Dataset:
    """Packing density of mixes of size classes (compressible packing model).

    Parameters
    ----------
    size : array_like, shape (n_classes,)
        [um], any order.
    share : array_like, shape (n_mixes, n_classes) or (n_classes,)
        Volume share of each class in the solids; rows sum to 1.
    residual : array_like, shape (n_classes,)
        Residual packing density of each class [m3/m3].
    compaction : float
        Compaction index K, see `COMPACTION`: 4.1 poured, 4.75 vibrated, 9 vibrated under 10 kPa.

    Returns
    -------
    xarray.Dataset, dim "mix"
        ``packing``, ``virtual_packing`` [m3/m3], ``dominant_size`` [um], ``void_ratio`` [m3/m3].

    Raises
    ------
    ValidityError
        For residual packing densities outside 0.1-0.95, K outside 0.5-100, shares that do not sum to 1.

    Notes
    -----
    Virtual density: the least gamma_i of the classes present (share above 1e-12). Actual density phi solves
    K = sum over i of (y_i/beta_i)/(1/phi - 1/gamma_i). The sum falls and is convex in 1/phi, so Newton's iteration
    from below the root converges monotonically. De Larrard states a mean error of 0.8 % for rounded and 1.8 % for
    crushed aggregates (read as quoted); for powders below about 50 um surface forces dominate: calibrate beta on them.

    References
    ----------
    F. de Larrard, Concrete Mixture Proportioning: A Scientific Approach, E & FN Spon, London 1999.
    """
    d, beta = _classes(size, residual)
    k = float(array_within(compaction, 0.5, 100.0, "compaction index K", "1"))
    y = np.atleast_2d(array_within(share, 0.0, 1.0, "share", "m3/m3"))
    if y.shape[1] != len(d):
        raise ValidityError(f"{len(d)} classes and shares of shape {y.shape}; give one share per class.")
    check_fractions(y)
    matrix = interaction(d, beta)
    phi, gamma, dominant = _packing(y, matrix, beta, k)
    return dataset(
        "Packing density by the compressible packing model",
        {
            "packing": (("mix",), phi, "m3/m3", "solids per bulk volume"),
            "virtual_packing": (("mix",), gamma, "m3/m3", "packing if each grain were placed best"),
            "dominant_size": (("mix",), d[dominant], "um", "class that bears the packing"),
            "void_ratio": (("mix",), 1.0 / phi - 1.0, "m3/m3", "voids per solids"),
        },
        [CPM], coords={"mix": np.arange(len(y))},
        assumptions=(f"K = {k:g}", "a = sqrt(1-(1-r)^1.02), b = 1-(1-r)^1.50", "no container wall"),
        inputs=[d, y, beta, k],
    )  # fmt: skip


def residual_packing(psd: Any, measured: float, compaction: float, *, per_decade: int = 12) -> float:
    """Residual packing density of a material whose classes all have the same, from its measured packing.

    Parameters
    ----------
    psd : see `as_sizes`
    measured : float
        Packing density of the material alone [m3/m3]: bulk over grain density, packed as `compaction` says.
    compaction : float
        Compaction index K of that packing.

    Returns
    -------
    float

    Raises
    ------
    ValidityError
        If no residual density between 0.1 and 0.95 gives it.

    Notes
    -----
    For one size it is (1 + 1/K) times the measured packing.
    """
    from scipy.optimize import brentq

    s = as_sizes(psd)
    s = s.on(common_edges(s, per_decade=per_decade)) if len(s.share) > 2 else s
    target = float(array_within(measured, 0.05, 0.95, "measured packing", "m3/m3"))
    k = float(array_within(compaction, 0.5, 100.0, "compaction index K", "1"))
    kept = s.share > 0
    y, d = s.share[None, kept], s.mid[kept]

    def miss(beta: float) -> float:
        b = np.full(len(d), beta)
        return float(_packing(y, interaction(d, b), b, k)[0][0]) - target

    if miss(0.1) > 0 or miss(0.95) < 0:
        raise ValidityError(
            f"a packing of {target:g} at K = {k:g} needs a residual packing density outside 0.1 to 0.95; check bulk "
            "and grain density."
        )
    return float(brentq(miss, 0.1, 0.95, xtol=1e-12))


def packing_of_mixes(
    parts: Mapping[str, Any],
    residual: Mapping[str, float],
    fractions: ArrayLike,
    compaction: float,
    *,
    densities: Mapping[str, float] | None = None,
    per_decade: int = 12,
) -> xr.Dataset:
    """Packing density of mixes of materials with known distributions.

    Parameters
    ----------
    parts : mapping of str to distribution
        See `as_sizes`.
    residual : mapping of str to float
        Residual packing density of each material [m3/m3], from `residual_packing`.
    fractions : array_like, shape (n_mixes, n_parts) or (n_parts,)
        Dry mass fractions, in the order of `parts`.
    compaction : float
        Compaction index K.
    densities : mapping of str to float, optional
        Grain densities [g/cm3]; without, all are taken as equal.
    per_decade : int
        Classes per decade of size; the result changes by less than the model's error beyond ten.

    Returns
    -------
    xarray.Dataset, dim "mix"
        As `compressible_packing`, with ``fraction`` (mix, material).
    """
    names, sizes = _parts(parts)
    x = np.atleast_2d(np.asarray(fractions, dtype=np.float64))
    if x.shape[1] != len(names):
        raise ValidityError(f"{len(names)} materials and fractions of shape {x.shape}; give one fraction each.")
    check_fractions(x)
    lacking = [n for n in names if n not in residual]
    if lacking:
        raise MissingDataError(
            f"residual packing density of {', '.join(lacking)} is not known; measure bulk and grain density of the "
            "material alone and use `residual_packing`."
        )
    rho = np.ones(len(names)) if densities is None else np.array([_density(densities, n) for n in names])
    volume = x / rho
    volume = volume / volume.sum(axis=1, keepdims=True)
    size, share, beta = [], [], []
    for j, s in enumerate(sizes):
        s = s.on(common_edges(s, per_decade=per_decade)) if len(s.share) > 2 else s
        kept = s.share > 0
        size.append(s.mid[kept])
        share.append(volume[:, j : j + 1] * s.share[kept])
        beta.append(np.full(int(kept.sum()), residual[names[j]]))
    out = compressible_packing(np.concatenate(size), np.concatenate(share, axis=1), np.concatenate(beta), compaction)
    out = out.assign_coords(material=("material", names, {"units": "1"}))
    out["fraction"] = (("mix", "material"), x, {"units": "kg/kg", "long_name": "dry mass fraction"})
    if densities is None:
        out.attrs["assumptions"] += "\ngrain densities equal"
    return out


def _packing(y: FloatArray, matrix: FloatArray, beta: FloatArray, k: float) -> tuple[FloatArray, FloatArray, Any]:
    inverse = (1.0 - y @ matrix.T) / beta  # 1/gamma of each class
    present = y > PRESENT
    worst = np.where(present, inverse, -np.inf)
    dominant = worst.argmax(axis=1)
    rows = np.arange(len(y))
    top = worst[rows, dominant]
    weight = y / beta
    # start where the dominant class alone gives K: at or below the root of the falling convex sum
    x = top + weight[rows, dominant] / k
    for _ in range(100):
        gap = np.where(present, x[:, None] - inverse, np.inf)
        value = (weight / gap).sum(axis=1) - k
        step = value / (weight / gap**2).sum(axis=1)
        x = x + step
        if (np.abs(step) <= 1e-13 * x).all():
            break
    else:
        raise ValidityError("compressible packing: the packing density was not found; report the size classes.")
    return 1.0 / x, 1.0 / top, dominant


def _nearest(difference: FloatArray, bounds: FloatArray) -> FloatArray:
    """Point of the simplex within bounds that makes ``difference @ x`` shortest."""
    from scipy.optimize import minimize, nnls

    low, high = bounds.T
    free = 1.0 - low.sum()
    if free <= 1e-12:
        return np.asarray(low / low.sum())
    # x = low + free y with y on the simplex: column j of the shifted problem is difference @ low + free difference_j
    shifted = difference @ low[:, None] + free * difference
    n = shifted.shape[1]
    u, _ = nnls(np.vstack([shifted, np.ones((1, n))]), np.append(np.zeros(len(shifted)), 1.0))
    x = low + free * u / u.sum()
    if (x <= high + 1e-12).all():
        return np.asarray(x)
    gram = difference.T @ difference
    scale = max(float(np.trace(gram)), 1e-300)
    found = minimize(
        lambda z: float(z @ gram @ z) / scale, np.clip(x, low, high), jac=lambda z: 2.0 * gram @ z / scale,
        bounds=list(zip(low, high, strict=True)), method="SLSQP",
        constraints=[{"type": "eq", "fun": lambda z: z.sum() - 1.0, "jac": np.ones_like}],
        options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    if not found.success:
        raise ValidityError(f"the mix nearest to the target was not found within the limits ({found.message}).")
    z = np.clip(found.x, low, high)
    return np.asarray(z / z.sum())


def _classes(size: ArrayLike, residual: ArrayLike) -> tuple[FloatArray, FloatArray]:
    d = np.atleast_1d(array_within(size, 0.0, 1e7, "size", "um", inclusive=False))
    b = np.atleast_1d(array_within(residual, 0.1, 0.95, "residual packing density", "m3/m3"))
    if d.ndim != 1 or d.shape != b.shape:
        raise ValidityError(f"sizes {d.shape} and residual packing densities {b.shape}; give one each per class.")
    return d, b


def _parts(parts: Mapping[str, Any]) -> tuple[list[str], list[ParticleSizes]]:
    if not parts:
        raise MissingDataError("no size distributions were given; name at least one material.")
    return list(parts), [as_sizes(p) for p in parts.values()]


def _density(densities: Mapping[str, float], name: str) -> float:
    if name not in densities:
        raise MissingDataError(f"grain density of {name} is not known; measure it (pycnometer).")
    return float(array_within(densities[name], 0.1, 20.0, f"grain density of {name}", "g/cm3"))


__all__ = [
    "COMPACTION",
    "compressible_packing",
    "dinger_funk",
    "fit_to_target",
    "furnas",
    "interaction",
    "loosening",
    "packing_of_mixes",
    "residual_packing",
    "wall_effect",
]
