"""Uploading: each file is kept for ever, read in a process of its own, checked, and stored or refused as a whole.

The raw file is durable before anything is read from it. What it holds is planned and written inside one act, so two
technicians who upload the same file at once end with one stored and one duplicate.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from ..errors import InstrumentError, LabError, UnknownNameError, UploadError
from ..instruments.base import Reading, Source
from ..instruments.places import quotation
from . import schema as s
from .drafts import Finding
from .entities import canonical
from .intake import Curve, Plan, commit, curve_bytes, curve_of, plan
from .options import Options
from .receipts import CAPPED, Receipt, finding_of, summary
from .store import Act, Store, uuid7
from .supersede import Old, stored
from .targets import Codes

__all__ = ["Options", "Receipt", "ingest", "upload"]

Progress = Callable[[int, int, str], object]
#: Names that are no measurement: lock files, system files.
_NO_FILES = frozenset(("thumbs.db", "desktop.ini", ".ds_store"))
_TEMPORARY = (".tmp", ".part", ".crdownload", ".swp", ".bak", "~")


def upload(
    store: Store,
    files: str | Path | Iterable[str | Path],
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
    timeout_s: float = 60.0,
    memory_mb: int = 2048,
    in_process: bool = False,
    again: bool = False,
    **options: Any,
) -> list[Receipt]:
    """Upload instrument files and sheets.

    Parameters
    ----------
    store : Store
    files : path or iterable of path
        Files, or folders, of which the files directly inside are taken. Hidden, temporary and system files are
        passed over, with a receipt that says so.
    dry_run : bool
        Read and check only; nothing is written anywhere.
    progress : callable, optional
        ``progress(done, total, name)`` before each file, and once at the end.
    timeout_s, memory_mb : float, int
        What the parser of one file may use [s, MiB].
    in_process : bool
        Read without a process of its own: for files you trust, or a system that allows none.
    again : bool
        Read files again that are stored already; the new results supersede the old ones.
    **options
        See `Options`: ``sample``, ``operator``, ``method``, ``allow``, ``reason`` …

    Returns
    -------
    list of Receipt
        One a file. A refused file does not stop the others.

    Raises
    ------
    LabError
        If an option is wrong (nothing was done), or the laboratory cannot be written to (files before the one at fault
        are stored).
    """
    opts = Options.of(options)
    jobs = list(_listed(_paths(files)))
    receipts = []
    for done, (path, passed_over) in enumerate(jobs):
        if progress:
            progress(done, len(jobs), path.name)
        if passed_over:
            receipts.append(Receipt(_readable(path.name), outcome="skipped", message=passed_over))
            continue
        receipts.append(_one(store, path, opts, dry_run, again, None if in_process else (timeout_s, memory_mb)))
    if progress:
        progress(len(jobs), len(jobs), "")
    return receipts


def _paths(files: str | Path | Iterable[str | Path]) -> list[Path]:
    """What was given, as paths."""
    if isinstance(files, str | Path):
        return [Path(files)]
    several: object = files
    if isinstance(several, bytes) or not isinstance(several, Iterable):
        raise LabError(f"files = {several!r:.80}: expected a path, or several; nothing was done.")
    out = []
    for number, file in enumerate(files):
        if not isinstance(file, str | Path):
            raise LabError(f"files[{number}] = {file!r:.80}: expected a path, or several; nothing was done.")
        out.append(Path(file))
    return out


def _listed(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Each file, with the reason why it is passed over, if it is."""
    for path in files:
        if not path.is_dir():
            yield path, "skipped_system" if _no_measurement(path.name) else ""
            continue
        try:
            inside = sorted(path.iterdir())
        except OSError as exc:
            raise LabError(f"{path}: the folder cannot be read ({exc.strerror or exc}).") from None
        for file in inside:
            if file.is_dir():
                yield file, "skipped_folder"
            elif file.name.startswith(".") or _no_measurement(file.name):
                yield file, "skipped_system"
            else:
                yield file, ""


def _no_measurement(name: str) -> bool:
    low = name.lower()
    return low in _NO_FILES or low.startswith(("~$", "._", ".~lock.")) or low.endswith(_TEMPORARY)


