"""Checks of units by values: masses in tonnes, ages in hours, results in psi; and of results that stand among features.

Each check takes a `View` and yields findings; its criterion stands in its docstring.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from .audit_columns import _has, _masses
from .audit_view import Finding, View, at_least_of, groups_of
from .baselines import RIDGE, encode
from .columns import split_unit
from .design import FloatArray

#: Usual masses of a cubic metre [kg/m3] by words of the name, without zeros; the last says whether single values are
#: looked at (evidence: memory; wide enough for pastes, foams and stabilised soils).
USUAL_MASSES: tuple[tuple[tuple[str, ...], float, float, bool], ...] = (
    (("cement", "clinker", "opc", "binder", "cementitious", "水泥", "胶凝材料"), 20.0, 2300.0, True),
    (("water", "水"), 30.0, 1500.0, True),
    (("aggregate", "sand", "gravel", "骨料", "集料", "砂", "石子"), 30.0, 2700.0, False),
)
#: Words that make another thing of those.
_NOT_THOSE = (
    "reduc", "proof", "repel", "extra", "addition", "absor", "dust", "减水", "附加", "防水", "ratio", "水泥石", "clay",
    "effective", "supplementary", "replac", "水玻璃", "glass", "content_of",
)  # fmt: skip
#: Units that masses of a cubic metre are mistaken in, and what a value in them is multiplied with.
_MASS_UNITS = (("t/m3", 1e3), ("g/m3", 1e-3))
#: Ages at which tests are made [d].
USUAL_AGES = (1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0, 21.0, 28.0, 42.0, 56.0, 60.0, 63.0, 90.0, 91.0, 100.0, 112.0,
              119.0, 120.0, 150.0, 180.0, 182.0, 270.0, 360.0, 365.0, 730.0)  # fmt: skip
_AGE_UNITS = (("h", 24.0), ("min", 1440.0))
#: Largest strength that is usual [MPa].
MOST_STRENGTH = 300.0
#: Factors [MPa to the unit] that strengths are mistaken by, and those of any result.
_STRESS_FACTORS = (("psi", 145.0377), ("kgf/cm2", 10.19716), ("ksi", 0.1450377), ("kPa", 1e3), ("GPa", 1e-3))
_FACTORS = (("x 10", 10.0), ("x 100", 100.0), ("x 1000", 1e3), ("/ 10", 0.1), ("/ 100", 0.01), ("/ 1000", 1e-3))


def masses(view: View) -> Iterator[Finding]:
    """Masses of binder, water and aggregate that no cubic metre has.

    A column half of whose values (zeros not counted) are outside what is usual, and nine tenths inside in tonnes or
    grams. Else single values of cement, binder and water, for information.
    """
    for column in _masses(view):
        x = view.numeric[column]
        stem = split_unit(column)[0].lower()
        usual = next((u for u in USUAL_MASSES if any(w in stem for w in u[0])), None)
        there = x[~np.isnan(x) & (x > 0)]
        if usual is None or _has(stem, _NOT_THOSE) or not len(there):
            continue
        _, low, high, single = usual
        outside = float(np.mean((there < low) | (there > high)))
        likely = [n for n, f in _MASS_UNITS if np.mean((there * f >= low) & (there * f <= high)) >= 0.9]
        if outside >= 0.5 and likely:
            yield view.finding(
                "unit", "warn", (), (column,), column=column, likely=likely[0], said="kg/m3", low=f"{low:g}",
                high=f"{high:g}", share=f"{100 * outside:.0f}",
            )  # fmt: skip
            continue
        bad = np.flatnonzero((x > 0) & ((x < low) | (x > high)))
        if single and len(bad):
            i, median = int(bad[0]), float(np.median(there))
            ratio = float(np.log10(x[i] / median))
            shifted = abs(ratio) > 0.7 and abs(ratio - round(ratio)) < 0.1
            yield view.finding(
                "implausible_value", "info", bad, (column,), column=column, low=f"{low:g}", high=f"{high:g}",
                example=f"{view.data.rows[i]}: {x[i]:g} kg/m3", said="kg/m3",
                hint=f" The point may be shifted: the middle of the column is {median:g}." if shifted else "",
            )  # fmt: skip


def ages(view: View) -> Iterator[Finding]:
    """Ages that are all usual when read as hours or minutes, and hardly any of them as days.

    Usual ages are those at which tests are made (1, 3, 7, 28, 90 d …); looked at where the greatest age is beyond 60 d.
    """
    if not view.data.age:
        return
    column = view.data.age
    every = np.unique(view.numeric[column])
    if every[-1] <= 60.0:
        return
    as_days = float(np.mean(np.isin(every, USUAL_AGES)))
    for unit, factor in _AGE_UNITS:
        if as_days < 0.5 and np.all(np.isin(np.round(every / factor, 6), USUAL_AGES)):
            shown = ", ".join(f"{a:g}" for a in every[:6])
            yield view.finding("unit.age", "warn", (), (column,), column=column, ages=shown, likely=unit)
            return


def results_in_another_unit(view: View) -> Iterator[Finding]:
    """Results that are off by the factor between two units, or by a power of ten.

    Either half of the strengths are above 300 MPa; or up to two fifths of the rows are off a line through the logarithm
    of the results (Tukey's biweight, so that they do not draw it) by more than six robust standard deviations and a
    factor of 4.5, in clusters (a gap of a factor of 2 to all others, none inside: weak mixes are no cluster) whose
    median is within 30 % of the nearest factor, or within three of its standard errors.
    """
    y = view.y
    stress = view.is_strength and view.data.unit in ("MPa", "N/mm2")
    if stress and np.mean(y > MOST_STRENGTH) >= 0.5:
        middle = float(np.median(y))
        likely = next((n for n, f in (("psi", 145.0377), ("kPa", 1e3)) if 2.0 <= middle / f <= 150.0), "")
        if likely:
            yield view.finding(
                "unit", "severe", (), (view.data.name,), column=view.data.name, likely=likely, said=view.data.unit,
                low="0", high=f"{MOST_STRENGTH:g}", share=f"{100 * np.mean(y > MOST_STRENGTH):.0f}",
            )  # fmt: skip
        return
    if view.n < 10 or np.any(y <= 0) or np.ptp(y) == 0:
        return
    residual, sd = _off_a_line(view, np.log(y))
    beyond = (np.abs(residual) > max(6.0 * sd, np.log(4.5))) & (np.abs(residual) > 0)
    if not beyond.any() or beyond.mean() > 0.4:
        return
    factors = (*(_STRESS_FACTORS if stress else ()), *_FACTORS)
    order = np.flatnonzero(beyond)[np.argsort(residual[beyond], kind="stable")]
    for rows in np.split(order, np.flatnonzero(np.diff(residual[order]) > np.log(2.0)) + 1):
        middle = float(np.median(residual[rows]))
        between = np.abs(residual[~beyond & (np.sign(residual) == np.sign(middle))])
        if float(np.min(np.abs(residual[rows]))) - float(np.max(between, initial=0.0)) < np.log(2.0):
            continue
        name, factor = min(factors, key=lambda f: abs(middle - np.log(f[1])))
        if abs(middle - np.log(factor)) > max(np.log(1.3), 3.0 * sd / np.sqrt(len(rows))):
            continue
        example = ", ".join(f"{view.data.rows[i]}: {y[i]:g}" for i in np.sort(rows)[:3])
        severity = "severe" if len(rows) > 2 and middle > 0 else "warn"
        yield view.finding(
            "unit.results", severity, np.sort(rows), likely=name, example=example, factor=f"{np.exp(middle):.3g}",
        )  # fmt: skip


def _off_a_line(view: View, z: FloatArray) -> tuple[FloatArray, float]:
    """Residuals of a robust line through all columns, and the robust standard deviation of those near it."""
    x, _, _ = encode(view.data, view.data, age=True)
    x = np.column_stack([np.ones(len(x)), x])
    penalty = RIDGE * len(x) * np.diag([0.0, *np.ones(x.shape[1] - 1)])
    residual = z - np.median(z)
    sd = 1.4826 * float(np.median(np.abs(residual)))
    for _ in range(15):
        if sd <= 0:
            break
        weight = np.clip(1.0 - (residual / (4.7 * sd)) ** 2, 0.0, None) ** 2
        residual = z - x @ np.linalg.solve(x.T @ (weight[:, None] * x) + penalty, x.T @ (weight * z))
        sd = 1.4826 * float(np.median(np.abs(residual[weight > 0])))
    return np.asarray(residual, dtype=np.float64), sd


def same_as_result(view: View) -> Iterator[Finding]:
    """A feature that says the result: correlation above 0.98, of the numbers or of their logarithms.

    Severe above 0.9999 (the result itself in another unit, or computed from it). For information only where the column
    is a quantity of the mix (kg/m3, kg/t), known before the test. Needs 8 rows and 5 different values.
    """
    data = view.data
    for column, x in view.numeric.items():
        there = ~np.isnan(x)
        if column == data.age or there.sum() < 8 or len(np.unique(x[there])) < 5:
            continue
        a, b = x[there], view.y[there]
        if np.ptp(b) == 0:
            continue
        r = float(np.corrcoef(a, b)[0, 1])
        if np.all(a > 0) and np.all(b > 0):
            logs = float(np.corrcoef(np.log(a), np.log(b))[0, 1])
            r = logs if abs(logs) > abs(r) else r
        if abs(r) <= 0.98:
            continue
        unit = data.units.get(column) or split_unit(column)[1]
        severity = "info" if unit in ("kg/m3", "kg/t") else "severe" if abs(r) > 0.9999 else "warn"
        yield view.finding("same_as_result", severity, (), (column,), column=column, r=f"{r:.4f}")


def computed_from_another_age(view: View) -> Iterator[Finding]:
    """Results at one age that are a fixed multiple of those at another.

    Eight mixes at least have both; nine tenths of them are on the multiple (the median ratio) to rounding; and that is
    too many for tests that scatter by 1 % (binomial, 1e-6).
    """
    if not view.data.age or np.any(view.y <= 0):
        return
    by_age: dict[float, dict[int, int]] = {}
    for rows in groups_of(view.cell):
        if len(rows) == 1:
            age, row = round(float(view.log_age[rows[0]]), 9), int(rows[0])
            by_age.setdefault(age, {})[int(view.composition[row])] = row
    for early, late in combinations(sorted(by_age), 2):
        mixes = sorted(set(by_age[early]) & set(by_age[late]))
        if len(mixes) < 8:
            continue
        i = np.array([by_age[early][m] for m in mixes])
        j = np.array([by_age[late][m] for m in mixes])
        ratio = float(np.median(view.y[j] / view.y[i]))
        tolerance = 0.55 * view.resolution * (1.0 + ratio)
        sd = 0.01 * float(np.median(view.y[j])) * np.sqrt(2.0)
        on = np.abs(view.y[j] - ratio * view.y[i]) <= tolerance
        chance = 2.0 * tolerance / (np.sqrt(2.0 * np.pi) * sd)
        if on.mean() >= 0.9 and chance < 0.5 and at_least_of(int(on.sum()), len(on), chance) < 1e-6:
            yield view.finding(
                "computed", "severe", np.concatenate([i[on], j[on]]), mixes=int(on.sum()), ratio=f"{ratio:.3g}",
                early=f"{np.exp(early):g}", late=f"{np.exp(late):g}",
            )  # fmt: skip
