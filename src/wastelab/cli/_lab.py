"""Options shared by the commands that touch a laboratory."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..lab import Lab

    _Choice = click.Choice[str]
    _Type = click.ParamType[str]
else:  # generic from click 8.2 on
    _Choice, _Type = click.Choice, click.ParamType

F = TypeVar("F", bound=Callable[..., Any])


class Basis(_Choice):
    """A basis of contents, also in the words people use (``"干基"``)."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from ..instruments.vocabulary import basis

        meant = basis(str(value))
        return super().convert(meant if meant in self.choices else value, param, ctx)


class WasteClass(_Type):
    """A waste class, also in the words people use (``"赤泥"``); what is none is left to the library to refuse."""

    name = "class"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from ..instruments.vocabulary import waste_class

        return waste_class(str(value)) or value


class Day(_Type):
    """A date as people write it (``2026/3/2``, ``2026年3月2日``); parts of one (``2026-03``) pass as they are."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return day(str(value))


def day(text: str) -> str:
    """A date as ISO text, or the text as it is where that is no date: the library then says what is wrong."""
    if re.match(r"\d{4}(-\d\d)?$|\d{4}-\d\d-\d\d", text.strip()):
        return text
    from ..instruments.text import parse_date

    try:
        return parse_date(text)
    except ValueError:
        return text


def lab_options(command: F) -> F:
    """``--lab``, ``--user``, ``--json`` and ``--lang``."""
    for option in reversed(
        (
            click.option("--lab", "lab_dir", envvar="WASTELAB_LAB", default=".", show_default=True,
                         help="The laboratory's folder (or WASTELAB_LAB)."),
            click.option("--user", envvar="WASTELAB_USER", help="Who acts (login name by default)."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
            click.option("--lang", type=click.Choice(["en", "zh"]), help="Language."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def open_for(lab_dir: str, user: str | None) -> Lab:
    """The laboratory a command works on."""
    from ..lab import open_lab

    return open_lab(lab_dir, user=user)


def pairs(items: tuple[str, ...]) -> dict[str, str]:
    """``("a=1", "b=2")`` as a dict.

    Raises
    ------
    click.UsageError
        If one is not ``name=value``.
    """
    out = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise click.UsageError(f"{item!r} is not field=value, e.g. waste_class=red_mud.")
        out[name.strip()] = value.strip()
    return out


def show_table(
    table: Any,
    as_json: bool,
    *,
    key: str = "results",
    lang: str | None = None,
    empty: str = "",
    most: int | None = None,
) -> None:
    """Print a DataFrame: as one JSON object that holds its rows under `key`, or as a table for people.

    Parameters
    ----------
    table : pandas.DataFrame
    as_json : bool
    key : str
    lang : str, optional
        Language of headings and codes; JSON keeps the English ones.
    empty : str
        What is said if there is no row.
    most : int, optional
        Rows that are shown to people at most.
    """
    frame = table.reset_index() if table.index.name else table
    if as_json:
        click.echo(f'{{"{key}":{frame.to_json(orient="records", force_ascii=False, date_format="iso")}}}')
        return
    if len(table) == 0:
        click.echo(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from ..i18n import pick_language, tr
    from ._words import heading, words

    language = pick_language(lang)
    out = Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=200)
    rest = max(len(frame) - most, 0) if most else 0
    frame = frame.head(most) if rest else frame
    frame = frame[
        [c for c in frame.columns if any(_cell(x) for x in frame[c])]
    ]  # what is empty throughout says nothing
    view = Table(box=box.SIMPLE)
    names = [str(c) for c in frame.columns]
    for name in names:
        right = frame[name].dtype.kind in "if"
        view.add_column(heading(name, language), overflow="fold", justify="right" if right else "left")
    for row in frame.itertuples(index=False):
        view.add_row(*(_cell(words(name, x, language)) for name, x in zip(names, row, strict=True)))
    out.print(view)
    if rest:
        click.echo(tr("cli.more_rows", language, count=rest, all=rest + len(frame)))


def _cell(x: object) -> str:
    from rich.markup import escape

    if x is None or x != x:
        return ""
    if isinstance(x, float):
        return f"{x:.6g}"
    if isinstance(x, list | tuple | set):
        return escape(", ".join(str(i) for i in x))
    return escape(str(x))