def _one(
    store: Store, path: Path, options: Options, dry_run: bool, again: bool, limits: tuple[float, int] | None
) -> Receipt:
    """Upload one file."""
    name = _readable(path.name)
    try:
        source = Source.open(path)
        source.name = name
    except InstrumentError as exc:  # no bytes to keep
        return Receipt(name, outcome="refused", findings=_faults(exc, str(path), name))
    sha = source.sha256
    if not dry_run:
        store.vault.put(source.data)
    with store.read() as conn:
        before = _before(conn, sha, options)
        if before is not None and not again:
            return _duplicate(conn, before, name, sha, dry_run)
    try:
        readings = _parse(source, limits)
    except (InstrumentError, UnknownNameError) as exc:
        findings = _faults(exc, name, name)
        if dry_run:
            return Receipt(name, sha, "dry_run", findings=findings)
        with store.write("upload", reason=options.reason) as act:
            act.put_raw(source.data, name, quarantined=True)
            receipt = Receipt(name, sha, "refused", uuid7(), findings=findings)
            _insert(act, receipt, options, name)
        return _with_event(receipt, act.event)
    curves = curve_bytes(store, readings, options)
    if dry_run:
        with store.read() as conn:
            replaces = _replaced(conn, sha, options) if again else []
            made = plan(store, conn, readings, name, options, raw_sha=sha, curves=curves, replaces=replaces)
        return _receipt(made, sha, "dry_run", "", readings)
    with store.write("upload", reason=options.reason) as act:
        if not again and (before := _before(act.conn, sha, options)) is not None:
            return _duplicate(act.conn, before, name, sha, False)
        uid = uuid7()
        replaces = _replaced(act.conn, sha, options) if again else []
        made = plan(
            store, act.conn, readings, name, options, raw_sha=sha, upload_uid=uid, curves=curves, replaces=replaces
        )
        act.put_raw(source.data, name, quarantined=made.refused)
        receipt = _receipt(made, sha, "refused" if made.refused else "stored", uid, readings)
        _insert(act, receipt, options, name)
        if not made.refused:
            commit(act, made)
    return _with_event(receipt, act.event)


