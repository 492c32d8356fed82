"""A folder of files that is whole, or refused.

Every file stands with size and SHA-256 in a manifest that is hashed itself. A folder is written beside its place and
renamed into it at once; it is read without following links, without running anything, and never beyond the sizes that
were declared.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModelError

#: Version of the layout of the folder.
SCHEMA = 1
FORMAT = "wastelab-model"
MANIFEST = "manifest.json"
#: Files that a model may consist of, and the most bytes each may have.
LIMITS: Mapping[str, int] = {
    "model.json": 32 << 20,
    "arrays.npz": 1 << 30,
    "training.csv": 256 << 20,
    "card.json": 4 << 20,
    "card.md": 4 << 20,
    "card.zh.md": 4 << 20,
}
REQUIRED = ("model.json", "arrays.npz", "card.json", "card.md")
_MANIFEST_LIMIT = 64 << 10
_AGAIN = "Fetch or save the model again; a changed model is never loaded."


@dataclass(frozen=True)
class Files:
    """What was read from a folder whose hashes are right.

    Attributes
    ----------
    path : Path
    content : mapping of str to bytes
        By file name, without the manifest.
    sha256 : mapping of str to str
        Of each file.
    fingerprint : str
        SHA-256 over the manifest's list: two folders with the same one hold the same model.
    """

    path: Path
    content: Mapping[str, bytes]
    sha256: Mapping[str, str]
    fingerprint: str


def to_json(value: Any, *, sort: bool = False) -> bytes:
    """JSON as UTF-8. Keys stay in their order, which may matter (a sum over columns), unless they are sorted."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=sort, indent=1) + "\n").encode()


