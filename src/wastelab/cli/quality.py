"""``wastelab quality``: control charts, calibrations, repeatability."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..i18n import pick_language, tr
from ._lab import Day, lab_options, open_for, show_table


@click.group()
def quality() -> None:
    """Quality control: control charts, calibrations, repeatability."""


@quality.command("chart")
@click.argument("reference_material")
@click.argument("quantity")
@click.option("--instrument", help="Only results of this instrument (code).")
@click.option("--technique", help="Only results of this technique.")
@click.option("--from", "since", type=Day(), help="Only results since this date.")
@click.option("--to", "until", type=Day(), help="Only results until this date.")
@click.option("--baseline", type=click.IntRange(2), help="The first so many results set the limits.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the chart as a PNG.")
@lab_options
def chart(
    reference_material: str, quantity: str, instrument: str | None, technique: str | None, since: str | None,
    until: str | None, baseline: int | None, plot: Path | None, lab_dir: str, user: str | None, as_json: bool,
    lang: str | None,
) -> int:  # fmt: skip
    """Control chart of a QUANTITY measured on a REFERENCE_MATERIAL.

    \b
    Example:  wastelab quality chart GBW-07401 SiO2 --plot chart.png --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        table = lab.control_chart(
            reference_material, quantity, instrument=instrument, technique=technique, since=since, until=until,
            baseline=baseline,
        )  # fmt: skip
    if plot is not None:
        from ..plotting.control_chart import plot_control_chart

        plot_control_chart(table, plot, lang=pick_language(lang))
    if as_json:
        body = {k: v for k, v in table.attrs.items() if isinstance(v, str | int | float | None)}
        click.echo(json.dumps({**body, "results": json.loads(table.to_json(orient="records", date_format="iso"))},
                              ensure_ascii=False))  # fmt: skip
        return 0
    from ._words import heading

    for name, value in table.attrs.items():
        if value is not None and value != "":
            colon = ":" if pick_language(lang) == "zh" else ": "
            said = heading(str(name), pick_language(lang))
            click.echo(f"{said}{colon}{value:g}" if isinstance(value, float) else f"{said}{colon}{value}")
    show_table(table, False, lang=lang)
    return 0


@quality.command("calibrations")
@lab_options
def calibrations(lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """State of every instrument's calibration.

    \b
    Example:  wastelab quality calibrations --lab mylab
    """
    from ..lab.quality import calibration_status

    with open_for(lab_dir, user) as lab:
        table = calibration_status(lab.store)
    empty = tr("cli.no_calibrations", pick_language(lang))
    show_table(table, as_json, key="calibrations", lang=lang, empty=empty)
    return 0


@quality.command("repeatability")
@click.option("--quantity", help="Only this quantity.")
@lab_options
def repeatability(quantity: str | None, lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Pooled repeatability from replicates, beside the limit of the test method.

    \b
    Example:  wastelab quality repeatability --lab mylab
    """
    from ..lab.quality import duplicates_report

    with open_for(lab_dir, user) as lab:
        table = duplicates_report(lab.store, quantity)
    show_table(table, as_json, key="repeatability", lang=lang, empty=tr("cli.no_replicates", pick_language(lang)))
    return 0
