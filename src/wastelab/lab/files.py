"""Files that are kept for ever: content-addressed, written so that a crash or a power cut leaves all or nothing.

The order is temporary file, fsync, rename, fsync of the folder; the row that names the file comes after. What is on
disk under a hash is never changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import IntegrityError, LabError

#: Temporary files older than this belong to nobody alive [s].
STALE_SECONDS = 3600.0


def sha256(data: bytes) -> str:
    """Hash of bytes, as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


class FileStore:
    """A folder of immutable files named by their SHA-256.

    Parameters
    ----------
    folder : Path
        ``folder/ab/cdef…`` holds the file whose hash begins with ``abcdef``.
    temporary : Path
        Folder on the same file system for files that are being written.
    suffix : str
        Extension of the files, e.g. ``".h5"``.
    """

    def __init__(self, folder: Path, temporary: Path, suffix: str = "") -> None:
        self.folder = folder
        self.temporary = temporary
        self.suffix = suffix

    def path(self, sha: str) -> Path:
        """Where the file with a hash is, or would be."""
        return self.folder / sha[:2] / f"{sha[2:]}{self.suffix}"

    def put(self, data: bytes) -> str:
        """Keep bytes; returns their hash. The file is durable when this returns."""
        return self.put_many([data])[0]

    def put_many(self, items: Sequence[bytes]) -> list[str]:
        """Keep several pieces of bytes with as few waits for the disk as durability allows.

        Raises
        ------
        LabError
            If the disk is full or cannot be written to; nothing of the call is then named by its hash, or all that is
            was already complete.
        """
        hashes = [sha256(data) for data in items]
        pending: dict[str, tuple[Path, Path]] = {}
        try:
            for sha, data in zip(hashes, items, strict=True):
                final = self.path(sha)
                if sha in pending or self._sound(final, data):
                    continue
                temp = self.temporary / f"{sha[:16]}-{uuid.uuid4().hex}.tmp"
                pending[sha] = (temp, final)
                with temp.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            folders: set[Path] = set()
            for temp, final in pending.values():
                if not final.parent.is_dir():
                    final.parent.mkdir(parents=True, exist_ok=True)
                    folders.add(final.parent.parent)
                temp.chmod(0o444)
                temp.replace(final)
                folders.add(final.parent)
            for sha in hashes:
                folders.add(self.path(sha).parent)
            for folder in folders:
                sync_folder(folder)
        except OSError as exc:
            for temp, _ in pending.values():
                _discard(temp)
            raise LabError(
                f"{self.folder}: cannot be written to ({exc.strerror or exc}); nothing was stored. "
                "Free space or check the rights of the folder, then repeat."
            ) from None
        return hashes

    @staticmethod
    def _sound(final: Path, data: bytes) -> bool:
        """Whether the file is already there with the right content; a damaged one is written again."""
        try:
            return final.stat().st_size == len(data) and final.read_bytes() == data
        except FileNotFoundError:
            return False

    def get(self, sha: str) -> bytes:
        """Bytes by their hash, checked against it.

        Raises
        ------
        IntegrityError
            If the file is missing or its content does not match.
        """
        file = self.path(sha)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            raise IntegrityError(
                f"{file}: the file is missing. Restore it from a backup; `wastelab verify` lists all that are."
            ) from None
        except OSError as exc:
            raise IntegrityError(f"{file}: cannot be read ({exc.strerror or exc}).") from None
        if sha256(data) != sha:
            raise IntegrityError(
                f"{file}: its content does not match its hash: it was changed or the disk damaged it. "
                "Restore it from a backup; `wastelab verify` lists all that are."
            )
        return data

    def __contains__(self, sha: object) -> bool:
        return isinstance(sha, str) and self.path(sha).is_file()

    def hashes(self) -> Iterator[str]:
        """Hashes of all files, sorted."""
        if not self.folder.is_dir():
            return
        for first in sorted(p for p in self.folder.iterdir() if p.is_dir()):
            for file in sorted(first.iterdir()):
                if file.name.endswith(self.suffix):
                    yield first.name + file.name.removesuffix(self.suffix)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable (a folder cannot be synced on Windows, which needs it not)."""
    if os.name == "nt":  # pragma: no cover
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, data: bytes) -> None:
    """Replace one small file atomically and durably."""
    temp = path.with_name(f".{path.name}-{uuid.uuid4().hex}.tmp")
    try:
        with temp.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        _discard(temp)
        raise LabError(f"{path}: cannot be written to ({exc.strerror or exc}).") from None


def _discard(temp: Path) -> None:
    """Remove a temporary file; on a disk that refuses even that, `sweep` does it later."""
    with contextlib.suppress(OSError):
        temp.unlink()


def sweep(temporary: Path, older_than: float = STALE_SECONDS) -> list[Path]:
    """Remove temporary files that no living program can be writing; returns what was removed."""
    removed = []
    limit = time.time() - older_than
    for file in _temporary(temporary):
        try:
            if file.stat().st_mtime <= limit:
                file.unlink()
                removed.append(file)
        except OSError:
            continue
    return removed


def _temporary(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("*.tmp")) if folder.is_dir() else []
