"""``wastelab screen``: screen a recipe exactly and write the study and its report."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click

from ..i18n import pick_language, tr


@click.command()
@click.argument("recipe")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for study.nc and the report.")
@click.option("--step", help="Another lattice step than the recipe's, e.g. '2 %'.")
@click.option("--lab", "lab_dir", envvar="WASTELAB_LAB", help="Laboratory that materials 'lab:…' come from.")
@click.option("--use", "uses", multiple=True, help="Another material for a key: red_mud=lab:RM-XY-03 (repeatable).")
@click.option("--threads", type=click.IntRange(1, 1024), help="Worker threads (default: all processors).")
@click.option("--dry-run", is_flag=True, help="Check the recipe and print the candidate count, then stop.")
@click.option("--no-report", is_flag=True, help="With --out: write study.nc only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of tables and report.")
def screen(
    recipe: str,
    out: Path | None,
    step: str | None,
    lab_dir: str | None,
    uses: tuple[str, ...],
    threads: int | None,
    dry_run: bool,
    no_report: bool,
    as_json: bool,
    lang: str | None,
) -> int:
    """Screen RECIPE (a file, or the name of a shipped recipe) over its whole lattice.

    \b
    Example:  wastelab screen red_mud_bye_clinker --out out/red_mud
    Example:  wastelab screen red_mud_bye_clinker --lab mylab --use red_mud=lab:RM-XY-03

    Exit code 0: at least one mix meets every requirement; 1: none does; 2: the recipe is wrong.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from ..screening import prepare
    from ..screening.search import search

    language = pick_language(lang)
    err = Console(stderr=True, highlight=False)
    started = time.perf_counter()
    replaced = {}
    for item in uses:
        key, equals, name = item.partition("=")
        if not equals or not key.strip() or not name.strip():
            raise click.UsageError(f"--use {item!r} is not KEY=MATERIAL, e.g. red_mud=lab:RM-XY-03.")
        replaced[key.strip()] = name.strip()
    lab = None
    if lab_dir:
        from ..lab import open_lab

        lab = open_lab(lab_dir)
    program = prepare(recipe, step=step, lab=lab, use=replaced)
    if out is not None:
        _check_writable(out)
    space = program.space
    err.print(
        tr(
            "screen.lattice",
            language,
            blends=f"{space.blends:,}",
            points=f"{len(space.points):,}",
            candidates=f"{space.candidates:,}",
            requirements=len(program.requirements),
        )
    )
    if dry_run:
        if as_json:
            click.echo(
                json.dumps(
                    {
                        "candidates": space.candidates,
                        "blends": space.blends,
                        "process_points": len(space.points),
                        "requirements": [r.label for r in program.requirements],
                    },
                    ensure_ascii=False,
                )
            )
        return 0
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task(tr("screen.searching", language), total=space.candidates)
        result = search(program, threads=threads, progress=lambda done, _: bar.update(task, completed=done))
    from ..screening.study import build_study

    study = build_study(program, result)
    written: dict[str, Path] = {}
    if out is not None:
        written["study"] = study.save(out / "study.nc")
        if not no_report:
            written.update(study.report(out, lang=language))
    if as_json:
        click.echo(json.dumps(_summary(study, result.seconds, written), ensure_ascii=False))
    else:
        _print(study, language)
        for path in (written.get("study"), written.get("html")):
            if path is not None:
                click.echo(tr("screen.written", language, path=path))
        err.print(
            tr(
                "screen.time",
                language,
                search=f"{result.seconds:.2f}",
                total=f"{time.perf_counter() - started:.1f}",
            )
        )
    if not study.complete:
        return 1
    return 0 if study.counts["feasible"] else 1


def _check_writable(out: Path) -> None:
    """Refuse before the search what could not be written after it."""
    existing = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not existing.is_dir():
        raise click.UsageError(f"--out {out}: {existing} is a file; give a folder.")
    if not os.access(existing, os.W_OK):
        raise click.UsageError(f"--out {out}: {existing} cannot be written to; give another folder.")


def _summary(study: Any, seconds: float, written: dict[str, Path]) -> dict[str, Any]:
    short = study.short_list
    return {
        "name": study.name,
        "complete": study.complete,
        "counts": study.counts,
        "objectives": study.objectives,
        "short_list": json.loads(short.to_json(orient="index")),
        "verdicts": study.info["verdicts"],
        "evidence": study.info["evidence"],
        "search_seconds": round(seconds, 4),
        "files": {k: str(v) for k, v in written.items()},
    }


