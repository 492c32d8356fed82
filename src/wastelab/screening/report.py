"""The report of a study: one self-contained HTML page, PNG figures and CSV tables."""

from __future__ import annotations

import base64
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import StudyError
from ..i18n import pick_language, tr

if TYPE_CHECKING:
    from .study import Study

_STATUS_MARK = {"pass": "✓", "fail": "✗", "unknown": "?"}


def write_report(study: Study, out: Path, lang: str | None = None) -> dict[str, Path]:
    """Write the report of a study into a folder; see `Study.report`.

    Raises
    ------
    StudyError
        If the folder cannot be written.
    """
    language = pick_language(lang)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StudyError(f"{out}: the report folder cannot be made ({exc}).") from None
    figures = make_figures(study, language)
    written: dict[str, Path] = {}
    for name, png in figures.items():
        written[name] = _write(out / f"{name}.png", png)
    written["pareto_csv"] = _csv(out / "pareto.csv", study.pareto)
    short = study.short_list
    sigma = study.short_sigma.add_prefix("u(").rename(columns=lambda c: f"{c})")
    written["short_list_csv"] = _csv(out / "short_list.csv", short.join(sigma))
    written["verdicts_csv"] = _csv(out / "verdicts.csv", study.verdicts, index=False)
    written["requirements_csv"] = _csv(out / "requirements.csv", study.requirements, index=False)
    written["recipe"] = _write(out / "recipe.toml", str(study.dataset.attrs["recipe"]).encode())
    written["html"] = _write(out / "report.html", render(study, figures, language).encode())
    return written


def make_figures(study: Study, lang: str) -> dict[str, bytes]:
    """PNG bytes of the figures; what cannot be drawn (no feasible mix) is left out."""
    from ..plotting import choose_axes, composition_bars, discard_bars, pareto_scatter, ternary, to_png
    from ..plotting.style import pick

    info = study.info
    table, short = study.pareto, study.short_list
    keys = [m["key"] for m in info["materials"]]
    names = {
        m["key"]: pick(m["name_zh"], m["key"]) if lang == "zh" else m["key"].replace("_", " ")
        for m in info["materials"]
    }
    figures: dict[str, bytes] = {}
    front_marks = short[[not str(i).startswith("top ") for i in short.index]]

    def name_of(label: object) -> str:
        return pick(label_text(str(label), lang), str(label))

    front_marks = front_marks.rename(index=name_of)
    short = short.rename(index=name_of)
    if len(table):
        labels = {}
        for symbol in info["objectives"]:
            c = info["criteria"][symbol]
            name = pick(c["name_zh"], symbol) if lang == "zh" else symbol
            labels[symbol] = f"{name} [{c['unit']}]" if c["unit"] else name
        figures["pareto"] = to_png(pareto_scatter(table, info["objectives"], short=front_marks, labels=labels))
        figures["composition"] = to_png(composition_bars(short[keys], names=names))
    sample = study.dataset["sample_fraction"].values
    if len(keys) >= 3 and (len(sample) or len(table)):
        basis = np.vstack([sample, table[keys].to_numpy()]) if len(table) else sample
        axes = choose_axes(basis, keys)
        rest = [names[k] for i, k in enumerate(keys) if i not in axes]
        subtitle = tr("report.ternary_rest", lang, rest=", ".join(rest)) if rest else ""
        chosen = [keys[i] for i in axes]
        figures["ternary"] = to_png(
            ternary(
                sample[:, axes],
                [names[k] for k in chosen],
                short=front_marks[chosen] if len(front_marks) else None,
                pareto=table[chosen].to_numpy() if len(table) else None,
                title=pick(tr("report.ternary_title", lang), tr("report.ternary_title", "en")),
                subtitle=pick(subtitle, ""),
                feasible_label=pick(tr("report.feasible_sample", lang), tr("report.feasible_sample", "en")),
                pareto_label=pick(tr("report.pareto_set", lang), tr("report.pareto_set", "en")),
            )
        )
    discarded = study.requirements.sort_values("discarded", ascending=False, kind="stable")
    discarded = discarded[discarded["discarded"] > 0].head(15)
    if len(discarded):
        figures["discarded"] = to_png(
            discard_bars(
                [pick(_requirement(r, lang), r["label"]) for _, r in discarded.iterrows()],
                [int(x) for x in discarded["discarded"]],
            )
        )
    return figures


