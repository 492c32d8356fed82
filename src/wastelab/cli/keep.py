"""``wastelab verify``, ``backup``, ``migrate``, ``bundle``, ``export``: keeping what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..i18n import pick_language, tr
from ._lab import WasteClass, lab_options, open_for


@click.command()
@click.option("--expect", help="Hash of a receipt that must be in the audit chain.")
@click.option("--quick", is_flag=True, help="Do not read every file again.")
@lab_options
def verify(expect: str | None, quick: bool, lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Prove that nothing was lost, changed or left half done: hashes, audit chain, orphans, schema.

    \b
    Example:  wastelab verify --lab mylab

    Exit code 0: clean; 1: problems; 2: it cannot be read at all.
    """
    with open_for(lab_dir, user) as lab:
        report = lab.verify(expect=expect, deep=not quick)
    click.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else report.text(pick_language(lang)))
    return 0 if report.ok else 1


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@lab_options
def backup(folder: Path, lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Copy the whole laboratory into FOLDER while it is in use; the copy is a laboratory of its own.

    \b
    Example:  wastelab backup /media/usb/backups --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        made = lab.backup(folder)
    click.echo(json.dumps({"backup": str(made)}) if as_json else str(made))
    return 0


@click.command()
@click.option("--to", "url", required=True, help="postgresql://user@host/database (empty), or 'sqlite' to come back.")
@click.option("--restart", is_flag=True, help="Empty what an unfinished move of this laboratory left there.")
@lab_options
def migrate(
    url: str, restart: bool, lab_dir: str, user: str | None, as_json: bool, lang: str | None
) -> int:  # fmt: skip
    """Move the catalogue to PostgreSQL: copy, hash again, verify, and only then switch.

    \b
    Example:  wastelab migrate --to postgresql://lab@localhost/wastelab --lab mylab
    """
    from ..lab.transfer import transfer

    with open_for(lab_dir, user) as lab:
        result = transfer(lab.store, url, restart=restart, progress=lambda text: click.echo(text, err=True))
    click.echo(
        json.dumps(result, ensure_ascii=False, default=str)
        if as_json
        else tr("lab.migrated", pick_language(lang), to=result["to"], kept=result["kept"])
    )
    return 0


@click.group()
def bundle() -> None:
    """Portable bundles: give results to another laboratory, which verifies and merges them."""


@bundle.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--sample", "samples", multiple=True, help="Only this sample and what it needs (repeatable).")
@click.option("--class", "waste_class", type=WasteClass(), help="Only this waste class.")
@click.option(
    "--visibility",
    multiple=True,
    type=click.Choice(["group", "institute", "public"]),
    default=("institute", "public"),
    show_default=True,
    help="What may leave (repeatable).",
)
@click.option("--no-raw", is_flag=True, help="Leave the raw files out.")
@lab_options
def bundle_export(
    file: Path, samples: tuple[str, ...], waste_class: str | None, visibility: tuple[str, ...], no_raw: bool,
    lab_dir: str, user: str | None, as_json: bool, lang: str | None,
) -> int:  # fmt: skip
    """Write FILE (.zip) with records, raw files, curves and their audit trail.

    \b
    Example:  wastelab bundle export red_mud.zip --class red_mud --visibility public --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        result = lab.export_bundle(
            file, samples=list(samples) or None, waste_class=waste_class, visibility=visibility, include_raw=not no_raw
        )
    language = pick_language(lang)
    click.echo(json.dumps(result, ensure_ascii=False, default=str) if as_json else _lines(result, language))
    records = result["records"]
    from ._words import words

    empty = not any(records.get(kind) for kind in ("sample", "mix", "specimen", "measurement", "source"))
    seen = ", ".join(visibility)
    if empty:
        click.echo(tr("cli.bundle_empty", language, visibility=seen), err=True)
        return 1
    for kind, label in (("sample", "CODE"), ("measurement", "UID")):
        if not records.get(kind) and result["withheld"].get(kind):
            click.echo(
                tr(
                    "cli.bundle_part",
                    language,
                    kind=kind,
                    label=label,
                    visibility=seen,
                    what=words("entity", kind, language),
                ),
                err=True,
            )
    return 0


@bundle.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--prefix", help="Put before codes that exist here already.")
@click.option("--dry-run", is_flag=True, help="Verify only.")
@lab_options
def bundle_import(
    file: Path, prefix: str | None, dry_run: bool, lab_dir: str, user: str | None, as_json: bool, lang: str | None
) -> int:
    """Verify FILE and merge it: all of it, or none.

    \b
    Example:  wastelab bundle import red_mud.zip --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        result = lab.import_bundle(file, prefix=prefix, dry_run=dry_run)
    click.echo(json.dumps(result, ensure_ascii=False, default=str) if as_json else _lines(result, pick_language(lang)))
    return 0


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(["csv", "xlsx", "parquet"]),
    default=("csv",),
    show_default=True,
    help="Repeatable.",
)
@lab_options
def export(
    folder: Path, formats: tuple[str, ...], lab_dir: str, user: str | None, as_json: bool, lang: str | None
) -> int:  # fmt: skip
    """Write samples, values, compositions, mixes and audit trail as tables into FOLDER.

    \b
    Example:  wastelab export tables --format xlsx --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        files = lab.export_tables(folder, formats=formats)
    click.echo(json.dumps({"files": [str(f) for f in files]}) if as_json else "\n".join(str(f) for f in files))
    return 0


def _lines(result: dict[str, object], language: str) -> str:
    """What went or came, a line each: names beside figures instead of what programs read."""
    from ._words import heading, words

    out = []
    for name, value in result.items():
        if isinstance(value, dict):
            said = ", ".join(f"{words('entity', k, language)} {v}" for k, v in value.items() if v not in (0, "", None))
        elif isinstance(value, list | tuple | set):
            said = ", ".join(str(v) for v in value)
        else:
            said = "" if value is None else str(value)
        if said:
            out.append(f"{heading(name, language).replace('_', ' ')}{':' if language == 'zh' else ': '}{said}")
    return "\n".join(out)
