"""The laboratory as people use it: open it, put in, ask.

`Lab` is a thin face: each method is documented where its work is done, in the module it calls.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from ..errors import LabError
from ..i18n import say
from . import schema as s
from .curves import BACKENDS
from .engine import (
    hide_password,
    ping,
    postgres_engine,
    refuse_network_share,
    sqlite_engine,
    translate,
    without_password,
)
from .files import sweep, write_durably
from .migrate import upgrade, version
from .store import GUARDS, Store, uuid7

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ..chemistry import Material
    from ..instruments import Reading
    from .ledger import Ledger
    from .material import MaterialSpread
    from .upload import Receipt
    from .verify import Report

CATALOGUE = "catalogue.sqlite"
_FOLDERS = ("raw", "curves", "tmp", "cache", "backups")


def open_lab(
    place: str | Path,
    *,
    create: bool = False,
    url: str | None = None,
    files: str | Path | None = None,
    name: str = "",
    curves: str = "files",
    user: str | None = None,
) -> Lab:
    """Open a laboratory, or make a new one.

    Parameters
    ----------
    place : path or str
        The laboratory's folder, or a ``postgresql://`` URL (then `files` is its folder).
    create : bool
        Make it if it does not exist yet; an existing one is opened.
    url : str, optional
        Only with `create`: keep the catalogue in this PostgreSQL database instead of SQLite in the folder.
    files : path, optional
        Folder of raw files and curves when `place` is a URL.
    name : str
        Only with `create`: name of the laboratory.
    curves : {"files", "blob"}
        Only with `create`: where curves are kept.
    user : str, optional
        Who acts, for the audit trail; ``WASTELAB_USER`` or the login name by default.

    Returns
    -------
    Lab

    Raises
    ------
    LabError
        If there is no laboratory, the folder holds something else, lies on a network share (SQLite), the database
        cannot be reached, or the catalogue is newer than this wastelab.

    Examples
    --------
    >>> import tempfile, wastelab as wl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with wl.open_lab(folder + "/lab", create=True) as lab:
    ...         print(len(lab.samples()))
    0
    """
    if isinstance(place, str) and "://" in place:
        if files is None:
            raise LabError(
                f"{hide_password(place)}: a catalogue in PostgreSQL also needs a folder for raw files and curves; "
                'give it: open_lab(url, files="mylab").'
            )
        url, root = place, Path(files)
    else:
        root = Path(place)
    if curves not in BACKENDS:
        raise LabError(f"curves = {curves!r} is not one of {', '.join(BACKENDS)}.")
    settings = root / "lab.toml"
    if not settings.is_file():
        if not create:
            raise LabError(say("error.no_laboratory", root=str(root)))
        _make(root, url, name, curves, user)
    return _open(root, url, user)


def _make(root: Path, url: str | None, name: str, curves: str, user: str | None) -> None:
    if root.exists():
        if not root.is_dir():
            raise LabError(f"{root} is a file; a laboratory is a folder.")
        foreign = [p.name for p in root.iterdir() if p.name not in _FOLDERS and not p.name.startswith(CATALOGUE)]
        foreign = [n for n in foreign if not n.startswith(".")]
        if foreign:
            raise LabError(
                f"{root} is not empty ({', '.join(sorted(foreign)[:5])}) and no laboratory; give a new folder."
            )
    if url is None:
        refuse_network_share(root)
    try:
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise LabError(f"{root}: the folder cannot be made ({exc.strerror or exc}).") from None
    if url is None:  # small pages waste less behind curves
        page = 2048 if curves == "blob" else 4096
        engine = sqlite_engine(root / CATALOGUE, create=True, page_size=page)
    else:
        engine = postgres_engine(url)
    try:
        try:
            ping(engine)
        except DBAPIError as exc:
            raise translate(exc, str(root) if url is None else hide_password(url)) from None
        upgrade(engine)
        store = Store(root, engine, curves, user=user)
        with store.write("init") as act:
            known = store.meta(act.conn)
            if "uid" not in known:
                facts = {"uid": uuid7(), "name": name or root.name, "created_at": act.at}
                act.conn.execute(insert(s.meta), [{"key": k, "value": v} for k, v in facts.items()])
                act.note("lab", facts["uid"], "insert", facts)
                known = facts
    finally:
        engine.dispose()
    write_settings(root, uid=known["uid"], name=known["name"], curves=curves, url=url)


def write_settings(root: Path, *, uid: str, name: str, curves: str, url: str | None) -> None:
    """Write ``lab.toml`` atomically. A password of the URL is not written; give it by PGPASSWORD or .pgpass."""
    clean = "" if url is None else without_password(url)

    def quote(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'

    text = (
        f"# A wastelab laboratory. Change nothing here by hand.\nschema = 1\nuid = {quote(uid)}\nname = {quote(name)}\n"
        f"curves = {quote(curves)}\n\n[catalogue]\nurl = {quote(clean)}\n"
    )
    write_durably(root / "lab.toml", text.encode())


def read_settings(root: Path) -> dict[str, Any]:
    """What ``lab.toml`` says.

    Raises
    ------
    LabError
        If it is damaged or of a newer version.
    """
    file = root / "lab.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        if data["schema"] != 1:
            raise LabError(f"{file}: schema {data['schema']} is newer than this wastelab knows; upgrade it.")
        if data["curves"] not in BACKENDS:
            raise LabError(f"{file}, key curves: {data['curves']!r} is not one of {', '.join(BACKENDS)}.")
        return {
            "uid": str(data["uid"]), "name": str(data["name"]), "curves": str(data["curves"]),
            "url": str(data["catalogue"]["url"]),
        }  # fmt: skip
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError) as exc:
        raise LabError(f"{file}: is damaged ({type(exc).__name__}: {exc}); restore it from a backup.") from None


def _open(root: Path, url: str | None, user: str | None) -> Lab:
    settings = read_settings(root)
    target = url or settings["url"]
    if target:
        engine = postgres_engine(target)
    else:
        refuse_network_share(root)
        catalogue = root / CATALOGUE
        if not catalogue.is_file():
            raise LabError(f"{catalogue} is missing; restore it from a backup (`wastelab backup` made it).")
        engine = sqlite_engine(catalogue)
    try:
        ping(engine)
        with engine.connect() as conn:
            found = version(conn)
        if found is None:
            raise LabError(f"{root}: the catalogue holds no laboratory; is it the right database?")
        if found != s.HEAD:
            from .backup import backup_catalogue

            upgrade(engine, backup=lambda before: backup_catalogue(engine, root / "backups", f"schema-{before}"))
        with engine.connect() as conn:
            facts = {row[0]: row[1] for row in conn.execute(select(s.meta.c.key, s.meta.c.value))}
        if facts.get("uid") != settings["uid"]:
            raise LabError(
                f"{root}: lab.toml is of laboratory {settings['uid']}, the catalogue of {facts.get('uid') or 'none'}; "
                "give the folder and the database that belong together."
            )
        if facts.keys() & set(GUARDS) and (url is None or settings["url"]):  # a move that died, or is going on
            from .transfer import settle

            if not settle(engine, root, lambda: read_settings(root)["url"], settings["url"]):
                engine.dispose()
                return _open(root, url, user)
    except DBAPIError as exc:
        engine.dispose()
        raise translate(exc, str(root) if not target else hide_password(target)) from None
    except BaseException:
        engine.dispose()
        raise
    sweep(root / "tmp")
    return Lab(Store(root, engine, settings["curves"], user=user), settings["name"])


class Lab:
    """A laboratory: what was measured on which sample, by whom and how. Made by `open_lab`.

    Attributes
    ----------
    store : Store
    name : str
    """

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.store.close()

    def __repr__(self) -> str:
        return f"<Lab {self.name!r} in {self.store.root} ({self.store.dialect}, curves: {self.store.curves.name})>"

    # -- putting in: see `register`, `upload`
    def add(self, entity: str, record: Mapping[str, Any] | None = None, /, *, reason: str = "", **fields: Any) -> str:
        """Register a person, instrument, calibration, reference material, source, sample, mix, specimen; returns its
        uid. See `register.add` for the fields of each."""
        from .register import add

        return add(self.store, entity, {**(record or {}), **fields}, reason=reason)

    def change(self, entity: str, label: str, *, reason: str, **changes: Any) -> None:
        """Change what may be changed of a record; old and new value stay in the audit trail. See `register.change`."""
        from .register import change

        change(self.store, entity, label, changes, reason=reason)

    def set_status(self, uid: str, status: str, *, by: str, reason: str = "") -> None:
        """Verify or retract a measurement. See `register.set_status`."""
        from .register import set_status

        set_status(self.store, uid, status, by=by, reason=reason)

    def attach(self, entity: str, label: str, file: str | Path, *, note: str = "") -> str:
        """Keep a file (photo, certificate, report) with a record. See `register.attach`."""
        from .register import attach

        return attach(self.store, entity, label, Path(file), note=note)

    def upload(self, files: str | Path | Iterable[str | Path], **options: Any) -> list[Receipt]:
        """Upload instrument files or sheets. See `upload.upload` for options; returns one receipt a file."""
        from .upload import upload

        return upload(self.store, files, **options)

    def ingest(self, readings: Iterable[Reading], **options: Any) -> Receipt:
        """Store readings made by a program, through the same gates, in batches. See `upload.ingest`."""
        from .upload import ingest

        return ingest(self.store, readings, **options)

    # -- asking: see `query`, `composition`, `curve_query`, `lineage`, `training`, `material`
    def samples(self, **where: Any) -> pd.DataFrame:
        """Table of samples. See `query.samples`."""
        from .query import samples

        return samples(self.store, **where)

    def measurements(self, **where: Any) -> pd.DataFrame:
        """Table of measurements. See `query.measurements`."""
        from .query import measurements

        return measurements(self.store, **where)

    def values(self, **where: Any) -> pd.DataFrame:
        """Long table of values with unit, uncertainty, detection limit and flag. See `query.values`."""
        from .query import values

        return values(self.store, **where)

    def table(self, entity: str) -> pd.DataFrame:
        """Everything registered of one kind (``"source"``, ``"instrument"``, ``"mix"`` …). See `query.table`."""
        from .query import table

        return table(self.store, entity)

    def search(self, text: str, *, limit: int = 100, **options: Any) -> pd.DataFrame:
        """Full-text search, Chinese and English. See `query.search`."""
        from .query import search

        return search(self.store, text, limit=limit, **options)

    def composition(self, **options: Any) -> xr.Dataset:
        """Oxide contents of samples as a CF dataset. See `composition.composition`."""
        from .composition import composition

        return composition(self.store, **options)

    def curve(self, sample: str, technique: str, **options: Any) -> xr.Dataset:
        """One curve of a sample. See `curve_query.curve`."""
        from .curve_query import curve

        return curve(self.store, sample, technique, **options)

    def curves(self, technique: str, **options: Any) -> xr.Dataset:
        """Curves of many samples on one axis. See `curve_query.curves`."""
        from .curve_query import curves

        return curves(self.store, technique, **options)

    def material(self, query: str | None = None, **options: Any) -> Material:
        """A `Material` from one sample, or the mean and spread of several. See `material.material`."""
        from .material import material

        return material(self.store, query, **options)

    def material_spread(self, query: str | None = None, **options: Any) -> MaterialSpread:
        """As `material`, with the samples behind it and their covariance. See `material.material_spread`."""
        from .material import material_spread

        return material_spread(self.store, query, **options)

    def training_table(self, target: str, **options: Any) -> pd.DataFrame:
        """Mixes and features for a property model, with group labels. See `training.training_table`."""
        from .training import training_table

        return training_table(self.store, target, **options)

    def lineage(self, code: str, direction: str = "both") -> pd.DataFrame:
        """Where something came from and what became of it. See `lineage.lineage`."""
        from .lineage import lineage

        return lineage(self.store, code, direction)

    def history(self, entity: str, label: str) -> pd.DataFrame:
        """Every audit event that touched a record. See `query.history`."""
        from .query import history

        return history(self.store, entity, label)

    def control_chart(self, reference_material: str, quantity: str, **options: Any) -> pd.DataFrame:
        """Control chart of a reference material. See `quality.control_chart`."""
        from .quality import control_chart

        return control_chart(self.store, reference_material, quantity, **options)

    @property
    def ledger(self) -> Ledger:
        """The waste account (台账). See `ledger.Ledger`."""
        from .ledger import Ledger

        return Ledger(self.store)

    # -- keeping: see `verify`, `backup`, `bundle`, `transfer`
    def verify(self, *, expect: str | None = None, deep: bool = True) -> Report:
        """Prove that nothing was lost, changed or left half done. See `verify.verify`."""
        from .verify import verify

        return verify(self.store, expect=expect, deep=deep)

    def backup(self, folder: str | Path) -> Path:
        """Copy the whole laboratory while it is in use. See `backup.backup`."""
        from .backup import backup

        return backup(self.store, Path(folder))

    def export_bundle(self, file: str | Path, **options: Any) -> dict[str, Any]:
        """Write a portable, verifiable bundle. See `bundle.export_bundle`."""
        from .bundle import export_bundle

        return export_bundle(self.store, Path(file), **options)

    def import_bundle(self, file: str | Path, **options: Any) -> dict[str, Any]:
        """Merge another laboratory's bundle. See `bundle.import_bundle`."""
        from .bundle import import_bundle

        return import_bundle(self.store, Path(file), **options)

    def export_tables(self, folder: str | Path, *, formats: Sequence[str] = ("csv",)) -> list[Path]:
        """Write the tables as CSV, Excel or Parquet. See `export.export_tables`."""
        from .export import export_tables

        return export_tables(self.store, Path(folder), formats=formats)

    def head(self) -> str:
        """Hash of the newest audit event; keep it elsewhere to prove later that nothing was rewritten."""
        from .audit import head

        with self.store.read() as conn:
            return head(conn)[2]

    def info(self) -> dict[str, Any]:
        """Name, uid, engine, schema and record counts."""
        from sqlalchemy import func

        from .entities import ENTITIES

        with self.store.read() as conn:
            counts = {
                n: int(conn.execute(select(func.count()).select_from(e.table)).scalar_one())
                for n, e in ENTITIES.items()
            }
            facts = self.store.meta(conn)
            found = version(conn)
        return {**facts, "folder": str(self.store.root), "engine": self.store.dialect, "curves": self.store.curves.name,
                "schema": found, "counts": counts}  # fmt: skip
