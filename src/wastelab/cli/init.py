"""``wastelab init``: make a laboratory."""

from __future__ import annotations

import json

import click

from ..i18n import pick_language, tr


@click.command()
@click.argument("folder", type=click.Path(file_okay=False))
@click.option("--name", default="", help="Name of the laboratory.")
@click.option("--url", help="Keep the catalogue in this PostgreSQL database: postgresql://user@host/database.")
@click.option(
    "--curves",
    type=click.Choice(["files", "blob"]),
    default="files",
    show_default=True,
    help="Where curves are kept: HDF5 files, or inside the database.",
)
@click.option("--user", envvar="WASTELAB_USER", help="Who acts, for the audit trail.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language.")
def init(
    folder: str, name: str, url: str | None, curves: str, user: str | None, as_json: bool, lang: str | None
) -> int:
    """Make a laboratory in FOLDER (or say what is there already).

    \b
    Example:  wastelab init mylab --name "Solid waste laboratory"
    """
    from ..lab import open_lab
    from ._words import words

    language = pick_language(lang)

    with open_lab(folder, create=True, name=name, url=url, curves=curves, user=user) as lab:
        info = lab.info()
    if as_json:
        click.echo(json.dumps(info, ensure_ascii=False))
    else:
        click.echo(
            f"{info['name']}  "
            + tr("cli.lab_made", language, **{k: str(info[k]) for k in ("folder", "engine", "curves", "schema")})
        )
        filled = {k: v for k, v in info["counts"].items() if v}
        click.echo(
            ", ".join(f"{words('entity', k, language)}: {v}" for k, v in filled.items())
            or tr("cli.empty_lab", language, folder=folder)
        )
    return 0
