"""Equilibria per second and core: wastelab beside SciPy's HiGHS, highspy and SimCem, same run, answers compared.

The work: random mixes of nine oxides at random temperatures in a furnace gas of fixed partial pressures, all shipped
phases, twelve elements. HiGHS solves the same linear programmes; SimCem (extra `peers`) minimises over its own phases
with a closed gas, so its time is compared and its clinker is printed beside ours. The rows of `wl.equilibrium` and
`System.table` are the whole call with solid solutions, from oxides to a Dataset, in the same furnace gas, for a cloud
of belite-ye'elimite meals; the others are the programme alone. Everything runs on one thread.

    python benchmarks/calcination/equilibrium_vs_peers.py --cases 20000 --peer-cases 200
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

import numpy as np

from wastelab.chemistry.formulas import molar_mass
from wastelab.reference.thermochemistry import GAS_CONSTANT, thermochemistry
from wastelab.simulate.charge import ELEMENTS
from wastelab.simulate.equilibrium import lp
from wastelab.simulate.equilibrium.cache import AssemblageCache

OXIDES = ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO", "TiO2", "Na2O", "K2O", "SO3")
START = (
    "lime", "quartz", "corundum", "hematite", "periclase", "rutile", "Na2O", "K2O", "SO3(g)", "CO2(g)", "O2(g)",
    "H2O(g)",
)  # fmt: skip
PRESSURE = {"O2(g)": 0.03, "CO2(g)": 0.25, "H2O(g)": 0.06, "SO2(g)": 1e-3, "SO3(g)": 1e-5}
GAS = 30.0  # mol/kg of CO2, O2 and H2O at hand
#: Composition of a Portland clinker [wt%], Taylor, Cement Chemistry, 2nd ed. (1997), section 1.1.2
OPC = {"CaO": 66.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8, "MgO": 1.0, "K2O": 0.6, "Na2O": 0.2, "SO3": 1.0}

FIRST_CALL = """
import sys, time
sys.path.insert(0, {folder!r})
from equilibrium_vs_peers import Work
work = Work()
b, T = work.mixes(3, 0), [500.0, 900.0, 1500.0]
from wastelab.simulate.equilibrium import lp
from wastelab.simulate.equilibrium.cache import AssemblageCache
costs = work.costs(1500.0)
t = time.perf_counter()
{call}
print(time.perf_counter() - t)
"""
CALLS = {
    "solve_at": "work.at(b, T)",
    "solve": "lp.solve(work.A, b, costs, work.start)",
    "sweep": "work.sweep(b, T)",
    "AssemblageCache": "AssemblageCache(work.A, costs, work.start).solve(b)",
}


class Work:
    """The programmes that everybody solves."""

    def __init__(self) -> None:
        thermo = thermochemistry()
        names = [n for n in thermo.names if n != "C12A7" and (not n.endswith("(g)") or n in PRESSURE)]
        self.thermo = thermo.subset(names)
        self.names = self.thermo.names
        self.A = self.thermo.matrix(ELEMENTS)
        self.start = np.array([names.index(n) for n in START])
        self.extra = np.array([np.log(PRESSURE.get(n, 1.0)) for n in names])
        arrays = self.thermo.arrays()
        self.table = (arrays.t_low, arrays.g, self.extra)
        self.t_max = arrays.t_max

    def mixes(self, n: int, seed: int) -> np.ndarray:
        """Elements [mol/kg] of n random mixes."""
        return self.elements(np.random.default_rng(seed).dirichlet(np.ones(9), n))

    def elements(self, share: np.ndarray) -> np.ndarray:
        """Elements [mol/kg] of oxides [kg/kg] with the gas at hand."""
        x = np.full((len(share), 12), GAS)
        x[:, :9] = share * 1e3 / [molar_mass(f) for f in OXIDES]
        return x @ self.A[self.start]

    def costs(self, T: float) -> np.ndarray:
        """Cost of each phase [J/mol], inf outside its range."""
        g = [float(p.gibbs(T)) if p.T_min <= T <= p.T_max else np.inf for p in self.thermo.values()]
        return np.array(g) + GAS_CONSTANT * T * self.extra

    def at(self, b: np.ndarray, T: object) -> lp.LPResult:
        return lp.solve_at(self.A, *self.table, b, T, self.start, t_max=self.t_max)

    def sweep(self, b: np.ndarray, T: object) -> lp.LPResult:
        return lp.sweep(self.A, *self.table, b, T, self.start, t_max=self.t_max)


#: Middle of the cloud of meals [wt%].
MEAL = {
    "CaO": 48.0, "SiO2": 14.0, "Al2O3": 14.0, "Fe2O3": 10.0, "MgO": 1.5, "TiO2": 1.5, "Na2O": 0.6, "K2O": 0.4,
    "SO3": 10.0,
}  # fmt: skip


def public(n: int, T: float, seed: int, repeat: int) -> list[tuple[str, float]]:
    """Equilibria per second of the calls a person makes, solid solutions included."""
    import xarray as xr

    import wastelab as wl
    from wastelab.simulate.charge import as_charge
    from wastelab.simulate.equilibrium import System

    share = np.random.default_rng(seed).dirichlet([1.5 * MEAL[o] for o in OXIDES], n)
    mixes = xr.DataArray(100.0 * share, dims=("mix", "oxide"), coords={"oxide": list(OXIDES)})
    few = mixes[: min(n, 500)]
    at = f"{T!r} kelvin"
    rows = []
    wl.equilibrium(few, at, "rotary_kiln", refine=False)
    wl.equilibrium(few[:20], at, "rotary_kiln", refine=True)
    rate, exact = best(lambda: wl.equilibrium(few, at, "rotary_kiln", refine=True), len(few), 2)
    rows.append(("wl.equilibrium, refine=True", rate))
    rate, many = best(lambda: wl.equilibrium(mixes, at, "rotary_kiln", refine=False), n, repeat)
    rows.append(("wl.equilibrium, refine=False", rate))
    amount = as_charge(mixes).amount
    table = System.build(None, "rotary_kiln").table(T)
    names = ("C2S", "C4A3S", "C4AF", "CaO")
    table.mineral_mass(amount, names)
    rate, _ = best(lambda: table.mineral_mass(amount, names), n, repeat)
    rows.append(("System.table(T).mineral_mass, four minerals", rate))
    shared = many.isel(mix=slice(0, len(few)))
    off = np.abs(exact.mineral_fraction.sel(mineral=many.mineral.values) - shared.mineral_fraction).max("mineral")
    print(
        f"refine=False against True, {len(few)} meals: minerals off by {100 * float(off.quantile(0.99)):.2f} wt% in 1 "
        f"of 100, {100 * float(off.max()):.2f} wt% at most; Dataset of {many.nbytes / 1e6:.0f} MB for {n} meals"
    )
    return rows


def best(call, n: int, repeat: int) -> tuple[float, object]:
    """Cases per second, best of some, and the last answer."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        answer = call()
        times.append(time.perf_counter() - start)
    return n / min(times), answer


