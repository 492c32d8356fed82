"""One table to its readings, whatever its layout."""

from __future__ import annotations

from dataclasses import replace

from ..base import Completeness, Reading
from ._sheet_context import context_of
from ._sheet_long import read_long
from ._sheet_tables import Table
from ._sheet_values import Faults
from ._sheet_wide import read_wide


def read_table(table: Table, decimal: str, faults: Faults, complete: tuple[Completeness, str]) -> list[Reading]:
    """The readings of one table; faults are noted in `faults`."""
    context = context_of(table, decimal, faults, complete)
    readings = read_long(context) if table.layout == "long" else read_wide(context)
    warnings = [complete[1]] if complete[1] else []
    if context.not_read:
        context.metadata["not_read"] = context.not_read
    if context.calculated:
        count = len(context.calculated)
        rows = f"{count} {table.sample_name}{'s' if count > 1 else ''}"
        warnings.append(f"{rows} calculated from others not read: {', '.join(context.calculated)}")
    if table.grid.hidden:
        warnings.append(f"sheet '{table.grid.name}' is hidden; it was read all the same")
    return [
        replace(
            r, warnings=(*r.warnings, *warnings), completeness=complete[0], metadata={**context.metadata, **r.metadata}
        )
        for r in readings
    ]
