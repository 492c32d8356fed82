"""Isoconversional energies: wastelab beside pICNIK on the same simulated runs, same process, errors and times.

Runs of a first-order reaction (Ea = 150 kJ/mol) at four heating rates, made in closed form, exact or with seeded noise.
pICNIK 1.1.4 needs ``pip install picnik seaborn``; without it only wastelab's figures are printed.

    python benchmarks/calcination/fit_vs_picnik.py --noise 0.001
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.special import expn

from wastelab.simulate.kinetic_fit import fit_kinetics

R, EA, LN_A, RATES = 8.31446261815324, 150e3, 23.0, (2.5, 5.0, 10.0, 20.0)
LOW, HIGH = 450.0, 800.0


def runs(noise: float) -> list[dict[str, object]]:
    """Simulated thermogravimetry, with units in the names."""
    rng = np.random.default_rng(0)
    out: list[dict[str, object]] = []
    for rate in RATES:
        T = np.arange(LOW, HIGH, 0.25)
        alpha = -np.expm1(-np.exp(LN_A) / (rate / 60) * T * expn(2, EA / (R * T))) + rng.normal(0, noise, T.size)
        out.append({"time_min": (T - LOW) / rate, "temperature_degC": T - 273.15, "mass_mg": 5 * (1 - 0.44 * alpha)})
    return out


def ours(data: list[dict[str, object]]) -> tuple[float, dict[str, float]]:
    """Best time of three, and the largest relative error of Ea by each method between 0.1 and 0.9."""
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        fit = fit_kinetics(data, alpha=(0.05, 0.95, 0.05), models=None)
        best = min(best, time.perf_counter() - start)
    inside = (fit.alpha > 0.09) & (fit.alpha < 0.91)
    return best, {m: float(np.abs(e.Ea[inside] / EA - 1).max()) for m, e in fit.energies.items()}


def picnik(data: list[dict[str, object]]) -> tuple[float, dict[str, float]]:
    """The same by pICNIK: read, conversion, isoconversion tables, five methods with their errors."""
    import matplotlib

    matplotlib.use("Agg")
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        import picnik as pnk

        files = []
        for k, columns in enumerate(data):
            path = Path(folder) / f"run_{k}.tsv"
            rows = np.column_stack([np.asarray(v) for v in columns.values()])
            np.savetxt(path, rows, delimiter="\t", header="time\ttemperature\tmass", comments="")
            files.append(str(path))
        start = time.perf_counter()
        extraction = pnk.DataExtraction()
        beta, first = extraction.read_files(files, summary=False)
        extraction.Conversion([LOW] * 4, [HIGH - 1] * 4)
        tables = extraction.Isoconversion(0.05)
        energy = pnk.ActivationEnergy(beta, first, tables)
        found = {"friedman": energy.Fr(), "ofw": energy.OFW(), "kas": energy.KAS(), "vyazovkin": energy.Vy((10, 400)),
                 "vyazovkin_incremental": energy.aVy((10, 400))}  # fmt: skip
        wall = time.perf_counter() - start
    errors = {}
    for name, result in found.items():
        alpha, Ea = np.asarray(result[0], dtype=float), np.asarray(result[2], dtype=float)
        inside = (alpha > 0.09) & (alpha < 0.91)
        errors[name] = float(np.abs(Ea[inside] * 1e3 / EA - 1).max())
    return wall, errors


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--noise", type=float, default=0.0, help="standard deviation, relative to the step")
    data = runs(parser.parse_args().noise)
    wall, errors = ours(data)
    print(f"wastelab: {1e3 * wall:.0f} ms, eight methods at 19 conversions")
    for name, value in errors.items():
        print(f"  {name:24} largest error of Ea {100 * value:.4f} %")
    if find_spec("picnik") is None:
        print("pICNIK is not installed.")
        return
    try:
        peer, peer_errors = picnik(data)
    except Exception as error:  # a peer's failure is a result, whatever its class
        print(f"pICNIK failed: {type(error).__name__}: {error}")
        return
    print(f"pICNIK: {1e3 * peer:.0f} ms, five methods ({peer / wall:.0f} times as long)")
    for name, value in peer_errors.items():
        print(f"  {name:24} largest error of Ea {100 * value:.4f} %")


if __name__ == "__main__":
    main()
