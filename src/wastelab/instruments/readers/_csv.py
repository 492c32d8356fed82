"""Delimited text of a vendor whose layout is known: rows of stripped cells, strict about quotation marks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..base import Source
from ..workbooks import MAX_CELLS


def rows_of(source: Source, words: Sequence[str], separator: str = "") -> tuple[list[list[str]], bool]:
    """Rows of a text, and whether its last line has a line end.

    Parameters
    ----------
    source : Source
    words : sequence of str
        Words that confirm the encoding.
    separator : str
        By default the one of tab, semicolon and comma that is most frequent in the first lines.

    Raises
    ------
    InstrumentError
        If a quotation mark is open at the end, or there are more cells than are read.
    """
    text = source.text(*words)
    if not separator:
        head = "\n".join(text.splitlines()[:12])
        separator = max("\t;,", key=head.count)
    rows: list[list[str]] = []
    cells = 0
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
            cells += len(record)
            if cells > MAX_CELLS:
                raise source.fail(f"more than {MAX_CELLS} cells; split the table.", f"row {len(rows) + 1}")
            rows.append([c.strip() for c in record])
    except csv.Error as exc:
        raise source.fail(f"{exc}: a quotation mark is open, or the file was cut.", f"row {len(rows) + 1}") from None
    return rows, text.endswith(("\n", "\r"))