def _readable(name: str) -> str:
    """A file name as text; one that is no UTF-8 (from an archive of another system) is tried as Chinese."""
    data = os.fsencode(name)
    for encoding in ("utf-8", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _parse(source: Source, limits: tuple[float, int] | None) -> list[Reading]:
    if limits is None:
        from ..instruments.read import read_bytes

        return read_bytes(source.data, source.name)
    from ..instruments.worker import parse

    return parse(source.data, source.name, timeout_s=limits[0], memory_mb=limits[1])


# -- receipts and the upload's own record


def _receipt(made: Plan, sha: str, outcome: Any, uid: str, readings: Sequence[Reading]) -> Receipt:
    refused = outcome == "refused"
    reader = next((f"{r.reader} {r.reader_version}".strip() for r in readings), "")
    return Receipt(
        made.file, sha, outcome, uid, "", () if refused else tuple(summary(d) for d in made.drafts),
        () if refused else _codes(made.samples), tuple(made.findings), reader=reader,
        new_mixes=() if refused else _codes(made.mixes), new_specimens=() if refused else _codes(made.specimens),
        present={} if refused else dict(made.present),
    )  # fmt: skip


def _codes(records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(r["code"]) for r in records)


def _with_event(receipt: Receipt, event: str) -> Receipt:
    from dataclasses import replace

    return replace(receipt, event=event)


def _insert(act: Act, receipt: Receipt, options: Options, filename: str) -> None:
    act.insert(
        "upload",
        {
            "uid": receipt.upload, "raw_sha": receipt.sha256 or None, "filename": filename, "at": act.at,
            "actor": act.actor, "operator": options.operator, "outcome": receipt.outcome,
            "options": canonical(options.given()), "receipt": canonical(receipt.stored()), "reason": options.reason,
        },
    )  # fmt: skip


def _faults(exc: Exception, *prefixes: str) -> tuple[Finding, ...]:
    """What a reader said, as findings: one a faulty cell, or one for the file."""
    name = prefixes[-1]
    problems = getattr(exc, "problems", None)
    if isinstance(problems, list) and problems:
        return tuple(
            Finding("format", "refuse", p.key, values=p.values, file=name, where=p.where) for p in problems[:CAPPED]
        )
    if getattr(exc, "key", ""):
        known: Any = exc
        return (Finding("format", "refuse", known.key, values=known.values, file=name, where=known.where),)
    message, where = str(exc), ""
    for prefix in prefixes:
        if message.startswith(f"{prefix}: "):
            message = message[len(prefix) + 2 :]
            break
        if message.startswith(f"{prefix}, "):
            where, _, message = message[len(prefix) + 2 :].partition(": ")
            break
    said = quotation(message)
    return (Finding("format", "refuse", said.key, values=said.values, file=name, where=where),)


# -- what is stored already


def _uploads(conn: Connection, sha: str, options: Options) -> list[Mapping[str, Any]]:
    """Uploads of the same bytes onto the same target, oldest first."""
    table = s.upload
    query = select(table).where((table.c.raw_sha == sha) & (table.c.outcome == "stored")).order_by(table.c.id)
    found: list[Mapping[str, Any]] = []
    for row in conn.execute(query).mappings():
        given = json.loads(row["options"]) if row["options"] else {}
        if {k: given[k] for k in ("sample", "mix", "specimen") if given.get(k)} == (
            {options.target[0]: options.target[1]} if options.target[0] else {}
        ):
            found.append(dict(row))
    return found


def _before(conn: Connection, sha: str, options: Options) -> Mapping[str, Any] | None:
    """The newest upload that stored the same file."""
    found = _uploads(conn, sha, options)
    return found[-1] if found else None


def _replaced(conn: Connection, sha: str, options: Options) -> list[Old]:
    """Results of the newest upload of the same file."""
    before = _before(conn, sha, options)
    return stored(conn, s.measurement.c.upload_id == before["id"]) if before else []


def _duplicate(conn: Connection, before: Mapping[str, Any], name: str, sha: str, dry_run: bool) -> Receipt:
    """The receipt of the earlier upload, with the status that its results have now."""
    kept = json.loads(before["receipt"]) if before["receipt"] else {}
    table = s.measurement
    rows = conn.execute(select(table.c.uid, table.c.status).where(table.c.upload_id == before["id"]))
    status = {row[0]: row[1] for row in rows}
    listed = kept.get("measurements", [])
    measurements = [
        {**m, "status": status.get(m["uid"], m["status"])} for m in (listed if isinstance(listed, list) else ())
    ]
    items, events = s.audit_item, s.audit_event
    event = conn.execute(
        select(events.c.hash).join(items, items.c.seq == events.c.seq)
        .where((items.c.entity == "upload") & (items.c.uid == before["uid"])).limit(1)
    ).scalar()  # fmt: skip
    gone = bool(status) and all(x == "retracted" for x in status.values())
    return Receipt(
        name, sha, "dry_run" if dry_run else "duplicate", "", event or "", measurements, (),
        tuple(finding_of(f) for f in kept.get("findings", ())), before["uid"], kept.get("reader", ""),
        "all_retracted" if gone else "would_be_duplicate" if dry_run else "",
    )  # fmt: skip


# -- readings made by programs


def ingest(
    store: Store,
    readings: Reading | Iterable[Reading],
    *,
    batch: int = 20,
    progress: Progress | None = None,
    **options: Any,
) -> Receipt:
    """Store readings made by a program, through the same gates.

    Parameters
    ----------
    store : Store
    readings : Reading or iterable of Reading
        ``Reading.sample`` names the sample; ``Reading.fields["waste_class"]`` makes it if it is new. Readings of one
        sample that follow each other are stored together.
    batch : int
        Samples per act.
    progress : callable, optional
        ``progress(done, 0, name)`` after each batch, `done` in readings.
    **options
        See `Options`.

    Returns
    -------
    Receipt
        Of all batches together; ``upload`` and ``event`` are those of the last.

    Raises
    ------
    UploadError
        If a batch is refused: nothing of it is stored; those before it are. Likewise if the iterable fails or gives
        something that is no reading; the error says how many are stored.
    """
    opts = Options.of(options)
    if batch < 1:
        raise LabError(f"batch = {batch}: expected 1 or more samples per act.")
    codes = Codes()
    done = count = 0
    uid = event = reader = ""
    measurements: list[Mapping[str, Any]] = []
    samples: list[str] = []
    made_too: dict[str, list[str]] = {"mix": [], "specimen": []}
    present: dict[str, list[str]] = {}
    findings: list[Finding] = []
    source = _source(readings)
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="wastelab-encode") as pool:
        try:
            for part, curves in _encoded(store, pool, _batches(source, batch), opts):
                with store.write("ingest", reason=opts.reason) as act:
                    uid = uuid7()
                    made = plan(store, act.conn, part, "", opts, upload_uid=uid, curves=curves, codes=codes)
                    if made.refused:
                        raise UploadError(_refusal(made, done, len(part)))
                    receipt = _receipt(made, "", "stored", uid, part)
                    _insert(act, receipt, opts, part[0].file or "ingest")
                    commit(act, made)
                event = act.event
                reader = reader or receipt.reader
                measurements += receipt.measurements
                samples += receipt.new_samples
                made_too["mix"] += receipt.new_mixes
                made_too["specimen"] += receipt.new_specimens
                for kind, known in receipt.present.items():
                    present.setdefault(kind, []).extend(known)
                findings += receipt.findings
                done += len(part)
                count += 1
                if progress:
                    progress(done, 0, part[-1].sample)
        except _SourceError as exc:
            stored = f"{done} reading{'s' * (done != 1)} in {count} batch{'es' * (count != 1)}"
            raise UploadError(f"{exc}; {stored} before are stored, nothing else.") from exc.__cause__
    return Receipt(
        "", "", "stored", uid, event, tuple(measurements), tuple(samples), tuple(findings), reader=reader,
        new_mixes=tuple(made_too["mix"]), new_specimens=tuple(made_too["specimen"]), present=present,
    )  # fmt: skip


