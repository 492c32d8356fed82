"""How the commands of calcination answer: JSON that is JSON, tables, notes, and files that are whole or not there."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..i18n import tr

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure
    from rich.console import Console

#: What a file is made of: a Dataset (netCDF), a figure (PNG), a table (CSV) or text.
Content = Any


def check_folder(out: Path | None) -> None:
    """Refuse before the work what could not be written after it.

    Raises
    ------
    click.UsageError
    """
    if out is None:
        return
    existing = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not existing.is_dir():
        raise click.UsageError(f"--out {out}: {existing} is a file; give a folder.")
    if not os.access(existing, os.W_OK):
        raise click.UsageError(f"--out {out}: {existing} cannot be written to; give another folder.")


def write_files(out: Path | None, files: Mapping[str, Content]) -> dict[str, str]:
    """Write files into a folder: all are complete before the first gets its name.

    Parameters
    ----------
    out : Path or None
        Made if it is not there; nothing is written for None.
    files : mapping of str to xarray.Dataset, Figure, pandas.DataFrame, str or callable
        By file name; a callable makes the content, so that nothing is drawn that nobody asked for.

    Returns
    -------
    dict of str to str
        Path by file name.

    Raises
    ------
    click.UsageError
        If the folder cannot be written to.
    """
    if out is None:
        return {}
    made = next(iter([p for p in reversed((out, *out.absolute().parents)) if not p.exists()]), None)
    work = out / f".{os.getpid()}.tmp"
    done = False
    try:
        work.mkdir(parents=True)
        for name, content in files.items():
            _write(work / name, content() if callable(content) else content)
        for name in files:
            (work / name).replace(out / name)
        done = True
    except OSError as exc:
        raise click.UsageError(f"--out {out}: cannot be written to ({exc.strerror or exc}).") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if not done and made is not None:
            shutil.rmtree(made, ignore_errors=True)
    return {name: str(out / name) for name in files}


def _write(path: Path, content: Content) -> None:
    if hasattr(content, "data_vars"):
        content.to_netcdf(path, engine="h5netcdf")
        return
    if hasattr(content, "savefig"):
        from ..plotting import to_png

        data = to_png(content)
    elif hasattr(content, "to_csv"):
        data = content.to_csv(lineterminator="\n").encode("utf-8-sig")
    else:
        data = str(content).encode("utf-8")
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def clean(value: Any) -> Any:
    """A value as JSON can hold it: numbers that are none become null."""
    if isinstance(value, Mapping):
        return {str(k): clean(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        return clean(value.tolist())
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def print_json(body: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    click.echo(json.dumps(clean(body), ensure_ascii=False, allow_nan=False))


def lines(attrs: Mapping[str, Any], name: str) -> list[str]:
    """An attribute of joined lines as a list."""
    return [line for line in str(attrs.get(name, "")).split("\n") if line]


def console() -> Console:
    """Where tables go; wide where nobody sees a terminal."""
    from rich.console import Console

    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=140)


def table(
    out: Console,
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    last_left: bool = False,
) -> None:
    """Print a table; the first `left` columns (and the last, if so) are texts, the others numbers."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    if title:  # not the table's own title, which would be broken at its width
        out.print(f"[italic]{escape(title)}[/italic]")
    view = Table(box=box.SIMPLE)
    for number, head in enumerate(heads):
        text = number < left or (last_left and number == len(heads) - 1)
        view.add_column(escape(head), justify="left" if text else "right", overflow="fold")
    for row in rows:
        view.add_row(*(escape(cell) for cell in row))
    out.print(view)


def notes(out: Console, lang: str, warnings: Iterable[str], evidence: str, files: Mapping[str, str]) -> None:
    """Warnings, how far the data can be trusted, and what was written."""
    for warning in dict.fromkeys(warnings):
        out.print(f"! {warning}", markup=False)
    if evidence:
        level = tr("calcination.level_recipe" if evidence == "recipe" else f"screen.level_{evidence}", lang)
        out.print(tr("calcination.evidence", lang, level=level), markup=False)
    for path in files.values():
        click.echo(tr("screen.written", lang, path=path))


def phase_label(name: str, lang: str) -> str:
    """A phase or mineral as a person calls it: ``C4A3S (ye'elimite)``, in Chinese its Chinese name."""
    title = phase_title(name, lang)
    return f"{name}  {title}" if title and title != name else name


def phase_title(name: str, lang: str) -> str:
    """The name alone; empty where nobody gave one."""
    from ..reference.phase_names import phase_groups, phase_names

    try:
        return tr(f"mineral.{name}", lang)
    except KeyError:
        pass
    entry = phase_names().get(name) or phase_groups().get(name)
    if entry is None:
        entry = next((e for e in (*phase_groups().values(), *phase_names().values()) if e.symbol == name), None)
    return "" if entry is None else entry.name_zh if lang == "zh" else entry.name


def lazily(draw: Callable[..., Figure], *args: Any, **options: Any) -> Callable[[], Figure]:
    """A figure drawn when it is written."""
    return lambda: draw(*args, **options)


def drop_objects(data: xr.Dataset) -> xr.Dataset:
    """The Dataset with attributes that netCDF can hold."""
    out = data.copy()
    out.attrs = {k: (int(v) if isinstance(v, bool) else v) for k, v in data.attrs.items() if v is not None}
    return out