def render(study: Study, figures: dict[str, bytes], lang: str) -> str:
    """The HTML page as text."""
    import jinja2

    template = (resources.files("wastelab.screening") / "templates" / "report.html.j2").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    info = study.info
    short, sigma = study.short_list, study.short_sigma
    zh = lang == "zh"
    shown = list(dict.fromkeys([*info["objectives"], *info["windows"], *_judged(info)]))
    if info.get("phase_warnings"):  # every phase at equilibrium, and the closed formulas beside it
        present = [s for s in info["criteria"] if s in short and info["criteria"][s]["unit"] == "wt%"]
        own = [s for s in present if any("quilibrium" in a for a in info["criteria"][s]["assumptions"])]
        own = [s for s in own if float(short[s].abs().max()) > 0.05]
        shown = list(dict.fromkeys([*shown, *own, *(s for s in present if s.startswith("potential_"))]))
    page: str = environment.from_string(template).render(
        lang=lang,
        t=lambda key, **values: tr(f"report.{key}", lang, **values),
        title=info["name_zh"] if zh and info["name_zh"] else info["name"],
        route=info["route_title_zh"] if zh else info["route_title"],
        info=info,
        counts=study.counts,
        complete=study.complete,
        number=format_number,
        short_labels=[label_text(str(i), lang) for i in short.index],
        material_rows=[
            (
                m["name_zh"] if zh and m["name_zh"] else m["key"],
                [f"{100 * v:g}" if v else "" for v in short[m["key"]].round(8)],
            )
            for m in info["materials"]
        ],
        process_rows=[
            (f"{k} [{u}]" if u else k, [f"{v:g}" for v in short[k]]) for k, u in info["process_units"].items()
        ],
        value_rows=[_value_row(info, s, short, sigma, zh) for s in shown],
        figures={k: base64.b64encode(v).decode() for k, v in figures.items()},
        verdict_rows=_verdict_rows(info, zh),
        verdict_labels=list(dict.fromkeys(v["mix"] for v in info["verdicts"])),
        mix_name=lambda label: label_text(label, lang),
        requirement_name=lambda r: _requirement(r, lang),
        marks=_STATUS_MARK,
        requirements=study.requirements.to_dict("records"),
        statements=info["statements_zh"] if zh and info["statements_zh"] else info["statements"],
        needs=[(n["property"], n["text_zh"] if zh and n["text_zh"] else n["text"], n["method"]) for n in info["needs"]],
        leaching_unknown=leaching(info, "unknown"),
        leaching_fail=leaching(info, "fail"),
        criteria=[(s, info["criteria"][s]) for s in shown],
        phase_warnings=_phase_warnings(info, lang),
        recipe=study.dataset.attrs["recipe"],
        versions=info["versions"],
    )
    return page


def _requirement(row: Any, lang: str) -> str:
    return str(row["label_zh"]) if lang == "zh" and row["label_zh"] else str(row["label"])


def _phase_warnings(info: dict[str, Any], lang: str) -> list[tuple[str, str]]:
    """Warnings of the assemblages, each once, with the mixes it is about."""
    about: dict[str, list[str]] = {}
    for label, texts in info.get("phase_warnings", {}).items():
        for text in texts:
            about.setdefault(text, []).append(label_text(label, lang))
    return [(text, ", ".join(labels)) for text, labels in about.items()]


def _judged(info: dict[str, Any]) -> list[str]:
    known = info["criteria"]
    return [v["property"] for v in info["verdicts"] if v["property"] in known and v["value"] is not None]


def _value_row(info: dict[str, Any], symbol: str, short: Any, sigma: Any, zh: bool) -> tuple[str, str, str, list[str]]:
    c = info["criteria"][symbol]
    cells = []
    for value, spread in zip(short[symbol], sigma[symbol], strict=True):
        text = format_number(value)
        if spread == spread and spread > 0:
            text += f" ± {spread:.2g}"
        cells.append(text)
    wanted = info["objectives"].get(symbol) or info["windows"].get(symbol) or ""
    return (
        symbol,
        c["unit"],
        (c["name_zh"] if zh and c["name_zh"] else c["name"]) + (f" ({wanted})" if wanted else ""),
        cells,
    )


def _verdict_rows(info: dict[str, Any], zh: bool) -> list[dict[str, Any]]:
    """One row per limit, one cell per mix."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for v in info["verdicts"]:
        key = (f"{v['standard']}/{v['grade']}", v["property"], v["limit"] + v["when"])
        row = rows.setdefault(
            key,
            {
                "standard": v["standard"],
                "grade": v["grade"],
                "edition": v["edition"],
                "label": v["label_zh"] if zh and v["label_zh"] else v["label"],
                "limit": v["limit"],
                "method": v["method"],
                "when": v["when"],
                "evidence": v["evidence"],
                "evidence_inputs": v["evidence_inputs"],
                "source": v["source"],
                "cells": {},
            },
        )
        row["cells"][v["mix"]] = {
            "status": v["status"],
            "value": format_number(v["value"]) if v["value"] is not None else "",
            "p": f"{v['probability']:.2f}" if v["probability"] is not None else "",
            "reason": v["reason_zh"] if zh else v["reason"],
        }
    return list(rows.values())


def leaching(info: dict[str, Any], status: str) -> str:
    """Names of the wastes whose own leachate has a status."""
    return ", ".join(k for k, s in info["waste_leaching"].items() if s == status)


def label_text(label: str, lang: str) -> str:
    """Name of a short-listed mix in a language: ``best co2`` -> ``co2 最优``."""
    if lang == "en":
        return label
    kind, _, rest = label.partition(" ")
    if kind == "top":
        rank, _, symbol = rest.partition(" ")
        return tr("report.label_top", lang, rank=rank, symbol=symbol)
    return tr(f"report.label_{kind}", lang, rest=rest)


def format_number(value: float | None) -> str:
    """Four significant digits, thousands separated, dash for unknown."""
    if value is None or value != value:
        return "-"
    if value and abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _write(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as exc:
        raise StudyError(f"{path}: cannot be written ({exc}).") from None
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _csv(path: Path, table: Any, *, index: bool = True) -> Path:
    return _write(path, table.to_csv(index=index, lineterminator="\n").encode("utf-8-sig"))
