"""``wastelab read``, ``formats``, ``template``, ``gates``: instrument files and sheets, without a laboratory."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..i18n import pick_language, tr
from ._lab import show_table


@click.command()
@click.argument("file", type=click.Path())
@click.option("--item", type=int, help="Which scan or sample, from 0, where the file holds several.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write it as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (without the curves).")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language.")
def read(file: str, item: int | None, csv_file: Path | None, as_json: bool, lang: str | None) -> int:
    """Read an instrument FILE and say what is in it.

    \b
    Example:  wastelab read pattern.xrdml --csv pattern.csv
    """
    from ..instruments import read_all

    found = read_all(file)
    if item is not None:
        if not -len(found) <= item < len(found):
            raise click.UsageError(f"--item {item}: {file} holds {len(found)} (from 0).")
        found = [found[item]]
    if csv_file is not None:
        if len(found) > 1:
            raise click.UsageError(f"{file} holds {len(found)} readings; choose one with --item.")
        found[0].to_dataset().to_dataframe().to_csv(csv_file, encoding="utf-8-sig")
    if as_json:
        click.echo(json.dumps({"readings": [_summary(r) for r in found]}, ensure_ascii=False, default=str))
        return 0
    for number, r in enumerate(found):
        shape = ", ".join(f"{n} ({len(v.data)} {v.units})" for n, v in r.variables.items())
        click.echo(f"[{number}] {r.technique}  {r.sample}  {r.where}  {r.measured_at}  [{r.reader}, {r.completeness}]")
        if shape:
            click.echo(f"    {shape}")
        for v in r.values:
            body = f"< {v.lod:g}" if v.flag == "below_detection" and v.lod is not None else v.flag or ""
            body = body if v.value is None else f"{v.value:g}" + (f" ± {v.sigma:.2g}" if v.sigma else "")
            click.echo(f"    {v.quantity:24s} {body} {v.unit}")
        for warning in r.warnings:
            click.echo(f"    ! {warning}")
    return 0


_TEXTS = (
    "technique", "sample", "measured_at", "operator", "instrument", "method", "where", "completeness", "reader",
    "sha256",
)  # fmt: skip


def _summary(r: object) -> dict[str, object]:
    from dataclasses import asdict

    from ..instruments import Reading

    assert isinstance(r, Reading)
    body = {k: getattr(r, k) for k in _TEXTS}
    body["variables"] = {n: {"units": v.units, "shape": list(v.data.shape)} for n, v in r.variables.items()}
    body["values"] = [asdict(v) for v in r.values]
    body["warnings"] = list(r.warnings)
    body["fields"] = dict(r.fields)
    body["metadata"] = dict(r.metadata)
    return body


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def formats(as_json: bool) -> int:
    """List the instrument formats that can be read.

    \b
    Example:  wastelab formats
    """
    from ..instruments import formats as table

    show_table(table(), as_json, key="formats")
    return 0


@click.command()
@click.argument("kind", required=False)
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rows", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Rows with drop-downs.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the sheet.")
def template(kind: str | None, file: Path | None, rows: int, overwrite: bool, lang: str | None) -> int:
    """Write a spreadsheet to fill in and upload; without KIND, list the kinds.

    \b
    Example:  wastelab template xrf --lang zh
    """
    from ..lab.templates import template_kinds, write_template

    if kind is None:
        for name in template_kinds():
            click.echo(name)
        return 0
    language = pick_language(lang)
    target = file or Path(f"wastelab_{kind}_{language}.xlsx")
    write_template(kind, target, lang=language, rows=rows, overwrite=overwrite)
    click.echo(str(target))
    return 0


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language.")
def gates(as_json: bool, lang: str | None) -> int:
    """List the checks every upload passes, and which of them --allow can let pass.

    \b
    Example:  wastelab gates
    """
    from ..lab.gates import GATES

    language = pick_language(lang)
    if as_json:
        listed = {g.name: {"title": g.title, "title_zh": g.title_zh, "allowable": g.allowable} for g in GATES}
        click.echo(json.dumps(listed, ensure_ascii=False))
        return 0
    for g in GATES:
        note = "" if g.allowable else f"  [{tr('lab.never_allowed', language)}]"
        click.echo(f"{g.name:20s} {g.title_zh if language == 'zh' and g.title_zh else g.title}{note}")
    return 0
