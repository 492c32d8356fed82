"""Coupled reactions beside general solvers of differential equations, same equations, same run, at equal error.

Six reactions of a mix heated from 300 to 1400 K at 10 K/min with 20 outputs: gypsum in two consecutive steps, kaolinite
and its over-calcination, calcite held back by CO2, goethite; once with held pressures, once in a stream of gas that the
reactions change. The peers get the equations twice: as one writes them in numpy, and compiled by numba from the
kernel's own functions; in the latter, reactions that stand alone are given as g(alpha), so that no corner spoils them.

    python benchmarks/calcination/coupled_vs_peers.py --recipes 500
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numba import njit
from scipy.integrate import solve_ivp

from wastelab.simulate.heating import TemperatureProgram
from wastelab.simulate.kinetics import _coupled_kernels as ck
from wastelab.simulate.kinetics import build, pack, solve_batch
from wastelab.simulate.kinetics.coupled import TOLERANCE

PRESSURES = {"CO2": 0.1, "H2O": 0.01}
RAMP = TemperatureProgram.parse("from 300 K, 10 K/min to 1400 K")
OUT = np.linspace(0.0, RAMP.duration_s, 21)[1:]


def best(function, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


@njit(cache=True)
def prepare(start, consumed, produced, li, net, w):
    """Stoichiometry as the kernel sees it, every reaction integrated; those that stand alone as g(alpha)."""
    ck._network(start, consumed, produced, 1.0, li, net, w)
    for r in range(net.shape[0]):
        li[ck.ACT, r], li[ck.ODE, r], li[ck.DONE, r] = r, r, 0
        if li[ck.WAY, r] == ck.ALONE:
            li[ck.WAY, r] = ck.INTEGRAL


@njit(cache=True)
def derivative(t, x, rate, hot, flow, li, net, w, tab, u0, du, out):
    """The right-hand side the peers integrate: the same functions as the kernel's own."""
    n_r = net.shape[0]
    for r in range(n_r):
        w[ck.NEW, r] = x[r]
    ck._constants(n_r - n_r, hot + rate * t, n_r - n_r + ck.ODE, n_r, li, tab, u0, du, w)
    n_need = ck._gases(n_r, li, w) if flow > 0.0 else n_r - n_r
    if flow == 0.0:
        for g in range(w.shape[0] - ck.G):
            w[ck.P, g] = w[ck.P_IN, g]
    ck._rates(n_r - n_r, n_r, n_r - n_r, n_need, li, net, w, flow, 1.0)
    for r in range(n_r):
        out[r] = w[ck.DX, r]


@njit(cache=True)
def conversions(y, li, w):
    out = y.copy()
    for i in range(y.shape[0]):
        for r in range(y.shape[1]):
            if li[ck.WAY, r] != ck.EXTENT:
                out[i, r] = ck._extent(r, y[i, r], li, w)
            out[i, r] /= max(w[ck.LIMIT, r], 1e-300)
    return out


def compiled_side(packed, start, flow):
    """Right-hand side by numba, its states to conversions, and the largest extents."""
    n_r, n_g = packed.gas.shape
    w, li = np.zeros((ck.N_W + n_g, max(n_r, n_g))), np.zeros((ck.N_L + n_r, max(n_r, n_g)), np.int64)
    net = np.zeros((n_r, 4, 1 + 2 * n_r))
    w[:6, :n_r], li[:4, :n_r] = packed.nums.T, packed.ints.T
    w[ck.G :, :n_r], w[ck.GSUM, :n_r] = packed.gas.T, packed.gas.sum(1)
    w[ck.P_IN, :n_g] = w[ck.P, :n_g] = packed.p_in
    prepare(start, packed.network.consumed, packed.network.produced, li, net, w)
    rate = (1400.0 - 300.0) / RAMP.duration_s

    def f(t, x):
        out = np.empty(n_r)
        derivative(t, np.asarray(x), rate, 300.0, flow, li, net, w, packed.tab, packed.u0, packed.du, out)
        return out

    return f, lambda y: conversions(np.ascontiguousarray(y), li, w), w[ck.LIMIT, :n_r].copy()


def numpy_side(packed, start, flow, limit):
    """The same equations as one writes them in numpy: extents as states, pressures by Newton."""
    net, nums = packed.network, packed.nums
    ln_a, e, kind = nums[:, 0], nums[:, 1], packed.ints[:, 1]
    needs = np.where(net.consumed > 0, net.consumed, np.nan)
    grid = packed.u0 + packed.du * np.arange(packed.tab.shape[1])
    of, rate = packed.ints[:, 2], (1400.0 - 300.0) / RAMP.duration_s
    held = np.flatnonzero(kind == 1)
    models = net.models
    p = packed.p_in.copy()

    def law(m, a):
        if m.name == "F1":
            return 1.0 - a
        if m.name == "A2":
            a = max(a, 1e-12)
            return 2.0 * (1.0 - a) * np.sqrt(-np.log1p(-a)) if a < 1.0 else 0.0
        return 2.0 * np.sqrt(1.0 - a)  # R2

    def f(t, x):
        temperature = 300.0 + rate * t
        given = start + x @ net.produced
        whole = np.nanmin(given / needs, axis=1)
        left = np.nanmin((given - x @ net.consumed) / needs, axis=1)
        alpha = np.clip(1.0 - left / np.where(whole > 0, whole, 1.0), 0.0, 1.0)
        mole = np.exp(ln_a - e / temperature) * np.maximum(whole, 0.0)
        mole *= [law(m, a) for m, a in zip(models, alpha, strict=True)]
        peq = np.array([np.exp(np.interp(1.0 / temperature, grid, packed.tab[r])) for r in held])
        for _ in range(50 if flow else 0):
            on = p[of[held]] < peq
            factor = np.ones(len(mole))
            factor[held] = np.where(on, 1.0 - p[of[held]] / peq, 0.0)
            gas = (mole * factor) @ packed.gas
            slope = np.zeros((len(mole), len(p)))
            slope[held, of[held]] = np.where(on, -mole[held] / peq, 0.0)
            change = packed.gas.T @ slope
            off = p * (flow + gas.sum()) - packed.p_in * flow - gas
            matrix = np.diag(np.full(len(p), flow + gas.sum())) + np.outer(p, change.sum(0)) - change
            move = np.linalg.solve(matrix, off)
            p[:] = np.clip(p - move, 0.0, 1.0)
            if np.abs(move).max() < 1e-10:
                break
        factor = np.ones(len(mole))
        factor[held] = np.maximum(0.0, 1.0 - p[of[held]] / peq)
        return mole * factor

    return f, lambda y: np.asarray(y) / limit, limit


