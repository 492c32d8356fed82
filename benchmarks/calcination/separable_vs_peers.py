"""Six parallel reactions, 300 to 1400 K: closed form beside SciPy's solvers, CVODE and scipy.special.expn, one run.

The work: random triplets with peaks from 600 to 1200 K, models F1, R3, A2, F1.5, D1, R2, one linear ramp of 10 K/min,
20 outputs or the end state. Solvers integrate d(alpha)/dt; contracting models end in a corner, nucleation starts
dead: they get the clamps a careful user would give them. Errors are against 40-digit theta. One thread; times are the
best of several.

    python benchmarks/calcination/separable_vs_peers.py --cases 4000 --peer-cases 10
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from decimal import Decimal as D
from decimal import localcontext
from importlib.util import find_spec

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import expn

from wastelab.simulate.heating import TemperatureProgram
from wastelab.simulate.kinetics import reaction_model
from wastelab.simulate.kinetics.separable import batch

MODELS = ("F1", "R3", "A2", "F1.5", "D1", "R2")
LAWS = [reaction_model(m) for m in MODELS]
R = 8.31446261815324
START, END, BETA = 300.0, 1400.0, 10.0 / 60.0
PROGRAM = TemperatureProgram((0.0, (END - START) / BETA), (START, END))
OUTPUTS = 20
TIMES = np.linspace(0.0, PROGRAM.duration_s, OUTPUTS)
FIRST_CALL = """
import time
from wastelab.simulate.kinetics import separable
from wastelab.simulate.heating import TemperatureProgram
p = TemperatureProgram((0.0, 6600.0), (300.0, 1400.0))
separable.table()
t = time.perf_counter()
separable.batch(p, [1e7], [145e3], ["F1"], 20)
print(time.perf_counter() - t)
"""


def triplets(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A [1/s] and Ea [J/mol], shape (n, 6), by the condition of Kissinger."""
    rng = np.random.default_rng(seed)
    ea, peak = rng.uniform(100e3, 300e3, (n, 6)), rng.uniform(600.0, 1200.0, (n, 6))
    return BETA * ea / (R * peak**2) * np.exp(ea / (R * peak)), ea


def exact(a: np.ndarray, ea: np.ndarray) -> np.ndarray:
    """Conversions (n, outputs, 6) from theta in 40 digits."""
    out = np.empty((a.shape[0], OUTPUTS, 6))

    def integral(energy: D, temperature: D) -> D:
        x, tail = energy / temperature, D(0)
        for k in range(int(150 + 6000 / x), 0, -1):
            tail = k * (k + 1) / (x + 2 + 2 * k - tail)
        return temperature * (-x).exp() / (x + 2 - tail)

    with localcontext(prec=40):
        for i in range(a.shape[0]):
            for r, law in enumerate(LAWS):
                energy = D(float(ea[i, r])) / D(str(R))
                first = integral(energy, D(START))
                theta = [
                    float(D(float(a[i, r])) / D(10) * 60 * (integral(energy, D(START) + D(float(t)) / 6) - first))
                    for t in TIMES
                ]
                out[i, :, r] = law.alpha(np.array(theta))
    return out


def rates(alpha: np.ndarray, k: np.ndarray) -> np.ndarray:
    """d(alpha)/dt of the six models, clamped at both ends."""
    a = np.clip(alpha, 1e-9, 1.0)
    left = np.maximum(1.0 - a, 0.0)
    f = np.empty(6)
    f[0] = left[0]
    f[1] = 3.0 * left[1] ** (2.0 / 3.0)
    f[2] = 2.0 * left[2] * np.sqrt(-np.log1p(-min(a[2], 1.0 - 1e-16)))
    f[3] = left[3] ** 1.5
    f[4] = 0.5 / a[4] if left[4] > 0 else 0.0
    f[5] = 2.0 * np.sqrt(left[5])
    return k * f


def right_hand_side(a: np.ndarray, ea: np.ndarray) -> Callable[[float, np.ndarray], np.ndarray]:
    """d(alpha)/dt of one recipe."""
    return lambda t, y: rates(y, a * np.exp(-ea / (R * (START + BETA * t))))


