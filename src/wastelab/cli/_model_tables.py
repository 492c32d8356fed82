"""Tables that the commands of property models read and write: tests, candidates, predictions."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..i18n import tr

if TYPE_CHECKING:
    import pandas as pd

    from ..models import TrainingData

F = TypeVar("F", bound=Callable[..., Any])
Progress = Callable[[int, int, str], None]
_WRITTEN = (".csv", ".xlsx")
LANG = click.option("--lang", type=click.Choice(["en", "zh"]), help="Language.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
OUT = click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write a .csv or .xlsx table.")
REPLACE = click.option("--overwrite", is_flag=True, help="Replace a file of that name (never one that is read).")
MODEL = click.argument("model", type=click.Path(path_type=Path))


def one(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> str | None:
    """The one value of an option; several are refused, and not the last taken."""
    if len(values) > 1:
        raise click.BadParameter(f"given {len(values)} times ({', '.join(values)}); one model is of one.", param=option)
    return values[0] if values else None


def tests_options(command: F) -> F:
    """TABLE or ``--lab``, and what its columns are."""
    for option in reversed(
        (
            click.argument("table", required=False),
            click.option("--lab", "lab_dir", envvar="WASTELAB_LAB", metavar="DIR",
                         help="Take the tests of this laboratory instead of TABLE."),
            click.option("--target", required=True, multiple=True, callback=one, metavar="COLUMN",
                         help="Column of the property; in a laboratory its quantity."),
            click.option("--unit", help="Of the property, where its column does not end in one."),
            click.option("--mix", metavar="COLUMN", help="What is one mix."),
            click.option("--source", metavar="COLUMN", help="Laboratory, study or heap."),
            click.option("--time", metavar="COLUMN", help="When it was tested."),
            click.option("--age", help="Column of the age; with --lab one age, e.g. '28 d'."),
            click.option("--drop", multiple=True, metavar="COLUMN", help="No feature (repeatable)."),
            click.option("--units", multiple=True, metavar="COLUMN=UNIT", help="Of a column whose name ends in none."),
            click.option("--origin", default="", help="What the table is called on the card (its file's name)."),
            click.option("--licence", default="", help="Licence of the tests, e.g. CC-BY-4.0, or 'own'."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def read_tests(
    table: str | None,
    lab_dir: str | None,
    target: str,
    *,
    age: str | None,
    drop: tuple[str, ...],
    units: tuple[str, ...],
    **options: Any,
) -> TrainingData:
    """The tests that a command is about.

    Raises
    ------
    click.UsageError
        Unless exactly one of TABLE and ``--lab`` is given.
    """
    from ..models import read_table
    from ._lab import pairs

    given = {k: v for k, v in options.items() if v} | {"drop": drop, "units": pairs(units)}
    if table:
        return read_table(table, target, age=age, **{"origin": Path(table).name} | given)
    if not lab_dir:
        raise click.UsageError("give TABLE, or --lab DIR to take the tests of a laboratory.")
    from ..lab import open_lab

    with open_lab(lab_dir) as lab:
        frame = lab.training_table(target, **({"age": age} if age else {}))
    return read_table(frame, **given)


def frame_of(path: str) -> pd.DataFrame:
    """A table as it stands in its file."""
    from ..models.table import table_of

    return table_of(path)[0]


def folder_of(model: Path) -> Path:
    """The folder of a model: the one of that path, else that of a model that comes with wastelab.

    Raises
    ------
    ModelError
        If a name without a path is neither.
    """
    if model.exists() or model.name != str(model):
        return model
    from ..errors import ModelError, suggest
    from ..models.shipped import shipped_models

    known = shipped_models()
    if model.name not in known:
        raise ModelError(
            f"{model}: there is no such model folder here, and no model of that name comes with wastelab."
            f"{suggest(model.name, known)} Give the folder that it was saved in, or one of: "
            f"{', '.join(known) or 'none'}."
        )
    return Path(known[model.name]["path"])


def check_table(out: Path | None, *, overwrite: bool = False, read: tuple[str | Path, ...] = ()) -> None:
    """Refuse before the work what could not, or must not, be written after it.

    Parameters
    ----------
    out : Path or None
    overwrite : bool
        Whether a file of that name may be replaced.
    read : tuple of str or Path
        Tables that the work reads; they are never replaced.

    Raises
    ------
    click.UsageError
    """
    if out is None:
        return
    if out.suffix.lower() not in _WRITTEN:
        raise click.UsageError(f"--out {out}: expected a .csv or .xlsx file.")
    existing = next(p for p in (out.absolute().parent, *out.absolute().parents) if p.exists())
    if out.is_dir() or not existing.is_dir() or not os.access(existing, os.W_OK):
        raise click.UsageError(f"--out {out}: cannot be written to; give another file.")
    if not out.exists():
        return
    if any(Path(p).exists() and out.samefile(p) for p in read):
        raise click.UsageError(f"--out {out}: is the table that is read; give another name.")
    if not overwrite:
        raise click.UsageError(
            f"--out {out}: there is a file already. Give another name, or --overwrite to replace it."
        )


def write_table(out: Path, frame: pd.DataFrame, about: Mapping[str, str] | None = None) -> None:
    """Write a table; the file is whole or not there.

    Parameters
    ----------
    out : Path
    frame : pandas.DataFrame
    about : mapping of str to str, optional
        What the numbers are of; a second sheet of a workbook.

    Raises
    ------
    click.UsageError
        If it cannot be written.
    """
    work = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp{out.suffix}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix.lower() == ".xlsx":
            import pandas as pd

            with pd.ExcelWriter(work, engine="openpyxl") as book:
                frame.to_excel(book, sheet_name="rows", index=False)
                if about:
                    facts = pd.DataFrame({"what": list(about), "value": list(about.values())})
                    facts.to_excel(book, sheet_name="model", index=False)
        else:
            work.write_bytes(frame.to_csv(index=False, lineterminator="\n").encode("utf-8-sig"))
        with work.open("rb+") as file:
            os.fsync(file.fileno())
        work.replace(out)
    except OSError as exc:
        raise click.UsageError(f"--out {out}: cannot be written to ({exc.strerror or exc}).") from None
    finally:
        work.unlink(missing_ok=True)


def about_model(model: Path, loaded: Any, language: str, **more: str) -> dict[str, str]:
    """What goes with numbers of a model wherever they are taken: which model, and what must not be overlooked."""
    content = loaded.card_.content
    labels = "; ".join(loaded.card_.loud(language))
    return {
        "model": str(model), "fingerprint": loaded.fingerprint_, "labels": labels, "target": content["target"],
        "unit": content["unit"], **more,
    }  # fmt: skip


def signed(frame: pd.DataFrame, about: Mapping[str, str]) -> pd.DataFrame:
    """A table whose rows name the model they come from, with its labels: rows are copied without their heading."""
    return frame.assign(model=about["model"], model_fingerprint=about["fingerprint"], model_labels=about["labels"])


def named(frame: pd.DataFrame, unit: str, columns: tuple[str, ...] = ("mean", "lower", "upper")) -> pd.DataFrame:
    """Predictions with their unit in the names of their columns."""
    ending = unit.replace("/", "_").replace("%", "pct").replace("*", "").replace(" ", "_")
    return frame.rename(columns={c: f"{c}_{ending}" for c in columns if ending})


def why_outside(model: Any, table: str, language: str) -> list[str]:
    """Why each row is outside what the model is valid for; empty inside."""
    from ..models.card_text import said

    features = model.read_mixes(table)
    checked = model.domain_.check(features, model.builder_.design(features))
    return [" ".join(said(n.to_dict(), language) for n in notices) for notices in checked["notices"]]


def assumed(model: Any, holds_for: str, level: float, language: str) -> list[str]:
    """What intervals of a level rest on beside the errors of the model, in sentences."""
    ends = {"new source": "sources", "new mix": "mixes"}.get(holds_for)
    return [n.text(language) for n in model.intervals_.notices(level) if ends and n.key.endswith(ends)]


def beside(table: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """What was found of each row, after the columns that the table has; a name that is there twice is kept apart."""
    import pandas as pd

    taken = {str(c) for c in (*table.columns, *found.columns)}
    renamed: dict[Any, str] = {}
    for column in table.columns:
        if column in found.columns:
            tries = (f"{column} (table{'' if k == 1 else f' {k}'})" for k in range(1, len(taken) + 2))
            renamed[column] = next(name for name in tries if name not in taken)
            taken.add(renamed[column])
    own = table.reset_index(drop=True).rename(columns=renamed)
    return pd.concat([own, found.reset_index(drop=True)], axis=1)


@contextlib.contextmanager
def progress(language: str) -> Iterator[Progress]:
    """A bar on stderr where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    err = Console(stderr=True, highlight=False)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=err,
        transient=True, disable=not err.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task(tr("model_cli.fitting", language), total=None)
        yield lambda done, total, _: bar.update(task, completed=done, total=total)
