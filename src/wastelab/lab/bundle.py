"""Bundles: results as one file that another laboratory verifies and merges.

A zip archive (stored, so that nothing can unfold to more than is there) with ``manifest.json``, records as JSON lines,
raw files and curves by their hash, and the audit events that touched the records. The same state gives the same bytes.
Merging is one act: all of it, or nothing. Records keep their uid, so importing twice adds nothing; records that
changed where they are from are brought up to date (see `bundle_follow`).
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from ..errors import IntegrityError, LabError
from . import audit
from . import bundle_follow as follow
from . import schema as s
from .bundle_read import AUDIT, FORMAT, MANIFEST, VERSION, Bundle
from .bundle_select import ORDER, Selection, choose
from .curves import BlobCurves
from .entities import ENTITIES, Record, canonical, load
from .files import sha256, sync_folder
from .store import Act, Store

_PAGE = 2000
_HDF5 = b"\x89HDF"
#: Outcome of an upload whose receipt did not travel.
WITHHELD = "withheld"


def export_bundle(
    store: Store,
    file: Path,
    *,
    samples: Sequence[str] | None = None,
    waste_class: str | None = None,
    visibility: Iterable[str] = ("institute", "public"),
    include_raw: bool = True,
    since: str | None = None,
) -> dict[str, Any]:
    """Write a bundle.

    Parameters
    ----------
    store : Store
    file : Path
        The new ``.zip``; an existing one is replaced when the new one is whole.
    samples : sequence of str, optional
        Codes; with them go their results, parents, sources and the mixes made of them. All by default.
    waste_class : str, optional
    visibility : iterable of {"group", "institute", "public"}
        What may leave. A record that refers to one that may not leave stays as well.
    include_raw : bool
        Take the raw files along; without them only their hashes go.
    since : str, optional
        Only what was recorded or changed since this date, and what that refers to.

    Returns
    -------
    dict
        ``file``, ``sha256`` (tell it to the receiver by another way), ``records``, ``raw``, ``curves``, ``withheld``
        (by kind), ``raw_withheld``, ``superseded_by_withheld``.

    Raises
    ------
    LabError
        If a choice is unknown or the file cannot be written.
    IntegrityError
        If a file that belongs into it is missing or damaged.
    """
    temp = file.with_name(f".{file.name}-{uuid.uuid4().hex}.tmp")
    try:
        with store.read() as conn:
            chosen = choose(conn, samples, waste_class, visibility, since)
            with temp.open("xb") as handle:
                with zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                    result = _write(store, conn, _Archive(archive), chosen, include_raw)
                handle.flush()
                os.fsync(handle.fileno())
        with temp.open("rb") as handle:
            whole = hashlib.file_digest(handle, "sha256").hexdigest()
        temp.replace(file)
        sync_folder(file.parent)
    except OSError as exc:
        raise LabError(f"{file}: cannot be written ({exc.strerror or exc}).") from None
    finally:
        temp.unlink(missing_ok=True)
    return {"file": str(file), "sha256": whole, **result}


class _Archive:
    """Members with fixed times, hashed while they are written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.members: dict[str, dict[str, Any]] = {}

    def add(self, name: str, blocks: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        info.create_system = 3
        info.external_attr = 0o100644 << 16
        size, found = 0, hashlib.sha256()
        with self.archive.open(info, "w", force_zip64=True) as member:
            for block in blocks:
                member.write(block)
                found.update(block)
                size += len(block)
        self.members[name] = {"size": size, "sha256": found.hexdigest()}


def _write(store: Store, conn: Connection, archive: _Archive, chosen: Selection, include_raw: bool) -> dict[str, Any]:
    from .. import __version__

    facts = store.meta(conn)
    seq, at, head = audit.head(conn)
    counts: dict[str, int] = {}
    uids: dict[str, set[str]] = {}
    for name in ORDER:
        table = ENTITIES[name].table
        order = sorted((r.uid, r.id) for r in conn.execute(select(table.c.id, table.c.uid)) if r.id in chosen.ids[name])
        uids[name] = {u for u, _ in order}
        counts[name] = len(order)
        archive.add(f"records/{name}.jsonl", _lines(conn, name, [k for _, k in order], chosen, facts["uid"]))
    states = {
        r.sha256: r
        for page in _pages(sorted(chosen.raw))
        for r in conn.execute(select(s.raw).where(s.raw.c.sha256.in_(page)))
    }
    archive.add("records/raw.jsonl", (
        canonical({"sha256": sha, "size": states[sha].size, "filename": states[sha].filename * free}).encode() + b"\n"
        for sha, free in sorted(chosen.raw.items())  # a name may speak of what stays, as the file does
    ))  # fmt: skip
    archive.add(AUDIT, _audit(conn, uids))
    went = 0
    for sha in sorted(chosen.raw):
        if include_raw and chosen.raw[sha] and states[sha].quarantined != 2:
            archive.add(f"raw/{sha}", [store.vault.get(sha)])
            went += 1
    for sha in sorted(chosen.curves):
        archive.add(f"curves/{sha}", [store.curve_bytes(conn, sha)])
    manifest = {
        "format": FORMAT, "version": VERSION, "schema": s.HEAD, "wastelab": __version__, "created": at,
        "lab": {"uid": facts["uid"], "name": facts["name"]}, "head": {"seq": seq, "hash": head}, "counts": counts,
        "data": _data_hashes(), "members": archive.members,
    }  # fmt: skip
    archive.add(MANIFEST, [canonical(manifest).encode()])
    return {"records": counts, "raw": went, "curves": len(chosen.curves), "withheld": chosen.withheld,
            "raw_withheld": sum(not free for free in chosen.raw.values()),
            "superseded_by_withheld": chosen.corrected, "head": head}  # fmt: skip


def _lines(conn: Connection, name: str, keys: list[int], chosen: Selection, lab: str) -> Iterator[bytes]:
    for page in _pages(keys):
        found = load(conn, name, page)
        for key in page:
            record = portable(found[key], lab)
            if name == "upload" and key in chosen.stubs:
                record = stub(record)
            yield canonical(record).encode() + b"\n"


def portable(record: Record, lab: str) -> Record:
    """A record as it travels: what was recorded here says so."""
    return {**record, "origin": record["origin"] or lab} if "origin" in record else record


def local(record: Record, lab: str) -> Record:
    """The way back of `portable`."""
    return {**record, "origin": ""} if record.get("origin") == lab else record


def stub(record: Record) -> Record:
    """An upload without what it says about others' samples."""
    return {**record, "raw_sha": None, "filename": "", "actor": "", "operator": "", "outcome": WITHHELD, "options": "",
            "receipt": "", "reason": ""}  # fmt: skip


def _audit(conn: Connection, uids: dict[str, set[str]]) -> Iterator[bytes]:
    """Events that touched the records; items about others are left out, and ``whole`` says whether any was."""
    item, event = s.audit_item, s.audit_event
    seqs: set[int] = set()
    for name, some in uids.items():
        for page in _pages(sorted(some)):
            query = select(item.c.seq).distinct().where(item.c.uid.in_(page) & (item.c.entity == name))
            seqs |= {r[0] for r in conn.execute(query)}
    for page in _pages(sorted(seqs), 200):
        items: dict[int, list[list[Any]]] = {}
        whole = dict.fromkeys(page, True)
        for r in conn.execute(select(item).where(item.c.seq.in_(page)).order_by(item.c.seq, item.c.ordinal)):
            if r.entity == "raw" or r.uid in uids.get(r.entity, ()):
                items.setdefault(r.seq, []).append([r.entity, r.uid, r.change, r.digest, r.detail])
            else:
                whole[r.seq] = False
        for r in conn.execute(select(event).where(event.c.seq.in_(page)).order_by(event.c.seq)):
            body = {**r._mapping, "items": items.get(r.seq, []), "whole": whole[r.seq]}
            if not whole[r.seq]:
                body["reason"] = ""  # it may speak of records that stay
            yield canonical(body).encode() + b"\n"


def _pages(items: list[Any], size: int = _PAGE) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _data_hashes() -> dict[str, str]:
    from ..reference.files import data_dir

    root = data_dir()
    files = [*sorted((root / "standards").glob("*.toml")), *sorted((root / "factors").glob("*"))]
    return {f.relative_to(root).as_posix(): sha256(f.read_bytes()) for f in files if f.is_file()}


def import_bundle(store: Store, file: Path, *, prefix: str | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Verify a bundle and merge it in one act.

    Parameters
    ----------
    store : Store
    file : Path
    prefix : str, optional
        Put before a code that another record of this laboratory has already (``"B"`` makes ``RM-1`` into ``B-RM-1``).
    dry_run : bool
        Verify and compare only.

    Returns
    -------
    dict
        ``lab`` (where it is from), ``new``, ``there`` and ``updated`` (records by kind; updated are those that changed
        where they are from), ``retracted`` (results that were in use here and are no longer), ``objections`` (results
        of this laboratory that another one retracted; they stay as they are), ``raw``, ``curves``, ``renamed``,
        ``event`` (hash of the audit event, empty if there was nothing new), ``dry_run``.

    Raises
    ------
    IntegrityError
        If the bundle is damaged or was changed.
    LabError
        If it is no bundle, refers to what is neither in it nor here, or a record differs from the one here in what
        never changes, in what was changed here by hand, or because another laboratory changed what is of this one.
        Nothing of it is then stored.
    """
    with Bundle(file) as bundle:
        bundle.check()
        if dry_run:
            with store.read() as conn:
                plan = _plan(store, conn, bundle, prefix)
            return {**plan.result(bundle), "event": "", "dry_run": True}
        with store.write("import", reason=f"bundle of {bundle.lab_name} ({bundle.lab_uid})") as act:
            plan = _plan(store, act.conn, bundle, prefix)
            if not plan.empty:
                _merge(act, bundle, plan)
        return {**plan.result(bundle), "event": act.event, "dry_run": False}


class _Plan:
    """What merging would do."""

    def __init__(self) -> None:
        self.new: dict[str, list[Record]] = {name: [] for name in ORDER}
        self.there: dict[str, int] = dict.fromkeys(ORDER, 0)
        self.renamed: dict[str, str] = {}
        self.updates: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in ORDER}
        self.objections: list[str] = []
        self.conflicts: list[str] = []
        self.proposals: list[str] = []
        self.fixed = False

    def result(self, bundle: Bundle) -> dict[str, Any]:
        gone = sorted(u for u, c in self.updates["measurement"].items() if c.get("status") == follow.RETRACTED)
        return {
            "lab": {"uid": bundle.lab_uid, "name": bundle.lab_name}, "new": {k: len(v) for k, v in self.new.items()},
            "there": self.there, "updated": {k: len(v) for k, v in self.updates.items()}, "retracted": gone,
            "objections": sorted(self.objections), "raw": len(bundle.files("raw")),
            "curves": len(bundle.files("curves")), "renamed": self.renamed,
        }  # fmt: skip

    @property
    def empty(self) -> bool:
        return not any(self.new.values()) and not any(self.updates.values())


def _plan(store: Store, conn: Connection, bundle: Bundle, prefix: str | None) -> _Plan:
    lab = store.meta(conn)["uid"]
    plan, taken = _Plan(), []
    if prefix is not None and not re.fullmatch(r"[\w.+]{1,32}", prefix):
        raise LabError(f"prefix = {prefix!r}: expected up to 32 letters and digits, without blanks.")
    for name in ORDER:
        kind = ENTITIES[name]
        records = bundle.records[name]
        here: dict[str, Record] = {}
        codes: set[str] = set()
        unique = bool(kind.table.c[kind.label].unique)
        for page in _pages(list(records.values())):
            t = kind.table
            ids = [r[0] for r in conn.execute(select(t.c.id).where(t.c.uid.in_([r["uid"] for r in page])))]
            here |= {r["uid"]: r for r in load(conn, name, ids).values()}
            if unique:
                labels = [r[kind.label] for r in page] + [f"{prefix}-{r[kind.label]}" for r in page if prefix]
                codes |= {r[0] for r in conn.execute(select(t.c[kind.label]).where(t.c[kind.label].in_(labels)))}
        own = {r[kind.label] for r in records.values()}
        differing: dict[str, Record] = {}
        for uid, given in records.items():
            record = local(given, lab)
            if (mine := here.get(uid)) is not None:
                if unique and _renamed(mine[kind.label], record[kind.label]):  # by an earlier import
                    record = {**record, kind.label: mine[kind.label]}
                if mine == record or (name == "upload" and WITHHELD in (mine["outcome"], given["outcome"])):
                    plan.there[name] += 1
                else:
                    differing[uid] = record
                continue
            label = record[kind.label]
            if unique and label in codes:
                longer = f"{prefix}-{label}"
                if prefix is None or longer in codes or longer in own:
                    taken.append(f"{name} {label}")
                    continue
                plan.renamed[label] = longer
                record = {**record, kind.label: longer}
            plan.new[name].append(record)
        _follow(conn, plan, bundle, name, {u: (here[u], record) for u, record in differing.items()})
    _follow_successors(conn, plan, bundle)
    if plan.conflicts:
        raise LabError(_conflict_text(bundle, plan))
    if taken:
        hint = re.sub(r"[^\w.+]+", "", bundle.lab_name)[:32] or "X"
        way = f"with a prefix, e.g. --prefix {hint}" if prefix is None else f"with another prefix than {prefix!r}"
        raise LabError(
            f"{bundle.file}: {len(taken)} code(s) belong to other records here: {'; '.join(taken[:10])}"
            f"{' …' if len(taken) > 10 else ''}. Nothing was stored. Repeat {way}."
        )
    _check_references(conn, bundle)
    return plan


def _renamed(one: str, other: str) -> bool:
    """Whether two codes differ by a prefix that an import put before one."""
    return one.endswith(f"-{other}") or other.endswith(f"-{one}")


def _follow(
    conn: Connection, plan: _Plan, bundle: Bundle, name: str, differing: dict[str, tuple[Record, Record]]
) -> None:
    """Bring records up to date that changed where they are from; note what cannot be merged."""
    if not differing:
        return
    kind = ENTITIES[name]
    known = follow.trails(conn, name, list(differing))
    for uid, (mine, record) in differing.items():
        given = bundle.records[name][uid]
        states = follow.versions(bundle.as_there(given), bundle.trails[(name, uid)])
        source = given.get("origin", bundle.lab_uid) == bundle.lab_uid
        step = follow.follow(name, mine, record, known.get(uid, ()), states, from_source=source)
        if step.conflicts:
            plan.fixed |= step.fixed
            plan.conflicts.append(f"{name} {mine[kind.label]} ({uid}): {follow.said(step.conflicts)}")
            if not step.fixed:
                unique = bool(kind.table.c[kind.label].unique)
                plan.proposals.append(follow.proposal(name, mine[kind.label], uid, unique, step.conflicts))
        elif step.changes:
            plan.updates[name][uid] = step.changes
        else:
            plan.there[name] += 1
        if step.objection:
            plan.objections.append(uid)


def _follow_successors(conn: Connection, plan: _Plan, bundle: Bundle) -> None:
    """A result that arrives retracts the one here that it supersedes; one of ours has to be retracted by us."""
    m = s.measurement
    status = follow.RETRACTED
    successors = {r["supersedes"]: r for r in plan.new["measurement"] if r["supersedes"] and r["status"] != status}
    for page in _pages(sorted(successors)):
        query = select(m.c.uid, m.c.technique, m.c.origin).where(m.c.uid.in_(page) & (m.c.status != status))
        for uid, technique, origin in conn.execute(query):
            new = successors[uid]["uid"]
            if origin:
                plan.updates["measurement"].setdefault(uid, {})["status"] = status
                continue
            plan.conflicts.append(f"measurement {technique} ({uid}): is superseded there by {new}, but is ours")
            plan.proposals.append(f"lab.set_status({uid!r}, 'retracted', by=…, reason=…)")


def _conflict_text(bundle: Bundle, plan: _Plan) -> str:
    found, ways = plan.conflicts, plan.proposals
    text = (
        f"{bundle.file}: {len(found)} record(s) are here already with other content: {'; '.join(found[:10])}"
        f"{' …' if len(found) > 10 else ''}. Nothing was stored."
    )
    if ways:
        text += (
            f" Agree with {bundle.lab_name}. Where they are right, record it here: {'; '.join(ways[:10])}"
            f"{' …' if len(ways) > 10 else ''}; where not, they change theirs and export again. Then import again."
        )
    if plan.fixed:
        text += (
            " What was measured or registered is never edited, so one of the two was altered past wastelab: run "
            "`wastelab verify` in both laboratories."
        )
    return text


def _check_references(conn: Connection, bundle: Bundle) -> None:
    """What records point to must be in the bundle or here."""
    for target, wanted in bundle.references().items():
        table = ENTITIES[target].table
        missing = wanted - bundle.records.get(target, {}).keys()
        for page in _pages(sorted(missing)):
            missing -= {r[0] for r in conn.execute(select(table.c.uid).where(table.c.uid.in_(page)))}
        if missing:
            raise LabError(
                f"{bundle.file}: refers to {len(missing)} {target}(s) that are neither in it nor here "
                f"({', '.join(sorted(missing)[:3])}); nothing was stored. Import the bundle that has them first."
            )


def _merge(act: Act, bundle: Bundle, plan: _Plan) -> None:
    used = {r["raw_sha"] for name in ("upload", "measurement", "attachment") for r in plan.new[name]} - {None}
    for sha, row in bundle.raw.items():
        if sha not in used:
            continue
        if sha in bundle.files("raw"):
            if act.put_raw(bundle.read(f"raw/{sha}"), row["filename"]) != sha:
                raise IntegrityError(f"{bundle.file}: raw/{sha} changed while it was imported; nothing was stored.")
        elif act.conn.execute(select(s.raw.c.sha256).where(s.raw.c.sha256 == sha)).first() is None:
            known = {"sha256": sha, "size": row["size"], "filename": row["filename"], "received_at": act.at}
            act.conn.execute(insert(s.raw), {**known, "quarantined": 2})
            act.note("raw", sha, "absent", audit.raw_digest(**known))
    for sha in sorted({r["curve_sha"] for r in plan.new["measurement"]} - {None, ""}):
        data = bundle.read(f"curves/{sha}")
        keep = act.put_curves if data.startswith(_HDF5) else lambda items: BlobCurves().put(act.conn, items)
        if keep([data]) != [sha]:
            raise IntegrityError(f"{bundle.file}: curves/{sha} changed while it was imported; nothing was stored.")
    # What the other laboratory's audit trail says of these records is kept for ever, as a raw file.
    act.put_raw(bundle.read(MANIFEST) + b"\n" + bundle.read(AUDIT), f"audit of {bundle.lab_name}.jsonl")
    for name in ORDER:
        for page in _pages(plan.new[name]):
            act.insert_many(name, page, change="import")
    for name in ORDER:
        table = ENTITIES[name].table
        for page in _pages(list(plan.updates[name])):
            keys = {r[0]: r[1] for r in act.conn.execute(select(table.c.uid, table.c.id).where(table.c.uid.in_(page)))}
            for uid in page:
                act.change(name, keys[uid], plan.updates[name][uid], change="import-update")
