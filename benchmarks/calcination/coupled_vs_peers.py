"""Coupled reactions beside general solvers of differential equations, same equations, same run, at equal error.

Six reactions of a mix heated from 300 to 1400 K at 10 K/min with 20 outputs: gypsum in two consecutive steps, kaolinite
and its over-calcination, calcite held back by CO2, goethite; once with held pressures, once in a stream of gas that the
reactions change. The peers get the equations compiled by numba, which is kinder to them than Python would be; reactions
that stand alone are given to them as g(alpha), so that no corner spoils them.

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
def derivative(t, x, rate, hot, li, ints, nums, net, gas, tab, u0, du, w, p_in, flow, p, out):
    """The right-hand side the peers integrate: the same functions as the kernel's own."""
    n_r = len(ints)
    for r in range(n_r):
        w[ck.NEW, r] = x[r]
    ck._constants(hot + rate * t, n_r, li, ints, nums, tab, u0, du, w, ck.KS, ck.QS)
    ck._rates(ck.NEW, n_r, li, ints, nums, net, gas, w, ck.KS, ck.QS, p_in, flow, 1.0, p)
    for r in range(n_r):
        out[r] = w[ck.DX, r]


def right_hand_side(packed, start, flow):
    net_, n_r = packed.network, len(packed.network.reactions)
    w, li = np.zeros((ck.N_W, n_r)), np.zeros((ck.N_L + n_r, n_r), np.int64)
    net, p = np.zeros((n_r, 4, 1 + 2 * n_r)), packed.p_in.copy()
    ck._network(start, packed.ints, net_.consumed, net_.produced, 1.0, li, net, w)  # carried as g where alone
    li[ck.ACT] = li[ck.ODE] = np.arange(n_r)
    rate = (1400.0 - 300.0) / RAMP.duration_s

    def f(t, x):
        out = np.empty(n_r)
        derivative(
            t, x, rate, 300.0, li, packed.ints, packed.nums, net, packed.gas, packed.tab, packed.u0, packed.du, w,
            packed.p_in, flow, p, out,
        )  # fmt: skip
        return out

    def extents(y):
        x = np.array(y)
        for r in range(n_r):
            if li[ck.WAY, r] != ck.EXTENT:
                x[:, r] = [ck._extent(r, v, packed.ints, packed.nums, w) for v in x[:, r]]
        return x / np.maximum(w[ck.LIMIT], 1e-300)

    return f, extents, w[ck.LIMIT].copy()


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
        sides = [right_hand_side(packed, start[i], flow) for i in few]
        limits = np.array([side[2] for side in sides])
        reference = [
            solve_ivp(
                f, (0, RAMP.duration_s), np.zeros(len(network.ids)), method="LSODA", rtol=1e-11, atol=1e-13, t_eval=OUT
            )
            for f, _, _ in sides
        ]
        exact = np.array([side[1](r.y.T) for side, r in zip(sides, reference, strict=True)])
        print(f"{'method':12}{'tolerance':>10}{'largest error':>15}{'recipes/s':>12}")
        ours = []
        for tolerance in (1e-4, 2e-5, 1e-5, 1e-6):
            got = solve_batch(packed, start, RAMP, OUT, flow=flow, tolerance=tolerance)
            error = float(np.abs(got[: len(exact)] / limits[:, None, :] - exact).max())
            speed = args.recipes / best(
                lambda t=tolerance, q=flow: solve_batch(packed, start, RAMP, OUT, flow=q, tolerance=t), 5
            )
            ours.append((error, speed))
            print(f"{'wastelab':12}{tolerance:10.0e}{error:15.1e}{speed:12.0f}")
        for name, make, method in peers:
            for tolerance in (1e-4, 1e-6, 1e-8):
                solve = make(method, tolerance) if make else cvode_peer(tolerance)
                try:
                    found = [solve(f, len(network.ids)) for f, _, _ in sides]
                    failed = sum(x is None for x in found)
                    error = max(
                        (float(np.abs(side[1](x) - e).max()) for side, x, e in zip(sides, found, exact, strict=True)
                         if x is not None), default=np.inf,
                    )  # fmt: skip
                    speed = len(sides) / best(
                        lambda s=solve, each=sides: [s(f, len(network.ids)) for f, _, _ in each], 2
                    )
                except Exception as exc:
                    print(f"{name:12}{tolerance:10.0e}  failed: {type(exc).__name__}")
                    continue
                equal = [s for e, s in ours if e <= error]
                ratio = f"  {max(equal) / speed:6.0f} x slower at equal error" if equal else ""
                print(
                    f"{name:12}{tolerance:10.0e}{error:15.1e}{speed:12.1f}{ratio}"
                    + (f"  {failed} failed" if failed else "")
                )


if __name__ == "__main__":
    main()