def _print(study: Any, lang: str) -> None:
    """The answer as text: counts, short list, verdicts, what is unknown."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=140)
    info = study.info
    title = info["name_zh"] if lang == "zh" and info["name_zh"] else info["name"]
    out.print(f"[bold]{title}[/bold]")
    c = study.counts
    out.print(
        tr(
            "screen.counts",
            lang,
            candidates=f"{c['searched']:,}",
            feasible=f"{c['feasible']:,}",
            discarded=f"{c['discarded']:,}",
            pareto=f"{c['pareto']:,}",
        )
    )
    if not study.complete:
        share = 100 * c["searched"] / max(c["candidates"], 1)
        out.print(f"[bold red]{tr('screen.partial', lang, share=f'{share:.1f}')}[/bold red]")
    if c["feasible"] == 0:
        out.print(tr("screen.none", lang))
        worst = study.requirements.sort_values("discarded", ascending=False).head(8)
        table = Table(box=box.SIMPLE)
        table.add_column(tr("screen.requirement", lang))
        table.add_column(tr("screen.discarded", lang), justify="right")
        for _, row in worst.iterrows():
            table.add_row(
                row["label_zh"] if lang == "zh" and row["label_zh"] else row["label"], f"{row['discarded']:,}"
            )
        out.print(table)
        return
    short, sigma = study.short_list, study.short_sigma
    from ..screening.report import leaching

    front = [i for i in short.index if not str(i).startswith("top ")]
    best = [i for i in short.index if str(i).startswith("top ")]
    _print_mixes(info, short.loc[front], sigma, tr("screen.short_list", lang), lang, out)
    if best:
        _print_mixes(info, short.loc[best], sigma, tr("screen.top", lang, by=info["top_by"]), lang, out)
    _print_verdicts(study, front, lang, out)
    for material in info["materials"]:
        if material["use"].startswith("lab:") and material["note"]:
            out.print(f"• {material['key']} = {material['use']}: {material['note']}")
    for need in info["needs"]:
        out.print(f"• {need['property']}: {need['text_zh'] if lang == 'zh' and need['text_zh'] else need['text']}")
    for status in ("unknown", "fail"):
        names = leaching(info, status)
        if names:
            out.print(f"• {tr('report.leaching', lang)}: {tr(f'report.leaching_{status}', lang, names=names)}")
    out.print(tr("screen.evidence", lang, level=tr(f"screen.level_{info['evidence']}", lang)))


def _print_mixes(info: dict[str, Any], short: Any, sigma: Any, title: str, lang: str, out: Any) -> None:
    from rich import box
    from rich.table import Table

    from ..screening.report import label_text

    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    table.add_column("", no_wrap=True)
    for label in short.index:
        table.add_column(label_text(str(label), lang), justify="right", overflow="fold")
    for key in info["materials"]:
        name = key["name_zh"] if lang == "zh" and key["name_zh"] else key["key"]
        table.add_row(f"{name} %", *(f"{100 * x:g}" if x else "·" for x in short[key["key"]].round(6)))
    for variable, unit in info["process_units"].items():
        table.add_row(f"{variable} {unit}", *(f"{x:g}" for x in short[variable]))
    table.add_section()
    shown = list(dict.fromkeys([*info["objectives"], *info["windows"]]))
    for symbol in shown:
        unit = info["criteria"][symbol]["unit"]
        cells = []
        for label in short.index:
            s = sigma.loc[label, symbol]
            cells.append(f"{short.loc[label, symbol]:.4g}" + (f" ± {s:.2g}" if s > 0 else ""))
        table.add_row(f"{symbol} {unit}".strip(), *cells)
    out.print(table)


def _print_verdicts(study: Any, labels: list[str], lang: str, out: Any) -> None:
    from rich import box
    from rich.table import Table

    from ..screening.report import label_text

    verdicts = study.verdicts
    if verdicts.empty:
        return
    table = Table(title=tr("screen.verdicts", lang), box=box.SIMPLE, title_justify="left")
    table.add_column(tr("screen.limit", lang), min_width=34, overflow="fold")
    for label in labels:
        table.add_column(label_text(str(label), lang), justify="right", overflow="fold")
    symbols = {"pass": "[green]✓[/green]", "fail": "[red]✗[/red]", "unknown": "[yellow]?[/yellow]"}
    groups: dict[tuple[str, str, str], dict[str, str]] = {}
    unknown: dict[str, None] = {}
    for _, row in verdicts.iterrows():
        label = str(row["label_zh"]) if lang == "zh" and row["label_zh"] else str(row["label"])
        head = (f"{row['standard']}/{row['grade']}", label, str(row["limit"]))
        if row["status"] == "unknown" and (row["value"] is None or row["value"] != row["value"]):
            unknown[f"{head[0]} {label}"] = None
            continue
        cell = symbols[row["status"]]
        if row["value"] is not None and row["value"] == row["value"]:
            cell += f" {row['value']:.3g}"
        if row["probability"] is not None and row["probability"] == row["probability"]:
            cell += f" (P={row['probability']:.2f})"
        groups.setdefault(head, {})[row["mix"]] = cell
    for (standard, label, limit), cells in groups.items():
        table.add_row(f"{standard} {label} {limit}", *(cells.get(x, "") for x in labels))
    out.print(table)
    if unknown:
        out.print(tr("screen.unknown", lang, names="; ".join(unknown)))
