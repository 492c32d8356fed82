"""Detection and reading: the content of a file decides which reader takes it, its extension only helps.

Readers are found in `readers/` and through the entry-point group ``wastelab.instruments``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from ..errors import InstrumentError, SeveralReadingsError, UnknownFormatError, UnknownNameError, suggest
from ..i18n import say
from .base import Reader, Reading, Source, failure, stamp
from .disguises import disguise

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


@cache
def readers() -> dict[str, Reader]:
    """Every known reader by name; those of other packages may not hide ours."""
    from importlib.metadata import entry_points

    from . import readers as package

    found: dict[str, Reader] = {}
    for info in iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        module = import_module(f"{package.__name__}.{info.name}")
        for reader in (*getattr(module, "READERS", ()), *([module.READER] if hasattr(module, "READER") else [])):
            found[reader.name] = reader
    for entry in entry_points(group="wastelab.instruments"):
        loaded = entry.load()
        for reader in loaded if isinstance(loaded, list | tuple) else [loaded]:
            found.setdefault(reader.name, reader)
    return found


def formats() -> pd.DataFrame:
    """Table of the formats that can be read: name, title, extensions, techniques, what must be installed."""
    import pandas as pd

    rows = [
        {
            "format": r.name,
            "title": r.title,
            "extensions": " ".join(r.extensions),
            "techniques": " ".join(r.techniques),
            "needs": r.needs,
        }
        for r in readers().values()
    ]
    return pd.DataFrame(rows).sort_values("format", ignore_index=True)


def _ranked(source: Source) -> Iterator[tuple[int, Reader]]:
    scored = []
    for reader in readers().values():
        score = reader.sniff(source)
        if score > 0:
            scored.append((score + (10 if source.suffix in reader.extensions else 0), reader))
    scored.sort(key=lambda pair: (-pair[0], pair[1].name))
    yield from scored


def detect(source: Source | str | Path) -> Reader:
    """The reader for a file, decided by its content.

    Raises
    ------
    UnknownFormatError
        If no reader knows it; names what was found and which formats are known.
    """
    found = source if isinstance(source, Source) else Source.open(source)
    for _, reader in _ranked(found):
        return reader
    is_what = disguise(found)
    if is_what:
        raise failure(found.name, is_what, kind=UnknownFormatError)
    start = found.data[:24]
    shown = start.decode("ascii", "replace") if all(32 <= b < 127 or b in b"\r\n\t" for b in start) else start.hex(" ")
    raise failure(
        found.name, say("sheet.format_unknown", start=shown, suffix=found.suffix or "-"), kind=UnknownFormatError
    )


def read_bytes(data: bytes, name: str, *, format: str | None = None) -> list[Reading]:
    """Every reading of a file given as bytes; see `read_all`."""
    if not data:
        raise failure(name, say("sheet.file_empty"))
    return _read(Source(data, name), format)


def _read(source: Source, format: str | None) -> list[Reading]:
    if format is None:
        reader = detect(source)
    else:
        known = readers()
        if format not in known:
            raise UnknownNameError(f"There is no format {format!r}.{suggest(format, known)} Known: {', '.join(known)}.")
        reader = known[format]
    try:
        found = reader.read(source)
    except InstrumentError:
        raise
    except MemoryError:
        raise source.fail(say("sheet.reader_memory", format=reader.title)) from None
    except Exception as exc:  # a reader that trips over a damaged file must not show its insides
        said = say("sheet.reader_tripped", format=reader.title, detail=f"{type(exc).__name__}: {str(exc)[:200]}")
        raise source.fail(said) from exc
    if not found:
        raise source.fail(say("sheet.reader_nothing", format=reader.title))
    return stamp(found, reader, source)


def read_all(path: str | Path, *, format: str | None = None) -> list[Reading]:
    """Every reading of an instrument file: every scan, every sample.

    Parameters
    ----------
    path : path
        The file.
    format : str, optional
        Name of a format (see `formats`) to force; by default the content decides.

    Returns
    -------
    list of Reading
        At least one. ``reading.to_dataset()`` gives an `xarray.Dataset`.

    Raises
    ------
    UnknownFormatError
        If no reader knows the content.
    InstrumentError
        If the file is empty, truncated or damaged; names the file and the place.
    """
    return _read(Source.open(path), format)


def read(path: str | Path, *, item: int | None = None, format: str | None = None) -> xr.Dataset:
    """An instrument file as an `xarray.Dataset` with named dimensions and units.

    Parameters
    ----------
    path : path
        Any supported export: XRD, TG-DSC, PSD, XRF, calorimetry, FTIR, sorption …
    item : int, optional
        Which scan or sample, from 0, where the file holds several.
    format : str, optional
        Name of a format to force.

    Returns
    -------
    xarray.Dataset
        Attributes: ``technique``, ``sample``, ``measured_at``, ``operator``, ``instrument``, ``method``,
        ``completeness``, ``warnings``, ``metadata`` (JSON text of all the vendor wrote), ``file``, ``sha256``,
        ``reader``.

    Raises
    ------
    SeveralReadingsError
        If the file holds several and `item` is not given; lists them.
    UnknownFormatError, InstrumentError
    """
    found = read_all(path, format=format)
    if item is None and len(found) > 1:
        listed = "; ".join(
            f"{i}: {r.where or r.technique}{f' ({r.sample})' if r.sample else ''}" for i, r in enumerate(found[:12])
        )
        raise SeveralReadingsError(
            f"{found[0].file} holds {len(found)} readings ({listed}{' …' if len(found) > 12 else ''}). "
            "Choose one with read(path, item=0), or take all with read_all(path)."
        )
    index = 0 if item is None else item
    if not -len(found) <= index < len(found):
        raise InstrumentError(f"{found[0].file}: item {index} does not exist; there are {len(found)} (from 0).")
    return found[index].to_dataset()