def by_scipy(method: str, tolerance: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def run(a: np.ndarray, ea: np.ndarray) -> np.ndarray:
        out = np.full((a.shape[0], OUTPUTS, 6), np.nan)
        for i in range(a.shape[0]):
            found = solve_ivp(
                right_hand_side(a[i], ea[i]), (0.0, PROGRAM.duration_s), np.full(6, 1e-9), method=method,
                rtol=tolerance, atol=tolerance * 1e-2, t_eval=TIMES,
            )  # fmt: skip
            if found.success and found.y.shape[1] == OUTPUTS:
                out[i] = found.y.T
        return out

    return run


def by_cvode(tolerance: float) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    from sksundae.cvode import CVODE

    def one(a: np.ndarray, ea: np.ndarray) -> np.ndarray:
        slope = right_hand_side(a, ea)

        def rhs(t: float, y: np.ndarray, yp: np.ndarray) -> None:
            yp[:] = slope(t, y)

        solver = CVODE(rhs, rtol=tolerance, atol=tolerance * 1e-2, max_num_steps=100000)
        found = solver.solve(TIMES, np.full(6, 1e-9))
        return found.y if len(found.t) == OUTPUTS else np.full((OUTPUTS, 6), np.nan)

    return lambda a, ea: np.array([one(*x) for x in zip(a, ea, strict=True)])


def by_expn(a: np.ndarray, ea: np.ndarray) -> np.ndarray:
    """The closed form written with NumPy and scipy.special.expn."""
    temperature = (START + BETA * TIMES)[None, :, None]
    energy = ea[:, None, :] / R
    start = START * expn(2, energy / START)
    theta = a[:, None, :] / BETA * (temperature * expn(2, energy / temperature) - start)
    out = np.empty(theta.shape)
    out[..., 0] = -np.expm1(-theta[..., 0])
    out[..., 1] = 1 - np.maximum(1 - theta[..., 1], 0) ** 3
    out[..., 2] = -np.expm1(-(theta[..., 2] ** 2))
    out[..., 3] = 1 - (1 + 0.5 * theta[..., 3]) ** -2.0
    out[..., 4] = np.sqrt(np.minimum(theta[..., 4], 1))
    out[..., 5] = 1 - np.maximum(1 - theta[..., 5], 0) ** 2
    return out


def best(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=4000)
    parser.add_argument("--peer-cases", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--bdf", action="store_true", help="also BDF, which takes seconds a case")
    options = parser.parse_args()
    a, ea = triplets(options.cases, 1)
    n = options.peer_cases
    truth = exact(a[:n], ea[:n])
    batch(PROGRAM, a[:2], ea[:2], MODELS, TIMES)

    end = options.cases / best(lambda: batch(PROGRAM, a, ea, MODELS), options.repeats)
    ours = options.cases / best(lambda: batch(PROGRAM, a, ea, MODELS, TIMES), options.repeats)
    error = np.abs(batch(PROGRAM, a[:n], ea[:n], MODELS, TIMES) - truth).max()
    print(f"{'':34}{'recipes/s':>12}{'ours is':>10}{'max error':>12}")
    print(f"{'wastelab, end state':34}{end:12.0f}{'':10}{error:12.1e}")
    print(f"{'wastelab, 20 outputs':34}{ours:12.0f}{'':10}{error:12.1e}")
    few = min(options.cases, 400)
    speed = few / best(lambda: by_expn(a[:few], ea[:few]), 3)
    worst = np.abs(by_expn(a[:n], ea[:n]) - truth).max()
    print(f"{'closed form with scipy expn':34}{speed:12.0f}{ours / speed:9.0f}x{worst:12.1e}")

    peers = [(f"solve_ivp {m} {t:g}", by_scipy(m, t)) for m in ("LSODA", "RK45") for t in (1e-4, 1e-6, 1e-8)]
    if options.bdf:
        peers += [(f"solve_ivp BDF {t:g}", by_scipy("BDF", t)) for t in (1e-4, 1e-6)]
    if find_spec("sksundae"):
        peers += [(f"scikit-sundae CVODE {t:g}", by_cvode(t)) for t in (1e-4, 1e-6, 1e-8)]
    for name, run in peers:
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = run(a[:n], ea[:n])
        speed = n / (time.perf_counter() - start)
        failed = int(np.isnan(found).any(axis=(1, 2)).sum())
        worst = np.nanmax(np.abs(found - truth)) if failed < n else np.nan
        note = f"  {failed} of {n} failed" if failed else ""
        print(f"{name:34}{speed:12.1f}{ours / speed:9.0f}x{worst:12.1e}{note}")
    for attempt in ("first call in a new process", "again (cached)"):
        said = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=True).stdout
        print(f"{attempt}: {float(said):.2f} s")


if __name__ == "__main__":
    main()
