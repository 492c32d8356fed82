"""Moving the catalogue between SQLite and PostgreSQL: copy, compare, verify, and only then switch.

Writers are kept out by the old catalogue's own write lock, readers go on. What is in charge is what ``lab.toml`` says,
and it is replaced atomically: whatever dies in between, the laboratory opens with one whole catalogue. A program that
still has the old catalogue open after the switch is refused by a guard row (`Store.refuse_if_moved`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.exc import DBAPIError

from ..errors import LabError
from . import schema as s
from .audit import head
from .backup import checksums, copy_tables, tables
from .engine import hide_password, ping, postgres_engine, refuse_network_share, sqlite_engine, translate
from .files import sha256
from .migrate import upgrade, version
from .store import ARRIVING, GUARDS, MOVED_TO, Store
from .verify import examine

#: What to give instead of a URL to come back from PostgreSQL.
SQLITE = "sqlite"


def transfer(
    store: Store, url: str, *, progress: Callable[[str], None] | None = None, restart: bool = False
) -> dict[str, Any]:
    """Move the catalogue of a laboratory to PostgreSQL, or back to SQLite.

    Parameters
    ----------
    store : Store
        Open laboratory. After the move it is closed to reads and writes; open the laboratory again.
    url : str
        ``postgresql://user@host/database`` of an empty database, or ``"sqlite"`` to come back.
    progress : callable, optional
        Called with a line of text now and then.
    restart : bool
        Empty a target that an earlier, unfinished move of this laboratory left behind.

    Returns
    -------
    dict
        ``to``, ``rows`` (by table), ``events``, ``head`` (hash of the newest audit event), ``kept`` (what became of the
        old catalogue).

    Raises
    ------
    LabError
        If the target is not empty or cannot be reached, or the copy does not verify. Nothing is then switched.
    """
    from .lab import CATALOGUE

    tell = progress or (lambda text: None)
    root = store.root
    back = url == SQLITE
    if back == (store.dialect == "sqlite"):
        raise LabError(f"{root}: the catalogue is in {store.dialect} already; nothing was moved.")
    with store.read() as conn:
        facts = store.meta(conn)
    if back:
        refuse_network_share(root)
        file = root / CATALOGUE
        _clear_file(file, facts["uid"], restart)
        target, where = sqlite_engine(file, create=True), str(file)
    else:
        target, where = postgres_engine(url), hide_password(url)
    token = uuid.uuid4().hex
    try:
        try:
            ping(target)
            if not back:
                _refuse_if_filled(target, where, facts["uid"], restart)
            upgrade(target)
            with store.engine.connect().execution_options(wastelab_write=True) as conn, conn.begin():
                store.refuse_if_moved(conn)
                seq, _, newest = head(conn)
                copied = _copy(conn, target, facts["uid"], tell)
                tell("verify")
                _prove(store, target, copied, newest)
                # From here on the old catalogue is closed; until lab.toml changes, opening it again undoes that.
                conn.execute(insert(s.meta), {"key": MOVED_TO, "value": f"{where} ({token})"})
            try:
                _switch(store, None if back else url, facts, token)
            except BaseException:
                _undo(store)
                raise
            kept = store.place if back else str(put_away(root / CATALOGUE))
            with target.connect().execution_options(wastelab_write=True) as conn, conn.begin():
                conn.execute(delete(s.meta).where(s.meta.c.key == ARRIVING))
        except DBAPIError as exc:
            raise translate(exc, where) from exc
    finally:
        target.dispose()
    store.engine.dispose()
    return {"to": where, "rows": {name: count for name, (count, _) in copied.items()}, "events": seq, "head": newest,
            "kept": kept}  # fmt: skip


def _refuse_if_filled(target: Engine, where: str, uid: str, restart: bool) -> None:
    with target.connect() as conn:
        there = tables(conn)
        if not there:
            return
        known = {t.name for t in s.metadata.tables.values()}
        strange = sorted({t.name for t in there} - known)
        if strange:
            raise LabError(
                f"{where}: the database holds other tables ({', '.join(strange[:5])}); give an empty one (createdb)."
            )
        if not any(conn.execute(select(func.count()).select_from(t)).scalar_one() for t in there):
            return
        arriving = conn.execute(select(s.meta.c.value).where(s.meta.c.key == ARRIVING)).scalar()
    if arriving != uid:
        raise LabError(f"{where}: the database holds a laboratory already; give an empty one (createdb).")
    if not restart:
        raise LabError(
            f"{where}: the database holds the copy of an earlier move of this laboratory that did not finish. "
            "Drop it (dropdb, createdb) and repeat, or repeat with restart (--restart), which empties it first."
        )
    with target.begin() as conn:
        for table in reversed(tables(conn)):
            table.drop(conn)
        conn.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")


def _clear_file(file: Path, uid: str, restart: bool) -> None:
    """Make room for a catalogue in SQLite: only the unfinished copy of an earlier move may be removed."""
    if not file.exists():
        return
    engine = sqlite_engine(file)
    try:
        with engine.connect() as conn:
            unfinished = version(conn) is None or conn.execute(
                select(s.meta.c.value).where(s.meta.c.key == ARRIVING)
            ).scalar() == uid or conn.execute(select(func.count()).select_from(s.meta)).scalar_one() == 0  # fmt: skip
    except DBAPIError as exc:
        raise translate(exc, str(file)) from None
    finally:
        engine.dispose()
    if not unfinished:
        raise LabError(f"{file} holds a catalogue already; move it elsewhere first.")
    if not restart:
        raise LabError(f"{file} is left from a move that did not finish; repeat with restart (--restart).")
    for path in (file, file.with_name(file.name + "-wal"), file.with_name(file.name + "-shm")):
        path.unlink(missing_ok=True)


def _copy(source: Connection, target: Engine, uid: str, tell: Callable[[str], None]) -> dict[str, tuple[int, str]]:
    """Copy all rows in one transaction, with the guard that keeps the copy closed."""
    with target.connect().execution_options(wastelab_write=True) as conn, conn.begin():
        copied = copy_tables(source, conn, tell)
        conn.execute(insert(s.meta), {"key": ARRIVING, "value": uid})
    return copied


def _prove(store: Store, target: Engine, copied: dict[str, tuple[int, str]], newest: str) -> None:
    """Read the copy back and compare; raise if anything differs."""
    with target.connect().execution_options(wastelab_read=True) as conn, conn.begin():
        found = checksums(conn)
        arriving = conn.execute(select(s.meta).where(s.meta.c.key == ARRIVING)).one()
        blob = s.curve_blob
        for row in conn.execute(select(blob.c.sha256, blob.c.data), execution_options={"yield_per": 100}):
            if sha256(bytes(row[1])) != row[0]:
                raise LabError(f"curve {row[0]}: does not match its hash; run `wastelab verify`. Nothing was switched.")
    found["meta"] = (found["meta"][0] - 1, _without(found["meta"][1], tuple(arriving)))
    different = sorted(name for name in copied if found.get(name) != copied[name])
    if different:
        raise LabError(f"table(s) {', '.join(different)}: the copy differs from the original; nothing was switched.")
    copy = Store(store.root, target, store.curves.name, user=store.user)
    report = examine(copy, expect=newest, deep=False)
    if not report.ok or report.head != newest:
        raise LabError(
            f"The copy does not verify; nothing was switched. Run `wastelab verify` first.\n{report.text('en')}"
        )


def _without(checksum: str, row: tuple[Any, ...]) -> str:
    from .backup import _checksum, _row_hash

    return _checksum(int(checksum, 16) - _row_hash(row))


def _switch(store: Store, url: str | None, facts: dict[str, str], token: str) -> None:
    """Replace ``lab.toml`` while holding the old catalogue's write lock, unless somebody undid the guard meanwhile."""
    from .lab import write_settings

    with store.engine.connect().execution_options(wastelab_write=True) as conn, conn.begin():
        guard = conn.execute(select(s.meta.c.value).where(s.meta.c.key == MOVED_TO)).scalar()
        if guard is None or not guard.endswith(f"({token})"):
            raise LabError(f"{store.place}: somebody opened it in the last moment of the move; repeat with --restart.")
        write_settings(store.root, uid=facts["uid"], name=facts["name"], curves=store.curves.name, url=url)


