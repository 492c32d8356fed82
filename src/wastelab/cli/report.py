"""``wastelab report``: write the report of a stored study again."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..i18n import pick_language


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder (default: beside the study).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the report.")
def report(study: Path, out: Path | None, as_json: bool, lang: str | None) -> int:
    """Write report.html, figures and CSV tables of STUDY (study.nc, or the folder it lies in).

    \b
    Example:  wastelab report out/red_mud --lang zh
    """
    from ..screening import Study

    loaded = Study.load(study)
    folder = out or (study if study.is_dir() else study.parent)
    written = loaded.report(folder, lang=pick_language(lang))
    if as_json:
        click.echo(json.dumps({k: str(v) for k, v in written.items()}, ensure_ascii=False))
    else:
        for path in written.values():
            click.echo(path)
    return 0