def scipy_highs(A: np.ndarray, b: np.ndarray, costs: np.ndarray) -> np.ndarray:
    from scipy.optimize import linprog

    out = np.empty(len(b))
    for i in range(len(b)):
        bounds = np.column_stack([np.zeros(len(A)), np.where(np.isfinite(costs[i]), np.inf, 0.0)])
        cost = np.where(np.isfinite(costs[i]), costs[i], 0.0)
        out[i] = linprog(cost, A_eq=A.T, b_eq=b[i], bounds=bounds, method="highs").fun
    return out


def direct_highs(A: np.ndarray, b: np.ndarray, costs: np.ndarray) -> np.ndarray:
    import highspy
    from scipy.sparse import csc_matrix

    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    matrix = csc_matrix(A.T)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = A.shape
    model.col_lower_ = np.zeros(len(A))
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    out = np.empty(len(b))
    for i in range(len(b)):
        model.col_cost_ = np.where(np.isfinite(costs[i]), costs[i], 0.0)
        model.col_upper_ = np.where(np.isfinite(costs[i]), highspy.kHighsInf, 0.0)
        model.row_lower_ = model.row_upper_ = b[i]
        solver.passModel(model)
        solver.run()
        out[i] = solver.getInfo().objective_function_value
    return out


def simcem(n: int, seed: int) -> tuple[float, dict[str, float]]:
    """Clinkers per second of SimCem, and its phases of the Portland clinker at 1720 K [wt%]."""
    import simcem as sc

    with contextlib.redirect_stdout(io.StringIO()):
        from simcem.clinker import clinkerize, db
    gas = {"N2": 70.0, "O2": 3.0, "CO2": 25.0, "H2O": 6.0}
    rng = np.random.default_rng(seed)

    def run(composition: dict[str, float], T: float):
        moles = sc.MassToMoles(db, sc.Components(composition)).as_dict()
        so3 = moles.pop("SO3", 0.0)
        held = dict(gas, O2=gas["O2"] + 0.5 * so3, SO2=so3)
        return clinkerize(sc.Components(held), sc.Components(moles), T)

    mixes = [{k: v * float(rng.uniform(0.9, 1.1)) for k, v in OPC.items()} for _ in range(n)]
    temperatures = rng.uniform(1450.0, 1720.0, n)
    run(OPC, 1720.0)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        for mix, T in zip(mixes, temperatures, strict=True):
            run(mix, float(T))
    rate = n / (time.perf_counter() - start)
    solid = run(OPC, 1720.0)[1]
    found: dict[str, float] = {}
    for key, moles in solid.components.as_dict().items():
        formula = key.split(":")[0]
        found[formula] = found.get(formula, 0.0) + moles * molar_mass(formula)
    total = sum(found.values())
    return rate, {k: 100.0 * v / total for k, v in found.items() if v > 1e-3 * total}