def scipy_peer(method, tolerance):
    def run(f, n_r):
        found = solve_ivp(
            f, (0.0, RAMP.duration_s), np.zeros(n_r), method=method, rtol=tolerance, atol=tolerance, t_eval=OUT
        )
        return found.y.T if found.success and found.y.shape[1] == len(OUT) else None

    return run


def cvode_peer(tolerance):
    from sksundae.cvode import CVODE

    def run(f, n_r):
        def rhs(t, y, yp):
            yp[:] = f(t, np.asarray(y))

        solver = CVODE(rhs, rtol=tolerance, atol=tolerance, max_num_steps=100_000)
        found = solver.solve(np.concatenate([[0.0], OUT]), np.zeros(n_r))
        return np.asarray(found.y)[1:] if found.success and len(found.t) == len(OUT) + 1 else None

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", type=int, default=500)
    parser.add_argument("--peers", type=int, default=5, help="recipes that the peers solve")
    args = parser.parse_args()
    network = build(["gypsum", "kaolinite", "calcite", "goethite"], pressures=PRESSURES)
    packed = pack(network, PRESSURES)
    rng = np.random.default_rng(1)
    start = np.zeros((args.recipes, len(network.phases)))
    start[:, :4] = rng.uniform(0.1, 3.0, (args.recipes, 4))
    first = time.perf_counter()
    solve_batch(packed, start[:1], RAMP, OUT)
    print(f"first call {time.perf_counter() - first:.2f} s (compiled now, or loaded from the cache)")
    peers = [("LSODA", scipy_peer, "LSODA"), ("RK45", scipy_peer, "RK45"), ("BDF", scipy_peer, "BDF")]
    try:
        import sksundae  # noqa: F401

        peers.append(("CVODE", None, None))
    except ImportError:
        print("scikit-sundae is not installed: CVODE left out")
    for flow in (0.0, 5e-3):
        print(f"\n{network.ids}, " + ("pressures held" if flow == 0 else f"gas {flow:g} mol/(kg s)"))
        few = range(min(args.peers, args.recipes))
        fast = [compiled_side(packed, start[i], flow) for i in few]
        plain = [numpy_side(packed, start[i], flow, side[2]) for i, side in zip(few, fast, strict=True)]
        limits = np.array([side[2] for side in fast])
        span = (0, RAMP.duration_s)
        exact = np.array(
            [
                side[1](solve_ivp(side[0], span, np.zeros(len(network.ids)), "LSODA", OUT, rtol=1e-11, atol=1e-13).y.T)
                for side in fast
            ]
        )
        print(f"{'method':12}{'right side':>11}{'tolerance':>10}{'largest error':>15}{'recipes/s':>12}")
        ours = []
        for tolerance in (1e-4, 5e-5, TOLERANCE, 1e-5, 1e-6, 1e-7):
            got = solve_batch(packed, start, RAMP, OUT, flow=flow, tolerance=tolerance)
            error = float(np.abs(got[: len(exact)] / limits[:, None, :] - exact).max())
            speed = args.recipes / best(
                lambda t=tolerance, q=flow: solve_batch(packed, start, RAMP, OUT, flow=q, tolerance=t), 5
            )
            ours.append((error, speed))
            print(f"{'wastelab':12}{'':11}{tolerance:10.1e}{error:15.1e}{speed:12.0f}")
        for right, sides in (("numba", fast), ("numpy", plain)):
            for name, make, method in peers if right == "numba" else [p for p in peers if p[0] in ("LSODA", "CVODE")]:
                for tolerance in (1e-4, 1e-6, 1e-8):
                    solve = make(method, tolerance) if make else cvode_peer(tolerance)
                    try:
                        with np.errstate(all="ignore"):
                            found = [solve(f, len(network.ids)) for f, _, _ in sides]
                            speed = len(sides) / best(
                                lambda s=solve, each=sides: [s(f, len(network.ids)) for f, _, _ in each], 2
                            )
                    except Exception as exc:
                        print(f"{name:12}{right:>11}{tolerance:10.1e}  failed: {type(exc).__name__}")
                        continue
                    failed = sum(x is None for x in found)
                    error = max(
                        (float(np.abs(side[1](x) - e).max()) for side, x, e in zip(sides, found, exact, strict=True)
                         if x is not None), default=np.inf,
                    )  # fmt: skip
                    equal = [s for e, s in ours if e <= error]
                    ratio = f"  {max(equal) / speed:6.0f} x slower at equal error" if equal else ""
                    print(
                        f"{name:12}{right:>11}{tolerance:10.1e}{error:15.1e}{speed:12.1f}{ratio}"
                        + (f"  {failed} failed" if failed else "")
                    )


if __name__ == "__main__":
    main()
