"""Backups of a laboratory while it is in use; each is a laboratory of its own that can be opened and verified.

The catalogue is copied first, from one unchanging state, then every file that it names: files are durable before the
row that names them, so none can be missing. A backup appears under its name when it is whole. From PostgreSQL it
becomes a SQLite laboratory.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, select
from sqlalchemy.exc import DBAPIError

from ..errors import IntegrityError, LabError
from . import schema as s
from .engine import sqlite_engine
from .files import FileStore, sync_folder
from .migrate import upgrade, version
from .store import Store

_CHUNK = 5000


def backup(store: Store, folder: Path, *, allow_damaged: bool = False) -> Path:
    """Copy the whole laboratory while others go on using it.

    Parameters
    ----------
    store : Store
    folder : Path
        Where backups are collected; each becomes a folder ``NAME-20260302T060500Z`` in it. Files that the newest
        earlier backup in `folder` holds are hashed there and linked, not copied again.
    allow_damaged : bool
        Go on if a file is missing or does not match its hash. `verify` of the backup then names it.

    Returns
    -------
    Path
        The new folder. Open it with `open_lab`; a backup on a network share must be copied to a local disk first.

    Raises
    ------
    IntegrityError
        If a file that the catalogue names is missing or damaged and no earlier backup has it.
    LabError
        If the folder cannot be written to. Nothing is left there then.
    """
    from .lab import CATALOGUE, write_settings

    with store.read() as conn:
        facts = store.meta(conn)
    name = re.sub(r"[^\w.-]+", "_", facts.get("name", "")) or "lab"
    temp = folder / f".{name}-{uuid.uuid4().hex}.partial"
    try:
        earlier = _newest(folder, name, facts["uid"])
        for sub in ("raw", "curves", "tmp", "cache", "backups"):
            (temp / sub).mkdir(parents=True)
        _copy_catalogue(store.engine, temp / CATALOGUE)
        engine = sqlite_engine(temp / CATALOGUE)
        try:
            with engine.connect() as conn:
                _copy_files(conn, store, temp, earlier, allow_damaged)
        finally:
            engine.dispose()
        _settle_sqlite(temp / CATALOGUE)
        write_settings(temp, uid=facts["uid"], name=facts["name"], curves=store.curves.name, url=None)
        for path in sorted(p for p in temp.rglob("*") if p.is_dir()):
            sync_folder(path)
        sync_folder(temp)
        return _publish(temp, folder, name)
    except (OSError, sqlite3.Error, DBAPIError) as exc:
        said = exc.orig if isinstance(exc, DBAPIError) else exc
        raise LabError(f"{folder}: the backup could not be written ({said}); nothing was left there.") from None
    finally:
        shutil.rmtree(temp, ignore_errors=True)


def _publish(temp: Path, folder: Path, name: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while True:
        final = folder / (f"{name}-{stamp}" if number == 1 else f"{name}-{stamp}-{number}")
        if not final.exists():
            try:
                temp.rename(final)
            except OSError:
                if not final.exists():
                    raise
            else:
                sync_folder(folder)
                return final
        number += 1


def _newest(folder: Path, name: str, uid: str) -> Path | None:
    """The newest earlier backup of the same laboratory."""
    from .lab import read_settings

    if not folder.is_dir():
        return None
    for path in sorted(folder.glob(f"{name}-*"), reverse=True):
        try:
            if read_settings(path)["uid"] == uid:
                return path
        except LabError:
            continue
    return None


def _copy_files(conn: Connection, store: Store, temp: Path, earlier: Path | None, allow_damaged: bool) -> None:
    m, raw = s.measurement, s.raw
    jobs: list[tuple[FileStore, FileStore, str, Any]] = [
        (store.vault, FileStore(temp / "raw", temp / "tmp"), "raw", select(raw.c.sha256).where(raw.c.quarantined != 2)),
        (store.curve_files, FileStore(temp / "curves", temp / "tmp", ".h5"), "curves",
         select(m.c.curve_sha).distinct().where(m.c.curve_sha.is_not(None) & (m.c.curve_sha != "")
                                                & m.c.curve_sha.not_in(select(s.curve_blob.c.sha256)))),
    ]  # fmt: skip
    bad: list[str] = []
    for source, target, name, query in jobs:
        before = None if earlier is None else FileStore(earlier / name, earlier / "tmp", source.suffix)
        for row in conn.execute(query, execution_options={"yield_per": _CHUNK}):
            sha = row[0]
            if sha in target:
                continue
            target.path(sha).parent.mkdir(exist_ok=True)
            if before is not None and _link(before.path(sha), target.path(sha), sha):
                continue
            if not _copy(source.path(sha), target.path(sha), sha, allow_damaged):
                bad.append(str(source.path(sha)))
    if bad and not allow_damaged:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise IntegrityError(
            f"{', '.join(bad[:5])}{more}: missing or damaged, and no earlier backup in the folder has a sound copy. "
            "No backup was made. Restore them (`wastelab verify` lists them), or allow damaged files in the backup."
        )


def _link(old: Path, new: Path, sha: str) -> bool:
    """Link a file of an earlier backup if it is still sound."""
    try:
        with old.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != sha:
                return False
        os.link(old, new)
    except OSError:  # not there, or a file system without links
        return False
    return True


def _copy(old: Path, new: Path, sha: str, allow_damaged: bool) -> bool:
    """Copy one file durably, hashing on the way; False if it is missing or damaged."""
    found = hashlib.sha256()
    try:
        source = old.open("rb")
    except FileNotFoundError:
        return False
    with source, new.open("xb") as target:
        while block := source.read(2**20):
            found.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    sound = found.hexdigest() == sha
    if not sound and not allow_damaged:
        new.unlink()
    else:
        new.chmod(0o444)
    return sound


def backup_catalogue(engine: Engine, folder: Path, label: str) -> Path:
    """Copy the catalogue alone, of any schema version, into one SQLite file.

    Parameters
    ----------
    engine : Engine
    folder : Path
    label : str
        What stands in the file's name beside the time.

    Raises
    ------
    LabError
        If it cannot be written.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{re.sub(r'[^A-Za-z0-9.-]+', '_', label)}-{stamp}"
    temp = folder / f".{name}-{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _copy_catalogue(engine, temp)
        _settle_sqlite(temp)
        final, number = folder / f"{name}.sqlite", 1
        while final.exists():
            number += 1
            final = folder / f"{name}-{number}.sqlite"
        temp.rename(final)
        sync_folder(folder)
    except (OSError, sqlite3.Error, DBAPIError) as exc:
        said = exc.orig if isinstance(exc, DBAPIError) else exc
        raise LabError(f"{folder}: the catalogue could not be backed up ({said}); nothing was changed.") from None
    finally:
        for leftover in folder.glob(f"{temp.name}*"):
            leftover.unlink(missing_ok=True)
    return final


