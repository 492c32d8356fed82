"""Connections to the catalogue: SQLite (WAL, full durability, immediate write transactions) or PostgreSQL.

Writers are serialised on both: `BEGIN IMMEDIATE` on SQLite, an advisory lock on PostgreSQL. Readers never wait.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from ..errors import LabError

#: Seconds a writer waits for another one before it gives up.
BUSY_SECONDS = 60
#: Key of the PostgreSQL advisory lock that serialises writers ("wastelab" in ASCII, as a number).
_LOCK = 0x7761737465

#: File systems on which SQLite's write-ahead log does not work: it needs memory shared by all processes.
NETWORK_FILE_SYSTEMS = frozenset(
    ("nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "afpfs", "9p", "fuse.sshfs", "fuse.rclone", "fuse.s3fs",
     "fuse.glusterfs", "lustre", "gpfs", "beegfs", "ceph", "fuse.ceph", "vboxsf", "prl_fs", "vmhgfs",
     "fuse.vmhgfs-fuse",     "webdav", "davfs", "fuse.davfs2", "ncpfs", "ocfs2", "pvfs2", "orangefs")
)  # fmt: skip


def sqlite_engine(file: Path, *, create: bool = False, page_size: int = 4096) -> Engine:
    """Engine on a SQLite file; the file must exist unless `create`. `page_size` [bytes] is that of a new file."""
    mode = "rwc" if create else "rw"
    uri = f"file:{_quoted(file)}?mode={mode}"
    engine = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: _connect_sqlite(uri, page_size),
        pool_size=4,
        max_overflow=16,
        pool_pre_ping=False,
        poolclass=QueuePool,
    )

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        options = conn.get_execution_options()
        write = options.get("wastelab_write", False)
        conn.exec_driver_sql(f"PRAGMA query_only={int(options.get('wastelab_read', False))}")
        conn.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _quoted(file: Path) -> str:
    from urllib.parse import quote

    return quote(str(file.absolute()))


def _connect_sqlite(uri: str, page_size: int) -> Any:
    import sqlite3

    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        cursor.execute(f"PRAGMA page_size={page_size}")
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA trusted_schema=OFF")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute("PRAGMA mmap_size=268435456")
    cursor.close()
    return connection


def postgres_engine(url: str) -> Engine:
    """Engine on a PostgreSQL URL (``postgresql://user:password@host/database``).

    Raises
    ------
    LabError
        If the URL cannot be read or the driver is not installed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise LabError(
            f"{hide_password(url)!r} is no database URL; expected postgresql://user@host/database."
        ) from None
    if not parsed.drivername.startswith("postgres"):
        raise LabError(
            f"{hide_password(url)!r}: only SQLite (a folder) and PostgreSQL (postgresql://…) can hold a laboratory."
        )
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise LabError("PostgreSQL needs its driver: pip install 'wastelab[postgres]'.") from None
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"), pool_size=4, max_overflow=16, pool_pre_ping=True,
        connect_args={"connect_timeout": 15, "application_name": "wastelab"},
    )  # fmt: skip

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        options = conn.get_execution_options()
        if options.get("wastelab_write", False):
            conn.exec_driver_sql(f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'")
            conn.exec_driver_sql("SET LOCAL synchronous_commit = on")  # whatever the server's default is
            conn.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        elif options.get("wastelab_read", False):
            conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    return engine


def hide_password(url: str) -> str:
    """A database URL without its password."""
    return re.sub(r"(?<=[?&]password=)[^&]*", "***", re.sub(r"(?<=://)([^:/@]*):[^@]*@", r"\1:***@", url))


def without_password(url: str) -> str:
    """A database URL as it may be written down: the password is left to PGPASSWORD or .pgpass."""
    parsed = make_url(url)
    query = {k: v for k, v in parsed.query.items() if k != "password"}
    clean = URL.create(parsed.drivername, parsed.username, None, parsed.host, parsed.port, parsed.database, query)
    return clean.render_as_string(hide_password=False)


def translate(exc: DBAPIError, where: str) -> LabError:
    """A database error as a message a technician can act on."""
    said = str(exc.orig).strip().splitlines()[0] if exc.orig is not None else str(exc)
    low = said.lower()
    advice = "nothing was changed."
    if "disk is full" in low or "no space left" in low or "disk full" in low or "could not extend file" in low:
        advice = "the disk is full: nothing was stored. Free space and repeat; everything stored before is safe."
    elif "readonly" in low or "read-only" in low or "permission denied" in low:
        advice = "it cannot be written to: nothing was stored. Check the rights of the folder or the database user."
    elif "locked" in low or "lock timeout" in low or "busy" in low:
        advice = f"another program has been writing for more than {BUSY_SECONDS} s: nothing was stored. Repeat."
    elif "password authentication failed" in low or "no password supplied" in low:
        advice = "user or password is wrong. Check the URL, or set PGPASSWORD or a .pgpass file."
    elif "does not exist" in low and "database" in low:
        advice = "create the database first (createdb), then run `wastelab init`."
    elif "closed the connection" in low or "terminating connection" in low or "connection is lost" in low:
        advice = (
            "the connection to the database broke, so whether the last act was stored is not known: look before you "
            "repeat it. An upload can simply be repeated: what is stored already is recognised."
        )
    elif "connection" in low and ("refused" in low or "failed" in low or "timeout" in low or "timed out" in low):
        advice = "the database server cannot be reached. Is it running, and are host and port right?"
    elif "malformed" in low or "not a database" in low:
        advice = (
            "the catalogue is damaged. Restore the newest backup (`wastelab backup` made it) and run `wastelab verify`."
        )
    elif "disk i/o error" in low or "unable to open" in low:
        advice = "the disk did not answer as it should: nothing was stored. Check the disk and its rights."
    return LabError(f"{where}: {said}; {advice}")


def file_system(path: Path, mounts: Iterable[str] | None = None) -> str:
    """Type of the file system a path is on, or an empty string where it cannot be told.

    Parameters
    ----------
    path : Path
    mounts : iterable of str, optional
        Lines in the form of ``/proc/mounts``; read from the system by default.
    """
    if mounts is None:
        if sys.platform == "win32":
            return _windows_type(path)
        try:
            with Path("/proc/mounts").open(encoding="utf-8", errors="replace") as file:
                mounts = file.read().splitlines()
        except OSError:
            return ""
    target = path.absolute().resolve()
    best, kind = -1, ""
    for line in mounts:
        parts = line.split()
        if len(parts) < 3:
            continue
        point = Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), parts[1]))
        if (point == target or point in target.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), parts[2]
    return kind


def _windows_type(path: Path) -> str:  # pragma: no cover - Windows only
    text_ = str(path.absolute())
    if text_.startswith("\\\\"):
        return "smb3"
    try:
        import ctypes

        remote = ctypes.windll.kernel32.GetDriveTypeW(path.absolute().anchor) == 4  # type: ignore[attr-defined,unused-ignore]
    except (AttributeError, OSError):
        return ""
    return "smb3" if remote else ""


def refuse_network_share(path: Path, mounts: Iterable[str] | None = None) -> None:
    """Raise a `LabError` if a SQLite catalogue would lie on a network share."""
    kind = file_system(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise LabError(
            f"{path} is on a network share ({kind}), where SQLite can lose data: its write-ahead log needs memory that "
            "all programs share. Put the laboratory on a local disk and copy backups to the share, or keep the "
            "catalogue in PostgreSQL: wastelab init DIR --url postgresql://user@host/database."
        )


def ping(engine: Engine) -> None:
    """Open one connection and ask for nothing; raises what the driver raises."""
    with engine.connect() as conn:
        conn.execute(text("SELECT 1"))
