"""What held-out residuals say: bias, spread that grows, wrong shape, sources apart, drift in time, and the noise floor.

Tests of hypotheses are made on means of mixes (rows of one mix are not independent) and corrected for their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ModelError
from ..i18n import DEFAULT, Message
from .design import FloatArray, IntArray
from .refits import numeric, records
from .replicates import PureError, pure_error, replicate_sets
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

#: Level of every test after correction (Holm).
ALPHA = 0.05
#: Age bands [d] of the table by age.
AGE_BANDS = (0.0, 3.0, 7.0, 28.0, 90.0, np.inf)


@dataclass(frozen=True)
class Residuals:
    """Residuals of held-out predictions and what they say.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a test: ``row``, ``mix``, ``source``, ``age`` [d], ``measured``, ``predicted``, ``residual`` (measured
        less predicted) [unit of the target], ``standardised`` (by the given scale, else by the root mean square).
    tests : pandas.DataFrame
        ``what``, ``about`` (a column, or empty), ``statistic``, ``value``, ``p``, ``p_holm`` (within one ``what``).
    groups : pandas.DataFrame
        ``by`` ("age", "level": thirds of the prediction, "source"), ``group``, ``n``, ``n_mixes``, ``bias`` (mean
        over mixes), ``se``, ``rmse``, ``p_holm``.
    noise : PureError
    lack_of_fit : mapping
        ``F``, ``df`` (sets of equal rows), ``df_error``, ``p``, ``ratio`` (root mean square of residuals over the
        scatter of repeated tests), and the same without the sets that were set aside; NaN where nothing was repeated.
    rmse, mae, bias : float
    name, unit : str
    findings : tuple of Message
        In order of weight.
    """

    table: pd.DataFrame
    tests: pd.DataFrame
    groups: pd.DataFrame
    noise: PureError
    lack_of_fit: dict[str, float]
    rmse: float
    mae: float
    bias: float
    name: str
    unit: str
    findings: tuple[Message, ...]

    def report(self, lang: str = DEFAULT) -> str:
        """The findings as text."""
        head = Message("understanding.residual_head", {
            "n": len(self.table), "rmse": round(self.rmse, 2), "mae": round(self.mae, 2),
            "bias": round(self.bias, 2), "unit": self.unit,
        })  # fmt: skip
        return "\n".join([head.text(lang), *(f"- {f.text(lang)}" for f in self.findings)])

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN as None)."""

        def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
            return [
                {str(k): v for k, v in row.items()}
                for row in table.astype(object).where(table.notna(), None).to_dict("records")
            ]

        return {
            "name": self.name, "unit": self.unit, "rmse": self.rmse, "mae": self.mae, "bias": self.bias,
            "tests": plain(self.tests), "groups": plain(self.groups), "noise": self.noise.to_dict(),
            "lack_of_fit": {k: None if np.isnan(v) else v for k, v in self.lack_of_fit.items()},
            "findings": [str(f) for f in self.findings],
        }  # fmt: skip


def residual_diagnostics(data: TrainingData, prediction: ArrayLike, *, scale: ArrayLike | None = None) -> Residuals:
    """Diagnose the residuals of predictions that were made without the mix predicted.

    Parameters
    ----------
    data : TrainingData
    prediction : array_like, shape (n_rows,)
        Out-of-fold, by mix or by source [unit of the target]. Residuals of tests a model was fitted to are smaller
        and say nothing of new mixes.
    scale : array_like, shape (n_rows,), optional
        Predicted standard deviation of each row; then its calibration is tested too.

    Returns
    -------
    Residuals

    Raises
    ------
    ModelError
        If there are fewer than 10 rows or 4 mixes, or a prediction is missing.

    Notes
    -----
    Spread against prediction and age: rank correlation of the absolute centred residual (Spearman), studentised test
    of Breusch and Pagan (Koenker's form [1]_). Shape: rank correlation of mix means with each feature, and an F test
    of a parabola. Sources: t of the mix means of each; Kruskal and Wallis between them. Time: lag-one correlation of
    mix means in order of time, and their rank correlation with it. Lack of fit: mean square of the residual means of
    equal rows against the pure error of repeated rows; held-out predictions used up no degrees of freedom.

    References
    ----------
    .. [1] R. Koenker, "A note on studentizing a test for heteroscedasticity", Journal of Econometrics 17 (1981)
       107-112, doi:10.1016/0304-4076(81)90062-2.
    """
    p = np.asarray(prediction, dtype=np.float64)
    if p.shape != (len(data),) or not np.isfinite(p).all():
        raise ModelError(f"prediction has shape {p.shape} or misses values; expected {len(data)} finite numbers.")
    if len(data) < 10 or data.n_mixes < 4:
        raise ModelError(f"{len(data)} rows of {data.n_mixes} mixes: expected 10 rows and 4 mixes or more.")
    r = data.target - p
    rmse = float(np.sqrt(np.mean(r**2)))
    sd = np.full(len(r), rmse) if scale is None else np.asarray(scale, dtype=np.float64)
    if sd.shape != r.shape or not (np.isfinite(sd) & (sd >= 0)).all() or not rmse > 0 or not (sd > 0).any():
        raise ModelError("scale has to hold one number above 0 a row (and the residuals must not all be 0).")
    z = r / np.maximum(sd, 1e-9 * float(sd.max()))
    table = _table(data, p, r, z)
    mixes = _MixMeans(data, p, r)
    tests = _tests(data, p, r, z, mixes, scaled=scale is not None)
    groups = _by_groups(data, p, r, mixes)
    noise = pure_error(data)
    fit = _lack_of_fit(data, r, noise)
    findings = _findings(data, r, z, tests, groups, noise, fit, scaled=scale is not None)
    table.attrs["units"] = dict.fromkeys(("measured", "predicted", "residual"), data.unit) | {"age": "d"}
    groups.attrs["units"] = dict.fromkeys(("bias", "se", "rmse"), data.unit)
    return Residuals(
        table, tests, groups, noise, fit, rmse, float(np.mean(np.abs(r))), float(np.mean(r)), data.name, data.unit,
        findings,
    )  # fmt: skip


