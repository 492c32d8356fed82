"""Solid solutions as ideal mixtures, and the exact minimum where ideal mixtures (or a gas) take part.

In the linear program a solution is a row of pseudo-phases at fixed compositions; `minimise` then adds compositions
where the potentials ask for them (column generation) and polishes with Newton's method, so that the result is that
of the continuous ideal solution. Alite, belite, spinel and the melt are not modelled: no data here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...provenance import Evidence, Source

FloatArray = NDArray[np.float64]

#: Intervals between the pseudo-phases of a solution (nodes x = (1 - cos(pi k / N)) / 2, closer at the ends).
INTERVALS = 64
#: The same where they only begin a refinement.
FEW_INTERVALS = 16


@dataclass(frozen=True)
class EndMember:
    """A composition that a solution is mixed from.

    Attributes
    ----------
    name : str
    parts : mapping of str to float
        Phases of the thermochemical set it is made of [mol/mol]; more than one for a hypothetical end member.
    mixing : float
        Added to G / RT.
    """

    name: str
    parts: Mapping[str, float]
    mixing: float = 0.0


@dataclass(frozen=True)
class Solution:
    """A binary solid solution, ideal on `sites` equal sites per formula.

    Attributes
    ----------
    name, name_zh : str
    ends : tuple of two EndMember
        x = 0 and x = 1.
    sites : float
    x_max : float
        Largest x admitted.
    group : str
        Mineral (name of practice) that the solution is counted as.
    source : Source
    covers : tuple of str
        Compositions of the solution that have no data as phases of their own.
    """

    name: str
    name_zh: str
    ends: tuple[EndMember, EndMember]
    sites: float
    x_max: float
    group: str
    source: Source
    covers: tuple[str, ...] = ()

    @property
    def phases(self) -> tuple[str, ...]:
        """Phases of the set that it needs."""
        return tuple(dict.fromkeys(p for e in self.ends for p in e.parts))

    @property
    def replaces(self) -> tuple[str, ...]:
        """Pure phases that are compositions of the solution and give way to it."""
        return self.phases

    def nodes(self, intervals: int = INTERVALS) -> FloatArray:
        """Compositions of the pseudo-phases."""
        k = np.arange(intervals + 1)
        return np.asarray(self.x_max * 0.5 * (1.0 - np.cos(np.pi * k / intervals)))

    def at(self, x: float) -> tuple[dict[str, float], float]:
        """Phases [mol/mol] and G of mixing over RT at a composition."""
        parts: dict[str, float] = {}
        mixing = 0.0
        for share, end in ((1.0 - x, self.ends[0]), (x, self.ends[1])):
            for phase, n in end.parts.items():
                parts[phase] = parts.get(phase, 0.0) + share * n
            mixing += share * end.mixing + (self.sites * share * float(np.log(share)) if share > 0 else 0.0)
        return {p: n for p, n in parts.items() if abs(n) > 1e-12}, mixing

    def gap(self) -> float:
        """Largest G error of the pseudo-phases over RT: chord above the curve between two nodes."""
        x = self.nodes()
        worst = 0.0
        for low, high in pairwise(x):
            inner = np.linspace(low, high, 41)[1:-1]
            chord = _ideal(low) + (inner - low) / (high - low) * (_ideal(high) - _ideal(low))
            worst = max(worst, float(np.max(chord - _ideal(inner))))
        return self.sites * worst


def _ideal(x: Any) -> Any:
    x = np.clip(x, 1e-300, 1.0)
    return x * np.log(x) + (1 - x) * np.log(np.maximum(1 - x, 1e-300))


_LN2 = float(np.log(2.0))
_IDEAL = "ideal mixing assumed here; interaction parameters not used"
SOLUTIONS: tuple[Solution, ...] = (
    Solution(
        "ferrite", "铁相固溶体",
        (
            EndMember("C2F", {"C2F": 1.0}),
            # C4AF = 2 Ca2(Al0.5Fe0.5)2O5, ideal on two sites: G(C2A) = G(C4AF) - G(C2F) + 4 RT ln 2
            EndMember("C2A (hypothetical)", {"C4AF": 1.0, "C2F": -1.0}, 4.0 * _LN2),
        ),
        2.0, 0.7, "C4AF",
        Source(
            "Ca2(AlxFe1-x)2O5, x = 0 to 0.7 (H. F. W. Taylor, Cement Chemistry, 2nd ed. 1997, ch. 1); hypothetical "
            f"C2A end member derived so that G at x = 0.5 is that of C4AF; {_IDEAL}", Evidence.MEMORY,
        ),
        ("Ca6Al4Fe2O15", "Ca6Al2Fe4O15"),
    ),
    Solution(
        "melilite", "黄长石固溶体",
        (EndMember("gehlenite", {"gehlenite": 1.0}), EndMember("akermanite", {"akermanite": 1.0})),
        1.0, 1.0, "C2AS",
        Source(f"gehlenite-akermanite, complete series above about 700 degC; {_IDEAL}", Evidence.MEMORY),
    ),
    Solution(
        "plagioclase", "斜长石固溶体",
        (EndMember("anorthite", {"anorthite": 1.0}), EndMember("albite", {"albite": 1.0})),
        1.0, 1.0, "plagioclase",
        Source(f"anorthite-albite, high (disordered) series; {_IDEAL}", Evidence.MEMORY),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Mixture:
    """An ideal mixture at one temperature, as numbers.

    Attributes
    ----------
    a : ndarray, shape (n_end, n_row)
        Atoms of each end member or species.
    g : ndarray, shape (n_end,)
        Gibbs energy over RT.
    sites : float
    level : float
        ln of the pressure [bar] for a gas, 0 for a solid.
    x_max : float
        Largest share of the last end member.
    """

    a: FloatArray
    g: FloatArray
    sites: float = 1.0
    level: float = 0.0
    x_max: float = 1.0

    def share(self, pi: FloatArray) -> tuple[FloatArray, float]:
        """Composition that these potentials (over RT) favour most, and the excess of its stability (> 0 forms)."""
        e = (self.a @ pi - self.g) / self.sites
        top = float(e.max())
        w = np.exp(e - top)
        total = float(w.sum())
        y = w / total
        if y[-1] > self.x_max:
            y = np.array([1 - self.x_max, self.x_max])
            return y, float(y @ e - y @ np.log(y)) - self.level
        return y, top + float(np.log(total)) - self.level

    def excess(self, pi: FloatArray, present: NDArray[np.bool_]) -> float:
        """Excess of stability at the composition favoured most, of species made of the elements that are there."""
        rows = np.flatnonzero(present)
        if not _species(self, rows, len(present)).any():
            return -np.inf
        return _share_within(self, pi, rows, len(present))[1]

    def price(self, y: FloatArray) -> float:
        """Gibbs energy over RT of one mole of a composition."""
        entropy = float(np.sum(y * np.log(np.maximum(y, 1e-300))))
        return float(y @ self.g) + self.sites * (entropy + self.level)


@dataclass(frozen=True)
class Minimum:
    """Result of `minimise`.

    Attributes
    ----------
    x : ndarray, shape (n_pure,)
        Amount of each pure phase [mol/kg].
    amount : ndarray, shape (n_mixtures,)
        Amount of each mixture [mol/kg].
    share : list of ndarray
        Composition of each mixture.
    pi : ndarray, shape (n_row,)
        Element potentials over RT.
    residual : float
        Largest violation: of the element balance relative to the largest amount, and of the optimality conditions.
    iterations : int
    active : tuple of int, tuple of int
        Pure phases and mixtures that are free (not at a bound of their composition).
    bounded : tuple
        Compositions held at their bound: (mixture, share, amount).
    """

    x: FloatArray
    amount: FloatArray
    share: list[FloatArray]
    pi: FloatArray
    residual: float
    iterations: int
    active: tuple[tuple[int, ...], tuple[int, ...]]
    bounded: tuple[tuple[int, FloatArray, float], ...] = ()


TOLERANCE = 1e-10


def minimise(
    A: FloatArray,
    cost: FloatArray,
    b: FloatArray,
    mixtures: Sequence[Mixture],
    start: NDArray[Any],
    *,
    nodes: Sequence[Sequence[FloatArray]] = (),
    most: int = 200,
) -> Minimum:
    """Least Gibbs energy of pure phases and ideal mixtures, by column generation and Newton's method.

    Parameters
    ----------
    A : ndarray, shape (n_pure, n_row)
    cost : ndarray, shape (n_pure,)
        Gibbs energy over RT.
    b : ndarray, shape (n_row,)
        Amounts [mol/kg].
    mixtures : sequence of Mixture
    start : ndarray, shape (n_row,)
        Columns of `A` that form a feasible basis.
    nodes : sequence of sequence of ndarray
        Compositions of each mixture to begin with; its pure species where empty.
    most : int
        Largest number of linear programs.

    Returns
    -------
    Minimum
        With `residual` above 1e-9 where it did not converge; the caller judges.
    """
    from .lp import solve

    columns, prices, owner, shares = [A], [cost], [-1] * len(A), [np.zeros(0)] * len(A)

    def add(s: int, y: FloatArray) -> None:
        columns.append((y @ mixtures[s].a)[None, :])
        prices.append(np.array([mixtures[s].price(y)]))
        owner.append(s)
        shares.append(y)

    for s, mix in enumerate(mixtures):
        for y in nodes[s] if len(nodes) > s and len(nodes[s]) else np.eye(len(mix.g)):
            if y[-1] <= mix.x_max:
                add(s, y)
    rows = np.flatnonzero(b > 0)
    best: Minimum | None = None
    for iteration in range(1, most + 1):
        every, price = np.vstack(columns), np.concatenate(prices)
        result = solve(every, b[None, :], price, start)
        x = np.zeros(len(every))
        x[result.basis[0]] = result.amount[0]
        pi = np.asarray(result.dual[0])
        found = _polish(A, cost, b, mixtures, rows, x, owner, shares, pi)
        if found is not None:
            found = _judge(found, A, cost, b, mixtures, rows, iteration)
            if best is None or found.residual < best.residual:
                best = found
            if found.residual < TOLERANCE:
                return found
        grown = False
        for trial in (pi,) if found is None else (pi, found.pi):
            for s, mix in enumerate(mixtures):
                if not _species(mix, rows, len(b)).any():
                    continue
                y, excess = _share_within(mix, trial, rows, len(b))
                if excess > 1e-13:
                    add(s, y)
                    grown = True
        if not grown:
            plain = _judge(_plain(x, owner, shares, mixtures, pi, len(A)), A, cost, b, mixtures, rows, iteration)
            return plain if best is None or plain.residual <= best.residual else best
    plain = _judge(_plain(x, owner, shares, mixtures, pi, len(A)), A, cost, b, mixtures, rows, most)
    return plain if best is None or plain.residual <= best.residual else best


def _species(mix: Mixture, rows: NDArray[np.intp], n_row: int) -> NDArray[np.bool_]:
    """End members or species that can be in a mixture, given the elements that are there."""
    ok = _possible(mix.a, rows, n_row)
    if mix.x_max < 1 and not ok[:-1].any():
        ok[:] = False  # the last end member alone lies beyond the bound
    return ok


def _possible(a: FloatArray, rows: NDArray[np.intp], n_row: int) -> NDArray[np.bool_]:
    absent = np.ones(n_row, dtype=bool)
    absent[rows] = False
    return np.asarray(~np.any(np.abs(a[:, absent]) > 1e-12, axis=1))


def _share_within(mix: Mixture, pi: FloatArray, rows: NDArray[np.intp], n_row: int) -> tuple[FloatArray, float]:
    """As `Mixture.share`, leaving out species of elements that are not there."""
    ok = _species(mix, rows, n_row)
    if ok.all():
        return mix.share(pi)
    part = Mixture(mix.a[ok], mix.g[ok], mix.sites, mix.level, mix.x_max if ok[-1] else 1.0)
    y, excess = part.share(pi)
    full = np.zeros(len(ok))
    full[ok] = y
    return full, excess


def _plain(
    x: FloatArray, owner: list[int], shares: list[FloatArray], mixtures: Sequence[Mixture], pi: FloatArray, n: int
) -> Minimum:
    """What the linear program says, compositions of a mixture averaged."""
    amount, share = np.zeros(len(mixtures)), []
    for s, mix in enumerate(mixtures):
        total = np.zeros(len(mix.g))
        for j in range(n, len(x)):
            if owner[j] == s:
                total += x[j] * shares[j]
        amount[s] = total.sum()
        share.append(total / amount[s] if amount[s] > 0 else total)
    active = (tuple(np.flatnonzero(x[:n] > 0).tolist()), tuple(np.flatnonzero(amount > 0).tolist()))
    return Minimum(x[:n].copy(), amount, share, pi, np.inf, 0, active)


def _polish(
    A: FloatArray,
    cost: FloatArray,
    b: FloatArray,
    mixtures: Sequence[Mixture],
    rows: NDArray[np.intp],
    x: FloatArray,
    owner: list[int],
    shares: list[FloatArray],
    pi: FloatArray,
) -> Minimum | None:
    """Newton on the optimality conditions of the assemblage that the linear program found."""
    n = len(A)
    tiny = 1e-12 * float(b.max())
    pure = np.flatnonzero(x[:n] > tiny)
    first = _plain(x, owner, shares, mixtures, pi, n)
    free: list[int] = []
    held: list[tuple[int, FloatArray]] = []
    for s, mix in enumerate(mixtures):
        if first.amount[s] <= tiny:
            continue
        if mix.x_max < 1 and first.share[s][-1] > mix.x_max * (1 - 1e-3):
            held.append((s, np.array([1 - mix.x_max, mix.x_max])))
        else:
            free.append(s)
    if not free and not held:
        return first
    fixed = np.vstack([A[pure][:, rows], *[(y @ mixtures[s].a)[None, rows] for s, y in held]])
    fixed_cost = np.concatenate([cost[pure], [mixtures[s].price(y) for s, y in held]])
    ok = [_species(mixtures[s], rows, len(b)) for s in free]
    a = [mixtures[s].a[k][:, rows] for s, k in zip(free, ok, strict=True)]
    g = [mixtures[s].g[k] for s, k in zip(free, ok, strict=True)]
    z = np.concatenate([x[pure], [first.amount[s] for s, _ in held], [first.amount[s] for s in free]])
    p = pi[rows].copy()
    m, f, k = len(rows), len(fixed), len(free)
    target = b[rows]
    share: list[FloatArray] = []
    last = np.inf
    for _ in range(30):
        jac = np.zeros((f + k + m, m + f + k))
        res = np.zeros(f + k + m)
        jac[:f, :m], res[:f] = fixed, fixed @ p - fixed_cost
        jac[f + k :, m : m + f] = fixed.T
        res[f + k :] = fixed.T @ z[:f] - target
        share = []
        for i, s in enumerate(free):
            mix = mixtures[s]
            e = (a[i] @ p - g[i]) / mix.sites
            top = e.max()
            w = np.exp(e - top)
            y = w / w.sum()
            mean = y @ a[i]
            spread = (a[i].T * y) @ a[i] - np.outer(mean, mean)
            jac[f + i, :m], res[f + i] = mean / mix.sites, top + np.log(w.sum()) - mix.level
            jac[f + k :, :m] += z[f + i] / mix.sites * spread
            jac[f + k :, m + f + i] = mean
            res[f + k :] += z[f + i] * mean
            share.append(y)
        size = float(np.abs(res).max())
        if size < 1e-13 * max(1.0, float(target.max())) or last <= size < 1e-10:
            break
        last = size
        step = np.linalg.lstsq(jac, -res, rcond=1e-13)[0]
        limit = float(np.abs(step[:m]).max())
        damp = min(1.0, 5.0 / limit) if limit > 0 else 1.0
        p, z = p + damp * step[:m], z + damp * step[m:]
        if not np.isfinite(p).all() or (z < -0.5 * target.max()).any():
            return None
    out = pi.copy()
    out[rows] = p
    xs, amount = np.zeros(n), np.zeros(len(mixtures))
    xs[pure] = z[: len(pure)]
    all_shares = [np.zeros(len(mix.g)) for mix in mixtures]
    bounded = []
    for i, (s, y) in enumerate(held):
        amount[s], all_shares[s] = z[len(pure) + i], y
        bounded.append((s, y, float(z[len(pure) + i])))
    for i, s in enumerate(free):
        amount[s] = z[f + i]
        all_shares[s][ok[i]] = share[i]
    if (xs < -1e-11 * target.max()).any() or (amount < -1e-11 * target.max()).any():
        return None
    active = (tuple(int(j) for j in pure), tuple(free))
    return Minimum(np.maximum(xs, 0), np.maximum(amount, 0), all_shares, out, np.inf, 0, active, tuple(bounded))


def _judge(
    found: Minimum,
    A: FloatArray,
    cost: FloatArray,
    b: FloatArray,
    mixtures: Sequence[Mixture],
    rows: NDArray[np.intp],
    iteration: int,
) -> Minimum:
    """Attach the largest violation of balance and optimality."""
    out = A.T @ found.x
    for s, mix in enumerate(mixtures):
        out = out + found.amount[s] * (found.share[s] @ mix.a)
    worst = float(np.abs(out - b).max()) / float(b.max())
    ok = _possible(A, rows, len(b))
    worst = max(worst, float(np.max(A[ok] @ found.pi - cost[ok], initial=0.0)))
    for mix in mixtures:
        if _species(mix, rows, len(b)).any():
            worst = max(worst, _share_within(mix, found.pi, rows, len(b))[1])
    # what is present lies on its plane
    for j in np.flatnonzero(found.x > 0):
        worst = max(worst, abs(float(A[j] @ found.pi - cost[j])))
    for s, mix in enumerate(mixtures):
        if found.amount[s] > 0:
            gap = float(found.share[s] @ mix.a @ found.pi) - mix.price(found.share[s])
            worst = max(worst, abs(gap))
    return Minimum(
        found.x, found.amount, found.share, found.pi, worst, iteration, found.active, found.bounded
    )  # fmt: skip
