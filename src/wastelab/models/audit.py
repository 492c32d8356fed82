"""Audit of a table of tests before a model is fitted to it: what is repeated, mistyped, computed or cannot be.

Every check states its criterion in its docstring (`audit_checks`, `audit_targets`, `audit_columns`, `audit_units`). A
finding is a question to the person who knows the tests, not a verdict; nothing is changed or left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import audit_checks, audit_columns, audit_targets, audit_units
from .audit_view import Finding, View
from .folds import Split
from .table import MIX_COLUMNS, TrainingData, _frame, _target_column, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHECKS", "Audit", "Finding", "audit_splits", "audit_table"]

Check = Callable[[View], Iterator[Finding]]
#: Checks that need results, and those of any table.
TARGET_CHECKS: tuple[Check, ...] = (
    audit_checks.repeated_rows,
    audit_checks.copied_results,
    audit_targets.too_smooth,
    audit_targets.interpolated,
    audit_checks.typing_errors,
    audit_checks.equal_in_two_sources,
    audit_targets.falls_with_age,
    audit_targets.censored,
    audit_targets.not_positive,
    audit_units.results_in_another_unit,
    audit_units.same_as_result,
    audit_units.computed_from_another_age,
    audit_checks.noise_floor,
    audit_checks.few_groups,
)
TABLE_CHECKS: tuple[Check, ...] = (
    audit_checks.mix_names,
    audit_columns.mass_closure,
    audit_columns.binder_sum,
    audit_columns.oxide_sums,
    audit_columns.units,
    audit_units.masses,
    audit_units.ages,
    audit_columns.negative_quantities,
    audit_columns.id_columns,
    audit_columns.silent_columns,
    audit_columns.collinear,
)
CHECKS = TARGET_CHECKS + TABLE_CHECKS
SEVERITIES = ("severe", "warn", "info")
_HEADINGS = {
    "severe": "SEVERE: a model fitted to this, or its score, would be wrong",
    "warn": "Look at before fitting",
    "info": "Good to know",
}
#: Columns that name mixes, besides the usual ones.
_SAMPLES = ("specimen_code", "name", "sample", "sample_id", "试样编号", "编号")
_NAMES = (*MIX_COLUMNS, "mix_name", "mix_mark", *_SAMPLES)


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    target : str
        Name of the result; empty where a table without one was audited.
    origin : str
        Of the table.
    n_rows, n_mixes, n_sources : int
    found : tuple of Finding
        Severe ones first.
    notices : tuple of str
        What was set aside in reading.
    """

    target: str
    origin: str
    n_rows: int
    n_mixes: int
    n_sources: int
    found: tuple[Finding, ...]
    notices: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing severe and nothing to look at was found."""
        return not any(f.severity in ("severe", "warn") for f in self.found)

    @property
    def findings(self) -> pd.DataFrame:
        """One row a finding: check, severity, rows and columns as texts, message, advice, and `at` (rows from 0)."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "check": f.check, "severity": f.severity, "rows": ", ".join(f.rows),
                    "columns": ", ".join(f.columns), "message": str(f.message), "advice": str(f.advice), "at": f.at,
                }
                for f in self.found
            ],
            columns=["check", "severity", "rows", "columns", "message", "advice", "at"],
        )  # fmt: skip

    def of(self, check: str) -> tuple[Finding, ...]:
        """Findings of one check."""
        return tuple(f for f in self.found if f.check == check)

    def rows(self, *checks: str) -> tuple[int, ...]:
        """Rows (0 the first) that these checks (all, where none is named) found to be severe or worth a look."""
        wanted = [f for f in self.found if f.severity != "info" and (not checks or f.check in checks)]
        return tuple(sorted({i for f in wanted for i in f.at}))

    def report(self) -> str:
        """What a person reads."""
        what = f"{self.target}: " if self.target else ""
        sources = f", {self.n_sources} sources" if self.n_sources else ""
        lines = [f"Audit of {self.origin or 'table'}: {what}{self.n_rows} rows, {self.n_mixes} mixes{sources}"]
        lines += [f"  ({n})" for n in self.notices]
        if not self.found:
            lines.append("Nothing found.")
        for severity in SEVERITIES:
            some = [f for f in self.found if f.severity == severity]
            if not some:
                continue
            lines.append(f"{_HEADINGS[severity]}:")
            for f in some:
                lines.append(f"- [{f.check}] {f.message}")
                if f.rows:
                    more = f" and {len(f.rows) - 8} more" if len(f.rows) > 8 else ""
                    lines.append(f"    rows: {', '.join(f.rows[:8])}{more}")
                lines.append(f"    -> {f.advice}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.report()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "target": self.target, "origin": self.origin, "n_rows": self.n_rows, "n_mixes": self.n_mixes,
            "n_sources": self.n_sources, "clean": self.clean, "notices": list(self.notices),
            "findings": [f.to_dict() for f in self.found],
        }  # fmt: skip


