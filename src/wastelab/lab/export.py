"""The laboratory as plain tables for people and other programs: CSV, Excel, Parquet.

Files appear whole or not at all. They are copies to read; what keeps the laboratory is a backup or a bundle.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .store import Store


def export_tables(store: Store, folder: Path, *, formats: Sequence[str] = ("csv",)) -> list[Path]:
    """Write samples, sources, mixes, specimens, measurements, values, composition and audit as files."""
    raise NotImplementedError
