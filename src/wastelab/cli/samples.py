"""``wastelab samples`` and ``wastelab search``: what is in a laboratory."""

from __future__ import annotations

import click

from ..i18n import pick_language, tr
from ._lab import Day, WasteClass, lab_options, open_for, show_table

#: Samples on the screen unless --limit says otherwise.
_MOST = 200


@click.command()
@click.option("--class", "waste_class", type=WasteClass(), help="Only this waste class.")
@click.option("--source", help="Only this source.")
@click.option("--from", "collected_from", type=Day(), help="Collected on or after this date.")
@click.option("--to", "collected_to", type=Day(), help="Collected on or before this date.")
@click.option("--text", help="Only samples whose texts hold these words.")
@click.option("--limit", type=click.IntRange(1), help="At most so many (200 on the screen).")
@lab_options
def samples(
    waste_class: str | None, source: str | None, collected_from: str | None, collected_to: str | None, text: str | None,
    limit: int | None, lab_dir: str, user: str | None, as_json: bool, lang: str | None,
) -> int:  # fmt: skip
    """List the samples.

    \b
    Example:  wastelab samples --lab mylab --class red_mud --from 2026-01-01
    """
    with open_for(lab_dir, user) as lab:
        table = lab.samples(
            waste_class=waste_class, source=source, collected_from=collected_from, collected_to=collected_to, text=text,
            limit=limit,
        )  # fmt: skip
    language = pick_language(lang)
    most = None if limit else _MOST
    show_table(table, as_json, key="samples", lang=language, empty=tr("lab.no_samples", language), most=most)
    return 0


@click.command()
@click.argument("text")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many.")
@lab_options
def search(text: str, limit: int, lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Search samples, sources, mixes and measurements for words, Chinese or English.

    \b
    Example:  wastelab search 赤泥 --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        table = lab.search(text, limit=limit)
    show_table(table, as_json, lang=lang, empty=tr("lab.nothing_found", pick_language(lang), text=text))
    return 0
