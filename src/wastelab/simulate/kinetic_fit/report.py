"""Text of a kinetic fit, in English and Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from .model_fit import ModelFit

if TYPE_CHECKING:
    from .result import KineticFit

_NAMES = {
    "friedman": "Friedman", "ofw": "Ozawa-Flynn-Wall", "ofw_corrected": "OFW, corrected", "kas": "KAS",
    "kas_corrected": "KAS, corrected", "starink": "Starink", "vyazovkin": "Vyazovkin",
    "vyazovkin_incremental": "Vyazovkin, incremental",
}  # fmt: skip
_WORDS = {
    "en": {
        "title": "Kinetic fit", "runs": "Runs", "rate": "K/min", "window": "window [degC]", "loss": "loss [%]",
        "peak": "peak [degC]", "noise": "noise [%]", "mass": "mass [mg]",
        "iso": "Activation energy without a model [kJ/mol]",
        "mean": "mean", "sd": "sd over alpha", "models": "Models over all runs, best first",
        "kissinger": "Kissinger (peaks)", "audit": "DTG peak of the triplet at 10 K/min", "measured": "measured",
        "agrees": "agrees", "differs": "DIFFERS", "unknown": "unknown", "findings": "Findings", "none": "none",
        "settings": "Settings", "master": "Nearest by master plots", "failed": "Not fitted",
        "severe": "severe", "warning": "warning", "note": "note",
    },
    "zh": {
        "title": "动力学拟合", "runs": "试验", "rate": "K/min", "window": "窗口 [°C]", "loss": "失重 [%]",
        "peak": "峰温 [°C]",
        "noise": "噪声 [%]", "mass": "质量 [mg]", "iso": "无模型活化能 [kJ/mol]", "mean": "平均",
        "sd": "随转化率的标准差",
        "models": "各机理函数（由优到劣）", "kissinger": "Kissinger 法（峰温）",
        "audit": "该三因子在 10 K/min 的 DTG 峰",
        "measured": "实测", "agrees": "一致", "differs": "不一致", "unknown": "未知", "findings": "提示", "none": "无",
        "settings": "设置", "master": "主曲线最接近", "failed": "未拟合", "severe": "严重", "warning": "警告",
        "note": "说明",
    },
}  # fmt: skip


def method_name(method: str) -> str:
    """Name of an isoconversional method as printed."""
    return _NAMES.get(method, method)


def fit_report(fit: ModelFit, confidence: float) -> str:
    """Parameters of one model with standard errors, interval, correlations and statistics."""
    lines = [f"[[Model]] {fit.model.name}" + (f" ({fit.family})" if fit.family != fit.model.name else "")]
    lines += [
        "[[Fit statistics]]",
        f"    points             = {fit.points} (effective {fit.effective_points:.0f})",
        f"    parameters         = {len(fit.parameters)}",
        f"    sum of squares     = {fit.rss:.6g}",
        f"    rms of conversion  = {fit.rmse:.4g}",
        f"    AICc               = {fit.aicc:.2f}",
        f"    converged          = {'yes' if fit.converged else 'NO'}",
        f"[[Parameters]] ({100 * confidence:g} % interval by {fit.interval})",
    ]
    for p in fit.parameters:
        share = f" ({100 * p.se / abs(p.value):.2g} %)" if p.value else ""
        lines.append(f"    {p.name + ':':6} {p.value:.6g} +/- {p.se:.2g}{share}  [{p.low:.6g}, {p.high:.6g}] {p.unit}")
    lines.append("[[Correlations]]")
    names = [p.name for p in fit.parameters]
    lines += [
        f"    C({names[i]}, {names[j]}) = {fit.correlation[i, j]:+.4f}"
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    return "\n".join(lines)


def report(fit: KineticFit, lang: Literal["en", "zh"] = "en") -> str:
    """The whole fit as text."""
    w = _WORDS[lang]
    out = [w["title"], "=" * 40, "", w["runs"]]
    for c in fit.conversions:
        parts = [f"{60 * c.beta:.3g} {w['rate']}",
        f"{w['window']} "
        f"{c.window_K[0] - 273.15:.0f}-{c.window_K[1] - 273.15:.0f}",
                 f"{w['peak']} {c.peak_K - 273.15:.1f}", f"{w['noise']} {100 * c.noise:.2g}"]  # fmt: skip
        if c.change is not None:
            parts.append(f"{w['loss']} {100 * c.change:.2f}")
        if c.initial_mass_mg is not None:
            parts.append(f"{w['mass']} {c.initial_mass_mg:.3g}")
        out.append(f"  {c.name}: " + ", ".join(parts))
    if fit.energies:
        out += ["", w["iso"]]
        for method, e in fit.energies.items():
            values = e.Ea / 1e3
            se = float(np.mean(e.se)) / 1e3
            out.append(
                f"  {method_name(method):24} {w['mean']} {values.mean():8.2f}  {w['sd']} {values.std(ddof=1):6.2f}  "
                f"{values.min():.1f}-{values.max():.1f}" + (f"  +/- {se:.2g}" if np.isfinite(se) else "")
            )
    if fit.kissinger is not None:
        k = fit.kissinger
        out.append(
            f"  {w['kissinger']:24} {w['mean']} {k.Ea / 1e3:8.2f}"
            + (f"  +/- {k.se / 1e3:.2g}" if np.isfinite(k.se) else "")
        )
    if fit.master is not None:
        out += ["", f"{w['master']}: {', '.join(fit.master.best()[:3])}"]
    if fit.fits:
        out += ["", w["models"]]
        for f in fit.fits[:8]:
            extra = ", ".join(f"{p.name} = {p.value:.3f} +/- {p.se:.2g}" for p in f.parameters[2:])
            out.append(
                f"  {f.family:5} Ea = {f['Ea'].value:.2f} +/- {f['Ea'].se:.2g} kJ/mol, ln A = "
                f"{f['ln_A'].value:.3f} +/- "
                f"{f['ln_A'].se:.2g}{', ' + extra if extra else ''}; rms {f.rmse:.2e}, dAICc "
                f"{f.aicc - fit.fits[0].aicc:.1f}"
            )
        if fit.failed:
            out.append(f"  {w['failed']}: {', '.join(fit.failed)}")
        audit = fit.audit()
        verdict = w["unknown"] if audit.agrees is None else w["agrees"] if audit.agrees else w["differs"]
        here = f"{audit.predicted_K:.1f} K" if audit.predicted_K is not None else w["unknown"]
        there = f"{audit.measured_K:.1f} K" if audit.measured_K is not None else w["unknown"]
        out += ["", f"{w['audit']}: {here}; {w['measured']} {there} ({audit.how}): {verdict}"]
        out += ["", fit_report(fit.best, fit.confidence)]
    out += ["", w["findings"]]
    out += [
        f"  {w[f.severity]}: {f.text_zh if lang == 'zh' and f.text_zh else f.text} [{f.code}]" for f in fit.warnings
    ] or [f"  {w['none']}"]
    out += ["", w["settings"] + ": " + ", ".join(f"{k} {v}" for k, v in fit.settings.items())]
    return "\n".join(out) + "\n"
