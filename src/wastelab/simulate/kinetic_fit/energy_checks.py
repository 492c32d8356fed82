"""What activation energies over conversion say: one step or several, noise, a reaction held back by its gas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .checks import Finding, level_error, rate_error
from .conversion import Conversion
from .integrals import R
from .isoconversional import Energies
from .words import method_name

FloatArray = NDArray[np.float64]

#: Order in which a method is taken for the variation of Ea.
_FIRST = ("friedman", "vyazovkin_incremental", "vyazovkin", "kas_corrected", "kas", "starink", "ofw_corrected", "ofw")
#: Standard errors by which noise alone does not move an energy.
_NORMAL = 5.0
#: What a first-order error leaves out, for each unit of noise: a half more at noise of 3 %.
_LOUD = 20.0
#: Noise [of the step] below which scatter of Ea is not put down to it.
_CLEAN = 1e-3
#: Apparent energies at low conversion that no solid decomposes with of itself [J/mol].
_HELD = 4e5


def check_gas(alpha: FloatArray, temperature_K: FloatArray, energies: Mapping[str, Energies]) -> list[Finding]:
    """Whether the runs look held back by the gas that the reaction gives off.

    Notes
    -----
    With a rate that carries 1 - p/p_eq(T), the apparent energy is Ea + dH (p/p_eq)/(1 - p/p_eq): without bound where
    the reaction begins, falling as it gets away from equilibrium; and the runs begin together, at p_eq(T) = p.
    """
    name = next((m for m in _FIRST if m in energies), None)
    if name is None or alpha.size < 6:
        return []
    thirds = [float(np.mean(v)) for v in np.array_split(energies[name].Ea, 3)]
    first, last = float(energies[name].Ea[0]), thirds[2]
    spread = np.ptp(temperature_K, axis=1)
    falling = thirds[0] > 1.25 * thirds[1] > 1.25 * thirds[2] > 0
    if not falling or first < _HELD or spread[0] > 0.6 * spread[-1]:
        return []
    at = float(temperature_K[0].mean()) - 273.15
    return [Finding(
        "held_by_gas", "severe",
        f"Ea by {method_name(name)} falls from {first / 1e3:.0f} to {last / 1e3:.0f} kJ/mol with conversion, and the "
        f"runs begin within {spread[0]:.1f} K of each other near {at:.0f} degC whatever their rate: held back by the "
        "gas (a carbonate in CO2, a hydrate in steam, gas caught in a large sample). Ea is apparent and holds in this "
        "gas only. Measure in flowing inert gas with less sample, and let calcine apply the equilibrium.",
        f"{method_name(name, 'zh')}法 Ea 随转化率由 {first / 1e3:.0f} 降至 {last / 1e3:.0f} kJ/mol，"
        f"且各次试验不论速率都在约 {at:.0f} °C 开始（相差 {spread[0]:.1f} K）："
        "反应受气体抑制（碳酸盐在 CO2 中、水合物在水汽中、试样过多而气体滞留）。所得为表观活化能，"
        "仅适用于该气氛；宜在流动惰性气体中以少量试样重测，"
        "平衡由 calcine 计入。", first / 1e3)]  # fmt: skip


def check_energies(
    alpha: FloatArray, temperature_K: FloatArray, rate: FloatArray, energies: Mapping[str, Energies],
    conversions: Sequence[Conversion],
) -> list[Finding]:  # fmt: skip
    """Variation of Ea with conversion, agreement of differential and integral methods, negative values."""
    names = [m for m in _FIRST if m in energies]
    if not names:
        return []
    inside = (alpha >= 0.1 - 1e-9) & (alpha <= 0.9 + 1e-9)
    if not bool(inside.any()):
        inside[:] = True
    out: list[Finding] = []
    negative = next((m for m in names if float(energies[m].Ea[inside].min()) <= 0), None)
    if negative is not None:
        return [Finding(
            "ea_negative", "severe",
            f"Ea by {method_name(negative)} is not above zero at every conversion: the runs do not belong together, or "
            "noise is larger than their shift.",
            f"{method_name(negative, 'zh')}法的 Ea 出现非正值：各次试验不属于同一反应，或噪声大于其移动。",
            float(energies[negative].Ea[inside].min()) / 1e3)]  # fmt: skip
    noisy = max(c.noise for c in conversions) > _CLEAN
    if noisy and len(names) > 1:  # its steps feel noise the most, and no error of theirs is known beforehand
        names = [m for m in names if m != "vyazovkin_incremental"]
    explained = dict.fromkeys(names, False)
    error = (np.zeros(alpha.size), np.zeros(alpha.size))
    if noisy:
        error = noise_errors(alpha, temperature_K, rate, float(np.mean(energies[names[-1]].Ea[inside])), conversions)
        loud = max(c.noise for c in conversions)
        error = (error[0] * (1.0 + _LOUD * loud), error[1] * (1.0 + _LOUD * loud))
        explained = {m: _explains(error[m == "friedman"][inside], energies[m].Ea[inside]) for m in names}
    spread = {m: float(np.ptp(energies[m].Ea[inside])) for m in names}
    mean = {m: float(energies[m].Ea[inside].mean()) for m in names}
    name = next((m for m in names if not explained[m]), None)
    share = spread[name] / mean[name] if name is not None else 0.0
    if name is not None and share > 0.10:
        shown, shown_zh = method_name(name), method_name(name, "zh")
        if share > 0.20:
            out.append(Finding(
                "ea_varies", "severe",
                f"Ea by {shown} varies by {100 * share:.0f} % of its mean between conversions of 0.1 and 0.9: more "
                "than one step. A single triplet does not describe it; separate the steps (window=, deconvolve, "
                "fit_parallel).",
                f"{shown_zh}法 Ea 在转化率 0.1–0.9 间变化 {100 * share:.0f} %：多步反应，单一三因子不适用，"
                "应先分离各步。", share))  # fmt: skip
        else:
            out.append(Finding(
                "ea_varies", "warning",
                f"Ea by {shown} varies by {100 * share:.0f} % of its mean between conversions of 0.1 and 0.9; a "
                "single step is doubtful.",
                f"{shown_zh}法 Ea 在转化率 0.1–0.9 间变化 {100 * share:.0f} %；单步反应可疑。", share))  # fmt: skip
    lost = names[0]
    if explained[lost] and spread[lost] > 0.10 * mean[lost]:
        out.append(Finding(
            "ea_uncertain", "warning",
            f"Ea by {method_name(lost)} scatters by {100 * spread[lost] / mean[lost]:.0f} % of its mean, no more than "
            "the noise of the runs explains: whether there is one step cannot be told from it at this noise.",
            f"{method_name(lost, 'zh')}法 Ea 散布 {100 * spread[lost] / mean[lost]:.0f} %，未超出噪声所能解释："
            "在此噪声下不能由它判断是否为单步反应。", spread[lost] / mean[lost]))  # fmt: skip
    integral = next((m for m in ("vyazovkin", "starink", "kas") if m in energies), None)
    if "friedman" in energies and integral:
        gap = float(np.max(np.abs(energies[integral].Ea[inside] - energies["friedman"].Ea[inside])))
        if gap > 0.05 * mean["friedman"] and gap > _NORMAL * float(error[1][inside].max()):
            gap /= mean["friedman"]
            out.append(Finding(
                "methods_differ", "warning",
                f"Friedman and {method_name(integral)} differ by up to {100 * gap:.0f} %: Ea varies with conversion "
                "(integral methods average it from zero on), or the rates are noisy.",
                f"Friedman 法与 {method_name(integral, 'zh')}法相差达 {100 * gap:.0f} %：Ea 随转化率变化，"
                "或速率噪声大。", gap))  # fmt: skip
    return out


def noise_errors(
    alpha: FloatArray, temperature_K: FloatArray, rate: FloatArray, Ea: float, conversions: Sequence[Conversion]
) -> tuple[FloatArray, FloatArray]:
    """Standard errors of Ea at each conversion that the noise of the runs gives: integral methods, Friedman [J/mol].

    First order in the errors of temperature (integral) and of the logarithm of the rate (Friedman). The errors of a
    regression over three or four runs scatter too much themselves to judge by.
    """
    x = 1.0 / temperature_K
    dx = x - x.mean(axis=1, keepdims=True)
    sxx = (dx * dx).sum(axis=1)
    level = np.column_stack([level_error(c, alpha, rate[:, j]) for j, c in enumerate(conversions)]) * x**2
    slope = np.array([rate_error(c) for c in conversions]) / np.maximum(rate, 1e-12)
    integral = Ea * np.sqrt(((dx * level) ** 2).sum(axis=1)) / sxx
    differential = R * np.sqrt(((dx * np.hypot(slope, Ea / R * level)) ** 2).sum(axis=1)) / sxx
    return integral, differential


def _explains(se: FloatArray, Ea: FloatArray) -> bool:
    """Whether errors explain how energies differ from their weighted mean."""
    weight = 1.0 / se**2
    mean = float(weight @ Ea / weight.sum())
    return bool((np.abs(Ea - mean) <= _NORMAL * se).all())
