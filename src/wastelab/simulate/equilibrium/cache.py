"""Assemblages at one set of costs, kept: an optimal basis serves every composition in its cone.

At fixed costs a basis is optimal for exactly the b with B^-1 b >= 0. Where that fails for one phase, the dual simplex
leads to a certain neighbouring basis, whatever b is; so the bases and their neighbours form a graph that is walked,
and grows where it has not been walked before. The answers are those of a cold solve.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import CompositionError, MissingDataError, WastelabError
from . import lp

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class CacheArrays:
    """A snapshot of the cache for use in other kernels, with `_kernels.evaluate`.

    Attributes
    ----------
    bases : ndarray of int64, shape (n, n_row)
        Columns of A in each basis.
    inverses : ndarray, shape (n, n_row, 16)
        [basis, element, phase]: amount of each phase per mol of each element; zero past n_row.
    neighbours : ndarray of int64, shape (n, n_row)
        Basis to go to where the amount of this phase is negative; -1 not known, -2 there is none.
    duals : ndarray, shape (n, n_row)
        Potential of each element [J/mol].
    jump : ndarray of int64
        Where to begin, by the signs of the amounts in basis 0; a hint that changes nothing in the answer.
    """

    bases: IntArray
    inverses: FloatArray
    neighbours: IntArray
    duals: FloatArray
    jump: IntArray


class AssemblageCache:
    """Equilibria of many compositions at one temperature and gas.

    Parameters
    ----------
    A : array_like, shape (n_col, n_row)
        Atoms of each element in each phase.
    cost : array_like, shape (n_col,)
        Gibbs energy of each phase [J/mol]; +inf where it is not allowed.
    start : array_like of int, shape (n_row,)
        As in `lp.solve`.

    Notes
    -----
    May be used from several threads: a look-up works on a snapshot and releases the interpreter lock; only growth is
    serialised.
    """

    def __init__(self, A: ArrayLike, cost: ArrayLike, start: ArrayLike) -> None:
        from . import _kernels

        prepared = lp.prepare(A, start)
        n_col, m = prepared.A.shape
        costs = np.ascontiguousarray(cost, dtype=np.float64)
        if costs.shape != (n_col,):
            raise CompositionError(f"cost has shape {costs.shape}; expected ({n_col},).")
        if np.isnan(costs).any() or (costs == -np.inf).any():
            raise MissingDataError(f"the cost of column {int(np.argmax(np.isnan(costs)))} is not a number.")
        self.A = prepared.A
        self.cost = costs
        self.start = np.ascontiguousarray(start, dtype=np.int64)
        member = prepared.first.copy()
        for column, of in zip(prepared.twin, prepared.twin_of, strict=True):
            if costs[column] < costs[member[of]]:
                member[of] = column
        self._member = member
        self._columns = np.ascontiguousarray(self.A[member].T)
        big = float(np.abs(costs[np.isfinite(costs)]).max(initial=0.0))
        forbidden = _kernels.FORBIDDEN * big + 1.0
        self._cost = np.minimum(costs[member], forbidden)
        self._partly = bool(np.isinf(costs).any())
        self._lock = Lock()
        self._allocate(64, m)
        self._bases[0] = np.sort(_centre(prepared, self._columns, self._cost, _kernels.OPTIMAL * big))
        with self._lock:
            self._add()
            self._publish(np.zeros(_kernels.KEYS, dtype=np.int64))

    @property
    def n(self) -> int:
        """Assemblages met so far."""
        return len(self._snapshot.bases)

    def arrays(self) -> CacheArrays:
        """What is known now, for kernels."""
        return self._snapshot

    def locate(self, b: ArrayLike) -> tuple[IntArray, FloatArray]:
        """Basis and amounts of each composition: the fast part of `solve`.

        Parameters
        ----------
        b : array_like, shape (n, n_row)
            [mol]

        Returns
        -------
        which : ndarray of int64, shape (n,)
            Row of ``arrays().bases``; -2 if no amounts >= 0 exist, -1 if b is not finite or the walk was too long.
        amount : ndarray, shape (n, n_row)
            [mol]; NaN where `which` is negative.
        """
        from . import _kernels

        amounts = lp.rows(b, self.A.shape[1], "b")
        which = np.empty(len(amounts), dtype=np.int64)
        amount = np.empty(amounts.shape)
        now = self._snapshot
        out = np.zeros(_kernels.WIDTH)
        jump = now.jump.copy()
        if _kernels.look_up(amounts, now.inverses, now.neighbours, jump, out, which, amount):
            rows = np.flatnonzero(which < -2)
            which[rows], amount[rows] = self._grow(amounts[rows], which[rows], jump)
            amount[which < 0] = np.nan
        return which, amount

    def solve(self, b: ArrayLike, *, check: bool = True) -> lp.LPResult:
        """Equilibrium of each composition.

        Parameters
        ----------
        b : array_like, shape (n, n_row)
            Amount of each element [mol].
        check : bool
            Whether a case that could not be solved raises; otherwise see `LPResult.status`.

        Returns
        -------
        LPResult
            As of `lp.solve`; ``pivots`` is 0 where the cache served.
        """
        amounts = lp.rows(b, self.A.shape[1], "b")
        which, amount = self.locate(amounts)
        now = self._snapshot
        dual = now.duals[which]
        result = lp.LPResult(
            now.bases[which].astype(np.int32), amount, dual, np.einsum("ij,ij->i", amounts, dual),
            np.zeros(len(which), dtype=np.int8), np.zeros(len(which), dtype=np.int32),
        )  # fmt: skip
        rest = which < 0
        if self._partly:
            rest |= (np.isinf(self.cost)[result.basis] & (amount > 0)).any(axis=1)
        if rest.any():
            cold = lp.solve(self.A, amounts[rest], self.cost, self.start, check=False)
            for name in ("basis", "amount", "dual", "objective", "status", "pivots"):
                getattr(result, name)[rest] = getattr(cold, name)
        return result.check() if check else result

    def _allocate(self, capacity: int, m: int) -> None:
        from . import _kernels

        self._bases = np.zeros((capacity, m), dtype=np.int64)
        self._inverses = np.zeros((capacity, m, _kernels.WIDTH))
        self._neighbours = np.full((capacity, m), -1, dtype=np.int64)
        self._duals = np.zeros((capacity, m))
        self._table = np.full(4 * capacity + 1, -1, dtype=np.int64)
        self._table[-1] = 0

    def _add(self) -> None:
        from . import _kernels

        arguments: tuple[Any, ...] = (
            self._columns, self._cost, self._bases, self._inverses, self._neighbours, self._duals, self._table,
            np.zeros((self.A.shape[1], 2 * self.A.shape[1])),
        )  # fmt: skip
        _kernels.add(*arguments)

    def _grow(self, b: FloatArray, which: IntArray, jump: IntArray) -> tuple[IntArray, FloatArray]:
        from . import _kernels

        m = self.A.shape[1]
        amount = np.full(b.shape, np.nan)
        scratch = np.zeros((m, 2 * m)), np.zeros(_kernels.WIDTH)
        with self._lock:
            done = 0
            while done < len(b):
                if self._table[-1] == len(self._bases):
                    self._enlarge()
                arguments: tuple[Any, ...] = (
                    b[done:], self._columns, self._cost, self._bases, self._inverses, self._neighbours,
                    self._duals, self._table, *scratch, jump, which[done:], amount[done:],
                )  # fmt: skip
                done += _kernels.grow(*arguments)
            self._publish(jump)
        return which, amount

    def _enlarge(self) -> None:
        """Twice the capacity; snapshots keep the old arrays."""
        old = self._bases, self._neighbours, self._inverses, self._duals
        n = len(old[0])
        self._allocate(2 * n, self.A.shape[1])
        for k in range(n):  # the hash table is laid out anew
            self._bases[k] = old[0][k]
            self._add()
        self._neighbours[:n] = old[1]

    def _publish(self, jump: IntArray) -> None:
        n = int(self._table[-1])
        bases = self._member[self._bases[:n]]
        self._snapshot = CacheArrays(bases, self._inverses[:n], self._neighbours[:n].copy(), self._duals[:n], jump)


def _centre(prepared: lp.Prepared, columns: FloatArray, cost: FloatArray, tolerance: float) -> IntArray:
    """Optimal basis of a mix of all start columns: a plain simplex, so that a first cache need not compile `lp.solve`.

    Their amounts are irregular, so that no step stalls.
    """
    basis = prepared.start.copy()
    b = columns[:, basis] @ (1.0 + 0.6180339887498949 * np.arange(1, len(basis) + 1) % 1.0)
    atoms = np.abs(columns).sum(axis=0)
    for _ in range(lp.PIVOT_LIMIT):
        inverse = np.linalg.inv(columns[:, basis])
        reduced = cost - (cost[basis] @ inverse) @ columns
        reduced[basis] = 0.0
        q = int(np.argmin(np.where(reduced < -tolerance, reduced / atoms, 0.0)))
        if reduced[q] >= -tolerance:
            return basis
        step = inverse @ columns[:, q]
        ratio = np.where(step > 1e-9, inverse @ b / np.where(step > 1e-9, step, 1.0), np.inf)
        if np.isinf(ratio).all():
            raise CompositionError("a phase can grow without using up any element; check the phases' formulas.")
        basis[int(np.argmin(ratio))] = q
    raise WastelabError(f"no first assemblage was found in {lp.PIVOT_LIMIT} steps: please report the phases and costs.")
