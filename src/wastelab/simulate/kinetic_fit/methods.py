"""The isoconversional methods on prepared runs: each by its keyword, and one that fails leaves the others standing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import ValidityError
from . import isoconversional as iso
from .checks import Finding
from .conversion import Conversion
from .integrals import gauss_times
from .words import method_name

FloatArray = NDArray[np.float64]

#: Isoconversional methods by their keyword.
METHODS = ("friedman", "ofw", "ofw_corrected", "kas", "kas_corrected", "starink", "vyazovkin", "vyazovkin_incremental")


def all_energies(
    methods: Sequence[str], levels: FloatArray, temperature: FloatArray, rate: FloatArray,
    beta: FloatArray, conversions: Sequence[Conversion], confidence: float,
) -> tuple[dict[str, iso.Energies], list[Finding]]:  # fmt: skip
    """Energies by method, and a finding for each method that gives none."""
    out: dict[str, iso.Energies] = {}
    said: list[Finding] = []
    for method in methods:
        try:
            out[method] = _energies(method, levels, temperature, rate, beta, conversions, confidence)
        except ValidityError as error:
            said.append(Finding(
                "method_failed", "warning", f"{method_name(method)} is left out: {error}",
                f"{method_name(method, 'zh')}法没有结果：{_reason(method, rate)}。"))  # fmt: skip
    return out, said


def peak_energy(conversions: Sequence[Conversion], confidence: float) -> iso.Kissinger | None:
    """Kissinger's energy; None where the peaks do not rise with the heating rate."""
    try:
        return iso.kissinger([c.peak_K for c in conversions], [c.beta for c in conversions], confidence=confidence)
    except ValidityError:
        return None


def _reason(method: str, rate: FloatArray) -> str:
    if method == "friedman" and bool((rate <= 0).any()):
        return "有的转化率处反应速率不大于零，宜加大平滑或缩小 alpha= 范围"
    if method.startswith("vyazovkin"):
        low, high = iso.LOWEST_EA / 1e3, iso.HIGHEST_EA / 1e3
        return f"有的转化率处在 {low:g}–{high:g} kJ/mol 内无解，试验几乎不随升温速率移动（噪声、气体抑制）或次序颠倒"
    return "各次试验的温度不能区分"


def _energies(
    method: str, levels: FloatArray, temperature: FloatArray, rate: FloatArray, beta: FloatArray,
    conversions: Sequence[Conversion], confidence: float,
) -> iso.Energies:  # fmt: skip
    correct = "corrected" in method
    if method == "friedman":
        return iso.friedman(temperature, rate, confidence=confidence)
    if method.startswith("ofw"):
        return iso.ozawa_flynn_wall(temperature, beta, correct=correct, confidence=confidence)
    if method.startswith("kas"):
        return iso.kissinger_akahira_sunose(temperature, beta, correct=correct, confidence=confidence)
    if method == "starink":
        return iso.starink(temperature, beta, confidence=confidence)
    if method == "vyazovkin":
        return iso.vyazovkin(temperature, beta, confidence=confidence)
    nodes, weights = _increments(levels, conversions)
    return iso.vyazovkin_incremental(nodes, weights, confidence=confidence)


def _increments(levels: FloatArray, conversions: Sequence[Conversion]) -> tuple[FloatArray, FloatArray]:
    """Nodes of the time that each run takes over a step of conversion centred on each level."""
    middle = 0.5 * (levels[1:] + levels[:-1])
    first = max(1.5 * levels[0] - 0.5 * levels[1], 0.5 * levels[0])
    last = min(1.5 * levels[-1] - 0.5 * levels[-2], 0.5 + 0.5 * levels[-1])
    bounds = np.concatenate([[first], middle, [last]])
    nodes, weights = [], []
    for c in conversions:
        t, w = gauss_times(c.times_at(bounds))
        nodes.append(c.temperature_at(t))
        weights.append(w)
    return np.stack(nodes, axis=1), np.stack(weights, axis=1)
