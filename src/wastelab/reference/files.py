"""Where the data files are: in a checkout at the top level, in an installed wheel inside the package.

Roots named in ``WASTELAB_DATA`` (separated as in ``PATH``) are searched first, with the same layout, so that
a laboratory can add its own materials, standards and recipes without touching the package.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from ..errors import DatasetError

_PACKAGE = Path(__file__).resolve().parent.parent


def data_dir(kind: str = "datasets") -> Path:
    """Folder of the shipped files.

    Parameters
    ----------
    kind : {"datasets", "recipes"}

    Raises
    ------
    DatasetError
        If the installation lacks them.
    """
    if kind not in ("datasets", "recipes"):
        raise DatasetError(f"kind {kind!r} is not 'datasets' or 'recipes'.")
    for folder in (_PACKAGE / "_data" / kind, _PACKAGE.parent.parent / kind):
        if folder.is_dir():
            return folder
    raise DatasetError(f"The folder '{kind}' of wastelab was not found beside {_PACKAGE}; install it again.")


def roots(kind: str = "datasets") -> list[Path]:
    """Folders that are searched, the user's own first."""
    own = [Path(p) / kind for p in os.environ.get("WASTELAB_DATA", "").split(os.pathsep) if p]
    return [*(p for p in own if p.is_dir()), data_dir(kind)]


def find_files(kind: str, pattern: str) -> list[Path]:
    """Files below all roots that match a glob pattern, sorted within each root, the user's own first."""
    return [file for root in roots(kind) for file in sorted(root.glob(pattern)) if file.is_file()]


def read_text(file: Path) -> str:
    """Text of a data file.

    Raises
    ------
    DatasetError
        If it cannot be read or is not UTF-8; names file and line.
    """
    try:
        raw = file.read_bytes()
    except OSError as exc:
        raise DatasetError(f"{file}: cannot be read ({exc.strerror}).") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise DatasetError(
            f"{file}, line {line}: byte 0x{raw[exc.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from None


def read_toml(file: Path) -> dict[str, Any]:
    """A TOML data file as a dict.

    Raises
    ------
    DatasetError
        If it cannot be read, is not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(read_text(file))
    except tomllib.TOMLDecodeError as exc:
        raise DatasetError(f"{file}: not valid TOML: {exc}.") from None
