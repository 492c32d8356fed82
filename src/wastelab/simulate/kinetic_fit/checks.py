"""What the ICTAC Kinetics Committee asks of kinetic computations, as findings with a code and a text.

Vyazovkin et al., Thermochim. Acta 520 (2011) 1-19 (doi:10.1016/j.tca.2011.03.034); on collecting data, 590 (2014) 1-23
(doi:10.1016/j.tca.2014.05.036); on multi-step kinetics, 689 (2020) 178597 (doi:10.1016/j.tca.2020.178597).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from .conversion import Conversion

FloatArray = NDArray[np.float64]
Severity = Literal["note", "warning", "severe"]

#: Rates closer than this are one rate.
SAME_RATE = 1.05
#: Rate at an end of the window, of the highest, above which the step is cut off there [-].
CUT = 0.15
#: Runs of one reaction lose the same, within [relative].
SAME_LOSS, OTHER_REACTION = 0.08, 0.5


@dataclass(frozen=True)
class Finding:
    """One remark on the data or the fit.

    Attributes
    ----------
    code : str
        Stable name, e.g. ``"ea_varies"``.
    severity : {"note", "warning", "severe"}
    text, text_zh : str
    value : float or None
        The number that was found.
    """

    code: str
    severity: Severity
    text: str
    text_zh: str = ""
    value: float | None = None

    def said(self, lang: str = "en") -> str:
        """The text in a language."""
        return self.text_zh if lang == "zh" and self.text_zh else self.text

    def __str__(self) -> str:
        return f"{self.severity}: {self.text} [{self.code}]"


def distinct_rates(betas: Sequence[float]) -> int:
    """Number of heating rates that differ by more than 5 %."""
    count, last = 0, 0.0
    for beta in sorted(betas):
        if beta > last * SAME_RATE:
            count, last = count + 1, beta
    return count


def check_rates(conversions: Sequence[Conversion], *, force: bool) -> list[Finding]:
    """Number and range of heating rates.

    Raises
    ------
    ValidityError
        For one heating rate, unless forced.
    """
    betas = [c.beta for c in conversions]
    listed = ", ".join(f"{60 * b:.3g}" for b in betas)
    count = distinct_rates(betas)
    out: list[Finding] = []
    if count < 2:
        if not force:
            what = "One curve" if len(betas) == 1 else f"{len(betas)} curves at one heating rate"
            raise ValidityError(
                f"{what} ({listed} K/min): a single rate cannot fix a triplet, since nearly every model fits it "
                f"with its own "
                "Ea and A. Measure the same material at three or more rates (e.g. 2.5, 5, 10, 20 K/min); "
                "force=True fits "
                "models all the same, and says so in the result."
            )
        out.append(Finding(
            "single_rate", "severe",
            f"One heating rate ({listed} K/min): the triplet is not fixed by these data; Ea, A and model "
            f"compensate each "
            "other. Do not use it outside these conditions.",
            f"仅有一个升温速率（{listed} K/min）：三因子不能由此确定，Ea、A 与机理函数相互补偿，不可外推。"
            f"", count))  # fmt: skip
    elif count == 2:
        out.append(Finding(
            "two_rates", "severe",
            f"Two heating rates ({listed} K/min): no degree of freedom is left, so no standard error; ICTAC asks "
            f"for three to "
            "five.",
            f"仅有两个升温速率（{listed} K/min）：没有剩余自由度，无法给出标准误差；ICTAC 要求三到五个。"
            f"", count))  # fmt: skip
    ratio = max(betas) / min(betas)
    if count >= 2 and ratio < 4.0:
        out.append(Finding(
            "narrow_rates", "warning",
            f"The fastest rate is only {ratio:.2g} times the slowest ({listed} K/min); take 4 or more for a "
            f"steadier Ea.",
            f"最快速率仅为最慢的 {ratio:.2g} 倍（{listed} K/min）；宜取 4 倍以上。", ratio))  # fmt: skip
    return out


def check_runs(conversions: Sequence[Conversion]) -> list[Finding]:
    """Linearity of heating, programme, sample mass, agreement of the losses.

    Raises
    ------
    ValidityError
        If the losses differ so much that the runs are of different reactions.
    """
    out: list[Finding] = []
    for c in conversions:
        per_minute = 60.0 * c.beta
        if c.departure_K > 2.0 or abs(c.beta_drift) > 0.05:
            out.append(Finding(
                "rate_not_constant", "warning",
                f"{c.name}: the heating rate changes by {100 * c.beta_drift:.0f} % over the step, the temperature is "
                f"up to {c.departure_K:.1f} K off a straight line; OFW, KAS, Starink and Vyazovkin assume a "
                "constant rate, the incremental method and the model fits use T(t) as measured.",
                f"{c.name}：升温速率在反应段内变化 {100 * c.beta_drift:.0f} %，温度偏离直线达 {c.departure_K:.1f} K；"
                "OFW、KAS、Starink、Vyazovkin 法假定恒速升温。", c.beta_drift))  # fmt: skip
        if c.programme_beta is not None and abs(c.programme_beta - c.beta) > 0.03 * abs(c.programme_beta):
            out.append(Finding(
                "rate_not_programme", "note",
                f"{c.name}: the sample was heated at {per_minute:.3g} K/min in the step, the programme asked for "
                f"{60 * c.programme_beta:.3g}; the measured one is used (self-heating or self-cooling may be the "
                f"cause).",
                f"{c.name}：实测 {per_minute:.3g} K/min，程序 {60 * c.programme_beta:.3g} K/min；采用实测值。"
                f"", per_minute))  # fmt: skip
        if c.initial_mass_mg is not None and c.initial_mass_mg * per_minute > 105.0:
            out.append(Finding(
                "sample_mass", "warning",
                f"{c.name}: {c.initial_mass_mg:.3g} mg at {per_minute:.3g} K/min; mass times rate above 100 mg "
                f"K/min lets "
                "self-heating, gradients and gas trapped in the bed shape the curve. Repeat with half the mass "
                "and compare.",
                f"{c.name}：{c.initial_mass_mg:.3g} mg，{per_minute:.3g} K/min；质量×速率超过 100 mg·K/min，"
                "自热或扩散可能影响曲线，宜减半重测。", c.initial_mass_mg))  # fmt: skip
        going = _going(c)
        if max(going) > CUT:
            cut = [k for k in (0, 1) if going[k] > CUT]
            where = " and ".join(("begins", "ends")[k] for k in cut)
            where_zh = "和".join(("起点", "终点")[k] for k in cut)
            out.append(Finding(
                "step_cut", "warning",
                f"{c.name}: the window {where} while the reaction runs at {100 * max(going):.0f} % of its highest "
                f"rate; the conversion of {' and '.join(map(str, cut))} is not that of the reaction. "
                "Widen the window, or measure on to the end of the step.",
                f"{c.name}：窗口{where_zh}处反应速率仍为最大值的 {100 * max(going):.0f} %，"
                "转化率的端点不真实；宜放宽窗口或测到该步结束。", max(going)))  # fmt: skip
        if c.noise > 5e-3:
            out.append(Finding(
                "noisy", "warning",
                f"{c.name}: noise is {100 * c.noise:.2g} % of the step; Friedman's method feels it most.",
                f"{c.name}：噪声为台阶的 {100 * c.noise:.2g} %；Friedman 法受影响最大。", c.noise))  # fmt: skip
    if any(c.kind == "mass" and c.initial_mass_mg is None for c in conversions):
        out.append(Finding(
            "mass_unknown", "note",
            "The sample mass is not known for every run; whether it was small enough "
            "cannot be checked.",
            "有的试样质量未知，无法检查是否足够小。"))  # fmt: skip
    losses = [c.change for c in conversions if c.change is not None]
    if len(losses) > 1:
        spread = (max(losses) - min(losses)) / float(np.mean(losses))
        listed = ", ".join(f"{c.name} {100 * c.change:.2f} %" for c in conversions if c.change is not None)
        if spread > OTHER_REACTION:
            raise ValidityError(
                f"The runs lose very different masses in their windows ({listed}); they are not of one reaction. Check "
                "samples and windows (window= takes one per curve)."
            )
        if spread > SAME_LOSS:
            out.append(Finding(
                "loss_differs", "warning",
                f"The mass lost differs by {100 * spread:.0f} % between runs ({listed}): windows, drift or "
                f"samples differ.",
                f"各次失重相差 {100 * spread:.0f} %（{listed}）：窗口、漂移或试样不同。", spread))  # fmt: skip
    return out


def _going(c: Conversion) -> tuple[float, float]:
    """Rate over the first and the last fiftieth of the window, of the highest; 0 where noise alone would show it."""
    n = max(c.time_s.size // 50, 2)
    top = float(c.rate.max())
    out = []
    for part in (slice(0, n + 1), slice(-n - 1, None)):
        gain, span = float(np.ptp(c.alpha[part][[0, -1]])), float(np.ptp(c.time_s[part]))
        out.append(gain / span / top if gain > 6.0 * c.noise and top > 0 else 0.0)
    return out[0], out[1]


def level_error(conversion: Conversion, alpha: FloatArray, rate: FloatArray) -> FloatArray:
    """Standard error of the temperature at which a run reaches each conversion, by its noise [K]."""
    spacing = float(np.ptp(conversion.raw_time_s)) * conversion.beta / max(conversion.raw_time_s.size - 1, 1)
    points = max(conversion.smoothing_K / spacing, 1.0) if spacing > 0 else 1.0
    white = conversion.noise**2 * min(2.25 / points, 1.0)  # Savitzky-Golay of cubic order: 9/4 over the points
    levels = ((1.0 - alpha) * conversion.end_se[0]) ** 2 + (alpha * conversion.end_se[1]) ** 2
    slope = np.maximum(rate, 1e-12) / conversion.beta
    return np.asarray(np.sqrt(white + levels) / slope)


def rate_error(conversion: Conversion) -> float:
    """Standard error of the rate of conversion by noise [1/s]."""
    spacing = float(np.ptp(conversion.raw_time_s)) / max(conversion.raw_time_s.size - 1, 1)
    points = max(conversion.smoothing_K / conversion.beta / spacing, 5.0)
    # first derivative of a cubic over many even points: variance 75/(points^3 spacing^2)
    return float(conversion.noise * np.sqrt(75.0 / points**3) / spacing)


def check_order(
    alpha: FloatArray, temperature_K: FloatArray, rate: FloatArray, conversions: Sequence[Conversion]
) -> list[Finding]:
    """A faster run must reach a conversion at a higher temperature, unless noise hides it.

    Raises
    ------
    ValidityError
        If it does not by more than three standard errors.
    """
    order = np.argsort([c.beta for c in conversions])
    middle = (alpha >= 0.2) & (alpha <= 0.8)
    shift = np.diff(temperature_K[:, order], axis=1)
    error = np.column_stack([level_error(c, alpha, rate[:, j]) for j, c in enumerate(conversions)])[:, order]
    hidden: list[str] = []
    for j in range(shift.shape[1]):
        slow, fast = conversions[order[j]], conversions[order[j + 1]]
        if fast.beta < SAME_RATE * slow.beta:
            continue
        allowed = 3.0 * np.hypot(error[:, j], error[:, j + 1])
        wrong = (shift[:, j] <= -allowed) & middle
        if bool(wrong.any()):
            k = int(np.argmax(wrong))
            raise ValidityError(
                f"At a conversion of {alpha[k]:.2f} {fast.name} ({60 * fast.beta:.3g} K/min) is at "
                f"{temperature_K[k, order[j + 1]] - 273.15:.1f} degC, not above {slow.name} "
                f"({60 * slow.beta:.3g} K/min) at "
                f"{temperature_K[k, order[j]] - 273.15:.1f} degC. The runs are of different reactions or "
                f"materials, or a "
                "window or baseline is wrong."
            )
        if bool(((shift[:, j] <= 0) & middle).any()):
            hidden.append(f"{slow.name} / {fast.name}")
    if not hidden:
        return []
    listed = ", ".join(hidden)
    return [Finding(
        "shift_in_noise", "severe",
        f"Noise is larger than the shift between neighbouring heating rates ({listed}): energies without a model are "
        "scatter there. Measure with more sample or less noise, or spread the rates.",
        f"噪声大于相邻升温速率之间的温度移动（{listed}）：无模型活化能在此只是散布；宜减小噪声或加大速率差。",
        float(len(hidden)))]  # fmt: skip


def check_shift(alpha: FloatArray, temperature_K: FloatArray, conversions: Sequence[Conversion]) -> list[Finding]:
    """Distance of the runs in temperature against what a thermocouple can tell."""
    spread = float(np.ptp(temperature_K, axis=1).min())
    if spread >= 5.0:
        return []
    return [Finding(
        "small_shift", "warning",
        f"The runs reach a conversion within {spread:.1f} K of each other; an error of 1 K in temperature then counts "
        "much. Spread the heating rates further.",
        f"各次试验同一转化率的温度仅相差 {spread:.1f} K，1 K 的测温误差影响很大；宜加大升温速率差。",
        spread)]  # fmt: skip
