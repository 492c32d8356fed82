"""The waste account as files for people: CSV that opens in a spreadsheet with Chinese headings, and a workbook.

Files appear whole or not at all. Text that a spreadsheet would run as a formula is written as text: in CSV
behind an apostrophe, in the workbook by the type of its cell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ..errors import LabError
from ..i18n import DEFAULT, languages, tr
from . import schema as s
from .files import write_durably
from .spreadsheet import FORMULA, escape
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

    from .ledger import Ledger

#: Columns whose values are codes that people read in their own language.
_CODED = {"kind": "kind", "waste_class": "class"}
_LEFT_OUT = ("mass_sigma_t", "created_at", "operator")


def stocktakes(store: Store) -> pd.DataFrame:
    """Stock-takings with book, measured mass, and error in t and % of the book."""
    import pandas as pd

    t = s.stocktake
    query = (
        select(t.c.uid, t.c.at, s.yard.c.code.label("yard"), t.c.waste_class, t.c.book_t, t.c.measured_t,
               t.c.measured_sigma_t, t.c.moisture, t.c.book_dry_t, t.c.method, t.c.document, t.c.operator, t.c.note)
        .join(s.yard, s.yard.c.id == t.c.yard_id).order_by(t.c.at, t.c.id)
    )  # fmt: skip
    with store.read() as conn:
        rows = [dict(r) for r in conn.execute(query).mappings()]
    columns = [c.name for c in query.selected_columns]
    frame = pd.DataFrame(rows, columns=columns)
    for name in ("book_t", "measured_t", "measured_sigma_t", "moisture", "book_dry_t"):
        frame[name] = frame[name].astype(float)
    error = (frame["measured_t"] - frame["book_t"]).round(6)
    at = columns.index("measured_t") + 1
    frame.insert(at, "error_t", error)
    frame.insert(at + 1, "error_percent", (100.0 * error / frame["book_t"]).where(frame["book_t"] != 0))
    return frame


def sheets(ledger: Ledger) -> dict[str, pd.DataFrame]:
    """The tables of an export by name."""
    from .ledger_account import uses

    return {
        "monthly_account": ledger.monthly(),
        "uses": uses(ledger.store),
        "movements": ledger.entries().drop(columns=list(_LEFT_OUT)),
        "stocktakes": ledger.stocktakes(),
        "stock": ledger.balance(),
    }


def heading(column: str, lang: str) -> str:
    """Heading of a column for people: ``"opening_wet_t"`` gives ``"期初库存 湿 (t)"``."""
    for ending, mass in (("_wet_t", "wet"), ("_dry_t", "dry")):
        stem = column.removesuffix(ending)
        if stem != column and stem:
            return tr("ledger.mass_head", lang, what=tr(f"ledger.c_{stem}", lang), basis=tr(f"ledger.{mass}", lang))
    return tr(f"ledger.c_{column}", lang)


def _cells(frame: pd.DataFrame, lang: str) -> list[list[Any]]:
    """Rows with codes in words and missing numbers as None."""
    kinds = [_CODED.get(str(c)) for c in frame.columns]
    out: list[list[Any]] = []
    for row in frame.itertuples(index=False):
        cells: list[Any] = []
        for value, kind in zip(row, kinds, strict=True):
            if value is None or value != value:
                cells.append(None)
            elif isinstance(value, str):
                cells.append(tr(f"ledger.{kind}_{value}", lang) if kind and value else value)
            else:
                cells.append(value)
        out.append(cells)
    return out


def _language(lang: str) -> str:
    if lang not in languages():
        raise LabError(f"lang = {lang!r} is not one of {', '.join(languages())}.")
    return lang


def to_csv(ledger: Ledger, folder: Path, lang: str = DEFAULT) -> list[Path]:
    """Write each table as ``NAME.csv`` (UTF-8 with byte-order mark, as spreadsheets want it) into a folder.

    Returns
    -------
    list of Path

    Raises
    ------
    LabError
        If the folder cannot be written to.
    """
    _language(lang)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise LabError(f"{folder}: the folder cannot be made ({exc.strerror or exc}).") from None
    files = []
    for name, frame in sheets(ledger).items():
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerow(heading(str(c), lang) for c in frame.columns)
        writer.writerows([escape(x) if isinstance(x, str) else x for x in row] for row in _cells(frame, lang))
        files.append(folder / f"{name}.csv")
        write_durably(files[-1], buffer.getvalue().encode("utf-8-sig"))
    return files


def to_excel(ledger: Ledger, path: Path, lang: str = "zh") -> Path:
    """Write all tables into one workbook.

    Raises
    ------
    LabError
        If the name does not end in .xlsx or the file cannot be written.
    """
    from openpyxl import Workbook

    _language(lang)
    if path.suffix.lower() != ".xlsx":
        raise LabError(f"{path}: a workbook's name ends in .xlsx.")
    if not path.parent.is_dir():
        raise LabError(f"{path}: there is no folder {path.parent}.")
    book = Workbook()
    book.remove(book.active)
    for name, frame in sheets(ledger).items():
        _fill(book.create_sheet(tr(f"ledger.sheet_{name}", lang)), frame, lang)
    buffer = io.BytesIO()
    book.save(buffer)
    write_durably(path, buffer.getvalue())
    return path


def _fill(sheet: Any, frame: pd.DataFrame, lang: str) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    heads = [heading(str(c), lang) for c in frame.columns]
    rows = _cells(frame, lang)
    sheet.append(heads)
    for cell in sheet[1]:
        cell.font = Font(bold=True)
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    for number, row in enumerate(rows, start=2):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column)
            if isinstance(value, str):
                cell.value = value
                cell.data_type = "s"  # never a formula, whatever it begins with
                cell.quotePrefix = value.startswith(FORMULA)
            elif value is not None:
                cell.value = value.item() if hasattr(value, "item") else value
                if str(frame.columns[column - 1]).endswith("_t"):
                    cell.number_format = "#,##0.000"
    for column, width in enumerate(_widths(heads, rows), start=1):
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions


def _widths(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[float]:
    def size(value: Any) -> int:
        return sum(2 if ord(c) > 0x2E80 else 1 for c in str(value)) if isinstance(value, str) else 9

    return [
        float(min(max([size(head), *(size(row[n]) for row in rows[:200]), 8]) + 2, 40)) for n, head in enumerate(heads)
    ]
