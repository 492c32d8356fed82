"""What spreadsheet programs do to texts, and how to keep them from it.

A text that begins like a formula is run as one when a file is opened; an apostrophe before it stops that.
"""

from __future__ import annotations

import re

#: First characters that make a spreadsheet take a text for a formula, also in their full-width forms.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
#: Most rows of a sheet, the heading included, and most characters of a cell.
MAX_ROWS, MAX_TEXT = 1_048_576, 32_767
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def escape(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text


def storable(text: str) -> str:
    """Text with the characters that a workbook cannot hold, or would change (CR), written as ``_xHHHH_``."""
    return _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
