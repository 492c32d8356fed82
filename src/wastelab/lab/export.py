"""The laboratory as tables for other programs: CSV, Excel, Parquet. All are written from one state of the catalogue.

Texts are never formulas: in Excel they are text cells, in CSV those that a spreadsheet would evaluate begin with an
apostrophe. A file appears under its name when it is whole.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..errors import LabError, UnknownNameError, suggest
from . import filters as f
from . import frames as fr
from . import schema as s
from .composition import composition, wide
from .query import measurements, samples, table, values
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "xlsx", "parquet")
#: Rows of an Excel sheet, its heading included, and characters of a cell.
EXCEL_ROWS, EXCEL_TEXT = 1_048_576, 32_767
#: What makes a spreadsheet evaluate a text.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Characters that XML cannot hold.
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def export_tables(store: Store, folder: Path, formats: Sequence[str] = ("csv",)) -> list[Path]:
    """Write samples, values, compositions, mixes, measurements and the audit trail as tables.

    Parameters
    ----------
    store : Store
    folder : Path
        Made if it is not there; files of the same names are replaced.
    formats : sequence of {"csv", "xlsx", "parquet"}
        ``csv``: one UTF-8 file with byte-order mark a table, which Excel opens with Chinese intact; ``xlsx``: one
        workbook ``tables.xlsx`` with a sheet a table; ``parquet``: one file a table, needs pyarrow.

    Returns
    -------
    list of Path
        What was written. ``values`` is long, one row a value, with unit, uncertainty, detection limit and basis;
        ``composition`` has one row a sample on the dry basis [wt%].

    Raises
    ------
    UnknownNameError
        If a format does not exist.
    LabError
        If pyarrow is missing, a table has more rows than Excel takes, or the folder cannot be written to.
    """
    names = (formats,) if isinstance(formats, str) else tuple(dict.fromkeys(formats))
    for name in names:
        if name not in FORMATS:
            raise UnknownNameError(
                f"There is no table format {name!r}.{suggest(name, FORMATS)} Formats: {', '.join(FORMATS)}."
            )
    if "parquet" in names:
        _need_pyarrow()
    with f.snapshot(store) as now:
        tables = {
            "samples": samples(now),
            "measurements": measurements(now, status="all"),
            "values": values(now, status="all"),
            "composition": wide(composition(now)),
            "mixes": _mixes(now),
            "audit": _audit(now),
        }
    writers: dict[str, Callable[[dict[str, pd.DataFrame], Path], list[Path]]] = {
        "csv": _csv, "xlsx": _xlsx, "parquet": _parquet
    }  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [path for name in names for path in writers[name](tables, folder)]
    except OSError as exc:
        raise LabError(f"{folder}: the tables could not be written ({exc.strerror or exc}).") from None


def _need_pyarrow() -> None:
    try:
        import pyarrow  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: F401
    except ImportError:
        raise LabError("Parquet files need pyarrow, which is not installed: pip install pyarrow.") from None


def _mixes(store: Store) -> pd.DataFrame:
    """One row a component, with what is known of its mix."""
    parts = table(store, "component")
    mixes = table(store, "mix").drop(columns=["uid", "grp", "visibility", "licence", "created_at", "origin"])
    found: pd.DataFrame = parts.drop(columns="ordinal").merge(
        mixes.add_prefix("mix_"), how="right", left_on="mix", right_index=True
    )
    return found.reset_index(drop=True)


def _audit(store: Store) -> pd.DataFrame:
    """One row a record that an event touched."""
    import pandas as pd

    events, items = s.audit_event, s.audit_item
    names = ("seq", "at", "actor", "action", "reason", "version", "entity", "uid", "change", "digest", "detail", "hash")
    cells = [(items if n in items.c and n != "seq" else events).c[n] for n in names]
    query = select(*cells).select_from(events.outerjoin(items, items.c.seq == events.c.seq))
    with store.read() as conn:
        rows = fr.columns(names, f.fetch(conn, query.order_by(events.c.seq, items.c.ordinal)))
    return pd.DataFrame({n: fr.integers(x) if n == "seq" else fr.texts(x) for n, x in rows.items()})


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """The index as a column where it has a name."""
    return frame.reset_index() if frame.index.name else frame


def _atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Write beside and rename: the file is there whole, or as it was."""
    temp = path.with_name(f".{path.name}-{uuid.uuid4().hex}.tmp")
    try:
        write(temp)
        temp.replace(path)
    finally:
        temp.unlink(missing_ok=True)
    return path


# -- CSV


def harmless(text: str) -> str:
    """A text that no spreadsheet evaluates: an apostrophe before what looks like a formula.

    Examples
    --------
    >>> harmless("=1+1"), harmless("-"), harmless("red mud")
    ("'=1+1", "'-", 'red mud')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def _csv(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    out = []
    for name, frame in tables.items():
        body = _flat(frame).copy()
        for column in body.columns:
            if body[column].dtype.kind not in "iufb":
                body[column] = [harmless(x) if isinstance(x, str) else x for x in body[column]]
        body.columns = [harmless(str(c)) for c in body.columns]  # type: ignore[assignment,unused-ignore]

        def write(path: Path, body: pd.DataFrame = body) -> None:
            body.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\r\n")

        out.append(_atomically(folder / f"{name}.csv", write))
    return out


# -- Excel


def _xlsx(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    for name, frame in tables.items():
        if len(frame) >= EXCEL_ROWS:
            raise LabError(
                f"The table {name} has {len(frame)} rows; an Excel sheet takes {EXCEL_ROWS - 1}. Export csv or parquet."
            )

    def write(path: Path) -> None:
        from openpyxl import Workbook

        book = Workbook(write_only=True)
        for name, frame in tables.items():
            sheet = book.create_sheet(name)
            sheet.freeze_panes = "A2"
            body = _flat(frame)
            sheet.append([_cell(sheet, str(c)) for c in body.columns])
            columns = [body[c].tolist() for c in body.columns]
            for row in zip(*columns, strict=True):
                sheet.append([_cell(sheet, x) for x in row])
        book.save(path)

    return [_atomically(folder / "tables.xlsx", write)]


def _cell(sheet: Any, value: Any) -> Any:
    """A value as Excel takes it; texts stay texts, whatever they look like."""
    if isinstance(value, str):
        if not value:
            return None
        text = _ILLEGAL.sub(lambda m: f"\\x{ord(m[0]):02x}", value)
        if len(text) > EXCEL_TEXT:
            text = text[: EXCEL_TEXT - 12] + " […cut off]"
        if text[0] in "=#":
            from openpyxl.cell import WriteOnlyCell

            cell = WriteOnlyCell(sheet, text)
            cell.data_type = "s"
            return cell
        return text
    if value is None or value != value:
        return None
    return value


# -- Parquet


def _parquet(tables: dict[str, pd.DataFrame], folder: Path) -> list[Path]:
    out = []
    for name, frame in tables.items():
        body = _flat(frame).copy()
        for column in body.columns:
            if body[column].dtype == object:  # contents with "<0.01" among the numbers
                body[column] = [None if x is None or x != x else str(x) for x in body[column]]

        def write(path: Path, body: pd.DataFrame = body) -> None:
            body.to_parquet(path, engine="pyarrow", index=False)

        out.append(_atomically(folder / f"{name}.parquet", write))
    return out
