"""The laboratory as plain tables for people and other programs: CSV, Excel, Parquet.

Files appear whole or not at all. They are copies to read; what keeps the laboratory is a backup or a bundle.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ..errors import LabError, UnknownNameError, suggest
from . import contents as c
from . import filters as f
from . import frames as fr
from . import schema as s
from . import spreadsheet
from .composition import composition
from .files import sync_folder
from .query import measurements, samples, table, values
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "xlsx", "parquet")
#: Name of the workbook that holds every table as a sheet.
WORKBOOK = "tables.xlsx"


def export_tables(store: Store, folder: Path, *, formats: Sequence[str] = ("csv",)) -> list[Path]:
    """Write the laboratory's tables as files, all of one state of the catalogue.

    Parameters
    ----------
    store : Store
    folder : Path
        Made if need be. Files of the same name in it are replaced.
    formats : sequence of {"csv", "xlsx", "parquet"}
        ``csv``: one file a table, UTF-8 with byte-order mark so that spreadsheets show Chinese; ``xlsx``: one workbook
        with a sheet a table; ``parquet``: one file a table (needs pyarrow).

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    LabError
        If the folder cannot be written to, a table is too long for a sheet, or pyarrow is missing.
    UnknownNameError
        If there is no such format.

    Notes
    -----
    Tables: ``samples``, ``sources``, ``mixes``, ``components`` (what mixes are made of), ``specimens``,
    ``measurements`` (the retracted ones too, see ``status``), ``values`` (long; those of retracted measurements are
    left out), ``composition`` (wt% dry; with each oxide its standard error ``_se``, detection limit ``_lod`` and status
    ``_flag``), ``audit`` (events) and ``audit_items`` (what each of them touched).

    In CSV and Excel an apostrophe stands before texts that a spreadsheet would run as a formula. Numbers are whole in
    CSV and Parquet, and have 16 digits in Excel. Parquet holds every text as it is.
    """
    wanted = _checked(f.listed(formats) or [])
    frames = tables(store)
    if "xlsx" in wanted:
        _fits(frames)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise LabError(f"{folder}: the folder cannot be made ({exc.strerror or exc}).") from None
    written: list[Path] = []
    with _replacing(folder) as place:
        for kind in wanted:
            if kind == "xlsx":
                written.append(folder / WORKBOOK)
                _workbook(frames, place(written[-1]))
                continue
            for name, frame in frames.items():
                written.append(folder / f"{name}.{kind}")
                (_csv if kind == "csv" else _parquet)(frame, place(written[-1]))
    return written


def _checked(formats: Sequence[str]) -> Sequence[str]:
    for name in formats:
        if name not in FORMATS:
            raise UnknownNameError(
                f"There is no format {name!r}.{suggest(name, FORMATS)} Formats: {', '.join(FORMATS)}."
            )
    if not formats:
        raise LabError(f"No format was named; give one or more of {', '.join(FORMATS)}.")
    if "parquet" in formats and importlib.util.find_spec("pyarrow") is None:
        raise LabError("Parquet files need pyarrow, which is not installed: pip install pyarrow. Nothing was written.")
    return formats


# -- the tables
def tables(store: Store) -> dict[str, pd.DataFrame]:
    """The tables of an export by name, none of them with an index that matters."""
    with f.snapshot(store) as now:
        found = {
            "samples": samples(now),
            "sources": table(now, "source"),
            "mixes": _mixes(now),
            "components": table(now, "component"),
            "specimens": table(now, "specimen"),
            "measurements": measurements(now, status="all"),
            "values": values(now),
            "composition": _composition(now),
            "audit": _audit(now),
            "audit_items": _items(now),
        }
    return {n: frame.reset_index() if frame.index.name is not None else frame for n, frame in found.items()}


def _mixes(store: Store) -> pd.DataFrame:
    """Mixes, with what they are made of as a text."""
    mixes, parts = table(store, "mix"), table(store, "component")
    shown: dict[str, list[str]] = {}
    for mix, sample, material, role, fraction in parts[["mix", "sample", "material", "role", "fraction"]].itertuples(
        index=False
    ):
        shown.setdefault(mix, []).append(
            f"{sample or material} {fraction:.12g}{'' if role == 'binder' else f' {role}'}"
        )
    mixes.insert(0, "components", fr.texts(["; ".join(shown.get(str(code), ())) for code in mixes.index]))
    return mixes


def _composition(store: Store) -> pd.DataFrame:
    import pandas as pd

    data = composition(store, basis="dry")
    columns: dict[str, Any] = {n: fr.texts(data[n].values) for n in ("waste_class", "source")}
    words = [*c.FLAGS]
    for j, oxide in enumerate(data["oxide"].values):
        columns[oxide] = data["composition"].values[:, j]
        columns[f"{oxide}_se"] = data["composition_standard_error"].values[:, j]
        columns[f"{oxide}_lod"] = data["composition_detection_minimum"].values[:, j]
        columns[f"{oxide}_flag"] = fr.texts([words[k] for k in data["composition_status_flag"].values[:, j]])
    return pd.DataFrame(columns, index=fr.index(data["sample"].values, "code"))


def _audit(store: Store) -> pd.DataFrame:
    """Audit events, with the number of records that each touched."""
    import pandas as pd

    event, item = s.audit_event, s.audit_item
    names = ("at", "actor", "action", "reason", "version", "prev", "hash")
    number = select(func.count()).where(item.c.seq == event.c.seq).scalar_subquery()
    with store.read() as conn:
        rows = f.fetch(conn, select(event.c.seq, number, *(event.c[n] for n in names)).order_by(event.c.seq))
    found = fr.columns(("seq", "records", *names), rows)
    data: dict[str, Any] = {n: fr.texts(found[n]) for n in names[:5]}
    data["records"] = fr.integers(found["records"])
    data |= {n: fr.texts(found[n]) for n in names[5:]}
    return pd.DataFrame(data, index=pd.Index(fr.integers(found["seq"]), name="seq"))


def _items(store: Store) -> pd.DataFrame:
    import pandas as pd

    item = s.audit_item
    names = ("entity", "uid", "change", "digest", "detail")
    query = select(item.c.seq, item.c.ordinal, *(item.c[n] for n in names)).order_by(item.c.seq, item.c.ordinal)
    with store.read() as conn:
        found = fr.columns(("seq", "ordinal", *names), f.fetch(conn, query))
    data: dict[str, Any] = {n: fr.integers(found[n]) for n in ("seq", "ordinal")}
    return pd.DataFrame(data | {n: fr.texts(found[n]) for n in names})


# -- the files
@contextmanager
def _replacing(folder: Path) -> Iterator[Any]:
    """Give temporary names for files; at the end all of them are durable and get their names, or none does.

    Raises
    ------
    LabError
        If the disk refuses; files that were there before stay.
    """
    pending: list[tuple[Path, Path]] = []

    def place(path: Path) -> Path:
        pending.append((path.with_name(f".{path.name}-{uuid.uuid4().hex}.tmp"), path))
        return pending[-1][0]

    try:
        yield place
        for temp, _ in pending:
            with temp.open("r+b") as file:
                os.fsync(file.fileno())
        for temp, path in pending:
            temp.replace(path)
        sync_folder(folder)
    except OSError as exc:
        where = exc.filename2 or exc.filename
        shown = next((path for temp, path in pending if str(where) in (str(temp), str(path))), folder)
        raise LabError(
            f"{shown}: cannot be written to ({exc.strerror or exc}). Close it if a spreadsheet has it open, free space "
            "or give another folder; then repeat."
        ) from None
    finally:
        for temp, _ in pending:
            with contextlib.suppress(OSError):
                temp.unlink(missing_ok=True)


def _texts(frame: pd.DataFrame) -> list[bool]:
    """Which columns hold texts."""
    import pandas as pd

    return [not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]


def _csv(frame: pd.DataFrame, path: Path) -> None:
    shown = frame.copy()
    for name, is_text in zip(frame.columns, _texts(frame), strict=True):
        if is_text:
            shown[name] = fr.texts([spreadsheet.escape(x) for x in frame[name]])
    shown.columns = [spreadsheet.escape(str(name)) for name in frame.columns]
    with path.open("xb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        shown.to_csv(file, index=False, lineterminator="\r\n")


def _parquet(frame: pd.DataFrame, path: Path) -> None:
    with path.open("xb") as file:
        frame.to_parquet(file, engine="pyarrow", index=False)


def _fits(frames: dict[str, pd.DataFrame]) -> None:
    """Check that every table fits into a sheet.

    Raises
    ------
    LabError
    """
    rows, characters = spreadsheet.MAX_ROWS - 1, spreadsheet.MAX_TEXT
    for name, frame in frames.items():
        if len(frame) > rows:
            raise LabError(
                f"The table {name} has {len(frame)} rows, an Excel sheet holds {rows}; export it as csv or parquet. "
                "Nothing was written."
            )
        for column, is_text in zip(frame.columns, _texts(frame), strict=True):
            longest = max((len(_shown(x)) for x in frame[column]), default=0) if is_text else 0
            if longest > characters:
                raise LabError(
                    f"The table {name}, column {column}: a text of {longest} characters does not fit into an Excel "
                    f"cell, which holds {characters}; export it as csv or parquet. Nothing was written."
                )


def _shown(text: str) -> str:
    return spreadsheet.storable(spreadsheet.escape(text))


def _workbook(frames: dict[str, pd.DataFrame], path: Path) -> None:
    """One workbook, a sheet a table, written row by row."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    book = Workbook(write_only=True)
    bold = Font(bold=True)
    for name, frame in frames.items():
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"

        def cell(text: str, sheet: Any = sheet) -> Any:
            made = WriteOnlyCell(sheet, _shown(text))
            made.data_type = "s"  # text, even where it looks like a formula or an error
            return made

        heads = [cell(str(column)) for column in frame.columns]
        for head in heads:
            head.font = bold
        sheet.append(heads)
        kinds = _texts(frame)
        columns = [frame[column].tolist() for column in frame.columns]
        for row in zip(*columns, strict=True):
            sheet.append([
                (cell(x) if x else None) if is_text else (None if x != x else x)
                for x, is_text in zip(row, kinds, strict=True)
            ])  # fmt: skip
    with path.open("xb") as file:
        book.save(file)
