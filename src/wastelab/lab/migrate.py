"""Schema versions: what a catalogue has, and the way up to what this version of wastelab needs.

A backup is made before anything is changed; the change is one transaction on both engines.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, inspect, text

from ..errors import LabError
from .schema import HEAD

#: Alembic keeps what it is doing in module globals: one upgrade at a time in a process.
_ALEMBIC = Lock()


def version(conn: Connection) -> str | None:
    """Schema version of a catalogue, or None if it holds no laboratory."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    row = conn.execute(text("SELECT version_num FROM alembic_version")).first()
    return None if row is None else str(row[0])


def config(conn: Connection | None = None) -> Any:
    """Alembic's configuration for the packaged migrations."""
    from alembic.config import Config

    found = Config()
    found.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    if conn is not None:
        found.attributes["connection"] = conn
    return found


def known_versions() -> list[str]:
    """Every schema version this release can open, oldest first."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config())
    return [r.revision for r in reversed(list(script.walk_revisions()))]


def upgrade(engine: Engine, target: str = "head", *, backup: Callable[[str], Path] | None = None) -> str | None:
    """Bring a catalogue to a schema version, in one transaction.

    Parameters
    ----------
    engine : Engine
    target : str
        A version, ``"head"`` by default.
    backup : callable, optional
        Called with the old version before anything changes; not for a new catalogue.

    Returns
    -------
    str or None
        The version before.

    Raises
    ------
    LabError
        If the catalogue is newer than this wastelab knows, or a migration fails; nothing is then changed.
    """
    from alembic import command

    with engine.connect() as conn:
        before = version(conn)
    goal = HEAD if target == "head" else target
    if before == goal:
        return before
    if before is not None and before not in known_versions():
        raise LabError(
            f"The catalogue has schema version {before}, newer than this wastelab knows ({HEAD}). "
            "Upgrade wastelab: pip install --upgrade wastelab."
        )
    if before is not None and backup is not None:
        backup(before)
    try:
        with engine.connect().execution_options(wastelab_write=True) as conn, conn.begin():
            if version(conn) == goal:  # somebody else did it meanwhile
                return before
            with _ALEMBIC:
                command.upgrade(config(conn), target)
    except LabError:
        raise
    except Exception as exc:
        raise LabError(
            f"The catalogue could not be brought from schema {before or 'nothing'} to {goal} "
            f"({type(exc).__name__}: {exc}). Nothing was changed; the backup made before it is in 'backups'."
        ) from exc
    return before
