"""Tests a laboratory should look at again: far from held-out predictions, from repeats, or from the mix's other ages.

Each row comes with what speaks for a slip of typing, another unit, another age, exchanged specimens, a wrong recipe,
or rather a model that is wrong there; and with what to check. Nothing is corrected or left out.
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
from .refits import Refits, predicted, records, seen_region
from .replicates import pure_error, replicate_sets
from .table import TrainingData

if TYPE_CHECKING:
    import pandas as pd

#: Factors between units a strength is mistaken in: psi, kgf/cm2, bar; and a shifted point.
_FACTORS = {
    "psi": 145.0377, "kgf/cm2": 10.19716, "x 10": 10.0, "x 100": 100.0, "/ 10": 0.1, "/ 100": 0.01,
}  # fmt: skip
_STRESS = frozenset({"psi", "kgf/cm2"})
#: Order in which the kinds of reason name a row.
_KINDS = ("typing", "unit", "swapped", "replicates", "falls", "mix", "age", "neighbours", "alone", "model")


@dataclass(frozen=True)
class Suspicious:
    """Tests to look at again.

    Attributes
    ----------
    table : pandas.DataFrame
        Most suspicious first: ``index`` (of the row in the tests), ``row``, ``mix``, ``source``, ``age`` [d],
        ``measured``, ``predicted`` (without its mix) [unit of the target], ``z_model`` (residual over scale),
        ``z_replicates`` (from the median of equal rows, over the noise; NaN without any), ``score`` (the larger),
        ``kind``, ``reason``, ``check`` (English).
    reasons : tuple of tuple of Message
        Of each row, strongest first.
    checks : tuple of Message
        What to check, of each row.
    n_rows : int
        Tests looked at.
    limit : float
    unit : str
    """

    table: pd.DataFrame
    reasons: tuple[tuple[Message, ...], ...]
    checks: tuple[Message, ...]
    n_rows: int
    limit: float
    unit: str

    def report(self, lang: str = DEFAULT) -> str:
        """The list as text for the laboratory."""
        head = Message("understanding.suspicious_head" if len(self.table) else "understanding.suspicious_none",
                       {"n": len(self.table), "rows": self.n_rows, "limit": self.limit})  # fmt: skip
        lines = [head.text(lang)]
        for row, reasons, check in zip(records(self.table), self.reasons, self.checks, strict=True):
            lines.append(Message("understanding.suspicious_row", {
                "row": row.row, "measured": f"{row.measured:g}", "predicted": f"{row.predicted:.1f}", "unit": self.unit,
                "score": f"{row.score:.1f}",
            }).text(lang))  # fmt: skip
            lines += [f"    - {r.text(lang)}" for r in reasons]
            lines.append("    " + Message("understanding.check", {"what": check.text(lang)}).text(lang))
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN as None)."""
        return {
            "n_rows": self.n_rows, "limit": self.limit, "unit": self.unit,
            "table": self.table.astype(object).where(self.table.notna(), None).to_dict("records"),
        }  # fmt: skip