def _undo(store: Store) -> None:
    """Open the old catalogue again, unless lab.toml was replaced after all."""
    from .lab import read_settings

    with store.engine.connect().execution_options(wastelab_write=True) as conn, conn.begin():
        if bool(read_settings(store.root)["url"]) == (store.dialect == "postgresql"):
            conn.execute(delete(s.meta).where(s.meta.c.key == MOVED_TO))


def put_away(file: Path) -> Path:
    """Rename a SQLite catalogue that is no longer in charge; returns its new name."""
    import sqlite3

    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    final = file.with_name(f"{file.name}.moved-{stamp}")
    try:
        connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        for path in (file, file.with_name(file.name + "-wal"), file.with_name(file.name + "-shm")):
            if path.exists():
                path.rename(path.with_name(path.name.replace(file.name, final.name)))
    except (OSError, sqlite3.Error):
        return file  # another program has it open (Windows); the guard in it keeps it closed
    return final


def settle(engine: Engine, root: Path, read_url: Callable[[], str], url: str) -> bool:
    """Finish or undo a move that died; called when a laboratory is opened.

    Parameters
    ----------
    engine : Engine
        Of the catalogue that is being opened.
    root : Path
    read_url : callable
        Reads ``[catalogue] url`` of ``lab.toml`` again.
    url : str
        What it said before the engine was made.

    Returns
    -------
    bool
        False if another catalogue is in charge by now: open again.
    """
    with engine.connect() as conn:
        if conn.execute(select(s.meta.c.key).where(s.meta.c.key.in_(GUARDS))).first() is None:
            return True
    with engine.connect().execution_options(wastelab_write=True) as conn, conn.begin():
        if read_url() != url:
            return False
        # lab.toml is in charge: a copy it names has arrived, an original it still names has not been left.
        conn.execute(delete(s.meta).where(s.meta.c.key.in_(GUARDS)))
    from .lab import CATALOGUE

    if url and (root / CATALOGUE).exists():
        put_away(root / CATALOGUE)
    return True