def from_json(data: bytes, place: str) -> Any:
    """JSON that says everything once.

    Raises
    ------
    ModelError
        If it is none, names a key twice, holds numbers that are none, or is nested without end.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key occurs twice")
        return found

    def number(text: str) -> float:
        raise ValueError(f"{text} is not a JSON number")

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=number)
    except (ValueError, RecursionError) as exc:
        raise ModelError(f"{place}: cannot be read ({exc or type(exc).__name__}). {_AGAIN}") from None


def write_folder(path: Path, content: Mapping[str, bytes], *, overwrite: bool = False) -> str:
    """Write a model's folder: afterwards all of it is there, or nothing has changed.

    Parameters
    ----------
    path : Path
    content : mapping of str to bytes
        Names of `LIMITS`.
    overwrite : bool
        Replace a model of that name. A folder that is not a model is never replaced.

    Returns
    -------
    str
        Fingerprint.

    Raises
    ------
    ModelError
        If something is there already, is larger than can be loaded again, or cannot be written.
    """
    for name, data in content.items():
        if len(data) > LIMITS[name]:
            raise ModelError(
                f"{path}: {name} would have {len(data)} bytes, the most is {LIMITS[name]}. Fit to fewer rows or "
                f"with smaller learners."
            )
    check_place(path, overwrite)
    files = {n: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in sorted(content.items())}
    fingerprint = _fingerprint(SCHEMA, files)
    manifest = to_json({"format": FORMAT, "schema": SCHEMA, "files": files, "fingerprint": fingerprint}, sort=True)
    work: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
        work.mkdir()
        for name, data in {**content, MANIFEST: manifest}.items():
            with (work / name).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        _fsync_folder(work)
        _put(work, path, overwrite)
        _fsync_folder(path.parent)
    except OSError as exc:
        raise ModelError(
            f"{path}: the model cannot be written there ({exc.strerror or exc}). Nothing was changed; free space or "
            f"choose another folder."
        ) from None
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
    return fingerprint


def read_folder(path: Path) -> Files:
    """Read a model's folder and check every hash before anything is made of it.

    Raises
    ------
    ModelError
        If a file is missing, added, changed, shortened, a link, or larger than declared, or if the layout is of a
        version that is not known.
    """
    if not path.is_dir():
        kept = sorted(path.parent.glob(f".{path.name}.*.previous")) if path.parent.is_dir() else []
        said = f" A version that was being replaced is in {kept[-1]}: rename it to {path.name}." if kept else ""
        raise ModelError(f"{path}: there is no such model folder.{said or ' Give the folder that it was saved in.'}")
    try:
        found = {entry.name for entry in path.iterdir()}
        if MANIFEST not in found:
            raise ModelError(f"{path}: not a saved model (no {MANIFEST}). Give the folder that it was saved in.")
        files, fingerprint = _manifest(path)
        if strange := sorted(found - {MANIFEST, *files}):
            raise ModelError(
                f"{path}: {strange[0]!r} is no part of the model that was saved here. Take it out of the folder (a "
                f"model is loaded only as it was saved)."
            )
        if gone := sorted(set(files) - found):
            raise ModelError(f"{path}: {gone[0]} is missing. {_AGAIN}")
        content = {name: _read(path / name, entry["bytes"]) for name, entry in files.items()}
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read ({exc.strerror or exc}).") from None
    for name, data in content.items():
        if hashlib.sha256(data).hexdigest() != files[name]["sha256"]:
            raise ModelError(f"{path / name}: was changed after it was saved (SHA-256 differs). {_AGAIN}")
    return Files(path, content, {n: e["sha256"] for n, e in files.items()}, fingerprint)


def _manifest(path: Path) -> tuple[dict[str, dict[str, Any]], str]:
    place = str(path / MANIFEST)
    size = (path / MANIFEST).lstat().st_size
    if size > _MANIFEST_LIMIT:
        raise ModelError(f"{place}: {size} bytes are too many for a manifest. {_AGAIN}")
    written = _read(path / MANIFEST, size)
    body = from_json(written, place)
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise ModelError(f"{place}: not the manifest of a property model. Give the folder that a model was saved in.")
    if type(schema := body.get("schema")) is not int or schema != SCHEMA:
        raise ModelError(
            f"{place}: the layout is of version {schema!r}, this version of wastelab reads {SCHEMA}. Load it with the "
            f"version of wastelab that saved it (named on its card), or fit and save it again."
        )
    files = body.get("files")
    good = isinstance(files, dict) and all(
        name in LIMITS
        and isinstance(entry, dict)
        and set(entry) == {"bytes", "sha256"}
        and isinstance(entry["bytes"], int)
        and isinstance(entry["sha256"], str)
        for name, entry in files.items()
    )
    if not good or not isinstance(files, dict):
        raise ModelError(f"{place}: the list of files is damaged or names what no model consists of. {_AGAIN}")
    for name, entry in files.items():
        if not 0 <= entry["bytes"] <= LIMITS[name]:
            raise ModelError(
                f"{place}: {name} is declared with {entry['bytes']} bytes, the most is {LIMITS[name]}. {_AGAIN}"
            )
    if missing := [n for n in REQUIRED if n not in files]:
        raise ModelError(f"{place}: {missing[0]} is not listed. {_AGAIN}")
    fingerprint = _fingerprint(SCHEMA, files)
    if body.get("fingerprint") != fingerprint or to_json(body, sort=True) != written:
        raise ModelError(f"{place}: was changed after it was saved (its own hash differs). {_AGAIN}")
    return files, fingerprint


def _fingerprint(schema: int, files: Mapping[str, Mapping[str, Any]]) -> str:
    return hashlib.sha256(to_json({"format": FORMAT, "schema": schema, "files": files}, sort=True)).hexdigest()


def _read(path: Path, size: int) -> bytes:
    """A regular file of exactly that size; links and devices are refused before they are opened."""
    there = path.lstat()
    if not stat.S_ISREG(there.st_mode):
        raise ModelError(f"{path}: is a link or no file at all; a saved model holds plain files only. {_AGAIN}")
    if there.st_size != size:
        raise ModelError(f"{path}: has {there.st_size} bytes, {size} were saved: cut short or changed. {_AGAIN}")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        data = file.read(size + 1)
    if len(data) != size:
        raise ModelError(f"{path}: changed while it was read. Try again when nobody writes there.")
    return data


def check_place(path: Path, overwrite: bool = False) -> None:
    """Refuse a place that a model must not be written to; worth knowing before an hour of fitting.

    Raises
    ------
    ModelError
        If a model is there and is not to be replaced, or something that is none.
    """
    if not path.name or path.name in (".", ".."):
        raise ModelError(f"{path}: give the model's folder a name of its own.")
    if not path.exists() and not path.is_symlink():
        return
    if path.is_symlink() or not path.is_dir():
        raise ModelError(f"{path}: is a file or a link; give the name of a new folder.")
    names = {entry.name for entry in path.iterdir()}
    if not names:
        return
    if not {MANIFEST} <= names <= {MANIFEST, *LIMITS}:
        raise ModelError(f"{path}: is a folder with other files in it and is left alone; give the name of a new one.")
    if not overwrite:
        raise ModelError(
            f"{path}: there is a model already. Give another name, or overwrite=True (--overwrite) to replace it."
        )


def _put(work: Path, path: Path, overwrite: bool) -> None:
    """Give the finished folder its name; of several that try at once, one wins and the others say so."""
    for _ in range(20):
        try:
            work.rename(path)
            return
        except OSError as exc:
            if exc.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.EACCES) or not path.exists():
                raise
        check_place(path, overwrite)
        old = path.parent / f"{work.name.removesuffix('.tmp')}.previous"
        with contextlib.suppress(FileNotFoundError):  # another process has just moved it away
            path.rename(old)
        try:
            work.rename(path)
            return
        except OSError as exc:
            if exc.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        finally:
            if not path.exists() and old.exists():  # whatever went wrong, what was there before comes back
                old.rename(path)
            shutil.rmtree(old, ignore_errors=True)
    raise ModelError(f"{path}: other processes keep writing there. Try again, or give another name.")


def _fsync_folder(path: Path) -> None:
    if os.name == "nt":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
