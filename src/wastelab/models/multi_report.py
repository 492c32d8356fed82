"""Models of several properties as a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .notices import Notice
from .residual_bond import LEAST_COMMON, ResidualBond
from .sharing import Sharing

if TYPE_CHECKING:
    from .multi import PropertyModels

#: English texts of the notices, by key.
TEXTS: Mapping[str, str] = {
    "several.shared": (
        "{target} also looks at what is expected of {others}: RMSE {shared} instead of {alone} {unit} on unseen mixes "
        "(better in {share} of the draws)."
    ),
    "several.not_shared": (
        "{target} does not look at other properties: with what is expected of {others} RMSE is {shared}, alone {alone} "
        "{unit} on unseen mixes (better in {share} of the draws; {needed} are asked for)."
    ),
    "several.few_to_share": "{target} has too few tests for a comparison with and without other properties.",
    "several.age": (
        "Tests of several ages are in one column, so that no property looks at what is expected of another; results "
        "of the same mix and age still sharpen each other."
    ),
    "several.few_common": (
        "{a} and {b} were both tested on only {n} mixes: a result of one tells nothing of the other ({least} are "
        "needed)."
    ),
    "several.no_bond": (
        "Errors of {a} and {b} on the same {n} mixes do not go together: a result of one tells nothing of the other."
    ),
    "several.bond": (
        "Errors of {a} and {b} go together (correlation {r} over {n} mixes): a result of one sharpens the other."
    ),
    "several.one_way": (
        "Errors of {a} and {b} go together (correlation {r} over {n} mixes): a result of {a} sharpens {b}, not the "
        "other way round."
    ),
}


def report(models: PropertyModels) -> str:
    """Scores of each property, what is shared, and what results of one tell of another.

    Parameters
    ----------
    models : PropertyModels
        Fitted.
    """
    fitted = models._fitted()
    wide = max(len(name) for name in fitted)
    lines = [f"Models of {len(fitted)} properties of the same mixes"]
    lines.append(f"  {'':{wide}s}  {'tests':>6s} {'mixes':>6s} {'RMSE':>8s} {'R2':>7s}")
    for name, model in fitted.items():
        head = model.scores_.headline
        unit = model._table().unit
        lines.append(
            f"  {name:{wide}s}  {model.scores_.n_rows:6d} {model.scores_.n_mixes:6d} {head.rmse:8.3g} "
            f"{head.errors.r2:7.3f}  {unit} ({head.label})"
        )
        lines += [f"  !! {model.scores_.label}"] if model.scores_.label else []
    if len(models.gain_):
        level = models.gain_.attrs["interval"]
        lines.append(f"What results of the same mix are worth (mixes left out; {level:.0%} intervals):")
        for row in models.gain_.itertuples(index=False):
            held = (
                f"width {row.width:.3g} -> {row.width_known:.3g}, coverage {row.coverage:.2f} -> "
                f"{row.coverage_known:.2f}"
                if row.width == row.width
                else "too few sources for an interval"
            )
            lines.append(
                f"  {row.target:{wide}s}  given {row.known}: RMSE {row.RMSE:.3g} -> {row.RMSE_known:.3g}, {held} "
                f"({row.n_mixes} mixes)"
            )
    lines += [f"* {notice}" for notice in models.notices_]
    return "\n".join(lines)


def notices(
    sharing: Mapping[str, Sharing], bond: ResidualBond, units: Mapping[str, str], has_age: bool
) -> tuple[Notice, ...]:
    """What is to be said of what properties share.

    Parameters
    ----------
    sharing : mapping of str to Sharing
    bond : ResidualBond
    units : mapping of str to str
    has_age : bool
        Whether sharing was left out because ages are in a column.
    """
    out = [Notice("several.age", TEXTS["several.age"])] if has_age else []
    for name, s in sharing.items():
        key, values = s.said(name, units[name])
        out.append(Notice(key, TEXTS[key], values))
    for i, b in enumerate(bond.targets):
        for j, a in enumerate(bond.targets[:i]):
            n, r = int(bond.common[i, j]), float(bond.correlation[i, j])
            values = {"a": a, "b": b, "n": n}
            if n < LEAST_COMMON:
                key, values = "several.few_common", values | {"least": LEAST_COMMON}
            elif r == 0.0:
                key = "several.no_bond"
            else:
                key, values = "several.bond", values | {"r": f"{r:.2f}"}
                if not bond.useful[i, j]:  # only the first given the second
                    key, values = "several.one_way", values | {"a": b, "b": a}
                elif not bond.useful[j, i]:
                    key = "several.one_way"
            out.append(Notice(key, TEXTS[key], values))
    return tuple(out)
