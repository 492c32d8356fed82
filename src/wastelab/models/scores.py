"""What validation found, in a form that cannot be quoted by its flattering part alone.

A score of random rows tells how well a model remembers mixes it has seen; it is only ever shown beside the harder ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ModelError, UnknownNameError
from .comparison import Difference
from .notices import Notice

if TYPE_CHECKING:
    import pandas as pd

#: Ways to split, hardest first: the first of them that the data allow is the headline.
PROTOCOLS: Mapping[str, str] = {
    "source": "new source",
    "time": "later in time",
    "mix": "new mix",
    "row": "random rows",
}
#: What each of them means.
MEANINGS: Mapping[str, str] = {
    "source": "no test of the same laboratory, study or heap (nor of the same mix) was seen in fitting",
    "time": "only earlier tests (and none of the same mix) were seen in fitting",
    "mix": "no test of the same mix was seen in fitting, at whatever age",
    "row": "other tests of the same mix WERE seen in fitting: flatters, not for quoting",
}
#: English texts of the notices, by key; placeholders in braces.
TEXTS: Mapping[str, str] = {
    "validation.worse_than_mean": (
        "DO NOT USE THIS MODEL: for a {protocol} its error ({rmse} {unit}) is not clearly smaller than that of "
        "predicting the {baseline} ({baseline_rmse} {unit}). It knows nothing about the mix."
    ),
    "validation.worse_than_baseline": (
        "NO BETTER THAN A TRIVIAL PREDICTION: for a {protocol} the error of this model ({rmse} {unit}) is not smaller "
        "than that of '{baseline}' ({baseline_rmse} {unit}). Use that one, or do not publish this model."
    ),
    "validation.not_clearly_better": (
        "For a {protocol} the model is not clearly better than the trivial prediction '{baseline}' (RMSE {rmse} "
        "against {baseline_rmse} {unit}; the interval of the difference, {lower} to {upper}, includes 0). More mixes "
        "are needed."
    ),
    "validation.few_mixes": (
        "FEW MIXES: only {n_mixes} different mixes. Each was left out once; the scores are rough (RMSE ± {rmse_se} "
        "{unit}) and one more mix may change them much. Test at least {more} more."
    ),
    "validation.one_row_a_mix": (
        "Every mix has one row, so that splitting by row and by mix is the same; it is shown once, as new mix."
    ),
    "validation.no_source": (
        "The table does not say which laboratory, study or heap a row is from. For a new one the error is usually "
        "1.4 to 2.1 times that for a new mix."
    ),
    "validation.one_source": (
        "All rows are from one source: nothing is known of how the model does in another laboratory."
    ),
    "validation.few_sources": "Only {n_sources} sources: the score for a new one rests on {n_sources} cases.",
    "validation.one_source_dominates": (
        "{share} of the rows are from source '{source}': the score for a new source is mostly that of learning from "
        "the few others, and of predicting this one."
    ),
    "validation.shared_mixes": (
        "'{protocol}' cannot be scored: without the mixes that are tested, fewer than 5 rows are left to fit to (the "
        "sources or dates share their mixes)."
    ),
    "validation.no_time": "The table has no dates (or one): nothing is known of how the model does later in time.",
    "validation.harder_than_headline": (
        "The score for '{protocol}' (RMSE {rmse} {unit}) is worse than the headline: quote it too."
    ),
    "validation.interrupted": "Interrupted: '{protocol}' has {done} of {planned} folds; the rest was not run.",
}


#: A model for new mixes that is not surely better than the mean must at least have an error below this share of its.
LEAST_GAIN = 0.9
#: Notices that must stand wherever the model is shown.
LOUD = ("validation.worse_than_mean", "validation.worse_than_baseline")


def notice(key: str, /, **values: str | int | float) -> Notice:
    """A `Notice` of validation."""
    return Notice(key, TEXTS[key], values)


@dataclass(frozen=True)
class Errors:
    """Errors of predictions of some tests.

    Attributes
    ----------
    label : str
    n_rows : int
    rmse, mae, bias : float
        In the unit of the target; bias is predicted less observed.
    r2 : float
        1 - sum of squared errors / sum of squares about the mean of these tests; NaN where they do not differ.
    coverage, width : float
        Share of tests inside their interval, and its mean width; NaN where there are no intervals.
    """

    label: str
    n_rows: int
    rmse: float
    mae: float
    bias: float
    r2: float
    coverage: float = float("nan")
    width: float = float("nan")

    @classmethod
    def of(cls, label: str, frame: pd.DataFrame) -> Errors:
        """Errors of a table as `cross_predict` gives it (rows that were not tested are left out)."""
        frame = frame.loc[frame["mean"].notna()]
        y, p = frame["observed"].to_numpy(dtype=np.float64), frame["mean"].to_numpy(dtype=np.float64)
        residual = p - y
        total = float(np.sum((y - y.mean()) ** 2))
        coverage = width = float("nan")
        if {"lower", "upper"} <= set(frame.columns):
            low, high = (frame[c].to_numpy(dtype=np.float64) for c in ("lower", "upper"))
            there = ~np.isnan(low) & ~np.isnan(high)
            if there.any():
                coverage = float(np.mean((y >= low)[there] & (y <= high)[there]))
                width = float(np.mean((high - low)[there]))
        return cls(
            label=label, n_rows=len(y), rmse=float(np.sqrt(np.mean(residual**2))),
            mae=float(np.mean(np.abs(residual))), bias=float(np.mean(residual)),
            r2=1.0 - float(np.sum(residual**2)) / total if total > 0 else float("nan"), coverage=coverage, width=width,
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class ProtocolScore:
    """Errors of predictions under one way of splitting.

    Attributes
    ----------
    protocol : {"source", "time", "mix", "row"}
    errors : Errors
        Of all tested rows together (pooled).
    rmse_se : float
        Standard error of the root mean square error, from whole groups drawn anew.
    n_mixes, n_sources : int
        Among the tested rows.
    fold_rmse : tuple of float
        Of each fold.
    n_planned : int
        Folds that were to be run.
    by_age, by_level : tuple of Errors
        By bands of age, and by thirds of the observed value.
    baselines : tuple of Errors
        Of the trivial predictions under the same splits.
    margin, over_mean : Difference or None
        Model (A) against the best of them, and against the better of the means (B). Groups are drawn: sources for new
        sources where there are 5, else mixes; None with fewer than 5 mixes.
    """

    protocol: str
    errors: Errors
    rmse_se: float
    n_mixes: int
    n_sources: int
    fold_rmse: tuple[float, ...]
    n_planned: int
    by_age: tuple[Errors, ...] = ()
    by_level: tuple[Errors, ...] = ()
    baselines: tuple[Errors, ...] = ()
    margin: Difference | None = None
    over_mean: Difference | None = None

    @property
    def label(self) -> str:
        """In words."""
        return PROTOCOLS[self.protocol]

    @property
    def best_baseline(self) -> Errors:
        """The trivial prediction with the smallest error."""
        return min(self.baselines, key=lambda b: b.rmse)

    @property
    def rmse(self) -> float:
        """Root mean square error of all tested rows."""
        return self.errors.rmse

    @property
    def best_mean(self) -> Errors:
        """The better of the means."""
        return min((b for b in self.baselines if b.label.startswith("mean")), key=lambda b: b.rmse)

    @property
    def no_better_than_mean(self) -> bool:
        """Whether the model knows nothing that the mean does not.

        Its error is not smaller; or, for new mixes, neither surely smaller (99 %, one-sided) nor by a tenth.
        """
        mean = self.best_mean
        unsure = self.protocol == "mix" and self.over_mean is not None and self.over_mean.better != "a"
        return not self.rmse < mean.rmse or (unsure and self.rmse > LEAST_GAIN * mean.rmse)

    @property
    def worse_than_baseline(self) -> bool:
        """Whether the model must not be used as it is.

        A trivial prediction is surely better (99 %, one-sided, of paired draws of groups; any difference where these
        cannot be had), or `no_better_than_mean`. A tie with a line or with the nearest mix is not enough.
        """
        surely = not self.rmse < self.best_baseline.rmse if self.margin is None else self.margin.better == "b"
        return surely or self.no_better_than_mean

    def __repr__(self) -> str:
        e = self.errors
        return (
            f"<{self.label}: RMSE {e.rmse:.3g} ± {self.rmse_se:.2g}, MAE {e.mae:.3g}, bias {_signed(e.bias)}, "
            f"R2 {e.r2:.3f}; {MEANINGS[self.protocol]}>"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN is None)."""
        out: dict[str, Any] = asdict(self)
        for name in ("margin", "over_mean"):
            difference: Difference | None = getattr(self, name)
            out[name] = None if difference is None else difference.to_dict()
        plain: dict[str, Any] = _plain({"label": self.label, "meaning": MEANINGS[self.protocol], **out})
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ProtocolScore:
        """What `to_dict` gave."""
        v = {k: x for k, x in values.items() if k not in ("label", "meaning")}
        for name in ("by_age", "by_level", "baselines"):
            v[name] = tuple(Errors(**_nan(e)) for e in v[name])
        v["errors"] = Errors(**_nan(v["errors"]))
        v["fold_rmse"] = tuple(v["fold_rmse"])
        v["rmse_se"] = float("nan") if v["rmse_se"] is None else v["rmse_se"]
        for name in ("margin", "over_mean"):
            v[name] = None if v.get(name) is None else Difference.from_dict(v[name])
        return cls(**v)