def _copy_catalogue(engine: Engine, file: Path) -> None:
    """One unchanging state of a catalogue as a new SQLite file."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as conn:
            copy = sqlite3.connect(file)
            try:
                driver: Any = conn.connection.driver_connection
                driver.backup(copy)
            finally:
                copy.close()
        return
    target_engine = sqlite_engine(file, create=True)
    try:
        with engine.connect().execution_options(wastelab_read=True) as source, source.begin():
            found = version(source)
            upgrade(target_engine, found or "head")
            with target_engine.connect().execution_options(wastelab_write=True) as target, target.begin():
                copy_tables(source, target)
    finally:
        target_engine.dispose()


def _settle_sqlite(file: Path) -> None:
    """Make a SQLite file one file, durable."""
    connection = sqlite3.connect(file)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def tables(conn: Connection) -> list[Table]:
    """Tables of a catalogue as they are, whatever its version, what is pointed to first."""
    found = MetaData()
    found.reflect(conn)
    return [t for t in found.sorted_tables if t.name != "alembic_version"]


def rows(conn: Connection, table: Table) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of a table in pages, ordered by key: what a row points to in its own table comes before it."""
    keys = list(table.primary_key.columns)
    result = conn.execute(select(table).order_by(*keys), execution_options={"yield_per": _CHUNK})
    for page in result.partitions():
        yield [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in page]


def copy_tables(
    source: Connection, target: Connection, progress: Callable[[str], None] | None = None
) -> dict[str, tuple[int, str]]:
    """Copy every row into a catalogue of the same schema version; number of rows and checksum of each table."""
    out: dict[str, tuple[int, str]] = {}
    known = {t.name: t for t in tables(target)}
    for table in tables(source):
        if table.name not in known or [c.name for c in known[table.name].columns] != [c.name for c in table.columns]:
            raise LabError(f"table {table.name} is not the same in both catalogues; run `wastelab verify` first.")
        total, count = 0, 0
        for page in rows(source, table):
            _insert(target, known[table.name], page)
            total += sum(_row_hash(row) for row in page)
            count += len(page)
            if progress is not None:
                progress(f"{table.name}: {count}")
        out[table.name] = (count, _checksum(total))
    return out


def checksums(conn: Connection) -> dict[str, tuple[int, str]]:
    """Number of rows and checksum of each table; the same on every engine, whatever the order of the rows."""
    out = {}
    for table in tables(conn):
        total, count = 0, 0
        for page in rows(conn, table):
            total += sum(_row_hash(row) for row in page)
            count += len(page)
        out[table.name] = (count, _checksum(total))
    return out


def _row_hash(row: tuple[Any, ...]) -> int:
    return int.from_bytes(hashlib.sha256(repr(row).encode()).digest())


def _checksum(total: int) -> str:
    return f"{total % 2**256:064x}"


def _insert(conn: Connection, table: Table, page: list[tuple[Any, ...]]) -> None:
    names = [c.name for c in table.columns]
    if conn.dialect.name == "sqlite":
        conn.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in page])
        return
    from psycopg import sql

    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    driver: Any = conn.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in page:
            copy.write_row(row)
