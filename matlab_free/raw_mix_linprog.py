"""Raw-mix design by linear programming: the most red mud in a Portland raw meal.

replaces  linprog(f, A, b, Aeq, beq, lb, ub)      ->  scipy.optimize.linprog(method="highs")
          intlinprog(f, intcon, A, b, ...)        ->  scipy.optimize.milp

In MATLAB one would type the modulus windows as rows of A by hand, e.g. for SM <= 2.7:
    A = [SiO2 - 2.7*(Al2O3 + Fe2O3)];  b = 0;
Here the rows come from the same criteria that wastelab screens with, so the formula stands in one place only.

    python matlab_free/raw_mix_linprog.py --out out/raw_mix
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

import wastelab as wl
from wastelab.chemistry import MODULI

MATERIALS = {
    "red_mud": "red_mud/bayer-diasporic",
    "gangue": "coal_gangue/mixed",
    "tailings": "tailings/iron-quartz",
    "sand": "raw/quartz-sand",
    "limestone": "raw/limestone",
}
#: Windows of the moduli of a Portland raw meal (practice; typical, from memory).
WINDOWS = {"LSF": (90.0, 98.0), "SM": (2.2, 2.9), "AM": (1.2, 2.0)}


@dataclass(frozen=True)
class Design:
    """Optimum of a raw mix.

    Attributes
    ----------
    fractions : dict of str to float
        Dry mass fractions [kg/kg].
    objective : float
        Fraction of the maximised material.
    moduli : dict of str to float
    shadow_prices : dict of str to float
        Change of the objective per unit by which a window is widened (linear program only).
    """

    fractions: dict[str, float]
    objective: float
    moduli: dict[str, float]
    shadow_prices: dict[str, float]


def rows(materials=MATERIALS, windows=WINDOWS):
    """Half-spaces A x <= 0 of the windows, their names, and their slope in the limit (d row / d limit)."""
    table = [wl.material(name).components() for name in materials.values()]

    def form(coefficients):
        return np.array([sum(c * t[k] for k, c in coefficients.items()) for t in table])

    a, names, slopes = [], [], []
    for symbol, (low, high) in windows.items():
        criterion = MODULI[symbol]
        num, den = form(criterion.numerator) * criterion.scale, form(criterion.denominator)
        a += [low * den - num, num - high * den]
        names += [f"{symbol} >= {low:g}", f"{symbol} <= {high:g}"]
        slopes += [den, den]
    return np.array(a), names, np.array(slopes)


def design(maximise="red_mud", materials=MATERIALS, windows=WINDOWS) -> Design:
    """Continuous optimum (linprog)."""
    keys = list(materials)
    a, names, slopes = rows(materials, windows)
    cost = -np.array([1.0 if k == maximise else 0.0 for k in keys])
    found = linprog(cost, A_ub=a, b_ub=np.zeros(len(a)), A_eq=np.ones((1, len(keys))), b_eq=[1.0], method="highs")
    if found.status != 0:
        raise ValueError(f"No raw mix meets the windows {windows} ({found.message}); widen one or add a material.")
    # a multiplier is per unit of the row's right-hand side; the row moves by den(x) per unit of the modulus limit
    prices = {n: -m * float(s @ found.x) for n, m, s in zip(names, found.ineqlin.marginals, slopes, strict=True)}
    return _design(found.x, maximise, materials, prices)


def design_on_lattice(parts, maximise="red_mud", materials=MATERIALS, windows=WINDOWS) -> Design:
    """Optimum among mixes whose fractions are multiples of 1/parts (intlinprog)."""
    keys = list(materials)
    a, _, _ = rows(materials, windows)
    cost = -np.array([1.0 if k == maximise else 0.0 for k in keys])
    found = milp(
        cost,
        constraints=[LinearConstraint(a, -np.inf, 1e-9), LinearConstraint(np.ones((1, len(keys))), parts, parts)],
        integrality=np.ones(len(keys)),
        bounds=Bounds(0, parts),
    )
    if found.status != 0:
        raise ValueError(f"No raw mix on the lattice 1/{parts} meets the windows {windows} ({found.message}).")
    return _design(np.round(found.x) / parts, maximise, materials, {})


def _design(x, maximise, materials, prices) -> Design:
    fractions = dict(zip(materials, (float(v) for v in x), strict=True))
    mix = wl.blend({wl.material(materials[k]): v / sum(x) for k, v in fractions.items()})
    values = {s: float(MODULI[s].evaluate(mix.components())) for s in MODULI if s in WINDOWS}
    return Design(fractions, fractions[maximise], values, prices)


def figure(found: Design):
    """Bars of the optimum and of the shadow prices."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(9.5, 3.6), layout="constrained")
    FigureCanvasAgg(fig)
    left, right = fig.subplots(1, 2)
    names = list(found.fractions)
    left.barh(names[::-1], [100 * found.fractions[n] for n in names[::-1]], color="#0072B2")
    left.set_xlabel("dry mass %")
    left.set_title(", ".join(f"{k} {v:.2f}" for k, v in found.moduli.items()), fontsize=10)
    active = {k: v for k, v in found.shadow_prices.items() if abs(v) > 1e-9}
    right.barh(list(active)[::-1], [100 * v for v in list(active.values())[::-1]], color="#E69F00")
    right.set_xlabel("red mud gained [% per unit of the modulus]")
    right.set_title("windows that bind", fontsize=10)
    return fig


def main(argv=None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/raw_mix"))
    parser.add_argument("--parts", type=int, default=100, help="lattice of the integer program: fractions of 1/parts")
    args = parser.parse_args(argv)
    found, whole = design(), design_on_lattice(args.parts)
    print("linear program:  " + ", ".join(f"{k} {100 * v:.2f} %" for k, v in found.fractions.items()))
    print("integer program: " + ", ".join(f"{k} {100 * v:g} %" for k, v in whole.fractions.items()))
    print("moduli:          " + ", ".join(f"{k} {v:.3f}" for k, v in found.moduli.items()))
    print("shadow prices:   " + ", ".join(f"{k}: {v:+.5f}" for k, v in found.shadow_prices.items() if abs(v) > 1e-9))
    print("The compositions are typical values from memory: put your own in before you act on this.")
    args.out.mkdir(parents=True, exist_ok=True)
    figure(found).savefig(args.out / "raw_mix.png", dpi=120)
    print(f"written: {args.out / 'raw_mix.png'}")


if __name__ == "__main__":
    main()
