"""Text of a kinetic fit, in English and Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...i18n import DEFAULT
from .model_fit import ModelFit
from .words import method_name, setting, word

if TYPE_CHECKING:
    from .result import KineticFit, PeakAudit


def fit_report(fit: ModelFit, confidence: float, lang: str = DEFAULT) -> str:
    """Parameters of one model with standard errors, interval, correlations and statistics."""
    rows = [
        ("points", f"{fit.points} ({word('effective', lang)} {fit.effective_points:.0f})"),
        ("parameters", f"{len(fit.parameters)}"),
        ("rss", f"{fit.rss:.6g}"),
        ("rms", f"{fit.rmse:.4g}"),
        ("aicc", f"{fit.aicc:.2f}"),
        ("converged", word("value_True" if fit.converged else "value_False", lang)),
    ]
    names = [word(key, lang) for key, _ in rows]
    width = max(map(_width, names))
    name = fit.model.name + (f" ({fit.family})" if fit.family != fit.model.name else "")
    lines = [f"[[{word('model', lang)}]] {name}", f"[[{word('statistics', lang)}]]"]
    lines += [f"    {_padded(n, width)} = {text}" for n, (_, text) in zip(names, rows, strict=True)]
    how = word(f"value_{fit.interval}", lang)
    lines.append(
        f"[[{word('fitted', lang)}]] ({word('interval_by', lang, percent=f'{100 * confidence:g} %', how=how)})"
    )
    for p in fit.parameters:
        share = f" ({100 * p.se / abs(p.value):.2g} %)" if p.value else ""
        lines.append(f"    {p.name + ':':6} {p.value:.6g} +/- {p.se:.2g}{share}  [{p.low:.6g}, {p.high:.6g}] {p.unit}")
    lines.append(f"[[{word('correlations', lang)}]]")
    names = [p.name for p in fit.parameters]
    lines += [
        f"    C({names[i]}, {names[j]}) = {fit.correlation[i, j]:+.4f}"
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    return "\n".join(lines)


def report(fit: KineticFit, lang: str = DEFAULT) -> str:
    """The whole fit as text."""
    out = [word("title", lang), "=" * 40, "", word("runs", lang)]
    for c in fit.conversions:
        parts = [
            f"{60 * c.beta:.3g} K/min",
            f"{word('window', lang)} {c.window_K[0] - 273.15:.0f}-{c.window_K[1] - 273.15:.0f}",
            f"{word('peak', lang)} {c.peak_K - 273.15:.1f}",
            f"{word('noise', lang)} {100 * c.noise:.2g}",
        ]
        if c.change is not None:
            parts.append(f"{word('loss', lang)} {100 * c.change:.2f}")
        if c.initial_mass_mg is not None:
            parts.append(f"{word('mass', lang)} {c.initial_mass_mg:.3g}")
        out.append(f"  {c.name}: " + ", ".join(parts))
    out += _energies(fit, lang)
    if fit.master is not None:
        out += ["", f"{word('master', lang)}: {', '.join(fit.master.best()[:3])}"]
    out += _models(fit, lang)
    out += ["", word("findings", lang)]
    out += [f"  {word(f.severity, lang)}: {f.said(lang)} [{f.code}]" for f in fit.warnings] or [
        f"  {word('none', lang)}"
    ]
    out += ["", word("settings", lang) + ": " + ", ".join(setting(k, v, lang) for k, v in fit.settings.items())]
    return "\n".join(out) + "\n"


def _energies(fit: KineticFit, lang: str) -> list[str]:
    if not fit.energies and fit.kissinger is None:
        return []
    out = ["", word("without_model", lang)]
    mean, sd = word("mean", lang), word("sd", lang)
    names = {m: method_name(m, lang) for m in fit.energies} | {"": word("kissinger", lang)}
    width = max(map(_width, names.values()))
    for method, e in fit.energies.items():
        values, se = e.Ea / 1e3, float(np.mean(e.se)) / 1e3
        out.append(
            f"  {_padded(names[method], width)} {mean} {values.mean():8.2f}  {sd} {values.std(ddof=1):6.2f}  "
            f"{values.min():.1f}-{values.max():.1f}" + (f"  +/- {se:.2g}" if np.isfinite(se) else "")
        )
    if fit.kissinger is not None:
        k = fit.kissinger
        out.append(
            f"  {_padded(names[''], width)} {mean} {k.Ea / 1e3:8.2f}"
            + (f"  +/- {k.se / 1e3:.2g}" if np.isfinite(k.se) else "")
        )
    return out


def _models(fit: KineticFit, lang: str) -> list[str]:
    if not fit.fits:
        return []
    out = ["", word("models", lang)]
    lowest = min(f.aicc for f in fit.fits)
    for f in fit.fits[:8]:
        extra = "".join(f", {p.name} = {p.value:.3f} +/- {p.se:.2g}" for p in f.parameters[2:])
        out.append(
            f"  {f.family:5} Ea = {f['Ea'].value:.2f} +/- {f['Ea'].se:.2g} kJ/mol, ln A = {f['ln_A'].value:.3f} +/- "
            f"{f['ln_A'].se:.2g}{extra}; {word('rms_short', lang)} {f.rmse:.2e}, ΔAICc {f.aicc - lowest:.1f}"
        )
    if fit.failed:
        out.append(f"  {word('failed', lang)}: {', '.join(fit.failed)}")
    out += ["", _audit(fit.audit(), lang), "", fit_report(fit.best, fit.confidence, lang)]
    return out


def _audit(audit: PeakAudit, lang: str) -> str:
    unknown = word("unknown", lang)
    verdict = unknown if audit.agrees is None else word("agrees" if audit.agrees else "differs", lang)
    here = f"{audit.predicted_K:.1f} K" if audit.predicted_K is not None else unknown
    there = f"{audit.measured_K:.1f} K" if audit.measured_K is not None else unknown
    how = audit.how_in(lang)
    return f"{word('audit', lang)}: {here}; {word('measured', lang)} {there} ({how}): {verdict}"


def _width(text: str) -> int:
    """Columns of a text; Chinese characters take two."""
    return sum(2 if ord(c) >= 0x2E80 else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
