"""How the errors of a model hang together within one source: the covariance behind local calibration and transfer.

Two tests of one laboratory share: a constant, slopes along log age and water/binder, a smooth function of the mix
(product of Matern-3/2), what is common to all tests of one mix; and each has its own noise. Where heaps of material are
named, tests of one heap share a constant too, in whichever laboratory. Tests that share neither are independent: the
likelihood is a sum over small blocks.

References
----------
C. E. Rasmussen, C. K. I. Williams, *Gaussian Processes for Machine Learning*, MIT Press (2006), ch. 2, 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from . import _gp_kernels as k
from .design import Design, FloatArray, IntArray, filled, medians

#: Log-normal priors (mean and sd of the logarithm) of variances [share of the squared errors] and lengths [sd].
PRIOR = {"offset": (-0.7, 1.5), "slope": (-3.0, 1.2), "smooth": (-1.5, 1.2), "length": (1.3, 1.0), "mix": (-3.0, 1.5),
         "heap": (-2.0, 1.5), "noise": (-2.5, 1.5)}  # fmt: skip
_BOUNDS = {"offset": (-9.0, 4.0), "slope": (-9.0, 3.0), "smooth": (-9.0, 4.0), "length": (-2.0, 5.0),
           "mix": (-9.0, 3.0), "heap": (-9.0, 3.0), "noise": (-7.0, 3.0)}  # fmt: skip
#: Columns beside the age along which sources have slopes.
WATER_BINDER = ("water/binder",)
#: Derived features that the smooth part uses beside what is in the table.
DERIVED = ("water/binder", "binder")
_ROOT3 = float(np.sqrt(3.0))


@dataclass(frozen=True)
class Coordinates:
    """Columns of a design as standardised numbers without gaps.

    Attributes
    ----------
    names : tuple of str
    mean, sd, median : ndarray, shape (n_columns,)
        Of the rows they were made from; the median stands where a number is missing.
    age : str
        Name of the age column, or empty.
    slopes : tuple of int
        Columns along which sources have slopes.
    heap : bool
        Whether a last column numbers heaps of material.
    """

    names: tuple[str, ...]
    mean: FloatArray
    sd: FloatArray
    median: FloatArray
    age: str
    slopes: tuple[int, ...]
    heap: bool = False

    @classmethod
    def of(cls, design: Design, derived: Sequence[str] = DERIVED, heap: bool = False) -> Coordinates:
        """Columns of a design that vary: what is in the table, the age, and the named derived features."""
        wanted = [j for j, f in enumerate(design.features) if f.kind != "derived" or f.name in derived]
        values = design.values[:, wanted]
        median, _ = medians(values)
        whole = filled(values, median, ())
        sd = whole.std(axis=0)
        keep = [i for i in range(len(wanted)) if sd[i] > 1e-12 * (1.0 + abs(median[i]))]
        if not keep:
            raise ModelError("no column of the design varies: there is nothing that mixes could differ in.")
        names = tuple(design.names[wanted[i]] for i in keep)
        age = "" if design.age is None else design.names[design.age]
        slopes = tuple(i for i, name in enumerate(names) if name == age or name in WATER_BINDER)
        return cls(names, whole.mean(axis=0)[keep], sd[keep], median[keep], age, slopes, heap)

    def __call__(self, design: Design, heap: ArrayLike | None = None) -> FloatArray:
        """Standardised coordinates, shape (n_rows, n_columns), with heaps a last column: 0 where none is named."""
        at = {name: j for j, name in enumerate(design.names)}
        missing = [name for name in self.names if name not in at]
        if missing:
            raise ModelError(f"the design lacks the column {missing[0]!r} that the effect of a source was fitted with.")
        values = design.values[:, [at[name] for name in self.names]]
        x = (filled(values, self.median, ()) - self.mean) / self.sd
        if self.heap:
            numbers = np.zeros(len(x)) if heap is None else _numbers(heap, len(x))
            x = np.column_stack([x, numbers])
        return np.ascontiguousarray(x)

    def mixes(self, x: FloatArray) -> FloatArray:
        """Coordinates without the age: equal for rows of one mix."""
        own = [i for i, name in enumerate(self.names) if name != self.age]
        return x[:, [*own, len(self.names)] if self.heap else own]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"names": list(self.names), "mean": self.mean.tolist(), "sd": self.sd.tolist(),
                "median": self.median.tolist(), "age": self.age, "slopes": list(self.slopes),
                "heap": self.heap}  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Coordinates:
        """Inverse of `to_dict`."""
        mean, sd, median = (np.asarray(values[key], dtype=np.float64) for key in ("mean", "sd", "median"))
        slopes = tuple(int(i) for i in values["slopes"])
        return cls(tuple(values["names"]), mean, sd, median, str(values["age"]), slopes, bool(values["heap"]))


@dataclass(frozen=True)
class Components:
    """Variances [share of the residual variance] and lengths [standard deviations of the columns]."""

    offset: float
    slopes: FloatArray
    smooth: float
    lengths: FloatArray
    mix: float
    noise: float
    heap: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"offset": self.offset, "slopes": self.slopes.tolist(), "smooth": self.smooth,
                "lengths": self.lengths.tolist(), "mix": self.mix, "noise": self.noise,
                "heap": self.heap}  # fmt: skip

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Components:
        """Inverse of `to_dict`."""
        return cls(
            float(values["offset"]), np.asarray(values["slopes"], dtype=np.float64), float(values["smooth"]),
            np.asarray(values["lengths"], dtype=np.float64), float(values["mix"]), float(values["noise"]),
            float(values["heap"]),
        )  # fmt: skip


@dataclass(frozen=True)
class Block:
    """Tests that share something: coordinates by column, errors, mixes, relative noise variances; sources and heaps."""

    xt: FloatArray
    z: FloatArray
    mix: IntArray
    ratio: FloatArray
    source: IntArray | None = None
    heap: IntArray | None = None


class SourceCovariance:
    """The covariance of a model's errors within a source, in its parameters.

    Parameters
    ----------
    n_columns : int
    slopes : sequence of int
        Columns along which sources have slopes.
    smooth, mix, heap : bool
        Whether there is a smooth part, and what all tests of a mix, and of a heap, share.
    prior : Components, optional
        Centres of the priors, where something better than the general ones is known.
    prior_sd : float, optional
        Width of all priors on the logarithms, beside such centres.
    """

    def __init__(
        self,
        n_columns: int,
        slopes: Sequence[int],
        *,
        smooth: bool = True,
        mix: bool = True,
        heap: bool = False,
        prior: Components | None = None,
        prior_sd: float = 1.0,
    ) -> None:
        self.n_columns, self.slopes, self.smooth, self.mix, self.heap = n_columns, tuple(slopes), smooth, mix, heap
        kinds = ["offset", *["slope"] * len(self.slopes)]
        kinds += ["smooth", *["length"] * n_columns] if smooth else []
        kinds += ["mix"] * mix + ["heap"] * heap + ["noise"]
        self.kinds = kinds
        self.centre = np.array([PRIOR[kind][0] for kind in kinds])
        self.width = np.array([PRIOR[kind][1] for kind in kinds])
        self.low = np.array([_BOUNDS[kind][0] for kind in kinds])
        self.high = np.array([_BOUNDS[kind][1] for kind in kinds])
        if prior is not None:
            self.centre = np.clip(self.pack(prior), self.low, self.high)
            self.width = np.full(len(kinds), prior_sd)

    def pack(self, parts: Components) -> FloatArray:
        """Logarithms of the parameters in one vector."""
        values = [parts.offset, *parts.slopes]
        values += [parts.smooth, *parts.lengths] if self.smooth else []
        values += [parts.mix] * self.mix + [parts.heap] * self.heap + [parts.noise]
        return np.log(np.maximum(np.asarray(values, dtype=np.float64), 1e-12))

    def unpack(self, theta: FloatArray) -> Components:
        """Parameters of such a vector; a part that is absent has variance 0."""
        values = np.exp(theta)
        at = 1 + len(self.slopes)
        smooth, lengths = 0.0, np.ones(self.n_columns)
        slopes = values[1:at]
        if self.smooth:
            smooth, lengths = float(values[at]), values[at + 1 : at + 1 + self.n_columns]
            at += 1 + self.n_columns
        mix = float(values[at]) if self.mix else 0.0
        heap = float(values[-2]) if self.heap else 0.0
        return Components(float(values[0]), slopes, smooth, lengths, mix, float(values[-1]), heap)

    def value(self, theta: FloatArray, blocks: Sequence[Block]) -> tuple[float, FloatArray]:
        """Negative log posterior density (up to a constant) and its gradient."""
        from scipy.linalg import lapack

        parts = self.unpack(theta)
        inverse = _ROOT3 / parts.lengths
        away = (theta - self.centre) / self.width
        f, gradient = 0.5 * float(away @ away), away / self.width
        for block in blocks:
            n = len(block.z)
            same = np.ones((n, n)) if block.source is None else 1.0 * (block.source[:, None] == block.source)
            kernel = parts.offset * same
            for column, variance in zip(self.slopes, parts.slopes, strict=True):
                kernel += variance * np.multiply.outer(block.xt[column], block.xt[column]) * same
            smooth = np.zeros((n, n))
            if self.smooth:
                k.covariance(block.xt, inverse, k.PRODUCT_32, smooth)
                smooth *= parts.smooth * same
                kernel += smooth
            if self.mix:
                k.add_group(kernel, block.mix, parts.mix)
            if self.heap and block.heap is not None:
                k.add_group(kernel, block.heap, parts.heap)
            kernel[np.diag_indices(n)] += parts.noise * block.ratio + 1e-9
            lower, info = lapack.dpotrf(kernel, lower=1, overwrite_a=0)
            if info:
                return 1e10, np.zeros_like(theta)
            f += float(np.log(np.diag(lower)).sum())
            full, _ = lapack.dpotri(lower, lower=1)
            full = np.tril(full)
            alpha = full @ block.z + np.tril(full, -1).T @ block.z
            f += 0.5 * float(block.z @ alpha)
            weighted = np.ascontiguousarray(full)
            k.weights_of(weighted, alpha, weighted)
            both = (weighted + np.tril(weighted, -1).T) * same
            gradient[0] += 0.5 * parts.offset * float(both.sum())
            for i, (column, variance) in enumerate(zip(self.slopes, parts.slopes, strict=True)):
                gradient[1 + i] += 0.5 * variance * float(block.xt[column] @ both @ block.xt[column])
            at = 1 + len(self.slopes)
            if self.smooth:
                gradient[at] += k.triangle_product(weighted, smooth)
                lengths = np.empty(self.n_columns)
                k.length_gradient(block.xt, inverse, k.PRODUCT_32, weighted, smooth, lengths)
                gradient[at + 1 : at + 1 + self.n_columns] += lengths
                at += 1 + self.n_columns
            if self.mix:
                gradient[at] += parts.mix * k.group_product(weighted, block.mix)
            if self.heap and block.heap is not None:
                gradient[-2] += parts.heap * k.group_product(weighted, block.heap)
            gradient[-1] += 0.5 * parts.noise * float(np.diag(weighted) @ block.ratio)
        return f, gradient

    def fit(
        self, blocks: Sequence[Block], steps: int = 60, start: FloatArray | None = None
    ) -> tuple[FloatArray, float]:
        """Parameters of the highest posterior density, and its negative logarithm."""
        from scipy.optimize import minimize

        found = minimize(
            self.value, self.centre if start is None else start, args=(blocks,), jac=True, method="L-BFGS-B",
            bounds=list(zip(self.low, self.high, strict=True)), options={"maxiter": steps, "maxfun": 2 * steps},
        )  # fmt: skip
        theta: FloatArray = found.x
        return theta, float(found.fun)


def effect(x: FloatArray, z: FloatArray, parts: Components, slopes: Sequence[int]) -> FloatArray:
    """Covariance of the effect of a source (without what a mix shares and without noise) between two sets of rows."""
    out, d = np.empty((len(x), len(z))), len(parts.lengths)
    a, b = np.ascontiguousarray(x[:, :d].T), np.ascontiguousarray(z[:, :d].T)
    k.cross_covariance(a, b, _ROOT3 / parts.lengths, k.PRODUCT_32, out)
    out *= parts.smooth
    out += parts.offset
    for column, variance in zip(slopes, parts.slopes, strict=True):
        out += variance * np.multiply.outer(x[:, column], z[:, column])
    if x.shape[1] > d:
        out += parts.heap * (x[:, d, None] == z[None, :, d])
    return out


def effect_variance(x: FloatArray, parts: Components, slopes: Sequence[int]) -> FloatArray:
    """Diagonal of `effect` of rows with themselves, shape (n_rows,)."""
    total = np.full(len(x), parts.offset + parts.smooth)
    for column, variance in zip(slopes, parts.slopes, strict=True):
        total += variance * x[:, column] ** 2
    return total + parts.heap if x.shape[1] > len(parts.lengths) else total


def same_mix(a: FloatArray, b: FloatArray) -> FloatArray:
    """1 where rows of two sets (coordinates without age) are of one mix, else 0; shape (len(a), len(b))."""
    both = np.round(np.vstack([a, b]), 7)
    codes = np.unique(both, axis=0, return_inverse=True)[1].ravel()
    equal: FloatArray = (codes[: len(a), None] == codes[None, len(a) :]).astype(np.float64)
    return equal


def blocks_of(
    x: FloatArray,
    z: FloatArray,
    source: ArrayLike,
    mix: ArrayLike,
    *,
    heap: ArrayLike | None = None,
    most: int,
    seed: int,
) -> list[Block]:
    """Tests by source, or by sources that heaps connect; of a source with more than `most` rows a random part."""
    rng = np.random.default_rng(seed)
    sources, mixes = (np.unique(np.asarray(v), return_inverse=True)[1].ravel().astype(np.int64) for v in (source, mix))
    heaps = None if heap is None else np.unique(np.asarray(heap), return_inverse=True)[1].ravel().astype(np.int64)
    kept: dict[int, IntArray] = {}
    for number in range(int(sources.max()) + 1):
        rows = np.flatnonzero(sources == number)
        kept[number] = np.sort(rng.permutation(rows)[:most]) if len(rows) > most else rows
    out = []
    for members in _connected(sources, heaps):
        rows = np.concatenate([kept[number] for number in members])
        several = len(members) > 1
        out.append(Block(
            np.ascontiguousarray(x[rows].T), z[rows], mixes[rows], np.ones(len(rows)),
            sources[rows] if several else None, None if heaps is None else heaps[rows],
        ))  # fmt: skip
    return out


def _connected(sources: IntArray, heaps: IntArray | None) -> list[list[int]]:
    """Sources that share heaps, directly or through others."""
    n = int(sources.max()) + 1
    if heaps is None:
        return [[number] for number in range(n)]
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(sources)), (sources, n + heaps)), shape=(n + int(heaps.max()) + 1,) * 2)
    label = connected_components(links, directed=False)[1][:n]
    return [np.flatnonzero(label == part).tolist() for part in np.unique(label)]


def _numbers(heap: ArrayLike, n: int) -> FloatArray:
    """A number for each name of a heap, the same in every call."""
    names = np.asarray(heap).ravel()
    if len(names) != n:
        raise ModelError(f"{len(names)} names of heaps for {n} rows; expected as many.")
    return np.array([float(crc32(str(name).encode())) for name in names])
