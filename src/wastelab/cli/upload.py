"""``wastelab upload``: put instrument files and sheets into a laboratory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ..errors import LabError
from ..i18n import pick_language, say, tr
from ._lab import Basis, Day, WasteClass, lab_options, open_for


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@click.option("--sample", help="Code of the sample, where the file does not name it.")
@click.option("--mix", help="Code of the mix it was measured on.")
@click.option("--specimen", help="Code of the specimen it was measured on.")
@click.option("--operator", help="Who measured, where the file does not say.")
@click.option("--method", help="Test method, e.g. 'HJ/T 299'.")
@click.option("--instrument", help="Code of the instrument.")
@click.option("--measured-at", type=Day(), help="Date of the measurement, e.g. 2026-03-02.")
@click.option("--basis", type=Basis(["as_received", "dry", "ignited"]), help="Basis of the contents.")
@click.option("--technique", help="Technique, where the file does not say, e.g. XRF.")
@click.option(
    "--class",
    "waste_class",
    type=WasteClass(),
    help="Waste class of samples that are new; with it they are registered.",
)
@click.option("--source", help="Source (heap, plant) of samples that are new.")
@click.option("--age", help="Age of the specimen, e.g. '28 d'.")
@click.option("--allow", multiple=True, metavar="GATE", help="Let this gate's refusal pass as a warning (repeatable).")
@click.option("--reason", default="", help="Why it may pass; kept with the data.")
@click.option("--visibility", type=click.Choice(["group", "institute", "public"]), help="Who may see it (group).")
@click.option("--licence", help="Licence it is shared under, e.g. CC-BY-4.0.")
@click.option("--supersedes", help="Uid of the measurement that this one replaces.")
@click.option("--again", is_flag=True, help="Read a file again that is stored already; the old results are superseded.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), help="Seconds the parser of one file may take (60).")
@click.option("--memory", "memory_mb", type=click.IntRange(256), help="MB the parser of one file may use (2048).")
@click.option("--dry-run", is_flag=True, help="Read and check only; nothing is stored.")
@lab_options
def upload(
    files: tuple[str, ...],
    dry_run: bool,
    again: bool,
    lab_dir: str,
    user: str | None,
    as_json: bool,
    lang: str | None,
    **options: Any,
) -> int:
    """Upload FILES (or folders): each is kept for ever, read, checked and stored, or refused as a whole.

    \b
    Example:  wastelab upload xrf_2026_03.xlsx --lab mylab --operator "Li Wei"
    Example:  wastelab upload pattern.xrdml --lab mylab --sample RM-XY-03

    Exit code 0: all stored (or there already); 1: some were refused; 2: wrong usage.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    language = pick_language(lang)
    options["create_samples"] = options.get("waste_class") is not None
    given = {k: v for k, v in options.items() if v is not None}
    err = Console(stderr=True, highlight=False)
    if not any(Path(f).exists() for f in files):
        raise LabError(say("cli.no_path", names=", ".join(files)))
    with open_for(lab_dir, user) as lab, Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=err, transient=True,
        disable=not err.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        receipts = lab.upload(
            list(files), dry_run=dry_run, again=again,
            progress=lambda done, total, name: bar.update(task, completed=done, total=total, description=str(name)),
            **given,
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps({"receipts": [r.to_dict() for r in receipts]}, ensure_ascii=False))
    else:
        for receipt in receipts:
            click.echo(receipt.text(language))
    if all(r.outcome == "skipped" for r in receipts):
        click.echo(tr("cli.no_file", language, names=", ".join(files)), err=True)
        return 1
    return 0 if all(r.ok for r in receipts) else 1
