"""Particle-size distribution: Rosin-Rammler (RRSB) and log-normal fits with confidence intervals.

replaces  lsqcurvefit(fun, p0, x, y)   ->  lmfit.Model.fit (scipy.optimize.least_squares underneath)
          nlparci(beta, resid, J)      ->  result.conf_interval() / standard errors
          interp1(...) for D10/D50/D90 ->  numpy.interp on log size

Input is a CSV with two columns, size [um] and cumulative undersize [%]; header lines and a decimal comma with
semicolons are accepted.

    python matlab_free/psd_fit.py my_psd.csv --out out/psd
    python matlab_free/psd_fit.py --demo             # SYNTHETIC data with known parameters
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np


def rosin_rammler(d, d63, n):
    """Cumulative undersize [%] of the RRSB distribution: 100 (1 - exp(-(d/d63)^n)) (DIN 66145)."""
    return 100.0 * (1.0 - np.exp(-((np.asarray(d) / d63) ** n)))


def log_normal(d, d50, sigma_g):
    """Cumulative undersize [%] of a log-normal distribution with geometric standard deviation sigma_g."""
    from scipy.special import ndtr

    return 100.0 * ndtr(np.log(np.asarray(d) / d50) / np.log(sigma_g))


@dataclass(frozen=True)
class Fit:
    """One fitted distribution.

    Attributes
    ----------
    model : str
    parameters : dict of str to (value, low, high)
        With 95 % confidence limits.
    r_squared, aic : float
    percentiles : dict of str to float
        D10, D50, D90 of the fit [um].
    residuals : ndarray
        Measured minus fitted [%].
    """

    model: str
    parameters: dict[str, tuple[float, float, float]]
    r_squared: float
    aic: float
    percentiles: dict[str, float]
    residuals: np.ndarray


def read_psd(file):
    """Sizes [um] and cumulative undersize [%] from a CSV.

    Raises
    ------
    ValueError
        Names the line if a row is no pair of numbers, if undersize falls, or if there are fewer than 4 points.
    """
    sizes, under = [], []
    for number, line in enumerate(Path(file).read_text(encoding="utf-8-sig").splitlines(), start=1):
        cells = [c.strip() for c in re.split(r"[;\t]" if ";" in line or "\t" in line else ",", line) if c.strip()]
        if len(cells) < 2:
            continue
        try:
            d, q = (float(c.replace(",", ".")) for c in cells[:2])
        except ValueError:
            if sizes:
                raise ValueError(f"{file}, line {number}: {line!r} is not 'size, undersize'.") from None
            continue  # header
        if d <= 0 or not 0 <= q <= 100.5:
            raise ValueError(f"{file}, line {number}: size {d:g} um, undersize {q:g} %; expected > 0 and 0 to 100.")
        if under and (d <= sizes[-1] or q < under[-1] - 1e-9):
            raise ValueError(f"{file}, line {number}: sizes must rise and cumulative undersize must not fall.")
        sizes.append(d)
        under.append(q)
    if len(sizes) < 4:
        raise ValueError(f"{file}: {len(sizes)} points; a two-parameter fit needs at least 4.")
    return np.array(sizes), np.array(under)


def fit(d, q, model="rosin_rammler") -> Fit:
    """Least-squares fit of one distribution with 95 % confidence limits."""
    import lmfit
    from scipy.stats import t

    d, q = np.asarray(d, dtype=float), np.asarray(q, dtype=float)
    start = float(np.exp(np.interp(50.0, q, np.log(d))))
    if model == "rosin_rammler":
        function, first = rosin_rammler, {"d63": start * 1.4, "n": 1.0}
    elif model == "log_normal":
        function, first = log_normal, {"d50": start, "sigma_g": 2.5}
    else:
        raise ValueError(f"model {model!r}; expected 'rosin_rammler' or 'log_normal'.")
    shape = lmfit.Model(function)
    parameters = shape.make_params(**first)
    for p in parameters.values():
        p.min = 1.0 + 1e-6 if p.name == "sigma_g" else 1e-6
    result = shape.fit(q, parameters, d=d)
    half = t.ppf(0.975, len(d) - 2)
    limits = {}
    for p in result.params.values():
        error = p.stderr if p.stderr is not None else float("nan")
        limits[p.name] = (float(p.value), float(p.value - half * error), float(p.value + half * error))
    residuals = q - result.best_fit
    fine = np.exp(np.linspace(np.log(start) - 12, np.log(start) + 12, 20001))
    curve = function(fine, **{k: v[0] for k, v in limits.items()})
    percentiles = {f"D{x}": float(np.exp(np.interp(x, curve, np.log(fine)))) for x in (10, 50, 90)}
    r2 = 1.0 - float(np.sum(residuals**2) / np.sum((q - q.mean()) ** 2))
    return Fit(model, limits, r2, float(result.aic), percentiles, residuals)


def interpolated(d, q):
    """D10, D50, D90 by interpolation of the measured curve on log size [um]; NaN outside it."""
    return {f"D{x}": float(np.exp(np.interp(x, q, np.log(d), left=np.nan, right=np.nan))) for x in (10, 50, 90)}


def demo():
    """SYNTHETIC data: RRSB with d63 = 20 um and n = 1.1, seeded noise of 0.5 %."""
    d = np.geomspace(0.5, 150.0, 25)
    noise = 0.5 * np.random.default_rng(4).standard_normal(len(d))
    return d, np.maximum.accumulate(np.clip(rosin_rammler(d, 20.0, 1.1) + noise, 0.0, 100.0))


def figure(d, q, fits):
    """Measured and fitted curves, and residuals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7.5, 5.5), layout="constrained")
    FigureCanvasAgg(fig)
    top, bottom = fig.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    fine = np.geomspace(d[0] / 1.5, d[-1] * 1.5, 400)
    top.semilogx(d, q, "o", color="black", label="measured")
    for f, colour in zip(fits, ("#0072B2", "#D55E00"), strict=False):
        function = rosin_rammler if f.model == "rosin_rammler" else log_normal
        values = {k: v[0] for k, v in f.parameters.items()}
        label = f"{f.model.replace('_', '-')}: " + ", ".join(f"{k} = {v:.3g}" for k, v in values.items())
        top.semilogx(fine, function(fine, **values), color=colour, label=label)
        bottom.semilogx(d, f.residuals, ".-", color=colour)
    top.set_ylabel("cumulative undersize [%]")
    top.legend(frameon=False)
    bottom.axhline(0, color="black", linewidth=0.6)
    bottom.set_xlabel("particle size [um]")
    bottom.set_ylabel("residual [%]")
    return fig