def suspicious_rows(
    data: TrainingData,
    prediction: ArrayLike,
    *,
    scale: ArrayLike | None = None,
    refits: Refits | None = None,
    limit: float = 3.5,
    top: int | None = 20,
) -> Suspicious:
    """List the tests that do not go with the others, with reasons and what to check.

    Parameters
    ----------
    data : TrainingData
    prediction : array_like, shape (n_rows,)
        Out-of-fold by mix [unit of the target].
    scale : array_like, shape (n_rows,), optional
        Predicted standard deviation of each row (half of a 90 % interval over 1.645); by default the robust spread of
        the residuals of the same third of predictions.
    refits : Refits, optional
        Folds, to ask at which other age a value would fit.
    limit : float
        Scales of the residual, or standard deviations from repeated tests, from which a row is listed.
    top : int, optional
        Longest list; None for all.

    Returns
    -------
    Suspicious

    Raises
    ------
    ModelError
        If there are fewer than 10 rows, or a prediction or scale is missing.

    Notes
    -----
    A row on the list is not wrong by that: the model may be. ``neighbours`` says so where similar mixes are off the
    same way, ``mix`` where all tests of the mix are. Of two repeated tests that disagree the one further from the
    prediction is listed.
    """
    import pandas as pd

    p = np.asarray(prediction, dtype=np.float64)
    if len(data) < 10 or p.shape != (len(data),) or not np.isfinite(p).all():
        raise ModelError(
            f"prediction has shape {p.shape} for {len(data)} rows; expected 10 or more finite numbers, one a row."
        )
    if not limit > 0:
        raise ModelError(f"limit = {limit}: expected a number above 0.")
    r = data.target - p
    sd = _local_scale(p, r) if scale is None else np.asarray(scale, dtype=np.float64)
    if sd.shape != p.shape or not (np.isfinite(sd) & (sd > 0)).all():
        raise ModelError("scale has to hold one number above 0 a row.")
    case = _Case(data, p, r, sd, limit, refits)
    z = np.abs(r) / sd
    score = np.fmax(z, np.abs(case.z_replicates))
    listed = np.flatnonzero((score > limit) | case.falls)
    listed = listed[np.lexsort((listed, -score[listed]))]
    listed = listed if top is None else listed[:top]
    rows, reasons, checks = [], [], []
    for i in listed:
        found = case.reasons(int(i))
        kind = found[0][0]
        check = Message(f"understanding.check_{kind}")
        reasons.append(tuple(m for _, m in found))
        checks.append(check)
        rows.append({
            "index": int(i), "row": data.rows[i], "mix": data.mix_names[data.mix[i]],
            "source": "" if data.source is None else data.source_names[data.source[i]],
            "age": float(data.features[data.age].iloc[i]) if data.age else np.nan, "measured": float(data.target[i]),
            "predicted": float(p[i]), "z_model": float(r[i] / sd[i]), "z_replicates": float(case.z_replicates[i]),
            "score": float(score[i]), "kind": kind, "reason": " ".join(str(m.text()) for _, m in found),
            "check": check.text(),
        })  # fmt: skip
    columns = ["index", "row", "mix", "source", "age", "measured", "predicted", "z_model", "z_replicates", "score",
               "kind", "reason", "check"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    table.attrs["units"] = {"age": "d", "measured": data.unit, "predicted": data.unit}
    return Suspicious(table, tuple(reasons), tuple(checks), len(data), limit, data.unit)


def slips(value: float) -> dict[float, str]:
    """Numbers that may have been meant by `value`: two digits exchanged, or one digit for another, once or everywhere.

    Parameters
    ----------
    value : float

    Returns
    -------
    dict of float to str
        The number meant, and "exchanged" or "digit".
    """
    text = f"{abs(value):g}"
    sign = -1.0 if value < 0 else 1.0
    out: dict[float, str] = {}
    digits = [i for i, c in enumerate(text) if c.isdigit()]
    if "e" in text:
        return out
    for a, b in pairwise(digits):
        s = list(text)
        s[a], s[b] = s[b], s[a]
        out.setdefault(sign * float("".join(s)), "exchanged")
    for old in sorted(set(text) - {"."}):
        for new in "0123456789":
            if new != old:
                out.setdefault(sign * float(text.replace(old, new)), "digit")
    for i in digits:
        for new in "0123456789":
            out.setdefault(sign * float(text[:i] + new + text[i + 1 :]), "digit")
    out.pop(value, None)
    return out


def _local_scale(p: FloatArray, r: FloatArray) -> FloatArray:
    """Robust spread of residuals in each third of the predictions, never under half of the robust spread of all."""
    third = np.searchsorted(np.quantile(p, [1 / 3, 2 / 3]), p, side="left")
    whole = 1.4826 * float(np.median(np.abs(r)))
    out = np.empty(len(p))
    for k in range(3):
        at = third == k
        out[at] = max(1.4826 * float(np.median(np.abs(r[at]))), 0.5 * whole) if at.sum() >= 10 else whole
    floor = 1e-9 * max(float(np.max(np.abs(p))), 1e-300)
    return np.maximum(out, floor)


class _Case:
    """All that speaks for or against single rows."""

    def __init__(
        self, data: TrainingData, p: FloatArray, r: FloatArray, sd: FloatArray, limit: float, refits: Refits | None
    ) -> None:
        self.data, self.p, self.r, self.sd, self.limit = data, p, r, sd, limit
        self.sets = replicate_sets(data)
        error = pure_error(data)
        typical = float(np.median(np.abs(data.target)))
        self.least = max(0.01 * typical, 1e-300)
        few = error.robust_df < 4  # too few repeats to know the scatter by them
        known = error.mean_sd if few else error.robust_sd
        self.noise = max(known if np.isfinite(known) else 0.05 * typical, self.least)
        self.aside = np.array([i for rows in error.aside for i in rows], dtype=np.int64)
        self.others = np.full(len(p), np.nan)  # median of equal rows
        self.z_replicates = self._replicates()
        self.falls = self._falling()
        self.fold = np.full(len(p), -1, dtype=np.int64)
        self.refits = refits if refits is not None and refits.kind == "folds" else None
        if self.refits is not None:
            for k, test in enumerate(self.refits.tests):
                self.fold[test] = k
        self._near: IntArray | None = None

    def _replicates(self) -> FloatArray:
        z = np.full(len(self.p), np.nan)
        y = self.data.target
        count = np.bincount(self.sets)
        squares = np.bincount(self.sets, (y - (np.bincount(self.sets, y) / count)[self.sets]) ** 2)
        sound = (count > 1) & ~np.isin(np.arange(len(count)), self.sets[self.aside])
        for k in np.flatnonzero(count > 1):
            rows = np.flatnonzero(self.sets == k)
            rest_of = sound & (np.arange(len(count)) != k)  # a set is not judged by its own scatter
            df = int(np.sum(count[rest_of] - 1))
            noise = max(float(np.sqrt(np.sum(squares[rest_of]) / df)), self.least) if df >= 3 else self.noise
            for i in rows.tolist():
                rest = rows[rows != i]
                self.others[i] = np.median(y[rest])
                z[i] = (y[i] - self.others[i]) / (noise * np.sqrt(1.0 + 1.0 / len(rest)))
            if len(rows) == 2:  # which of two is wrong only the model can say
                closer = rows[int(np.argmin(np.abs(self.r[rows])))]
                z[closer] = 0.0
        return z

    def _falling(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Rows far below a younger test of the same mix."""
        out = np.zeros(len(self.p), dtype=bool)
        if not self.data.age:
            return out
        age, y = self.data.features[self.data.age].to_numpy(), self.data.target
        for m in np.unique(self.data.mix):
            rows = np.flatnonzero(self.data.mix == m)
            if len(rows) < 2:
                continue
            for i in rows.tolist():
                younger = rows[age[rows] < age[i]]
                if len(younger) and y[younger].max() - y[i] > self.limit * np.sqrt(2.0) * self.noise:
                    top = younger[int(np.argmax(y[younger]))]
                    out[i if abs(self.r[i]) / self.sd[i] >= abs(self.r[top]) / self.sd[top] else top] = True
        return out

    def reasons(self, i: int) -> list[tuple[str, Message]]:
        """What speaks for which kind of trouble, strongest first."""
        found: list[tuple[str, Message]] = []

        def say(kind: str, key: str, **values: str | int | float) -> None:
            found.append((kind, Message(f"understanding.why_{key}", values)))

        y, unit = float(self.data.target[i]), self.data.unit
        far = abs(self.r[i]) > self.limit * self.sd[i]
        by_repeats = abs(self.z_replicates[i]) > self.limit
        if by_repeats:
            k = int(np.sum(self.sets == self.sets[i])) - 1
            say("replicates", "replicates", k=k, others=f"{self.others[i]:g}", value=f"{y:g}", unit=unit)
            meant = [v for v in slips(y) if abs(v - self.others[i]) <= 0.005 * abs(self.others[i])]
            if meant:
                best = min(meant, key=lambda v: abs(v - self.others[i]))
                say("typing", "typing", value=f"{y:g}", meant=f"{best:g}")
        self._factor(i, say, by_repeats=by_repeats, far=far)
        if far or self.falls[i]:
            self._within_mix(i, say)
        if (
            far
            and not any(k == "mix" for k, _ in found)
            and self.refits is not None
            and self.data.age
            and self.fold[i] >= 0
        ):
            self._other_age(i, say)
        if far:
            self._neighbours(i, say)
            say("model", "model", z=f"{self.r[i] / self.sd[i]:+.1f}", predicted=f"{self.p[i]:.1f}", unit=unit)
        return sorted(found, key=lambda f: _KINDS.index(f[0]))

    def _factor(self, i: int, say: Any, *, by_repeats: bool, far: bool) -> None:
        y = float(self.data.target[i])
        goal, slack = (float(self.others[i]), 0.03) if by_repeats else (float(self.p[i]), 0.15)
        if not (by_repeats or far) or goal * y <= 0:
            return
        for name, factor in _FACTORS.items():
            if name in _STRESS and self.data.unit != "MPa":
                continue
            if abs(y / factor / goal - 1.0) <= slack:
                say("unit", "unit" if name in _STRESS else "point", value=f"{y:g}", meant=f"{y / factor:.4g}",
                    unit=name if name in _STRESS else self.data.unit)  # fmt: skip
                return

    def _within_mix(self, i: int, say: Any) -> None:
        data = self.data
        rows = np.flatnonzero((data.mix == data.mix[i]) & (self.sets != self.sets[i]))
        age = data.features[data.age].to_numpy() if data.age else np.zeros(len(self.p))
        if self.falls[i]:
            pairs = rows[(age[rows] < age[i]) & (data.target[rows] > data.target[i])]
            pairs = pairs if len(pairs) else rows[(age[rows] > age[i]) & (data.target[rows] < data.target[i])]
            if len(pairs):
                j = int(pairs[int(np.argmax(np.abs(data.target[pairs] - data.target[i])))])
                say("falls", "falls", age=f"{age[i]:g}", value=f"{data.target[i]:g}", other=f"{data.target[j]:g}",
                    other_age=f"{age[j]:g}", unit=data.unit)  # fmt: skip
        if not len(rows):
            return
        for j in rows.tolist():
            before = self.r[i] ** 2 + self.r[j] ** 2
            after = (data.target[i] - self.p[j]) ** 2 + (data.target[j] - self.p[i]) ** 2
            if after < 0.15 * before:
                say("swapped", "swapped", row=data.rows[j], age=f"{age[j]:g}")
                break
        rest = float(np.mean(self.r[rows] / self.sd[rows]))
        own = float(self.r[i] / self.sd[i])
        if rest * own > 0 and abs(rest) > 0.5 * abs(own) and abs(own) > self.limit:
            say("mix", "mix", n=len(rows))
        elif np.all(np.abs(self.r[rows]) < 2.0 * self.sd[rows]):
            say("alone", "alone", n=len(rows))

    def _other_age(self, i: int, say: Any) -> None:
        assert self.refits is not None
        data = self.data
        ages = np.unique(data.features[data.age].to_numpy())
        table = data.features.iloc[np.full(len(ages), i)].reset_index(drop=True)
        table[data.age] = ages
        course = predicted(self.refits.models[self.fold[i]], table)
        k = int(np.argmin(np.abs(course - data.target[i])))
        now = float(data.features[data.age].iloc[i])
        if ages[k] != now and abs(course[k] - data.target[i]) < 0.5 * self.sd[i]:
            say("age", "age", age=f"{now:g}", fits=f"{ages[k]:g}")

    def _neighbours(self, i: int, say: Any) -> None:
        """Similar mixes at near ages that are off the same way."""
        data = self.data
        region = seen_region(data)
        if not region._distance:
            return
        points = region._points(data.features)
        gap = np.sqrt(np.sum((points - points[i]) ** 2, axis=1))
        if data.age:
            age = np.log(data.features[data.age].to_numpy())
            gap = np.where(np.abs(age - age[i]) < np.log(2.5), gap, np.inf)
        gap[data.mix == data.mix[i]] = np.inf
        near = np.argsort(gap, kind="stable")[:5]
        near = near[gap[near] <= 2.0 * region.limit]
        if len(near) < 3:
            return
        mean = float(np.mean(self.r[near] / self.sd[near]))
        if mean * self.r[i] > 0 and abs(mean) > 1.0:
            say("neighbours", "neighbours", n=len(near), z=f"{mean:+.1f}")
