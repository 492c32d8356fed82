"""``wastelab show``: everything known of one sample, mix or specimen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ..i18n import pick_language, tr
from ._lab import lab_options, open_for, show_table

if TYPE_CHECKING:
    import pandas as pd

    from ..lab import Lab

#: Columns for people; --json has all.
_SHOWN = {
    "measurements": ("technique", "method", "measured_at", "operator", "replicate", "basis", "status", "flags",
                     "completeness", "n_values", "age_days", "file", "measurement"),
    "values": ("technique", "method", "quantity", "value", "sigma", "unit", "lod", "flag", "basis", "replicate",
               "status"),
    "lineage": ("level", "entity", "code", "relation", "of", "fraction", "share_of_source", "process", "measurements"),
    "history": ("seq", "at", "actor", "action", "entity", "change", "reason", "detail"),
}  # fmt: skip


@click.command()
@click.argument("code")
@click.option("--history", is_flag=True, help="Every audit event that touched it.")
@click.option("--values", "with_values", is_flag=True, help="Every value, not only the list of measurements.")
@lab_options
def show(
    code: str, history: bool, with_values: bool, lab_dir: str, user: str | None, as_json: bool, lang: str | None
) -> int:
    """Show CODE: its record, its measurements, where it came from and what became of it.

    \b
    Example:  wastelab show RM-XY-03 --lab mylab
    """
    from ._words import heading, words

    language = pick_language(lang)
    with open_for(lab_dir, user) as lab:
        lineage = lab.lineage(code)
        here = lineage[lineage["level"] == 0].iloc[0]  # the code may have been given as "mix:A-1", or as a uid
        kind, code = str(here["entity"]), str(here["code"])
        measurements = lab.measurements(status="all", **{kind: code}) if kind in ("sample", "mix", "specimen") else None
        values = lab.values(status="all", **{kind: code}) if with_values and measurements is not None else None
        uids = [] if measurements is None else [str(u) for u in measurements.reset_index()["measurement"]]
        events = _history(lab, kind, code, uids) if history else None
        record = lab.table(kind)
    if record.index.name:
        record = record.reset_index()
    row = record[record["code"] == code].iloc[0]
    fields = {str(k): v for k, v in row.items() if v is not None and v == v and v != ""}
    if as_json:
        body = {
            "kind": kind,
            "record": {k: (v if isinstance(v, int | float | str) else str(v)) for k, v in fields.items()},
        }
        for name, table in (
            ("measurements", measurements),
            ("lineage", lineage),
            ("values", values),
            ("history", events),
        ):
            if table is not None:
                frame = table.reset_index() if table.index.name else table
                body[name] = json.loads(frame.to_json(orient="records", force_ascii=False))
        click.echo(json.dumps(body, ensure_ascii=False))
        return 0
    click.echo(f"{words('entity', kind, language)} {code}")
    for name, value in fields.items():
        click.echo(f"  {_padded(heading(name, language))} {words(name, value, language)}")
    for key, table in (("measurements", measurements), ("values", values), ("lineage", lineage), ("history", events)):
        if table is not None and len(table):
            frame = table.reset_index() if table.index.name else table
            click.echo(tr(f"lab.{key}", language))
            show_table(frame[[c for c in _SHOWN[key] if c in frame.columns]], False, lang=language)
    return 0


def _padded(name: str, width: int = 18) -> str:
    """A name filled up to a width on the screen, where a Chinese character takes two columns."""
    from rich.cells import cell_len

    return name + " " * max(width - cell_len(name), 0)


def _history(lab: Lab, kind: str, code: str, measurements: list[str]) -> pd.DataFrame:
    """Events of a record and of what was measured on it, oldest first."""
    import pandas as pd

    parts = [lab.history(kind, code).assign(entity=kind, record=code)]
    parts += [lab.history("measurement", uid).assign(entity="measurement", record=uid) for uid in measurements]
    return pd.concat([part.reset_index() for part in parts if len(part)]).sort_values("seq", kind="stable")
