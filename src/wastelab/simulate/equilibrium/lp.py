"""Linear programmes of phase equilibrium: min cost.x, A^T x = b, x >= 0, for many cases at once.

Columns are phases, rows elements; a case has its own b and, if wanted, its own costs or temperature. Every answer is
an optimal basis with its amounts and duals, computed anew from that basis, so that rounding does not accumulate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import CompositionError, MissingDataError, ValidityError, WastelabError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
GibbsTable = tuple[FloatArray, FloatArray, FloatArray, FloatArray, IntArray]

OK, LIMIT, OUTSIDE, NOT_A_NUMBER, UNBOUNDED, NOT_ALLOWED = range(6)
#: Meaning of `LPResult.status`.
STATUS = {
    OK: "solved",
    LIMIT: "the pivot limit was reached",
    OUTSIDE: "b is not a sum of the start columns with amounts >= 0",
    NOT_A_NUMBER: "b, a cost or the temperature is not a finite number",
    UNBOUNDED: "the objective has no lower bound",
    NOT_ALLOWED: "only columns outside their temperature range could take up b",
}
PIVOT_LIMIT = 1000
MAX_ROWS = 16


@dataclass(frozen=True)
class LPResult:
    """Optimal bases of many cases.

    Attributes
    ----------
    basis : ndarray of int32, shape (n, n_row)
        Columns in the basis; -1 where the case was not solved.
    amount : ndarray, shape (n, n_row)
        Amount of each of them [mol], >= 0; NaN where not solved.
    dual : ndarray, shape (n, n_row)
        Derivative of the objective by b, the chemical potential of each element [J/mol].
    objective : ndarray, shape (n,)
        [J]
    status : ndarray of int8, shape (n,)
        See `STATUS`; 0 is solved.
    pivots : ndarray of int32, shape (n,)
        Changes of basis that were needed.
    """

    basis: NDArray[np.int32]
    amount: FloatArray
    dual: FloatArray
    objective: FloatArray
    status: NDArray[np.int8]
    pivots: NDArray[np.int32]

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.status)

    def check(self, labels: Any = None) -> LPResult:
        """Itself, if every case was solved.

        Raises
        ------
        MissingDataError, CompositionError, ValidityError, WastelabError
            Names the first case that was not, and why.
        """
        bad = np.flatnonzero(self.status)
        if bad.size == 0:
            return self
        i = int(bad[0])
        code = int(self.status[i])
        name = repr(labels[i]) if labels is not None else str(i)
        more = f" ({bad.size} of {self.n} cases were not solved)" if bad.size > 1 else ""
        text = f"equilibrium case {name}: {STATUS[code]}{more}. "
        if code == NOT_A_NUMBER:
            raise MissingDataError(text + "Give every amount, and a temperature above 0 K.")
        if code == OUTSIDE:
            raise CompositionError(text + "An element is negative, or there is less oxygen than the oxides need.")
        if code == NOT_ALLOWED:
            raise ValidityError(text + "Choose another temperature, or add data for phases that exist there.")
        if code == UNBOUNDED:
            raise CompositionError(text + "A column can grow without using up any element; check the phases' formulas.")
        raise WastelabError(text + "This is a fault of the solver: please report the composition and temperature.")


@dataclass(frozen=True)
class Prepared:
    """What the kernels take of A and a start basis; see `prepare`.

    Attributes
    ----------
    A : ndarray, shape (n_col, n_row)
    start : ndarray of int64, shape (n_row,)
        Distinct column of each start column.
    static : ndarray, shape (2 n_row, K)
        Tableau of the start basis, then the distinct columns, padded to a multiple of 16.
    inverse : ndarray, shape (n_row, n_row)
        Of the start basis.
    weight : ndarray, shape (K,)
        1 / atoms of each distinct column.
    first, twin, twin_of : ndarray of int64
        First column of each distinct composition; the other columns and the distinct one each belongs to.
    """

    A: FloatArray
    start: IntArray
    static: FloatArray
    inverse: FloatArray
    weight: FloatArray
    first: IntArray
    twin: IntArray
    twin_of: IntArray

    @property
    def kernel(self) -> tuple[Any, ...]:
        """First arguments of the kernels."""
        return self.static, self.inverse, self.start, self.weight, self.first, self.twin, self.twin_of


def prepare(A: ArrayLike, start: ArrayLike) -> Prepared:
    """Check A and the start basis and lay them out for the kernels; kept for the last few of them.

    Parameters
    ----------
    A : array_like, shape (n_col, n_row)
        Atoms of each element in each column.
    start : array_like of int, shape (n_row,)
        Columns of a basis in which every b has amounts >= 0.

    Raises
    ------
    CompositionError
        For arrays of the wrong shape, a column without any element, or start columns that are not independent.
    """
    a = np.ascontiguousarray(A, dtype=np.float64)
    s = np.ascontiguousarray(start, dtype=np.int64)
    return _prepare(a.tobytes(), a.shape, s.tobytes())


@lru_cache(maxsize=64)
def _prepare(a_bytes: bytes, shape: tuple[int, ...], start_bytes: bytes) -> Prepared:
    if len(shape) != 2:
        raise CompositionError(f"A has shape {shape}; expected (number of phases, number of elements).")
    n_col, m = shape
    a = np.frombuffer(a_bytes).reshape(shape)
    s = np.frombuffer(start_bytes, dtype=np.int64)
    if not 1 <= m <= MAX_ROWS:
        raise CompositionError(f"A has {m} rows of elements; expected 1 to {MAX_ROWS}.")
    if s.shape != (m,) or s.min() < 0 or s.max() >= n_col:
        raise CompositionError(f"start = {s.tolist()} is not {m} columns between 0 and {n_col - 1}.")
    if not np.isfinite(a).all():
        raise CompositionError("A contains a value that is not a finite number.")
    empty = np.flatnonzero(~a.any(axis=1))
    if empty.size:
        raise CompositionError(f"column {empty[0]} of A contains no element; leave such a phase out.")
    _, first_of, index = np.unique(a, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first_of)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    group = rank[index.ravel()]
    first = np.ascontiguousarray(first_of[order], dtype=np.int64)
    twin = np.setdiff1d(np.arange(n_col), first)
    square = a[s].T
    if np.linalg.matrix_rank(square) < m:
        raise CompositionError(f"the start columns {s.tolist()} do not span the elements.")
    inverse = np.linalg.inv(square)
    width = -(-first.size // 16) * 16
    static = np.zeros((2 * m, width))
    static[m:, : first.size] = a[first].T
    static[:m, : first.size] = np.linalg.solve(square, a[first].T)
    static[:m][np.abs(static[:m]) < 1e-14] = 0.0
    weight = np.ones(width)
    weight[: first.size] = 1.0 / np.abs(a[first]).sum(axis=1)
    return Prepared(
        a, np.ascontiguousarray(group[s], dtype=np.int64), static, np.ascontiguousarray(inverse), weight, first,
        np.ascontiguousarray(twin, dtype=np.int64), np.ascontiguousarray(group[twin], dtype=np.int64),
    )  # fmt: skip


def solve(
    A: ArrayLike, b: ArrayLike, cost: ArrayLike, start: ArrayLike, *, check: bool = True, limit: int = PIVOT_LIMIT
) -> LPResult:
    """Solve min cost.x with A^T x = b, x >= 0 for many b.

    Parameters
    ----------
    A : array_like, shape (n_col, n_row)
        Atoms of each element (row) in each phase (column).
    b : array_like, shape (n, n_row)
        Amount of each element [mol].
    cost : array_like, shape (n_col,) or (n, n_col)
        Gibbs energy of each phase [J/mol]; +inf where it is not allowed.
    start : array_like of int, shape (n_row,)
        Columns of a basis in which every b has amounts >= 0: the oxides, and gases.
    check : bool
        Whether a case that could not be solved raises; otherwise see `LPResult.status`.
    limit : int
        Most pivots for a case.

    Returns
    -------
    LPResult

    Raises
    ------
    CompositionError, MissingDataError, ValidityError, WastelabError
        See `prepare` and `LPResult.check`.
    """
    prepared = prepare(A, start)
    amounts = rows(b, prepared.A.shape[1], "b")
    costs = rows(cost, prepared.A.shape[0], "cost")
    if len(costs) not in (1, len(amounts)):
        raise CompositionError(f"there are {len(costs)} rows of costs for {len(amounts)} cases; give 1 or as many.")
    out = _run(prepared, amounts, costs, None, np.empty(0), _size(costs, start), limit)
    out.status[np.broadcast_to((np.isnan(costs) | (costs == -np.inf)).any(axis=1), out.n)] = NOT_A_NUMBER
    return _done(out, check)


def solve_at(
    A: ArrayLike,
    t_low: ArrayLike,
    g: ArrayLike,
    extra: ArrayLike,
    b: ArrayLike,
    temperature_K: ArrayLike,
    start: ArrayLike,
    *,
    t_max: ArrayLike | None = None,
    check: bool = True,
    limit: int = PIVOT_LIMIT,
) -> LPResult:
    """Solve each case at its own temperature, costs computed from Gibbs energies.

    Parameters
    ----------
    A, b, start, check, limit
        As in `solve`.
    t_low : array_like, shape (n_col, n_segments)
        Start of each segment [K], +inf where a phase has fewer; below the first one a phase is not allowed.
    g : array_like, shape (n_col, n_segments, 8)
        Coefficients of G on `reference.thermochemistry.g_basis` [J/mol].
    extra : array_like, shape (n_col,)
        Added to G in units of R T: ln(p / bar) for a gas, 0 for a pure solid.
    temperature_K : array_like, shape (n,) or ()
        [K]
    t_max : array_like, shape (n_col,), optional
        Temperature above which a phase is not allowed [K].

    Returns
    -------
    LPResult
    """
    prepared = prepare(A, start)
    amounts = rows(b, prepared.A.shape[1], "b")
    table = _gibbs_table(prepared.A.shape[0], t_low, g, extra, t_max)
    temperature = np.array(np.broadcast_to(np.asarray(temperature_K, dtype=np.float64), len(amounts)))
    out = _run(prepared, amounts, None, table, temperature, _largest(table, temperature), limit)
    return _done(out, check)


def sweep(
    A: ArrayLike,
    t_low: ArrayLike,
    g: ArrayLike,
    extra: ArrayLike,
    b: ArrayLike,
    temperature_K: ArrayLike,
    start: ArrayLike,
    *,
    t_max: ArrayLike | None = None,
    check: bool = True,
    limit: int = PIVOT_LIMIT,
) -> LPResult:
    """Solve every mix at every temperature; each begins at the answer for the temperature before.

    Parameters
    ----------
    A, t_low, g, extra, start, t_max, check, limit
        As in `solve_at`.
    b : array_like, shape (n, n_row)
        [mol]
    temperature_K : array_like, shape (n_T,)
        In rising or falling order, if it is to be fast [K].

    Returns
    -------
    LPResult
        Of n x n_T cases, temperature running fastest.
    """
    prepared = prepare(A, start)
    amounts = rows(b, prepared.A.shape[1], "b")
    table = _gibbs_table(prepared.A.shape[0], t_low, g, extra, t_max)
    temperature = np.array(temperature_K, dtype=np.float64).reshape(-1)
    costs = _costs(table, temperature)
    out = _run(prepared, amounts, costs, None, np.empty(0), _size(costs, start), limit, max(len(temperature), 1))
    out.status[np.tile(np.isnan(costs).any(axis=1), len(amounts))] = NOT_A_NUMBER
    return _done(out, check)


def stable_range(
    A: ArrayLike,
    cost_at: Callable[[FloatArray], ArrayLike],
    basis: ArrayLike,
    temperature_K: float,
    low: float,
    high: float,
    step: float = 5.0,
) -> tuple[float, float]:
    """Temperatures between which a basis stays optimal; its amounts do not change there, if the phases are pure.

    Parameters
    ----------
    A : array_like, shape (n_col, n_row)
    cost_at : callable
        Costs at an array of temperatures, shape (n_T, n_col) [J/mol]; +inf where a column is not allowed.
    basis : array_like of int, shape (n_row,)
        Columns, optimal at `temperature_K`.
    temperature_K, low, high : float
        Where it is optimal, and how far to look [K].
    step : float
        Search interval [K]; a change that is undone within it may be missed.

    Returns
    -------
    T_low, T_high : float
        [K], to 1e-6 K; `low` or `high` where nothing changes on the way.
    """
    columns = np.asarray(A, dtype=np.float64)
    chosen = np.asarray(basis, dtype=np.int64)
    inverse = sensitivity(columns, chosen)

    def optimal(t: FloatArray) -> NDArray[np.bool_]:
        cost = np.asarray(cost_at(t), dtype=np.float64)
        with np.errstate(invalid="ignore"):
            reduced = cost - cost[:, chosen] @ inverse @ columns.T
        reduced[:, chosen] = np.where(np.isfinite(cost[:, chosen]), 0.0, -np.inf)
        return np.asarray(np.nan_to_num(reduced, nan=-np.inf).min(axis=1) >= -1e-3)

    if not optimal(np.array([temperature_K]))[0]:
        raise ValidityError(f"the basis {chosen.tolist()} is not optimal at {temperature_K:g} K.")
    ends = []
    for end in (low, high):
        grid = np.append(np.arange(temperature_K, end, step if end > temperature_K else -step), end)
        fails = np.flatnonzero(~optimal(grid))
        if not fails.size:
            ends.append(float(end))
            continue
        good, bad = float(grid[fails[0] - 1]), float(grid[fails[0]])
        while abs(bad - good) > 1e-6:
            middle = 0.5 * (good + bad)
            good, bad = (middle, bad) if optimal(np.array([middle]))[0] else (good, middle)
        ends.append(good)
    return ends[0], ends[1]


def dense(result: LPResult, n_col: int) -> FloatArray:
    """Amount of every column, shape (n, n_col) [mol]; NaN in cases that were not solved."""
    out = np.zeros((result.n, n_col))
    solved = result.status == OK
    rows = np.flatnonzero(solved)[:, None]
    out[rows, result.basis[solved]] = result.amount[solved]
    out[~solved] = np.nan
    return out


def sensitivity(A: ArrayLike, basis: ArrayLike) -> FloatArray:
    """Exact derivative of the amounts by b, while the basis stays optimal.

    Parameters
    ----------
    A : array_like, shape (n_col, n_row)
    basis : array_like of int, shape (..., n_row)

    Returns
    -------
    ndarray, shape (..., n_row, n_row)
        d(amount of basis[p]) / d(b[e]) [mol/mol] at [..., p, e]; amount = this @ b.
    """
    columns = np.asarray(A, dtype=np.float64)[np.asarray(basis, dtype=np.int64)]
    return np.asarray(np.linalg.inv(np.swapaxes(columns, -1, -2)))


def _gibbs_table(n_col: int, t_low: ArrayLike, g: ArrayLike, extra: ArrayLike, t_max: ArrayLike | None) -> GibbsTable:
    low = np.asarray(t_low, dtype=np.float64)
    coefficients = np.asarray(g, dtype=np.float64)
    more = np.ascontiguousarray(extra, dtype=np.float64)
    high = np.full(n_col, np.inf) if t_max is None else np.ascontiguousarray(t_max, dtype=np.float64)
    if low.ndim != 2 or len(low) != n_col or coefficients.shape != (*low.shape, 8):
        raise CompositionError(
            f"t_low {low.shape} and g {coefficients.shape} do not fit {n_col} columns; expected (n_col, n_segments) "
            "and (n_col, n_segments, 8)."
        )
    if not (np.isfinite(coefficients).all() and np.isfinite(more).all()):
        raise MissingDataError("a coefficient of G or an activity term is not a finite number.")
    if more.shape != (n_col,) or high.shape != (n_col,):
        raise CompositionError(f"extra {more.shape} and t_max {high.shape} do not have {n_col} values.")
    later = np.flatnonzero(np.isfinite(low[:, 1:]).any(axis=1)).astype(np.int64)
    return (
        np.ascontiguousarray(coefficients.transpose(1, 2, 0)), np.ascontiguousarray(low.T), high, more, later,
    )  # fmt: skip


def _run(
    prepared: Prepared,
    b: FloatArray,
    cost: FloatArray | None,
    table: GibbsTable | None,
    temperature: FloatArray,
    big: FloatArray,
    limit: int,
    period: int = 1,
) -> LPResult:
    from . import _kernels

    n_col, m = prepared.A.shape
    out = _empty((len(b) * period, m))
    none = np.empty((0, n_col))
    if table is None:
        table = (np.empty((0, 8, n_col)), none, np.empty(0), np.empty(0), np.empty(0, dtype=np.int64))
    width = prepared.static.shape[1]
    member = np.zeros(width, dtype=np.int64)
    member[: prepared.first.size] = prepared.first
    arguments: tuple[Any, ...] = (
        *prepared.kernel, b, none if cost is None else cost, *table, temperature, big, limit, period,
        np.zeros((m + _kernels.N_WORK, width)), np.zeros((_kernels.N_VECTORS, m)),
        np.zeros((2, m + 4), dtype=np.int64), member, np.zeros(n_col),
        out.basis, out.amount, out.dual, out.objective, out.status, out.pivots,
    )  # fmt: skip
    _kernels.solve(*arguments)
    return out


def _size(cost: FloatArray, start: ArrayLike) -> FloatArray:
    """Size of the costs of each row, for tolerances; a penalty on a start column counts for a thousandth."""
    size = np.abs(np.where(np.isfinite(cost), cost, 0.0))
    largest = size.max(axis=1)
    size[:, np.asarray(start, dtype=np.int64)] = 0.0
    return np.asarray(np.maximum(size.max(axis=1), 1e-3 * largest))


def _costs(table: GibbsTable, T: FloatArray) -> FloatArray:
    """Cost of every column at every temperature, shape (n_T, n_col); +inf outside a column's range."""
    from ...reference.thermochemistry import GAS_CONSTANT, g_basis

    g, low, high, extra, _ = table
    t = np.where(np.isfinite(T) & (T > 0), T, np.nan)[:, None]
    basis = g_basis(t[:, 0])
    cost = np.einsum("tp,pj->tj", basis, g[0])
    for s in range(1, len(low)):
        later = low[s] <= t
        cost = np.where(later, np.einsum("tp,pj->tj", basis, g[s]), cost)
    cost += GAS_CONSTANT * t * extra
    return np.where((t > high + 1e-6) | (t < low[0] - 1e-6), np.inf, cost)


