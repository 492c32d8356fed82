"""Time of one rotary-kiln steady state: wastelab beside scipy.integrate.solve_bvp on the same equations, same run.

The pilot kiln with calcite and a given fuel rate, no preheater and no cooler (see `kiln_twin`); solve_bvp starts from
our solution put off by tens of kelvin, because it does not find its way from flat profiles. Then the cement kilns with
preheater, cooler, clinker and fuel search, which the peer does not do. First call and load from the cache in processes
of their own.

    python benchmarks/calcination/kiln_vs_peers.py
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time

import kiln_twin
import numpy as np

from wastelab.simulate.kiln import kiln
from wastelab.simulate.kiln import rotary as rk
from wastelab.simulate.kiln.chemistry import build
from wastelab.simulate.kiln.combustion import fuel
from wastelab.simulate.kiln.equipment import preset
from wastelab.simulate.kiln.result import minerals
from wastelab.simulate.kiln.rotary_model import CO2

RAW_MEAL = {"calcite": 77.0, "kaolinite": 9.0, "quartz": 9.5, "hematite": 2.5, "dolomite": 2.0}
FIRST_CALL = """
import time
from wastelab.simulate.kiln import rotary as rk
from wastelab.simulate.kiln.chemistry import build
from wastelab.simulate.kiln.combustion import fuel
from wastelab.simulate.kiln.equipment import preset
from wastelab.simulate.kiln.result import minerals
chem = build(minerals(None, {"calcite": 80.0, "corundum": 20.0}), pressures={"CO2": 0.2, "O2": 0.03})
w = rk.lay_out(preset("rotary_lab", "rotary", feed="60 kg/h"), fuel("methane"), 120)
start = time.perf_counter()
rk.solve(chem, w, 0.0, -1, 0.03)
print(time.perf_counter() - start)
"""


def best(function, repeats):
    """Shortest of several runs [s], and the last result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - start)
    return min(times), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    chem = build(minerals(None, {"calcite": 80.0, "corundum": 20.0}), pressures={"CO2": 0.2, "O2": 0.03})
    k = preset("rotary_lab", "rotary", feed="60 kg/h")
    print("pilot kiln, calcite, fuel given: worst difference to solve_bvp in K over bed and gas")
    w = rk.lay_out(k, fuel("methane"), 240)
    s = rk.solve(chem, w, 0.0, -1, 0.03)
    rest = np.append(np.cumsum(s.rel[::-1, CO2])[::-1], 0.0)
    off = np.array([[1.02], [0.97], [0.97], [0.97]])
    guess = np.array([s.t, s.tg, s.xi[:, 0], rest])[:, ::4] * off
    peer, ref = best(
        lambda: kiln_twin.solve(chem, w, s.m, float(s.tg[-1]), float(s.t[-1]), w.z[::4], guess, tol=1e-2),
        max(args.repeats // 2, 2),
    )
    print(f"  scipy solve_bvp, tol 1e-2, {ref.x.size} nodes, status {ref.status}: {1e3 * peer:8.1f} ms")
    for cells in (60, 120, 240, 720):
        layout = rk.lay_out(k, fuel("methane"), cells)
        ours, state = best(lambda layout=layout: rk.solve(chem, layout, 0.0, -1, 0.03), args.repeats)
        y = ref.sol(layout.z)
        off_by = max(np.abs(state.t - y[0]).max(), np.abs(state.tg - y[1]).max())
        print(f"  wastelab, {cells:4d} cells: {1e3 * ours:8.1f} ms, {off_by:5.2f} K, {peer / ours:6.1f} x faster")
    print("cement kilns with clinker, fuel for 1450 degC in the bed, result with balances:")
    for name in ("rotary_kiln_dry_preheater", "rotary_kiln_long_dry", "rotary_kiln_wet"):
        seconds, ds = best(lambda name=name: kiln(equipment=name, phases=RAW_MEAL, target="1450 degC"), args.repeats)
        print(
            f"  {name:28s} {1e3 * seconds:7.1f} ms, {int(ds['iterations']):3d} iterations, "
            f"{float(ds['specific_heat']):.2f} GJ/t, closure {float(ds['heat_closure_error']):.1e}"
        )
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for what in ("compile and first call", "load from cache and first call"):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", FIRST_CALL], env=env, capture_output=True, text=True, check=True
            )
            wall = time.perf_counter() - start
            print(f"{what}: {float(done.stdout):.2f} s of {wall:.2f} s for the whole process")


if __name__ == "__main__":
    main()
