"""Findings on fitted models: rivals, misfit, correlated residuals, bounds, convergence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .checks import Finding
from .conversion import Conversion
from .model_fit import ModelFit
from .selection import ALIKE

#: Misfit of the conversion above which no single step describes the runs, unless their noise explains it [-].
POOR = 0.02


def check_models(fits: Sequence[ModelFit], conversions: Sequence[Conversion]) -> list[Finding]:
    """What is doubtful of the preferred model, the first of the fits."""
    out: list[Finding] = []
    best = fits[0]
    rivals = [f for f in fits[1:] if f.aicc - best.aicc < ALIKE]
    if rivals:
        listed = ", ".join(_shown(f) for f in rivals)
        fewer = any(f.aicc < best.aicc for f in rivals)
        out.append(Finding(
            "models_alike", "note",
            f"By AICc these data do not choose between {best.family} and {listed}."
            + (f" {best.family} goes first, with fewer parameters." if fewer else ""),
            f"{listed.replace(', ', '、')} 与 {best.family} 的拟合相当（AICc），数据不足以区分。"
            + (f"{best.family} 参数较少，列在首位。" if fewer else ""), float(len(rivals))))  # fmt: skip
    noise = float(np.sqrt(np.mean([c.noise**2 for c in conversions])))
    if best.rmse > POOR and best.rmse > 1.5 * noise:
        out.append(Finding(
            "poor_fit", "warning",
            f"The best model ({best.model.name}) misses the conversion by {best.rmse:.3f} (root mean square); no "
            "single-step model describes these runs.",
            f"最佳机理函数（{best.model.name}）的转化率均方根偏差为 {best.rmse:.3f}；单步模型不适用。",
            best.rmse))  # fmt: skip
    if best.effective_points < 0.5 * best.points and best.rmse > 1e-5:
        out.append(Finding(
            "residuals_correlated", "note",
            f"Residuals of neighbouring points go together: {best.points} points count as "
            f"{best.effective_points:.0f}, and the intervals are widened accordingly. Look at the residual plot.",
            f"相邻点残差相关：{best.points} 个点仅相当于 {best.effective_points:.0f} 个，置信区间已相应加宽。",
            best.effective_points))  # fmt: skip
    if best.at_bound:
        listed = ", ".join(best.at_bound)
        out.append(Finding(
            "at_bound", "severe",
            f"{listed} of {best.model.name} stopped at the edge of what is looked for; the value has no meaning, and "
            "the model does not describe these runs.",
            f"{best.model.name} 的 {listed} 停在搜索范围边界，其值无意义，该机理函数不适用。",
            float(len(best.at_bound))))  # fmt: skip
    if not best.converged:
        out.append(Finding(
            "not_converged", "severe", f"The fit of {best.model.name} did not converge.",
            f"{best.model.name} 拟合未收敛。"))  # fmt: skip
    return out


def _shown(fit: ModelFit) -> str:
    """``An (n = 1.98)``."""
    extra = ", ".join(f"{p.name} = {p.value:.3g}" for p in fit.parameters[2:])
    return fit.family + (f" ({extra})" if extra else "")