class _MixMeans:
    """Residual and features of each mix."""

    def __init__(self, data: TrainingData, p: FloatArray, r: FloatArray) -> None:
        self.names, self.first, self.code = np.unique(data.mix, return_index=True, return_inverse=True)
        self.count = np.bincount(self.code)
        self.r = self.mean(r)
        self.p = self.mean(p)

    def mean(self, x: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(self.code, x) / self.count, dtype=np.float64)


def _table(data: TrainingData, p: FloatArray, r: FloatArray, z: FloatArray) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({
        "row": list(data.rows), "mix": [data.mix_names[m] for m in data.mix],
        "source": "" if data.source is None else [data.source_names[s] for s in data.source],
        "age": data.features[data.age].to_numpy() if data.age else np.nan,
        "measured": data.target, "predicted": p, "residual": r, "standardised": z,
    })  # fmt: skip


def _tests(
    data: TrainingData, p: FloatArray, r: FloatArray, z: FloatArray, mixes: _MixMeans, *, scaled: bool
) -> pd.DataFrame:
    import pandas as pd
    from scipy import stats

    rows: list[tuple[str, str, str, float, float]] = []
    t = stats.ttest_1samp(mixes.r, 0.0)
    rows.append(("bias", "", "t", float(t.statistic), float(t.pvalue)))
    drivers = {"prediction": p}
    if data.age:
        drivers["age"] = np.log(data.features[data.age].to_numpy())
    e = z if scaled else r
    e = e - e.mean()
    for name, x in drivers.items():
        if np.ptp(x) > 0:
            s = stats.spearmanr(x, np.abs(e))
            rows.append(("spread", name, "Spearman", float(s.statistic), float(s.pvalue)))
    design = np.column_stack([np.ones(len(r)), *(x for x in drivers.values() if np.ptp(x) > 0)])
    rows.append(("spread", "prediction and age" if design.shape[1] > 2 else "prediction", "Breusch-Pagan",
                 *_breusch_pagan(e**2, design)))  # fmt: skip
    k = stats.normaltest(z) if len(z) >= 20 else stats.shapiro(z)
    rows.append(
        ("normality", "", "D'Agostino-Pearson" if len(z) >= 20 else "Shapiro-Wilk", float(k.statistic), float(k.pvalue))
    )
    if np.ptp(p) > 0:
        line = stats.linregress(mixes.p, mixes.p + mixes.r) if np.ptp(mixes.p) > 0 else None
        if line is not None and line.stderr > 0:
            q = 2 * stats.t.sf(abs(line.slope - 1) / line.stderr, len(mixes.r) - 2)
            rows.append(("slope", "prediction", "slope", float(line.slope), float(q)))
    for column in numeric(data):
        raw = data.features[column].to_numpy(dtype=np.float64)
        x, y = (np.log(raw), r) if column == data.age else (mixes.mean(raw), mixes.r)
        there = np.isfinite(x)
        x, y = x[there], y[there]
        if len(x) < 8 or np.ptp(x) == 0:
            continue
        s = stats.spearmanr(x, y)
        rows.append(("trend", column, "Spearman", float(s.statistic), float(s.pvalue)))
        if len(np.unique(x)) > 3:
            rows.append(("curvature", column, "F", *_parabola(x, y)))
    if data.source is not None and data.n_sources > 1:
        source = data.source[mixes.first]
        found = [mixes.r[source == s] for s in np.unique(source)]
        found = [g for g in found if len(g) > 1]
        if len(found) > 1:
            k = stats.kruskal(*found)
            rows.append(("sources", "", "Kruskal-Wallis", float(k.statistic), float(k.pvalue)))
    if data.time is not None:
        order = np.argsort(data.time[mixes.first], kind="stable")
        y = mixes.r[order] - mixes.r.mean()
        lag = float(np.sum(y[1:] * y[:-1]) / np.sum(y**2))
        rows.append(("time", "", "lag-1 correlation", lag, float(2 * stats.norm.sf(abs(lag) * np.sqrt(len(y))))))
        s = stats.spearmanr(np.arange(len(y)), y)
        rows.append(("drift", "", "Spearman", float(s.statistic), float(s.pvalue)))
    table = pd.DataFrame(rows, columns=["what", "about", "statistic", "value", "p"])
    table["p_holm"] = np.nan
    for _, part in table.groupby("what"):
        table.loc[part.index, "p_holm"] = _holm(part["p"].to_numpy())
    return table