def main(argv=None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--demo", action="store_true", help="use SYNTHETIC data with known parameters")
    parser.add_argument("--out", type=Path, default=Path("out/psd"))
    args = parser.parse_args(argv)
    if (args.file is None) == (not args.demo):
        parser.error("give a CSV file, or --demo")
    try:
        d, q = demo() if args.demo else read_psd(args.file)
    except (OSError, ValueError) as exc:
        parser.error(str(exc))
    if args.demo:
        print("SYNTHETIC data: RRSB with d63 = 20 um, n = 1.1, noise 0.5 %")
    fits = [fit(d, q, m) for m in ("rosin_rammler", "log_normal")]
    for f in fits:
        text = ", ".join(f"{k} = {v:.4g} (95 %: {low:.4g} .. {high:.4g})" for k, (v, low, high) in f.parameters.items())
        print(f"{f.model}: {text}; R2 = {f.r_squared:.5f}, AIC = {f.aic:.1f}")
        print("   " + ", ".join(f"{k} = {v:.3g} um" for k, v in f.percentiles.items()))
    print("interpolated: " + ", ".join(f"{k} = {v:.3g} um" for k, v in interpolated(d, q).items()))
    print(f"better by AIC: {min(fits, key=lambda f: f.aic).model}")
    args.out.mkdir(parents=True, exist_ok=True)
    figure(d, q, fits).savefig(args.out / "psd.png", dpi=120)
    print(f"written: {args.out / 'psd.png'}")


if __name__ == "__main__":
    main()