@dataclass(frozen=True, repr=False)
class Scores:
    """Scores of one model under every way of splitting that its data allow.

    The score of random rows is in `table`, `report` and `to_dict`, always beside the others; it cannot be had alone.

    Attributes
    ----------
    target, unit : str
    n_rows, n_mixes, n_sources : int
    every : tuple of ProtocolScore
        Hardest first.
    notices : tuple of Notice
        Loud ones first.
    predictions : mapping of str to pandas.DataFrame
        What `cross_predict` gave under each protocol.
    """

    target: str
    unit: str
    n_rows: int
    n_mixes: int
    n_sources: int
    every: tuple[ProtocolScore, ...]
    notices: tuple[Notice, ...] = ()
    predictions: Mapping[str, pd.DataFrame] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.every or self.every[0].protocol == "row":
            raise ModelError(
                "A score of random rows alone says nothing about a new mix. Validate with the protocol 'mix' as well."
            )

    @property
    def headline(self) -> ProtocolScore:
        """The hardest protocol that the data allow."""
        return self.every[0]

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those that were run, hardest first."""
        return tuple(s.protocol for s in self.every)

    def __getitem__(self, protocol: str) -> ProtocolScore:
        if protocol == "row":
            raise ModelError("A score of random rows is not shown alone. See table() or report(), which show all.")
        for score in self.every:
            if score.protocol == protocol:
                return score
        raise UnknownNameError(f"There is no score for '{protocol}'. Available: {', '.join(self.protocols)}.")

    @property
    def worse_than_baseline(self) -> bool:
        """Whether the model is surely worse than a trivial prediction, or no better than a mean (see `label`)."""
        return any(s.worse_than_baseline for s in self.every if s.protocol != "row")

    @property
    def label(self) -> Notice | None:
        """What must stand, loud, wherever this model is shown; None for a model that may be used."""
        loud = [n for n in self.notices if n.key in LOUD]
        return loud[0] if loud else None

    def table(self) -> pd.DataFrame:
        """One row a protocol, hardest (the headline) first.

        Returns
        -------
        pandas.DataFrame
            Columns RMSE, its standard error, MAE, bias (in the unit of the target, ``attrs["unit"]``), R2, spread of
            the folds, best trivial prediction and its RMSE, numbers of rows, mixes and sources.
        """
        import pandas as pd

        rows = []
        for s in self.every:
            best = s.best_baseline
            rows.append({
                "protocol": s.label, "RMSE": s.errors.rmse, "RMSE_se": s.rmse_se, "MAE": s.errors.mae,
                "bias": s.errors.bias, "R2": s.errors.r2, "fold_RMSE_min": min(s.fold_rmse),
                "fold_RMSE_max": max(s.fold_rmse), "coverage": s.errors.coverage, "width": s.errors.width,
                "best_baseline": best.label, "baseline_RMSE": best.rmse, "n_rows": s.errors.n_rows,
                "n_mixes": s.n_mixes, "n_sources": s.n_sources, "n_folds": len(s.fold_rmse),
            })  # fmt: skip
        out = pd.DataFrame(rows).set_index("protocol")
        out.attrs["unit"] = self.unit
        return out

    def report(self) -> str:
        """What a person reads: every protocol, the headline by age and level, the trivial predictions, notices."""
        unit = f" [{self.unit}]" if self.unit else ""
        sources = f"{self.n_sources} sources" if self.n_sources else "sources unknown"
        lines = [f"Validation of {self.target}{unit}: {self.n_rows} tests, {self.n_mixes} mixes, {sources}"]
        loud = [n for n in self.notices if n.key in (*LOUD, "validation.few_mixes")]
        lines += [f"!! {n}" for n in loud]
        lines.append(f"  {'':26s}{'RMSE':>8s}{'+-':>7s}{'MAE':>8s}{'bias':>8s}{'R2':>8s}   folds        best trivial")
        for i, s in enumerate(self.every):
            e, best = s.errors, s.best_baseline
            name = s.label + (" (headline)" if i == 0 else "")
            spread = f"{min(s.fold_rmse):.3g}-{max(s.fold_rmse):.3g}"
            lines.append(
                f"  {name:26s}{e.rmse:8.3g}{s.rmse_se:7.2g}{e.mae:8.3g}{_signed(e.bias):>8s}{e.r2:8.3f}   {spread:13s}"
                f"{best.rmse:.3g} ({best.label})"
            )
            lines.append(f"    {MEANINGS[s.protocol]} ({e.n_rows} tests)")
        head = self.headline
        lines.append(f"By part, {head.label}:")
        for e in (*head.by_age, *head.by_level):
            cover = "" if np.isnan(e.coverage) else f"  covered {e.coverage:.2f}, width {e.width:.3g}"
            lines.append(
                f"  {e.label:26s}{e.rmse:8.3g}{'':7s}{e.mae:8.3g}{_signed(e.bias):>8s}{'':11s}{e.n_rows} tests{cover}"
            )
        lines.append(f"Trivial predictions, {head.label}:")
        lines += [
            f"  {e.label:26s}{e.rmse:8.3g}{'':7s}{e.mae:8.3g}{_signed(e.bias):>8s}{e.r2:8.3f}" for e in head.baselines
        ]
        lines += [f"* {n}" for n in self.notices if n not in loud]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        loud = " - NO BETTER THAN A TRIVIAL PREDICTION" if self.worse_than_baseline else ""
        said = "; ".join(f"{s.label} RMSE {s.rmse:.3g} R2 {s.errors.r2:.3f}" for s in self.every)
        return f"<Scores of {self.target}: {said}{loud}>"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON (NaN is None), enough for `from_dict`; always every protocol."""
        out: dict[str, Any] = _plain({
            "target": self.target, "unit": self.unit, "n_rows": self.n_rows, "n_mixes": self.n_mixes,
            "n_sources": self.n_sources, "headline": self.headline.protocol,
            "worse_than_baseline": self.worse_than_baseline, "label": str(self.label or ""),
            "every": [s.to_dict() for s in self.every], "notices": [n.to_dict() for n in self.notices],
        })  # fmt: skip
        return out

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Scores:
        """What `to_dict` gave (without the predictions)."""
        return cls(
            target=values["target"], unit=values["unit"], n_rows=values["n_rows"], n_mixes=values["n_mixes"],
            n_sources=values["n_sources"], every=tuple(ProtocolScore.from_dict(s) for s in values["every"]),
            notices=tuple(notice(n["key"], **n["values"]) for n in values["notices"]),
        )  # fmt: skip


def _signed(value: float) -> str:
    return f"{value:+.2g}" if abs(value) > 1e-9 else "0"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return None if np.isnan(value) else float(value)
    return value


def _nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: float("nan") if v is None else v for k, v in values.items()}