def _breusch_pagan(squares: FloatArray, design: FloatArray) -> tuple[float, float]:
    """Koenker's statistic n R2 of squared residuals on the design, and its p."""
    from scipy.stats import chi2

    fitted = design @ np.linalg.lstsq(design, squares, rcond=None)[0]
    total = float(np.sum((squares - squares.mean()) ** 2))
    lm = len(squares) * (1.0 - float(np.sum((squares - fitted) ** 2)) / total) if total > 0 else 0.0
    df = design.shape[1] - 1
    return lm, float(chi2.sf(lm, df)) if df else 1.0


def _parabola(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """F of the square beside a straight line, and its p."""
    from scipy.stats import f

    u = (x - x.mean()) / x.std()
    line, curve = np.column_stack([np.ones_like(u), u]), np.column_stack([np.ones_like(u), u, u**2])
    rest = [float(np.sum((y - m @ np.linalg.lstsq(m, y, rcond=None)[0]) ** 2)) for m in (line, curve)]
    df = len(y) - 3
    value = (rest[0] - rest[1]) / (rest[1] / df) if rest[1] > 0 else 0.0
    return value, float(f.sf(value, 1, df))


def _holm(p: FloatArray) -> FloatArray:
    """P values corrected for their number."""
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    out = np.empty(len(p))
    out[order] = np.minimum(adjusted, 1.0)
    return out


def _by_groups(data: TrainingData, p: FloatArray, r: FloatArray, mixes: _MixMeans) -> pd.DataFrame:
    import pandas as pd
    from scipy import stats

    jobs: list[tuple[str, list[str], IntArray]] = []
    if data.age:
        band = np.searchsorted(AGE_BANDS, data.features[data.age].to_numpy(), side="left") - 1
        names = [f"<= {b:g} d" if a == 0 else f"> {a:g} d" if np.isinf(b) else f"> {a:g} .. {b:g} d"
                 for a, b in pairwise(AGE_BANDS)]  # fmt: skip
        jobs.append(("age", names, band.astype(np.int64)))
    third = np.searchsorted(np.quantile(p, [1 / 3, 2 / 3]), p, side="left")
    jobs.append(("level", ["low", "middle", "high"], third.astype(np.int64)))
    if data.source is not None:
        jobs.append(("source", list(data.source_names), data.source))
    parts = []
    for by, names, code in jobs:
        rows = []
        for k in np.unique(code):
            at = code == k
            _, inner, count = np.unique(data.mix[at], return_inverse=True, return_counts=True)
            means = np.bincount(inner, r[at]) / count
            n = len(means)
            se = float(np.std(means, ddof=1) / np.sqrt(n)) if n > 1 else np.nan
            q = float(2 * stats.t.sf(abs(means.mean()) / se, n - 1)) if n > 1 and se > 0 else np.nan
            rows.append(
                (by, names[k], int(at.sum()), n, float(means.mean()), se, float(np.sqrt(np.mean(r[at] ** 2))), q)
            )
        part = pd.DataFrame(rows, columns=["by", "group", "n", "n_mixes", "bias", "se", "rmse", "p_holm"])
        known = part["p_holm"].notna()
        part.loc[known, "p_holm"] = _holm(part.loc[known, "p_holm"].to_numpy())
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _lack_of_fit(data: TrainingData, r: FloatArray, noise: PureError) -> dict[str, float]:
    """Residual means of equal rows against the scatter within them, with and without what was set aside."""
    from scipy.stats import f

    out: dict[str, float] = {}
    sets = replicate_sets(data)
    aside = np.isin(np.arange(len(r)), [i for rows in noise.aside for i in rows])
    for suffix, keep, sd, df in (("", np.ones(len(r), bool), noise.sd, noise.df),
                                 ("_robust", ~aside, noise.robust_sd, noise.robust_df)):  # fmt: skip
        _, code, count = np.unique(sets[keep], return_inverse=True, return_counts=True)
        means = np.bincount(code, r[keep]) / count
        k = len(count)
        if df > 0 and sd > 0:
            value = float(np.sum(count * means**2) / k / sd**2)
            new = {"F": value, "df": float(k), "df_error": float(df), "p": float(f.sf(value, k, df)),
                   "ratio": float(np.sqrt(np.mean(r[keep] ** 2)) / sd)}  # fmt: skip
        else:
            new = dict.fromkeys(("F", "df", "df_error", "p", "ratio"), float("nan"))
        out |= {key + suffix: v for key, v in new.items()}
    return out


def _findings(
    data: TrainingData, r: FloatArray, z: FloatArray, tests: pd.DataFrame, groups: pd.DataFrame, noise: PureError,
    fit: dict[str, float], *, scaled: bool,
) -> tuple[Message, ...]:  # fmt: skip
    found: list[Message] = []

    def say(key: str, **values: str | int | float) -> None:
        found.append(Message(f"understanding.residual_{key}", values))

    def significant(what: str) -> pd.DataFrame:
        part = tests[(tests["what"] == what) & (tests["p_holm"] < ALPHA)]
        return part.loc[part["value"].abs().sort_values(ascending=False, kind="stable").index]

    unit = data.unit
    if np.isfinite(fit["ratio_robust"]):
        if noise.aside:
            named = ", ".join(data.rows[i] for rows in noise.aside[:3] for i in rows[:4])
            say("aside", rows=named, sd=round(noise.sd, 2),
                robust=round(noise.robust_sd, 2), unit=unit)  # fmt: skip
        key = "at_floor" if fit["p_robust"] >= ALPHA else "above_floor"
        say(key, ratio=round(fit["ratio_robust"], 2), sd=round(noise.robust_sd, 2), unit=unit,
            F=round(fit["F_robust"], 2), p=_p(fit["p_robust"]), df=int(noise.robust_df))  # fmt: skip
    else:
        say("no_replicates")
    bias = significant("bias")
    if len(bias):
        say("bias", bias=round(float(np.mean(r)), 2), unit=unit)
    slope = significant("slope")
    if len(slope):
        value = float(slope["value"].iloc[0])
        say("slope_low" if value < 1 else "slope_high", slope=round(value, 2))
    spread = significant("spread")
    ranks = spread[spread["statistic"] == "Spearman"]
    for row in records(ranks):
        way = "scaled" if scaled else "grows" if row.value > 0 else "falls"
        say(f"spread_{way}_{row.about}", rho=round(row.value, 2), p=_p(row.p_holm))
    if not len(ranks):
        say("spread_even")
    for what in ("trend", "curvature"):
        for row in records(significant(what).head(3)):
            say(what, column=row.about, value=round(row.value, 2), p=_p(row.p_holm))
    for row in records(groups[groups["p_holm"] < ALPHA]):
        say(
            f"group_{row.by}" + (f"_{row.group}" if row.by == "level" else ""),
            group=row.group,
            bias=f"{row.bias:+.2f}",
            unit=unit,
            n=row.n,
            mixes=row.n_mixes,
        )
    if len(significant("sources")):
        say("sources")
    if len(significant("time")):
        say("time", lag=round(float(significant("time")["value"].iloc[0]), 2))
    if len(significant("drift")):
        say("drift", rho=round(float(significant("drift")["value"].iloc[0]), 2))
    far = int(np.sum(np.abs(z) > 3))
    if len(significant("normality")):
        say("tails", far=far, expected=round(0.0027 * len(z), 1))
    share = np.sort(r**2)[::-1]
    top = max(1, round(0.01 * len(r)))
    if share[:top].sum() > 0.1 * share.sum():
        say("few_rows", n=top, share=round(100 * float(share[:top].sum() / share.sum())))
    return tuple(found)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
