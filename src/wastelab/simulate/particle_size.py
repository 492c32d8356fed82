"""Particle size distributions as classes: one form for reader datasets, (size, cumulative) pairs and model curves.

Shares are by volume, which is by mass for one material of one density. Within a class the size is taken as spread
evenly over its logarithm, wherever a value between edges is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import MissingDataError, ValidityError

FloatArray = NDArray[np.float64]

#: How far the classes may be from 100 % before they are doubted [%].
CLOSURE = 1.0


@dataclass(frozen=True, eq=False)
class ParticleSizes:
    """A distribution over classes.

    Attributes
    ----------
    edges : ndarray, shape (n_classes + 1,)
        Ascending class limits [um], all above zero.
    share : ndarray, shape (n_classes,)
        Share of each class [1]; they sum to 1.
    """

    edges: FloatArray
    share: FloatArray

    def __post_init__(self) -> None:
        edges, share = np.array(self.edges, dtype=np.float64), np.array(self.share, dtype=np.float64)
        if edges.ndim != 1 or share.shape != (len(edges) - 1,) or len(share) < 1:
            raise ValidityError(
                f"particle sizes: {edges.shape} edges and {share.shape} shares; expected one edge more than shares."
            )
        if not np.isfinite(edges).all() or edges[0] <= 0 or (np.diff(edges) <= 0).any():
            raise ValidityError(
                "particle sizes: class limits [um] must rise and be above zero; give the finest class the lowest size "
                "the instrument sees."
            )
        if not np.isfinite(share).all() or (share < 0).any():
            raise ValidityError("particle sizes: a share is negative or not a number.")
        total = share.sum()
        if not abs(total - 1.0) <= CLOSURE / 100.0:
            raise ValidityError(f"particle sizes: the classes sum to {100 * total:.4g} %, expected 100 (within 1).")
        edges.setflags(write=False)
        share = share / total
        share.setflags(write=False)
        object.__setattr__(self, "edges", edges)
        object.__setattr__(self, "share", share)

    @property
    def mid(self) -> FloatArray:
        """Geometric mean size of each class [um]."""
        return np.asarray(np.sqrt(self.edges[:-1] * self.edges[1:]))

    @property
    def cumulative(self) -> FloatArray:
        """Share finer than each edge [1]."""
        return np.minimum(np.concatenate(([0.0], np.cumsum(self.share))), 1.0)

    def finer(self, size: ArrayLike) -> FloatArray:
        """Share finer than a size [um]."""
        x = np.asarray(size, dtype=np.float64)
        if not (x > 0).all():
            raise ValidityError("particle sizes: a size must be above zero [um].")
        return np.asarray(np.interp(np.log(x), np.log(self.edges), self.cumulative, left=0.0, right=1.0))

    def quantile(self, share: ArrayLike) -> FloatArray:
        """Size below which a share lies [um]; ``quantile(0.5)`` is d50."""
        q = np.asarray(share, dtype=np.float64)
        if not ((q >= 0) & (q <= 1)).all():
            raise ValidityError("particle sizes: a quantile is between 0 and 1.")
        used = np.concatenate(([True], self.share > 0))
        if self.share[0] == 0:
            used[0] = False
            used[np.argmax(self.share > 0)] = True
        return np.asarray(np.exp(np.interp(q, self.cumulative[used], np.log(self.edges[used]))))

    def on(self, edges: ArrayLike) -> ParticleSizes:
        """The same distribution over other class limits.

        Raises
        ------
        ValidityError
            If more than 0.01 % lies outside them.
        """
        e = np.asarray(edges, dtype=np.float64)
        share = np.diff(self.finer(e))
        if share.sum() < 1.0 - 1e-4:
            raise ValidityError(
                f"particle sizes: {100 * (1 - share.sum()):.3g} % lie outside {e[0]:g} to {e[-1]:g} um; widen the "
                "class limits."
            )
        return ParticleSizes(e, share / share.sum())


def as_sizes(psd: Any, *, finest: float | None = None) -> ParticleSizes:
    """Read a distribution of any accepted kind.

    Parameters
    ----------
    psd : ParticleSizes, xarray.Dataset, or pair of array_like
        A dataset of a laser reader (``size_lower``, ``size_upper`` [um], ``volume`` [%]); or sizes [um], ascending,
        and the cumulative share finer than each [%], ending at 100.
    finest : float, optional
        Lower limit of the finest class [um] where the data leave it open (a first cumulative share above 0, or a
        class that starts at 0).

    Raises
    ------
    MissingDataError
        If the finest class has no lower limit and `finest` is not given.
    ValidityError
        For sizes that do not rise, shares that fall or do not end at 100 %.
    """
    if isinstance(psd, ParticleSizes):
        return psd
    if hasattr(psd, "data_vars"):
        for name in ("size_lower", "size_upper", "volume"):
            if name not in psd:
                raise ValidityError(
                    f"particle sizes: the dataset has no variable {name!r}; expected that of a PSD measurement "
                    "(size_lower, size_upper [um], volume [%])."
                )
            want = "%" if name == "volume" else "um"
            unit = str(psd[name].attrs.get("units", want))
            if unit != want:
                raise ValidityError(f"particle sizes: {name} is in {unit!r}, expected {want!r}.")
        low, high = (np.asarray(psd[n].values, dtype=np.float64) for n in ("size_lower", "size_upper"))
        if low.ndim != 1 or (abs(low[1:] / high[:-1] - 1.0) > 1e-6).any():
            raise ValidityError(
                "particle sizes: the classes do not adjoin; give one distribution of adjoining classes."
            )
        edges = np.append(low, high[-1])
        share = np.asarray(psd["volume"].values, dtype=np.float64) / 100.0
        return ParticleSizes(_closed(edges, finest), share)
    if not isinstance(psd, tuple | list) or len(psd) != 2:
        raise ValidityError(
            f"{type(psd).__name__} is no particle size distribution; give a PSD dataset or (sizes in um, % finer)."
        )
    sizes, finer = (np.atleast_1d(np.asarray(x, dtype=np.float64)) for x in psd)
    if sizes.shape != finer.shape or sizes.ndim != 1 or len(sizes) < 2:
        raise ValidityError(f"particle sizes: {sizes.shape} sizes and {finer.shape} shares; expected as many of each.")
    if not np.isfinite(finer).all() or (np.diff(finer) < -1e-9).any() or (finer < 0).any():
        raise ValidityError("particle sizes: the cumulative share must rise with size, in % finer; check the order.")
    if abs(finer[-1] - 100.0) > CLOSURE:
        raise ValidityError(
            f"particle sizes: the cumulative share ends at {finer[-1]:g} %, expected 100: add the size all passes."
        )
    if finer[0] > 1e-9:
        if finest is None:
            raise MissingDataError(
                f"particle sizes: {finer[0]:g} % are finer than {sizes[0]:g} um and nothing says how fine; give "
                "finest= (um), the lower limit of that class."
            )
        sizes, finer = np.concatenate(([finest], sizes)), np.concatenate(([0.0], finer))
    return ParticleSizes(_closed(sizes, finest), np.maximum(np.diff(finer), 0.0) / 100.0)


def _closed(edges: FloatArray, finest: float | None) -> FloatArray:
    if edges[0] > 0:
        return edges
    if finest is None:
        raise MissingDataError("particle sizes: the finest class starts at 0; give finest= (um), its lower limit.")
    return np.concatenate(([finest], edges[1:]))


def common_edges(*sizes: ParticleSizes, per_decade: int = 20) -> FloatArray:
    """Class limits that hold all distributions, evenly spaced over the logarithm [um]."""
    low = min(s.edges[0] for s in sizes)
    high = max(s.edges[-1] for s in sizes)
    n = max(2, int(np.ceil(per_decade * np.log10(high / low))) + 1)
    edges = np.geomspace(low, high, n)
    edges[0], edges[-1] = low, high
    return np.asarray(edges)


__all__ = ["ParticleSizes", "as_sizes", "common_edges"]