def clinker(work: Work, T: float) -> dict[str, float]:
    """Our phases of the same clinker [wt%]."""
    share = np.array([[OPC.get(f, 0.0) for f in OXIDES]])
    amount = lp.dense(work.at(work.elements(share / share.sum()), T), len(work.A))[0]
    found: dict[str, float] = {}
    for name, x in zip(work.names, amount, strict=True):
        if x > 0 and not name.endswith("(g)"):
            formula = work.thermo[name].formula
            found[formula] = found.get(formula, 0.0) + x * molar_mass(formula)
    total = sum(found.values())
    return {k: 100.0 * v / total for k, v in found.items()}


def first_calls() -> None:
    """Seconds of the first call of each entry point in a new process: compiled, then loaded from the disk cache."""
    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
    print("\nfirst call in a new process [s]   compiled   loaded")
    for name, call in CALLS.items():
        with tempfile.TemporaryDirectory() as cache:
            env = {**os.environ, "NUMBA_CACHE_DIR": cache}
            code = FIRST_CALL.format(folder=folder, call=call)
            seconds = [
                float(subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout)
                for _ in range(2)
            ]
        print(f"  {name:<31s} {seconds[0]:>8.2f} {seconds[1]:>8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000, help="random equilibria for wastelab")
    parser.add_argument("--peer-cases", type=int, default=200, help="of these, solved by HiGHS too")
    parser.add_argument("--simcem-cases", type=int, default=8, help="clinkers for SimCem, if it is installed")
    parser.add_argument("--temperature", type=float, default=1523.0, help="of the cached equilibria [K]")
    parser.add_argument("--repeat", type=int, default=5, help="best of so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-first-call", action="store_true", help="leave out the time to compile")
    args = parser.parse_args()

    work = Work()
    n = args.cases
    b = work.mixes(n, args.seed)
    T = np.random.default_rng(args.seed + 1).uniform(350.0, 1790.0, n)
    grid = np.linspace(350.0, 1790.0, 145)
    n_sweep = max(n // len(grid), 1)
    cost = work.costs(args.temperature)
    ends = work.mixes(2 * max(n // 500, 1), args.seed + 2).reshape(2, -1, 1, 12)
    step = np.linspace(0.0, 1.0, 500)[None, :, None]
    lattice = np.ascontiguousarray((ends[0] * (1 - step) + ends[1] * step).reshape(-1, 12))
    work.at(b[:2], T[:2])
    work.sweep(b[:2], T[:2])
    cache = AssemblageCache(work.A, cost, work.start)
    for cases in (b, lattice):
        cache.solve(cases)
        cache.solve(cases)

    m = args.peer_cases
    costs = np.array([work.costs(t) for t in T[:m]])
    rows: list[tuple[str, float]] = []
    rate, expected = best(lambda: scipy_highs(work.A, b[:m], costs), m, 2)
    rows.append(("SciPy HiGHS", rate))
    if find_spec("highspy"):
        rate, direct = best(lambda: direct_highs(work.A, b[:m], costs), m, 2)
        rows.append(("highspy", rate))
        print(f"highspy against SciPy HiGHS: {np.abs(direct / expected - 1).max():.1e} relative")
    rate, cold = best(lambda: work.at(b, T), n, args.repeat)
    rows.append(("wastelab cold, random mix and temperature", rate))
    rate, _ = best(lambda: lp.solve(work.A, b, cost, work.start), n, args.repeat)
    rows.append(("wastelab cold, one temperature", rate))
    rate, warm = best(lambda: work.sweep(b[:n_sweep], grid), n_sweep * len(grid), args.repeat)
    rows.append((f"wastelab sweep of {len(grid)} temperatures", rate))
    rate, cached = best(lambda: cache.solve(b), n, args.repeat)
    rows.append(("wastelab cached, random mixes", rate))
    rate, _ = best(lambda: cache.locate(b), n, args.repeat)
    rows.append(("  the same, basis and amounts only", rate))
    rate, _ = best(lambda: cache.solve(lattice), len(lattice), args.repeat)
    rows.append(("wastelab cached, neighbouring mixes", rate))
    rate, _ = best(lambda: cache.locate(lattice), len(lattice), args.repeat)
    rows.append(("  the same, basis and amounts only", rate))
    rows += public(n, args.temperature, args.seed, args.repeat)
    found: dict[str, float] = {}
    if find_spec("simcem"):
        rate, found = simcem(args.simcem_cases, args.seed)
        rows.append(("SimCem", rate))

    print(f"{len(work.A)} phases, {work.A.shape[1]} elements; {n} mixes; {cache.n} assemblages in the cache")
    peer = rows[0][1]
    other = rows[-1][1] if found else np.nan
    print(f"{'':<44s} {'per second':>12s} {'x HiGHS':>10s} {'x SimCem':>10s}")
    for name, rate in rows:
        print(f"{name:<44s} {rate:>12,.0f} {rate / peer:>10,.1f} {rate / other:>10,.0f}")
    print(f"pivots: cold {cold.pivots.mean():.1f} mean, {cold.pivots.max()} most; sweep {warm.pivots.mean():.2f} mean")

    off = np.abs(cold.objective[:m] / expected - 1).max()
    dense = lp.dense(cold, len(work.A))
    balance = np.abs(dense @ work.A - b).max() / b.max()
    one = lp.solve(work.A, b, cost, work.start)
    difference = np.abs(lp.dense(one, len(work.A)) - lp.dense(cached, len(work.A))).max()
    print(
        f"objective against HiGHS {off:.1e} relative; balance {balance:.1e}; cached amounts off by {difference:.1e} mol"
    )
    if off > 1e-9 or balance > 1e-12 or difference > 1e-9:
        sys.exit("the answers do not agree")
    if found:
        ours = clinker(work, 1720.0)
        print("\nPortland clinker at 1720 K [wt%]      wastelab   SimCem (own data, closed gas)")
        for formula in sorted(set(ours) | set(found), key=lambda f: -max(ours.get(f, 0.0), found.get(f, 0.0))):
            print(f"  {formula:<34s} {ours.get(formula, 0.0):>9.2f} {found.get(formula, 0.0):>8.2f}")
    if not args.no_first_call:
        first_calls()


if __name__ == "__main__":
    main()
