"""``wastelab quality``: control charts, calibrations, repeatability."""

from __future__ import annotations

from pathlib import Path

import click

from ._lab import lab_options, open_for, show_table


@click.group()
def quality() -> None:
    """Quality control: control charts, calibrations, repeatability."""


@quality.command("chart")
@click.argument("reference_material")
@click.argument("quantity")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Write the chart as a PNG.")
@lab_options
def chart(
    reference_material: str, quantity: str, plot: Path | None, lab_dir: str, user: str | None, as_json: bool,
    lang: str | None,
) -> int:  # fmt: skip
    """Control chart of a QUANTITY measured on a REFERENCE_MATERIAL.

    Example:  wastelab quality chart GBW-07401 SiO2 --plot chart.png --lab mylab
    """
    with open_for(lab_dir, user) as lab:
        table = lab.control_chart(reference_material, quantity)
    if plot is not None:
        from ..i18n import pick_language
        from ..plotting.control_chart import plot_control_chart

        plot_control_chart(table, plot, lang=pick_language(lang))
    show_table(table, as_json)
    return 0


@quality.command("calibrations")
@lab_options
def calibrations(lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """State of every instrument's calibration.

    Example:  wastelab quality calibrations --lab mylab
    """
    from ..lab.quality import calibration_status

    with open_for(lab_dir, user) as lab:
        table = calibration_status(lab.store)
    show_table(table, as_json)
    return 0


@quality.command("repeatability")
@click.option("--quantity", help="Only this quantity.")
@lab_options
def repeatability(quantity: str | None, lab_dir: str, user: str | None, as_json: bool, lang: str | None) -> int:
    """Pooled repeatability from replicates, beside the limit of the test method.

    Example:  wastelab quality repeatability --lab mylab
    """
    from ..lab.quality import duplicates_report

    with open_for(lab_dir, user) as lab:
        table = duplicates_report(lab.store, quantity)
    show_table(table, as_json)
    return 0
