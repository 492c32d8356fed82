"""The linear programme of phase equilibrium: against HiGHS, degenerate cases, invariances, and its cache."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from wastelab.chemistry.formulas import molar_mass
from wastelab.errors import CompositionError, MissingDataError, ValidityError, WastelabError
from wastelab.reference.thermochemistry import GAS_CONSTANT, thermochemistry
from wastelab.simulate.charge import ELEMENTS
from wastelab.simulate.equilibrium import _kernels, lp
from wastelab.simulate.equilibrium.cache import AssemblageCache

OXIDES = ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "TiO2", "Na2O", "K2O", "SO3")
START = (
    "lime", "quartz", "corundum", "hematite", "periclase", "rutile", "Na2O", "K2O", "SO3(g)", "CO2(g)", "O2(g)",
    "H2O(g)",
)  # fmt: skip
PRESSURE = {"O2(g)": 0.03, "CO2(g)": 0.25, "H2O(g)": 0.06, "SO2(g)": 1e-3, "SO3(g)": 1e-5}


class Shipped:
    """All shipped phases in a kiln gas of fixed partial pressures."""

    def __init__(self) -> None:
        thermo = thermochemistry()
        names = [n for n in thermo.names if not n.endswith("(g)") or n in PRESSURE]
        self.thermo = thermo.subset(n for n in names if n != "C12A7")
        self.names = self.thermo.names
        self.A = self.thermo.matrix(ELEMENTS)
        self.start = np.array([self.names.index(n) for n in START])
        arrays = self.thermo.arrays()
        self.extra = np.array([np.log(PRESSURE.get(n, 1.0)) for n in self.names])
        self.gibbs = (arrays.t_low, arrays.g, self.extra)
        self.t_max = arrays.t_max

    def cost(self, T: float) -> np.ndarray:
        inside = [p.T_min <= T <= p.T_max for p in self.thermo.values()]
        g = [float(p.gibbs(T)) if ok else np.inf for p, ok in zip(self.thermo.values(), inside, strict=True)]
        return np.array(g) + GAS_CONSTANT * T * self.extra

    def costs(self, T: np.ndarray) -> np.ndarray:
        return np.array([self.cost(float(t)) for t in T])

    def b(self, wt: np.ndarray, gas: float = 30.0) -> np.ndarray:
        """Elements [mol/kg] of oxides [kg/kg], with so much of CO2, O2, H2O [mol/kg]."""
        x = np.full((len(wt), 12), gas)
        x[:, :9] = wt * 1e3 / [molar_mass(f) for f in OXIDES]
        return x @ self.A[self.start]

    def cloud(self, n: int, seed: int, alpha: float = 1.0) -> np.ndarray:
        return self.b(np.random.default_rng(seed).dirichlet(np.full(9, alpha), n))

    def at(self, b: np.ndarray, T: object, **more: object) -> lp.LPResult:
        return lp.solve_at(self.A, *self.gibbs, b, T, self.start, t_max=self.t_max, **more)


@pytest.fixture(scope="module")
def shipped() -> Shipped:
    return Shipped()


def highs(A: np.ndarray, b: np.ndarray, cost: np.ndarray) -> float:
    """Objective by HiGHS (scipy)."""
    allowed = np.isfinite(cost)
    found = linprog(cost[allowed], A_eq=A[allowed].T, b_eq=b, bounds=(0, None), method="highs")
    assert found.status == 0
    return float(found.fun)


def check_answer(A: np.ndarray, b: np.ndarray, cost: np.ndarray, result: lp.LPResult) -> None:
    """Amounts >= 0 that balance, no negative reduced cost, and objective = dual objective: optimal without a peer."""
    assert (result.status == lp.OK).all()
    assert (result.amount >= 0).all()
    x = lp.dense(result, len(A))
    # each element, to 1e-12 of the case's largest amount
    assert np.abs(x @ A - b).max() <= 1e-12 * max(np.abs(b).max(), 1e-300)
    costs = np.broadcast_to(cost, x.shape)
    usable = np.isfinite(costs)
    reduced = np.where(usable, costs, 0.0) - np.where(usable, result.dual @ A.T, 0.0)
    assert reduced.min() >= -1e-9 * np.abs(costs[usable]).max()
    np.testing.assert_allclose((result.dual * b).sum(axis=1), result.objective, rtol=1e-11, atol=1e-300)


def compare(system: Shipped, b: np.ndarray, T: np.ndarray) -> None:
    result = system.at(b, T)
    costs = system.costs(T)
    check_answer(system.A, b, costs, result)
    expected = [highs(system.A, row, cost) for row, cost in zip(b, costs, strict=True)]
    np.testing.assert_allclose(result.objective, expected, rtol=1e-9)
    np.testing.assert_allclose(lp.solve(system.A, b, costs, system.start).objective, result.objective, rtol=1e-12)


def test_objective_is_that_of_highs(shipped: Shipped) -> None:
    T = np.random.default_rng(1).uniform(350.0, 1790.0, 300)
    compare(shipped, shipped.cloud(300, 0), T)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 5.0])
def test_objective_is_that_of_highs_for_thousands(shipped: Shipped, alpha: float) -> None:
    T = np.random.default_rng(2).uniform(300.0, 1800.0, 1250)
    compare(shipped, shipped.cloud(1250, 3, alpha), T)


def test_missing_elements(shipped: Shipped) -> None:
    rng = np.random.default_rng(4)
    wt = rng.dirichlet(np.ones(9), 200) * (rng.random((200, 9)) < 0.4)
    wt[wt.sum(axis=1) == 0, 0] = 1.0
    compare(shipped, shipped.b(wt / wt.sum(axis=1, keepdims=True)), rng.uniform(350.0, 1790.0, 200))


def test_pure_oxides_compounds_and_tie_lines(shipped: Shipped) -> None:
    rng = np.random.default_rng(5)
    solids = [i for i, n in enumerate(shipped.names) if not n.endswith("(g)")]
    gas = np.zeros(len(shipped.A))
    gas[shipped.start[9:]] = 30.0
    cases = []
    for i in solids:
        x = gas.copy()
        x[i] += 2.0
        cases.append(x)
        x = gas.copy()
        x[rng.choice(solids, 2, replace=False)] += rng.random(2)
        cases.append(x)
    b = np.array(cases) @ shipped.A
    compare(shipped, b, np.full(len(b), 1400.0))


def test_a_compound_on_its_own_is_that_compound(shipped: Shipped) -> None:
    # C2S, anorthite, gehlenite and forsterite melt above 1400 K and are stable there against their oxides
    for name, group in {"C2S_beta": "Ca2SiO4", "anorthite": "CaAl2Si2O8", "forsterite": "Mg2SiO4"}.items():
        x = np.zeros(len(shipped.A))
        x[shipped.names.index(name)] = 1.5
        x[shipped.start[9:]] = 30.0
        result = shipped.at(x @ shipped.A, 1400.0)
        amount = lp.dense(result, len(x))[0]
        found = {
            shipped.thermo[n].formula: v
            for n, v in zip(shipped.names, amount, strict=True)
            if v > 0 and not n.endswith("(g)")
        }
        assert found == {group: pytest.approx(1.5, rel=1e-12)}


def test_nothing_at_all_gives_nothing(shipped: Shipped) -> None:
    result = shipped.at(np.zeros((1, 12)), 1000.0)
    assert result.status[0] == lp.OK
    assert (result.amount == 0).all()
    assert result.objective[0] == 0.0


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e3, 1e9])
def test_scaling_b_scales_the_amounts(shipped: Shipped, factor: float) -> None:
    b = shipped.cloud(200, 6)
    T = np.random.default_rng(6).uniform(350.0, 1790.0, 200)
    one, other = shipped.at(b, T), shipped.at(factor * b, T)
    np.testing.assert_allclose(
        lp.dense(other, len(shipped.A)), factor * lp.dense(one, len(shipped.A)), rtol=1e-9, atol=factor * 1e-11
    )
    np.testing.assert_allclose(other.objective, factor * one.objective, rtol=1e-12)


def test_traces_are_kept(shipped: Shipped) -> None:
    wt = np.array([[0.65, 0.22, 0.06, 0.03, 0.02, 1e-9, 1e-8, 1e-7, 0.02]])
    b = shipped.b(wt)
    x = lp.dense(shipped.at(b, 1500.0), len(shipped.A))
    np.testing.assert_allclose((x @ shipped.A)[:, :9], b[:, :9], rtol=1e-9)


def test_an_order_of_phases_does_not_matter(shipped: Shipped) -> None:
    b = shipped.cloud(100, 7)
    cost = shipped.cost(1550.0)
    order = np.random.default_rng(7).permutation(len(cost))
    start = np.array([int(np.flatnonzero(order == s)[0]) for s in shipped.start])
    one = lp.solve(shipped.A, b, cost, shipped.start)
    other = lp.solve(shipped.A[order], b, cost[order], start)
    np.testing.assert_allclose(other.objective, one.objective, rtol=1e-12)
    np.testing.assert_allclose(lp.dense(other, len(cost)), lp.dense(one, len(cost))[:, order], atol=1e-10)


def test_sweep_is_the_cold_solve(shipped: Shipped) -> None:
    b = shipped.cloud(20, 8, 0.5)
    T = np.linspace(310.0, 1800.0, 150)
    warm = lp.sweep(shipped.A, *shipped.gibbs, b, T, shipped.start, t_max=shipped.t_max)
    cold = shipped.at(np.repeat(b, len(T), axis=0), np.tile(T, len(b)))
    np.testing.assert_allclose(warm.objective, cold.objective, rtol=1e-12)
    np.testing.assert_allclose(lp.dense(warm, len(shipped.A)), lp.dense(cold, len(shipped.A)), atol=1e-10)
    assert warm.pivots.mean() < 0.2 * cold.pivots.mean()
    back = lp.sweep(shipped.A, *shipped.gibbs, b, T[::-1], shipped.start, t_max=shipped.t_max)
    np.testing.assert_allclose(back.objective.reshape(20, -1)[:, ::-1].ravel(), cold.objective, rtol=1e-12)


# --- general programmes ---------------------------------------------------------------------------------------------


def test_beale_cycling_example() -> None:
    # E. M. L. Beale, "Cycling in the dual simplex algorithm", Naval Res. Logist. Q. 2 (1955) 269: optimum -1/20.
    A = np.array(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.25, 0.5, 0], [-60, -90, 0], [-1 / 25, -1 / 50, 1], [9, 3, 0]], dtype=float
    )
    result = lp.solve(A, [0.0, 0.0, 1.0], [0, 0, 0, -0.75, 150, -0.02, 6], [0, 1, 2])
    assert result.objective[0] == pytest.approx(-0.05, rel=1e-12)


def test_klee_minty_cube() -> None:
    # max sum 10^(n-i) x_i, 2 sum_{j<i} 10^(i-j) x_j + x_i <= 100^(i-1): optimum 100^(n-1) (Chvatal, Linear
    # Programming, 1983, ch. 4)
    n = 6
    A = np.zeros((2 * n, n))
    A[n:] = np.eye(n)
    for i in range(n):
        A[i, i] = 1.0
        for j in range(i):
            A[j, i] = 2.0 * 10.0 ** (i - j)
    cost = np.r_[[-(10.0 ** (n - 1 - i)) for i in range(n)], np.zeros(n)]
    result = lp.solve(A, 100.0 ** np.arange(n), cost, np.arange(n, 2 * n))
    assert result.objective[0] == pytest.approx(-(100.0 ** (n - 1)), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_random_programmes_are_those_of_highs(m: int, extra: int, seed: int, degenerate: bool) -> None:
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, 4, (extra, m)).astype(float)
    A = np.vstack([np.eye(m), columns[columns.any(axis=1)]])
    cost = rng.normal(size=len(A)) + 0.5
    x = rng.random((3, len(A))) * (rng.random((3, len(A))) < (0.1 if degenerate else 0.8))
    b = x @ A
    result = lp.solve(A, b, cost, np.arange(m))
    check_answer(A, b, cost, result)
    expected = [highs(A, row, cost) for row in b]
    np.testing.assert_allclose(result.objective, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=9, max_size=9), st.floats(320.0, 1790.0), st.floats(1e-6, 1e6))
def test_balance_and_homogeneity(shipped: Shipped, wt: list[float], T: float, factor: float) -> None:
    b = shipped.b(np.array([wt]))
    one, other = shipped.at(b, T), shipped.at(b * factor, T)
    x = lp.dense(one, len(shipped.A))
    assert np.abs(x @ shipped.A - b).max() <= 1e-12 * b.max()
    np.testing.assert_allclose(other.objective, factor * one.objective, rtol=1e-11)


# --- what cannot be solved ------------------------------------------------------------------------------------------


def test_status_codes_and_their_errors(shipped: Shipped) -> None:
    b = shipped.cloud(4, 9)
    b[1] = np.nan
    b[2, 0] = -1.0
    T = np.array([1500.0, 1500.0, 1500.0, np.nan])
    result = shipped.at(b, T, check=False)
    assert result.status.tolist() == [lp.OK, lp.NOT_A_NUMBER, lp.OUTSIDE, lp.NOT_A_NUMBER]
    assert np.isnan(result.amount[1:]).all()
    assert (result.basis[1:] == -1).all()
    assert np.isnan(lp.dense(result, len(shipped.A))[1:]).all()
    with pytest.raises(MissingDataError, match=r"case 1: .*not a finite number \(3 of 4 cases"):
        shipped.at(b, T)
    with pytest.raises(CompositionError, match="case 0: b is not a sum of the start columns"):
        shipped.at(b[2:3], 1500.0)
    with pytest.raises(MissingDataError, match="'second'"):
        result.check(["first", "second", "third", "fourth"])


def test_pivot_limit(shipped: Shipped) -> None:
    result = shipped.at(shipped.cloud(3, 10), 1500.0, limit=2, check=False)
    assert (result.status == lp.LIMIT).all()
    with pytest.raises(WastelabError, match="pivot limit"):
        shipped.at(shipped.cloud(3, 10), 1500.0, limit=2)


def test_unbounded_and_not_allowed() -> None:
    A = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    with pytest.raises(CompositionError, match="no lower bound"):
        lp.solve(A, [1.0, 1.0], [0.0, -1.0, -5.0], [0, 1])
    cost = np.array([1.0, np.inf])
    with pytest.raises(ValidityError, match="temperature range"):
        lp.solve(np.eye(2), [1.0, 1.0], cost, [0, 1])
    fine = lp.solve(np.eye(2), [1.0, 0.0], cost, [0, 1])
    assert fine.objective[0] == 1.0
    other = lp.solve(np.vstack([np.eye(2), [1.0, 1.0]]), [1.0, 1.0], [*cost, 50.0], [0, 1])
    assert other.objective[0] == pytest.approx(50.0, rel=1e-12)


def test_nan_costs_are_reported_for_their_case() -> None:
    cost = np.array([[1.0, 2.0], [np.nan, 2.0], [1.0, -np.inf]])
    result = lp.solve(np.eye(2), np.ones((3, 2)), cost, [0, 1], check=False)
    assert result.status.tolist() == [lp.OK, lp.NOT_A_NUMBER, lp.NOT_A_NUMBER]


@pytest.mark.parametrize(
    ("A", "b", "cost", "start", "words"),
    [
        (np.eye(2), [1.0], [1.0, 1.0], [0, 1], "b has shape"),
        (np.eye(2), [1.0, 1.0], [1.0], [0, 1], "cost has shape"),
        (np.eye(2), np.ones((3, 2)), np.ones((2, 2)), [0, 1], "2 rows of costs for 3 cases"),
        (np.eye(2), [1.0, 1.0], [1.0, 1.0], [0, 2], "not 2 columns"),
        (np.eye(2), [1.0, 1.0], [1.0, 1.0], [0, 0], "do not span"),
        ([[1.0, 0.0], [0.0, 0.0]], [1.0, 1.0], [1.0, 1.0], [0, 1], "column 1 of A contains no element"),
        ([[1.0, np.nan], [0.0, 1.0]], [1.0, 1.0], [1.0, 1.0], [0, 1], "not a finite number"),
        (np.eye(17), np.ones(17), np.ones(17), np.arange(17), "expected 1 to 16"),
        (np.ones(3), [1.0], [1.0], [0], "expected \\(number of phases"),
    ],
)
def test_bad_arrays(A: object, b: object, cost: object, start: object, words: str) -> None:
    with pytest.raises(CompositionError, match=words):
        lp.solve(A, b, cost, start)


# --- derivatives ----------------------------------------------------------------------------------------------------


def test_sensitivity_is_the_derivative(shipped: Shipped) -> None:
    b = shipped.cloud(20, 11)
    result = shipped.at(b, 1500.0)
    matrix = lp.sensitivity(shipped.A, result.basis)
    np.testing.assert_allclose(np.einsum("npe,ne->np", matrix, b), result.amount, atol=1e-10)
    for e in range(9):
        moved = b.copy()
        moved[:, e] += 1e-6
        moved[:, 10] += 2e-6  # oxygen, that an oxide of it forms
        other = shipped.at(moved, 1500.0)
        same = (other.basis == result.basis).all(axis=1)
        assert same.sum() > 10
        change = (other.amount - result.amount)[same]
        np.testing.assert_allclose(change, 1e-6 * (matrix[same, :, e] + 2.0 * matrix[same, :, 10]), atol=1e-11)
        gain = (other.objective - result.objective)[same]
        expected = 1e-6 * (result.dual[same, e] + 2.0 * result.dual[same, 10])
        np.testing.assert_allclose(gain, expected, rtol=1e-6)


def test_stable_range_ends_where_the_assemblage_changes(shipped: Shipped) -> None:
    b = shipped.cloud(1, 12)
    basis = shipped.at(b, 1400.0).basis[0]
    low, high = lp.stable_range(shipped.A, shipped.costs, basis, 1400.0, 320.0, 1800.0)
    assert low < 1400.0 < high
    inside = shipped.at(np.repeat(b, 3, axis=0), [low + 0.01, 1400.0, high - 0.01])
    assert {frozenset(row) for row in inside.basis.tolist()} == {frozenset(basis.tolist())}
    outside = shipped.at(np.repeat(b, 2, axis=0), [low - 0.01, high + 0.01])
    assert all(set(row) != set(basis.tolist()) for row in outside.basis.tolist())
    with pytest.raises(ValidityError, match="not optimal at"):
        lp.stable_range(shipped.A, shipped.costs, basis, low - 1.0, 320.0, 1800.0)


# --- the cache ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("T", [420.0, 1000.0, 1523.0, 1723.0])
def test_cache_is_the_cold_solve(shipped: Shipped, T: float) -> None:
    cost = shipped.cost(T)
    cache = AssemblageCache(shipped.A, cost, shipped.start)
    rng = np.random.default_rng(13)
    wt = np.vstack([rng.dirichlet(np.ones(9), 3000), rng.dirichlet(np.full(9, 0.1), 1000)])
    wt[-500:] *= rng.random((500, 9)) < 0.5
    b = shipped.b(wt)
    cold = lp.solve(shipped.A, b, cost, shipped.start)
    for _ in range(2):  # growing, then grown
        result = cache.solve(b)
        check_answer(shipped.A, b, cost, result)
        np.testing.assert_allclose(result.objective, cold.objective, rtol=1e-12)
        mine, other = lp.dense(result, len(cost)), lp.dense(cold, len(cost))
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-10)
        assert ((mine > 1e-9) == (other > 1e-9)).all()
    back = cache.solve(b[::-1])
    np.testing.assert_allclose(back.objective[::-1], cold.objective, rtol=1e-12)
    assert cache.n > 100


def test_cache_snapshot_serves_kernels(shipped: Shipped) -> None:
    cost = shipped.cost(1500.0)
    cache = AssemblageCache(shipped.A, cost, shipped.start)
    b = shipped.cloud(500, 14)
    before = cache.arrays()
    out = np.zeros(16)
    assert min(_kernels.evaluate(row, before.inverses, before.neighbours, 0, out) for row in b) == -1
    result = cache.solve(b)
    now = cache.arrays()
    for i, row in enumerate(b):
        h = _kernels.evaluate(row, now.inverses, now.neighbours, 0, out)
        assert set(now.bases[h]) == set(result.basis[i])
        np.testing.assert_allclose(out[:12], lp.sensitivity(shipped.A, now.bases[h]) @ row, atol=1e-10)
        assert _kernels.evaluate(row, now.inverses, now.neighbours, h, out) == h
    inverse = lp.sensitivity(shipped.A, now.bases)
    np.testing.assert_allclose(now.inverses[:, :, :12], np.swapaxes(inverse, 1, 2), atol=1e-12)
    assert (now.inverses[:, :, 12:] == 0).all()
    np.testing.assert_allclose(now.duals, np.einsum("np,npe->ne", cost[now.bases], inverse), rtol=1e-10)
    assert len(before.bases) == 1


def test_cache_reports_what_cannot_be(shipped: Shipped) -> None:
    cache = AssemblageCache(shipped.A, shipped.cost(1500.0), shipped.start)
    b = shipped.cloud(4, 15)
    b[1, 1] = np.nan
    b[2, 0] = -1.0
    result = cache.solve(b, check=False)
    assert result.status.tolist() == [lp.OK, lp.NOT_A_NUMBER, lp.OUTSIDE, lp.OK]
    assert np.isnan(result.amount[1:3]).all()
    with pytest.raises(MissingDataError, match="case 1"):
        cache.solve(b)
    with pytest.raises(MissingDataError, match="column 3"):
        AssemblageCache(shipped.A, np.where(np.arange(len(shipped.A)) == 3, np.nan, 1.0), shipped.start)
    with pytest.raises(ValidityError, match="temperature range"):
        AssemblageCache(np.vstack([np.eye(2), [1.0, 1.0]]), [1.0, np.inf, 5.0], [0, 1]).solve([[1.0, 2.0]])


def test_cache_from_several_threads(shipped: Shipped) -> None:
    cost = shipped.cost(1400.0)
    cache = AssemblageCache(shipped.A, cost, shipped.start)
    clouds = [shipped.cloud(2000, 20 + k) for k in range(6)]
    found: dict[int, lp.LPResult] = {}

    def work(k: int) -> None:
        for part in np.array_split(np.arange(2000), 10):
            cache.solve(clouds[k][part])
        found[k] = cache.solve(clouds[k])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, cloud in enumerate(clouds):
        cold = lp.solve(shipped.A, cloud, cost, shipped.start)
        np.testing.assert_allclose(found[k].objective, cold.objective, rtol=1e-12)
