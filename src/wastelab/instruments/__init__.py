"""Instrument files: any supported export in, `xarray.Dataset` out.

One file per format under `readers/`; every module there that defines ``READER`` (or ``READERS``) is one, and
other packages add theirs through the entry-point group ``wastelab.instruments``.
"""

from __future__ import annotations

from .base import Reader, Reading, Source, Value, Variable
from .read import detect, formats, read, read_all, read_bytes

__all__ = ["Reader", "Reading", "Source", "Value", "Variable", "detect", "formats", "read", "read_all", "read_bytes"]