def _largest(table: GibbsTable, T: FloatArray) -> FloatArray:
    """Size of the costs, for tolerances: the largest at the ends of the temperatures, within each phase's range."""
    from ...reference.thermochemistry import GAS_CONSTANT, g_basis

    g, low, high, extra, _ = table
    finite = T[np.isfinite(T) & (T > 0)]
    big = 1.0
    for t in (finite.min(), finite.max()) if finite.size else ():
        inside = np.clip(t, low[0], np.maximum(high, low[0]))
        cost = np.einsum("jp,pj->j", g_basis(inside), g[0]) + GAS_CONSTANT * t * extra
        big = max(big, float(np.abs(cost).max()))
    return np.array([big])


def rows(values: ArrayLike, width: int, name: str) -> FloatArray:
    out = np.ascontiguousarray(values, dtype=np.float64)
    if out.ndim == 1:
        out = out[None, :]
    if out.ndim != 2 or out.shape[1] != width:
        raise CompositionError(f"{name} has shape {np.shape(values)}; expected (number of cases, {width}).")
    return out


def _empty(shape: tuple[int, ...]) -> LPResult:
    n = shape[0]
    return LPResult(
        np.full(shape, -1, dtype=np.int32), np.full(shape, np.nan), np.full(shape, np.nan), np.full(n, np.nan),
        np.zeros(n, dtype=np.int8), np.zeros(n, dtype=np.int32),
    )  # fmt: skip


def _done(out: LPResult, check: bool) -> LPResult:
    bad = out.status != OK
    if bad.any():
        out.basis[bad] = -1
        out.amount[bad] = out.dual[bad] = out.objective[bad] = np.nan
    return out.check() if check else out
