"""What a reader of instrument files takes and gives: `Source` in, `Reading` out.

A reader never guesses and never returns less than the file holds without saying so: a damaged file raises
`InstrumentError`, a short one is marked `partial`, and a format that states no length is `unverified`.
Plain arrays only; xarray is built when somebody asks for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InstrumentError
from ..i18n import Message, say

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[Any]
#: How sure it is that nothing is missing at the end of the file.
Completeness = Literal["declared", "unverified", "partial"]
#: Largest file that is read at all [bytes]; more is refused before it is opened.
MAX_BYTES = 512 * 2**20


@dataclass(frozen=True, slots=True)
class Value:
    """One number of a measurement, as the instrument or the sheet gives it.

    Attributes
    ----------
    quantity : str
        Name of the vocabulary (``"SiO2"``, ``"LOI"``, ``"d50"``, ``"compressive_strength"``, ``"metal:Pb"``).
    value : float or None
        None where nothing was detected or the cell says so; never zero for "not detected".
    unit : str
        Unit of `value`, `sigma` and `lod`, as the vocabulary writes units.
    sigma : float or None
        Standard uncertainty (coverage factor 1): an expanded one is divided by `k` when it is read.
    k : float or None
        Coverage factor that the source stated for its expanded uncertainty.
    lod : float or None
        Detection limit.
    flag : {"", "below_detection", "above_range", "trace", "estimated", "put_in"}
        ``below_detection`` goes with `value` None and, where known, a `lod`.
    basis : {"", "as_received", "dry", "ignited"}
        Empty where the file does not say.
    text : str
        What the file printed, where that is more than the number.
    where : str
        Place in the file: ``"sheet 'XRF', row 14, column 'Al2O3'"`` or ``"line 31"``.
    """

    quantity: str
    value: float | None
    unit: str
    sigma: float | None = None
    k: float | None = None
    lod: float | None = None
    flag: str = ""
    basis: str = ""
    text: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """One array of a curve.

    Attributes
    ----------
    dims : tuple of str
    data : ndarray
        In the width it was measured in (counts int32, instrument floats float32 or float64).
    units : str
        Never empty; ``"1"`` for a pure number.
    long_name : str
    """

    dims: tuple[str, ...]
    data: Array
    units: str
    long_name: str = ""


@dataclass(frozen=True)
class Reading:
    """One measurement of one sample, as read from a file (or made by a program).

    Attributes
    ----------
    technique : str
        Code of the vocabulary: ``"XRD"``, ``"TG"``, ``"XRF"`` …
    variables : mapping of str to Variable
        The curve, axis included; empty for a table of values. The axis carries the name of its dimension.
    values : sequence of Value
    sample : str
        What the file calls the sample; empty if it does not.
    measured_at : str
        ISO 8601 local time as the instrument wrote it (``"2026-03-02T14:05:00"``), or empty.
    operator, instrument, method : str
    metadata : mapping
        Everything else the vendor wrote, JSON-able, keys as in the file.
    warnings : sequence of str
        What a person should know before trusting it.
    completeness : {"declared", "unverified", "partial"}
        ``declared``: the file states its length or end, and it agrees. ``unverified``: the format states none.
        ``partial``: known to be short; what is there was read.
    fields : mapping of str to str
        Columns of a sheet that describe the sample, not the measurement: ``waste_class``, ``source``,
        ``parent``, ``age``, ``mix`` …
    where : str
        Place in the file: ``"scan 2"``, ``"sheet 'XRF', row 14"``; empty if the file holds one reading.
    reader, reader_version, sha256, file : str
        Filled in by `read_all`.
    """

    technique: str
    variables: Mapping[str, Variable] = field(default_factory=dict)
    values: Sequence[Value] = ()
    sample: str = ""
    measured_at: str = ""
    operator: str = ""
    instrument: str = ""
    method: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    completeness: Completeness = "unverified"
    fields: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    reader: str = ""
    reader_version: str = ""
    sha256: str = ""
    file: str = ""

    def to_dataset(self) -> xr.Dataset:
        """The reading as an `xarray.Dataset`.

        Curve variables keep their dimensions; values become variables along ``analyte`` (``value``,
        ``standard_error``, ``detection_minimum``, ``flag``, ``unit``). Every variable has ``attrs["units"]``.
        """
        from .dataset import to_dataset

        return to_dataset(self)


class Source:
    """The bytes of one file, its name, and its text by a fixed, strict order of encodings."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._text: dict[tuple[str, ...], tuple[str, str]] = {}

    @classmethod
    def open(cls, path: str | Path) -> Source:
        """Read a file whole.

        Raises
        ------
        InstrumentError
            If it cannot be read, is empty, a folder, or larger than `MAX_BYTES`.
        """
        file = Path(path)
        try:
            if file.is_dir():
                raise failure(str(file), say("sheet.file_folder"))
            size = file.stat().st_size
            if size > MAX_BYTES:
                raise failure(str(file), say("sheet.file_large", size=round(size / 2**20), most=MAX_BYTES // 2**20))
            data = file.read_bytes()
        except OSError as exc:
            raise failure(str(file), say("sheet.file_unreadable", detail=exc.strerror or str(exc))) from None
        if not data:
            raise failure(str(file), say("sheet.file_empty"))
        return cls(data, file.name)

    @property
    def suffix(self) -> str:
        """Lower-case extension with its dot."""
        return Path(self.name).suffix.lower()

    @property
    def head(self) -> bytes:
        """The first 64 KiB, which is what detection looks at."""
        return self.data[: 1 << 16]

    def text(self, *words: str) -> str:
        """The file as text, decoded by the first encoding of the order that fits.

        The order is BOM, UTF-8, GB18030, cp932, latin-1, each strict; see `text.decode`.

        Parameters
        ----------
        *words : str
            Header words of which at least one must occur (case-insensitive); an encoding whose text holds none
            is passed over.

        Raises
        ------
        InstrumentError
            If no encoding gives a text with one of the words.
        """
        if words not in self._text:
            from .text import decode

            self._text[words] = decode(self.data, words, self.name)
        return self._text[words][0]

    def encoding(self, *words: str) -> str:
        """Name of the encoding that `text` used."""
        self.text(*words)
        return self._text[words][1]

    def fail(self, problem: str | Message, where: str = "") -> InstrumentError:
        """An `InstrumentError` that names the file and the place in it."""
        return failure(self.name, problem, where)


def failure(
    file: str, problem: str | Message, where: str = "", kind: type[InstrumentError] = InstrumentError
) -> InstrumentError:
    """An `InstrumentError` that names the file and the place in it; a `Message` can be said in any language."""
    said = problem if isinstance(problem, Message) else Message()
    text = f"{file}{f', {where}' if where else ''}: {problem}"
    return kind(text, key=said.key, values=said.values, file=file, where=where)


@dataclass(frozen=True)
class Reader:
    """One file format.

    Attributes
    ----------
    name : str
        Stable name, e.g. ``"panalytical_xrdml"``.
    title : str
        For people: ``"PANalytical XRDML"``.
    extensions : tuple of str
        Usual extensions, lower case with dot. A hint only: content decides.
    sniff : callable
        ``sniff(source) -> int``: 0 = not this format, 100 = certain (magic number or unmistakable header),
        1–60 = possible (plain columns). Looks at ``source.head``, never raises, takes milliseconds.
    read : callable
        ``read(source) -> list[Reading]``: every scan, every sample; raises `InstrumentError`.
    techniques : tuple of str
    version : str
        Changes when the numbers it gives change.
    needs : str
        Extra that must be installed (``"instruments"``), or empty.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    sniff: Callable[[Source], int]
    read: Callable[[Source], list[Reading]]
    techniques: tuple[str, ...]
    version: str = "1"
    needs: str = ""


def stamp(readings: Sequence[Reading], reader: Reader, source: Source) -> list[Reading]:
    """Readings with their origin filled in."""
    return [
        replace(r, reader=reader.name, reader_version=reader.version, sha256=source.sha256, file=source.name)
        for r in readings
    ]


def axis(name: str, data: Array, units: str, long_name: str = "") -> dict[str, Variable]:
    """A one-dimensional axis as the first entry of ``Reading.variables``."""
    return {name: Variable((name,), np.asarray(data), units, long_name)}