class _SourceError(Exception):
    """What gives the readings failed, or gave something else."""


def _source(readings: Reading | Iterable[Reading]) -> Iterator[Reading]:
    """Readings one by one, each known to be one."""
    if isinstance(readings, Reading):
        readings = [readings]
    if isinstance(readings, str | bytes | Mapping) or not isinstance(readings, Iterable):
        raise LabError(f"readings = {readings!r:.80}: expected a Reading, or several; nothing was done.")
    return _one_by_one(readings)


def _one_by_one(readings: Iterable[Reading]) -> Iterator[Reading]:
    given, number, end = iter(readings), 0, object()
    while True:
        try:
            reading: object = next(given, end)
        except Exception as exc:  # it is not ours
            raise _SourceError(
                f"after {number} readings, what gives them failed ({type(exc).__name__}: {exc})"
            ) from exc
        if reading is end:
            return
        number += 1
        if not isinstance(reading, Reading):
            raise _SourceError(f"reading {number} = {reading!r:.80}: expected a Reading")
        yield reading


def _batches(readings: Iterable[Reading], size: int) -> Iterator[list[Reading]]:
    """Readings in groups of `size` samples; what follows each other on one sample stays together."""
    part: list[Reading] = []
    count, last = 0, None
    for reading in readings:
        if not part or reading.sample != last:
            if count == size or len(part) >= 50 * size:
                yield part
                part, count = [], 0
            count += 1
        last = reading.sample
        part.append(reading)
    if part:
        yield part


def _encoded(
    store: Store, pool: ThreadPoolExecutor, batches: Iterator[list[Reading]], options: Options
) -> Iterator[tuple[list[Reading], list[Curve | None]]]:
    """Batches with their curves; the next two are being encoded while one is being stored."""
    ahead: deque[tuple[list[Reading], list[Future[Curve | None]]]] = deque()
    failed: _SourceError | None = None
    more = True
    while more or ahead:
        part = None
        if more:
            try:
                part = next(batches, None)
            except _SourceError as exc:  # what came whole before is stored first
                failed = exc
            more = part is not None
        if part is not None:
            ahead.append((part, [pool.submit(curve_of, store, r, options) for r in part]))
        if len(ahead) > 2 or (not more and ahead):
            ready, futures = ahead.popleft()
            yield ready, [f.result() for f in futures]
    if failed is not None:
        raise failed


def _refusal(made: Plan, done: int, count: int) -> str:
    refusals = [f for f in made.findings if f.severity == "refuse"]
    listed = "\n  ".join(f.text() for f in refusals[:20])
    more = f"\n  … and {len(refusals) - 20} more." if len(refusals) > 20 else ""
    return (
        f"readings {done + 1} to {done + count} were refused; nothing of them was stored ({done} before them are).\n  "
        f"{listed}{more}"
    )