def audit_table(
    data: Any, target: str | None = None, *, splits: Sequence[Split] | None = None, **options: Any
) -> Audit:
    """Look for what is wrong with a table of tests, or of materials, before a model is fitted to it.

    Parameters
    ----------
    data : TrainingData, pandas.DataFrame, xarray.Dataset, or path
        See `wastelab.models.table.read_table`.
    target : str, optional
        Column of the result; without one only the checks of quantities, units and columns are made.
    splits : sequence of (train, test), optional
        Splits to be used in validation: checked for leaks.
    **options
        Of `read_table` (``mix``, ``source``, ``age``, ``drop``, ``units`` …).

    Returns
    -------
    Audit

    Raises
    ------
    ModelError
        If the table cannot be read as one of tests at all; says where.

    Examples
    --------
    >>> import pandas as pd
    >>> density = [2.31, 2.30, 2.33, 2.32, 2.35]
    >>> table = pd.DataFrame({"cement_kg_m3": [300.0, 310, 330, 360, 400], "density_g_cm3": density})
    >>> audit_table(table, "density").of("few_mixes")[0].severity
    'warn'
    """
    view = _view(data, target, options)
    checks = CHECKS if view.has_target else TABLE_CHECKS
    found = [f for check in checks for f in check(view)]
    if splits is not None:
        found += audit_checks.leaking_splits(view, splits)
    found.sort(key=lambda f: SEVERITIES.index(f.severity))
    data_ = view.data
    return Audit(
        target=data_.name if view.has_target else "", origin=data_.origin, n_rows=len(data_), n_mixes=data_.n_mixes,
        n_sources=data_.n_sources, found=tuple(found), notices=data_.notices,
    )  # fmt: skip


def audit_splits(data: TrainingData, splits: Sequence[Split]) -> tuple[Finding, ...]:
    """Leaks of splits: mixes, compositions under two names, or sources on both sides.

    Parameters
    ----------
    data : TrainingData
    splits : sequence of (train, test)

    Returns
    -------
    tuple of Finding
        Empty where nothing leaks.
    """
    return tuple(audit_checks.leaking_splits(View(data), splits))


def _view(data: Any, target: str | None, options: dict[str, Any]) -> View:
    if isinstance(data, TrainingData):
        return View(data)
    frame, place, attrs = _frame(data)
    if target or attrs.get("target"):
        read = read_table(data, target, **options)
        kept = _texts(frame[_target_column(frame, target or attrs.get("target"), place)]) != ""
        names = {c: _texts(frame[c])[kept] for c in _NAMES if c in frame.columns}
        names = {c: v for c, v in names.items() if c not in _SAMPLES or len(np.unique(v)) < len(v)}
        return View(read, names=names)
    # a table of materials: a stand-in result, all different and below 0, that no check looks at
    stand_in = "result_of_audit"
    empty = frame.isna().all(axis=1).to_numpy()
    values = np.where(empty, np.nan, -1.0 - np.random.default_rng(0).random(len(frame)))
    read = read_table(frame.assign(**{stand_in: values}), stand_in, **{"origin": place, **options})
    notices = [n for n in read.notices if stand_in not in n]
    if empty.any():
        notices.insert(0, f"{int(empty.sum())} empty rows were left out")
    return View(replace(read, notices=tuple(notices)), has_target=False)


def _texts(column: Any) -> Any:
    """A column as texts without blanks around them; empty where there is nothing."""
    return np.array(["" if v != v or v is None else str(v).strip() for v in column.tolist()], dtype=str)
