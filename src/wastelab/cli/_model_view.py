"""How tables of property models look on a screen: numbers in columns, reasons in sentences below them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ..i18n import tr
from ._results import console, table

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

#: Columns of sentences.
_LONG = ("reasons", "why")
#: Columns that say nothing where they are the same in all rows.
_IF_VARIED = ("feasible", "gain")
#: How numbers of some columns are written; others with four digits.
_WRITTEN = {
    "chance": lambda v: f"{100 * v:.0f} %", "feasible": lambda v: f"{100 * v:.0f} %", "gain": lambda v: f"{v:.2g}",
    "standardised": lambda v: f"{v:+.1f}",
}  # fmt: skip


def screen() -> Console:
    """Where tables go: as wide as the terminal, or as ``COLUMNS`` says where it is none."""
    wide = os.environ.get("COLUMNS", "")
    if wide.isdecimal() and int(wide) >= 40:
        from rich.console import Console

        return Console(highlight=False, width=int(wide))
    return console()


def show(frame: pd.DataFrame, title: str, language: str, *, most: int | None = None) -> None:
    """Print a table; a column of sentences is said row by row below it.

    Parameters
    ----------
    frame : pandas.DataFrame
        With a column ``row``.
    title, language : str
    most : int, optional
        Rows that are shown; what is left out is counted.
    """
    same = [c for c in _IF_VARIED if c in frame.columns and _unvaried(frame[c].tolist())]
    frame = frame.drop(columns=[*same, *(c for c in ("order",) if c in frame.columns)])  # rows stand in their order
    shown = frame if most is None else frame.head(most)
    long = [c for c in _LONG if c in frame.columns]
    texts = [c for c in frame.columns if frame[c].dtype.kind not in "if" and c not in long and c != "row"]
    order = [*(c for c in frame.columns if c == "row"), *texts]
    left = len(order)
    order += [c for c in frame.columns if c not in (*order, *long)]
    rows = [
        [cell(value, language, str(name)) for name, value in zip(order, row, strict=True)]
        for row in shown[order].itertuples(index=False)
    ]
    out = screen()
    table(out, title, [heading(str(c), language) for c in order], rows, left=left)
    names = [c for c in texts if c != "in_domain"][:1]
    for column in long:
        said = [(_called(row, names, language), cell(row[column], language)) for _, row in shown.iterrows()]
        _sentences(out, heading(column, language), [s for s in said if s[1]])
    if len(frame) > len(shown):
        rest = len(frame) - len(shown)
        click.echo(tr("model_cli.more_rows", language, count=rest, all=len(frame)))


def _unvaried(values: list[float]) -> bool:
    numbers = {round(float(v), 6) for v in values if v == v}
    return not numbers or (len(numbers) == 1 and (len(values) > 1 or numbers <= {0.0, 1.0}))


def _called(row: pd.Series, names: Sequence[str], language: str) -> str:
    number = f"{tr('model_column.row', language)} {row['row']}" if "row" in row else ""
    name = f" ({row[names[0]]})" if names else ""
    return f"{number}{name}:".lstrip()


def _sentences(out: Console, head: str, said: Sequence[tuple[str, str]]) -> None:
    if not said:
        return
    from rich.markup import escape
    from rich.table import Table

    lines = Table.grid(padding=(0, 1, 0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for name, text in said:
        lines.add_row(escape(name), escape(text))
    out.print(f"[italic]{escape(head)}[/italic]")
    out.print(lines)
    out.print()


def with_name(given: pd.DataFrame, found: pd.DataFrame, age: str = "") -> pd.DataFrame:
    """Results with what a person calls each row, and the age of its test, after its number.

    Parameters
    ----------
    given : pandas.DataFrame
        Mixes, row by row as `found`.
    found : pandas.DataFrame
    age : str
        Column of the age in the training table; one of that name in another unit will do.
    """
    from ..models.columns import split_unit
    from ..models.table import MIX_COLUMNS

    out = found.reset_index(drop=True)
    name = next((c for c in (*MIX_COLUMNS, "mix_name", "sample", "name") if c in given.columns), None)
    at = 1
    if name is not None and name not in out.columns:
        out.insert(at, name, given[name].astype(str).to_numpy())
        at += 1
    of_age = next((c for c in given.columns if age and split_unit(str(c))[0] == split_unit(age)[0]), None)
    if of_age is not None and of_age not in out.columns:
        out.insert(at, of_age, given[of_age].to_numpy())
    return out


def heading(name: str, language: str) -> str:
    """The heading of a column in a language, its unit in brackets."""
    from ..models.columns import split_unit

    stem, unit = split_unit(name)
    try:
        return tr(f"model_column.{stem}", language) + (f" [{unit}]" if unit else "")
    except KeyError:
        return name


def cell(value: Any, language: str, column: str = "") -> str:
    """A value as a person reads it."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return tr("word.yes" if value else "word.no", language)
    if isinstance(value, float):
        return "–" if value != value else _WRITTEN.get(column, "{:.4g}".format)(value)
    if hasattr(value, "text"):  # a notice
        return str(value.text(language))
    return "" if value is None else str(value)
