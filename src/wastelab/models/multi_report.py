"""Models of several properties as a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .multi import PropertyModels


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
            lines.append(
                f"  {row.target:{wide}s}  given {row.known}: RMSE {row.RMSE:.3g} -> {row.RMSE_known:.3g}, width "
                f"{row.width:.3g} -> {row.width_known:.3g}, coverage {row.coverage:.2f} -> {row.coverage_known:.2f} "
                f"({row.n_mixes} mixes)"
            )
    lines += [f"* {notice}" for notice in models.notices_]
    return "\n".join(lines)
