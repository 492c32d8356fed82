"""Laboratories to test with: SQLite with files, SQLite with blobs, and a real PostgreSQL server of our own.

The server is started once a session (initdb, pg_ctl) in a temporary folder, reachable by its unix socket only, with
fsync on; each test gets a database of its own. Where no server binary is found the PostgreSQL tests skip and say so.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wastelab.lab.lab import Lab, open_lab

KINDS = ("sqlite-files", "sqlite-blob", "postgresql")
#: A role that must give a password, for tests of wrong ones.
PASSWORD_USER, PASSWORD = "wl_password", "right horse"


@dataclass
class Postgres:
    """A running PostgreSQL server that belongs to this test session."""

    folder: Path
    binaries: Path
    prefix: list[str]

    def command(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one of the server's programs as the user who owns it."""
        return subprocess.run(
            [*self.prefix, str(self.binaries / args[0]), *args[1:]],
            cwd=self.folder, check=check, capture_output=True, text=True, timeout=60, env=_environment(),
        )  # fmt: skip

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=on -c shared_buffers=32MB -c max_connections=60"
        # The log must be a file: pg_ctl's children would hold our pipes open.
        self.command("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"), "-w", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        self.command("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop", check=False)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, user: str = "postgres", password: str = "") -> str:
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@/{database}?host={self.folder}"

    def sql(self, text: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as conn:
            conn.execute(text)  # type: ignore[arg-type]

    def new_database(self) -> str:
        """Name of a fresh, empty database."""
        name = f"wl_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name}")
        return name

    def drop(self, database: str) -> None:
        self.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C"}


def _server_binaries() -> Path | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: -_number(p.parent.name)):
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    found = shutil.which("initdb"), shutil.which("pg_ctl")
    return Path(found[1]).parent if found[0] and found[1] else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server; skips loudly where there is none."""
    binaries = _server_binaries()
    if binaries is None:
        pytest.skip("NO POSTGRESQL SERVER: initdb and pg_ctl are neither on PATH nor in /usr/lib/postgresql/*/bin; "
                    "install the package 'postgresql' to run these tests")  # fmt: skip
    pytest.importorskip("psycopg", reason="NO POSTGRESQL DRIVER: pip install 'wastelab[postgres]'")
    prefix: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="wlpg"))  # short: a socket's path has at most 107 bytes
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("NO USER postgres: a PostgreSQL server does not run as root; run the tests as another user")
        tool = shutil.which("runuser") or shutil.which("setpriv")
        if tool is None:
            pytest.skip("NEITHER runuser NOR setpriv: a PostgreSQL server does not run as root")
        prefix = (
            [tool, "-u", "postgres", "--"] if tool.endswith("runuser")
            else [tool, "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        )  # fmt: skip
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    folder.chmod(0o755)
    server = Postgres(folder, binaries, prefix)
    server.command("initdb", "-D", str(server.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale",
                   "--no-sync", "--no-instructions")  # fmt: skip
    rules = server.data / "pg_hba.conf"
    rules.write_text(f"local all {PASSWORD_USER} scram-sha-256\nlocal all all trust\n")
    try:
        server.start()
        server.sql(f"CREATE ROLE {PASSWORD_USER} LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """URL of a fresh, empty PostgreSQL database."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def new_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """``new_lab(kind, name="lab", **options)``: another laboratory of a kind; closed and dropped at the end."""
    made: list[Lab] = []
    databases: list[str] = []

    def make(kind: str = "sqlite-files", name: str = "lab", **options: Any) -> Lab:
        url = None
        if kind == "postgresql":
            server: Postgres = request.getfixturevalue("postgres")
            databases.append(server.new_database())
            url = server.url(databases[-1])
        options.setdefault("user", "tester")
        lab = open_lab(
            tmp_path / name, create=True, url=url, curves="blob" if kind == "sqlite-blob" else "files", **options
        )
        made.append(lab)
        return lab

    yield make
    for lab in made:
        lab.close()
    for name in databases:
        request.getfixturevalue("postgres").drop(name)


@pytest.fixture(params=KINDS)
def lab_kind(request: pytest.FixtureRequest) -> str:
    """Each kind of laboratory in turn."""
    return str(request.param)


@pytest.fixture
def lab(lab_kind: str, new_lab: Callable[..., Lab]) -> Lab:
    """An empty laboratory of each kind in turn."""
    return new_lab(lab_kind)
