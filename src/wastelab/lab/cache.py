"""Curves of one technique stacked in one file, so that thousands are read at once. Disposable: it may be deleted at
any time, and is made again.

Every row carries the hash of the curve it came from, and a stored curve never changes, so a row can be superfluous but
not outdated. Every row is sealed with a key of the laboratory; a file that is damaged or altered in any way is thrown
away. `verify` compares what is there with the stored curves.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from ..errors import IntegrityError
from ..instruments.base import Variable
from ..instruments.container import pack_arrays, unpack_arrays
from . import schema as s
from .store import Store

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .verify import Report

#: Fewer curves than this are read one by one.
FEW = 32
#: A larger stack is not kept [bytes].
MOST_BYTES = 4 * 2**30
#: Curves of one shape on one axis that are worth a block of their own.
_ENOUGH = 4
_VERSION = 2
#: Bytes of a seal, and rows that `check` holds at a time.
_SEAL, _PAGE = 16, 256
_DAMAGE = (OSError, KeyError, IndexError, ValueError, RuntimeError, TypeError, AttributeError, MemoryError,
           IntegrityError)  # fmt: skip
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Block:
    """Curves of one shape.

    Attributes
    ----------
    rows : ndarray, shape (n,)
        Their places in the list that was asked for.
    variables : mapping of str to Variable
        Data of shape (n, …) with the dims of one curve; axes that all share, of the shape of one.
    shared : frozenset of str
        Names of the shared ones.
    """

    rows: NDArray[np.int64]
    variables: Mapping[str, Variable]
    shared: frozenset[str]

    def curve(self, number: int) -> dict[str, Variable]:
        """One of the curves."""
        return {
            name: Variable(v.dims, v.data if name in self.shared else v.data[number], v.units, v.long_name)
            for name, v in self.variables.items()
        }


def load(store: Store, conn: Connection, technique: str, shas: Sequence[str]) -> list[Block]:
    """Curves by hash, from the stack where it has them.

    Parameters
    ----------
    store : Store
    conn : Connection
    technique : str
        Which stack.
    shas : sequence of str
        May hold the same hash more than once.

    Returns
    -------
    list of Block
        Together they hold every place of `shas` once.
    """
    wanted = list(dict.fromkeys(shas))
    if len(wanted) < FEW:
        return _placed(_stack(_read(store, conn, wanted)), shas)
    folder = store.root / "cache"
    key = _secret(conn)
    found: list[_Rows] = []
    there: set[str] = set()
    for file in _files(folder, technique):
        try:
            found = _open(file, frozenset(wanted), key)
        except _DAMAGE:
            _remove(file)
            continue
        there = {sha for rows in found for sha in rows.shas}
        break
    missing = [sha for sha in wanted if sha not in there]
    if not missing:
        return _placed(found, shas)
    fresh = _stack(_read(store, conn, missing))
    blocks = _merge([*found, *fresh])
    if len(missing) >= min(FEW, len(wanted) // 10 + 1):
        _keep(store, conn, folder, technique, blocks, key)
    return _placed(blocks, shas)


@dataclass(frozen=True)
class _Rows:
    """Curves of one shape, by hash."""

    shas: list[str]
    variables: dict[str, Variable]
    shared: frozenset[str]

    def take(self, chosen: Sequence[int]) -> _Rows:
        if len(chosen) == len(self.shas):
            return self
        return _Rows(
            [self.shas[i] for i in chosen],
            {
                name: v if name in self.shared else Variable(v.dims, v.data[chosen], v.units, v.long_name)
                for name, v in self.variables.items()
            },
            self.shared,
        )


def _read(store: Store, conn: Connection, shas: Iterable[str]) -> dict[str, dict[str, Variable]]:
    return {sha: store.curve(conn, sha)[0] for sha in shas}


def _signature(variables: Mapping[str, Variable], shared: frozenset[str] | None = None) -> tuple[Any, ...]:
    """What curves must have in common to be stacked: names, units, shapes and the values of their axes."""
    parts = []
    for name, v in variables.items():
        axis = v.dims == (name,) if shared is None else name in shared
        data = np.asarray(v.data)
        shape = data.shape if shared is None or axis else data.shape[1:]
        digest = hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest() if axis else ""
        parts.append((name, v.dims, data.dtype.str, v.units, v.long_name, shape, digest))
    return tuple(parts)


def _stack(curves: Mapping[str, Mapping[str, Variable]]) -> list[_Rows]:
    """Curves of one shape on one axis together."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for sha, variables in curves.items():
        groups.setdefault(_signature(variables), []).append(sha)
    out = []
    for shas in groups.values():
        first = curves[shas[0]]
        shared = frozenset(name for name, v in first.items() if v.dims == (name,))
        stacked = {
            name: v if name in shared
            else Variable(v.dims, np.stack([curves[sha][name].data for sha in shas]), v.units, v.long_name)
            for name, v in first.items()
        }  # fmt: skip
        out.append(_Rows(shas, stacked, shared))
    return out


def _merge(parts: Sequence[_Rows]) -> list[_Rows]:
    """Parts of one shape on one axis joined."""
    groups: dict[tuple[Any, ...], list[_Rows]] = {}
    for part in parts:
        groups.setdefault(_signature(part.variables, part.shared), []).append(part)
    out = []
    for same in groups.values():
        first = same[0]
        if len(same) > 1:
            joined = {
                name: v if name in first.shared
                else Variable(v.dims, np.concatenate([p.variables[name].data for p in same]), v.units, v.long_name)
                for name, v in first.variables.items()
            }  # fmt: skip
            first = _Rows([sha for p in same for sha in p.shas], joined, first.shared)
        out.append(first)
    return out


def _placed(parts: Sequence[_Rows], shas: Sequence[str]) -> list[Block]:
    """Curves at the places of the list that was asked for."""
    places: dict[str, list[int]] = {}
    for place, sha in enumerate(shas):
        places.setdefault(sha, []).append(place)
    out = []
    for part in parts:
        chosen = [(place, i) for i, sha in enumerate(part.shas) for place in places.get(sha, ())]
        if chosen:
            numbers = [i for _, i in chosen]
            same = numbers == list(range(len(part.shas)))
            kept = part if same else part.take(numbers)
            out.append(Block(np.array([place for place, _ in chosen]), kept.variables, kept.shared))
    return out


# -- the file


def _files(folder: Path, technique: str) -> list[Path]:
    """Stacks of a technique, the newest first."""
    try:
        found = [(p.stat().st_mtime, p) for p in folder.glob(f"curves-{_plain(technique)}-*.h5")]
    except OSError:
        return []
    return [p for _, p in sorted(found, reverse=True)]


def _plain(technique: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in technique)


def _key(shas: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(shas)).encode()).hexdigest()


def _remove(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return


def _hashes(data: Any) -> list[str]:
    body = np.asarray(data, dtype=np.uint8).tobytes().hex()
    return [body[i : i + 64] for i in range(0, len(body), 64)]


def _secret(conn: Connection) -> bytes:
    """Key of the seals: from what only the catalogue knows, the beginning of its audit trail."""
    event = s.audit_event
    first = conn.execute(select(event.c.hash).order_by(event.c.seq).limit(1)).scalar()
    return hashlib.sha256(f"curve cache {first}".encode()).digest()


def _seal(key: bytes, sha: str, *parts: Buffer) -> bytes:
    digest = hashlib.blake2b(bytes.fromhex(sha), key=key, digest_size=_SEAL)
    for part in parts:
        digest.update(part)
    return digest.digest()


def _seals(part: _Rows, key: bytes) -> list[bytes]:
    """One seal a curve, over its hash, its numbers, and all that is shared."""
    head = repr(_signature(part.variables, part.shared)).encode()
    own = [np.ascontiguousarray(v.data) for name, v in part.variables.items() if name not in part.shared]
    rows = [d.reshape(len(part.shas), -1).view(np.uint8) for d in own if d.size]
    return [_seal(key, sha, head, *(row[i] for row in rows)) for i, sha in enumerate(part.shas)]


def _joined(seals: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(seals), np.uint8).reshape(-1, _SEAL)


def _compare(seals: Sequence[bytes], stored: Any, chosen: Sequence[int]) -> None:
    if not np.array_equal(_joined(seals), stored[()][list(chosen)]):
        raise IntegrityError("a stack of curves was altered")


def check(store: Store, conn: Connection, report: Report) -> None:
    """Compare every stack with the stored curves (for `verify`); one that cannot be read does no harm."""
    if not report.deep:
        return
    for file in sorted((store.root / "cache").glob("curves-*.h5")):
        try:
            wrong = _different(store, conn, file)
        except _DAMAGE:
            report.add("cache_damaged", "note", file=str(file))
            continue
        if wrong:
            report.add("cache_changed", file=str(file), curve=wrong)


def _different(store: Store, conn: Connection, file: Path) -> str:
    """First curve of a stack that is not the one stored under its hash, or an empty string."""
    import h5py

    with h5py.File(file, "r", locking=False) as f:
        if int(f.attrs["version"]) != _VERSION:
            return ""  # never read
        every = [sha for name in f for sha in _hashes(f[name]["sha"][()])]
    for start in range(0, len(every), _PAGE):
        wanted = every[start : start + _PAGE]
        for part in _open(file, frozenset(wanted), None):
            block = Block(np.arange(len(part.shas)), part.variables, part.shared)
            for number, sha in enumerate(part.shas):
                try:
                    stored = store.curve(conn, sha)[0]
                except IntegrityError:
                    continue  # said by the check of the curves
                if not _alike(block.curve(number), stored):
                    return sha
    return ""


def _alike(one: Mapping[str, Variable], other: Mapping[str, Variable]) -> bool:
    return _signature(one, frozenset(one)) == _signature(other, frozenset(other))


def _open(file: Path, wanted: frozenset[str], key: bytes | None) -> list[_Rows]:
    """What a stack has of some curves; raises anything if it is damaged or not sealed with the key (if given)."""
    import h5py

    out: list[_Rows] = []
    every: list[str] = []
    with h5py.File(file, "r", locking=False) as f:
        if int(f.attrs["version"]) != _VERSION:
            raise ValueError("another version")
        for name in f:
            group = f[name]
            shas = _hashes(group["sha"][()])
            every += shas
            chosen = [i for i, sha in enumerate(shas) if sha in wanted]
            if not chosen:
                continue
            if name == "loose":
                ends, body = group["ends"][()], group["bytes"][()].tobytes()
                starts = [0, *ends[:-1].tolist()]
                bodies = {shas[i]: body[starts[i] : int(ends[i])] for i in chosen}
                if key is not None:
                    _compare([_seal(key, sha, one) for sha, one in bodies.items()], group["seal"], chosen)
                out += _stack({sha: unpack_arrays(one)[0] for sha, one in bodies.items()})
                continue
            variables, shared = {}, set()
            for label in json.loads(group.attrs["order"]):
                data = group["data"][label]
                dims, units, long_name, common = json.loads(data.attrs["about"])
                if common:
                    shared.add(label)
                    values = data[()]
                else:
                    few = len(chosen) * 4 < len(shas)
                    values = data[chosen] if few else data[()]
                    if not few and len(chosen) < len(shas):
                        values = values[chosen]
                variables[label] = Variable(tuple(dims), values, units, long_name)
            part = _Rows([shas[i] for i in chosen], variables, frozenset(shared))
            if key is not None:
                _compare(_seals(part, key), group["seal"], chosen)
            out.append(part)
    if file.stem.rpartition("-")[2] != _key(every)[:24]:
        raise ValueError("the list of curves is not the one the file is named by")
    return out


def _keep(store: Store, conn: Connection, folder: Path, technique: str, parts: list[_Rows], key: bytes) -> None:
    """Write a new stack of these curves and of what the newest one has besides; nothing happens where it cannot."""
    m = s.measurement
    current = {row[0] for row in conn.execute(select(m.c.curve_sha).where(m.c.technique == technique).distinct())}
    old = _files(folder, technique)
    have = {sha for p in parts for sha in p.shas}
    for file in old[:1]:
        try:
            parts = _merge([*parts, *_open(file, frozenset(current - have), key)])
        except _DAMAGE:
            continue
    size = sum(v.data.nbytes for p in parts for v in p.variables.values())
    if size > MOST_BYTES:
        return
    every = [sha for p in parts for sha in p.shas]
    temp = store.root / "tmp" / f"stack-{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(exist_ok=True)
        _write(temp, parts, key)
        final = folder / f"curves-{_plain(technique)}-{_key(every)[:24]}.h5"
        temp.replace(final)
    except OSError:
        _remove(temp)
        return
    for file in old:
        if file != final:
            _remove(file)


def _write(file: Path, parts: Sequence[_Rows], key: bytes) -> None:
    import h5py

    with h5py.File(file, "w", libver=("v110", "v110")) as f:
        f.attrs["version"] = _VERSION
        loose: dict[str, dict[str, Variable]] = {}
        for number, part in enumerate(parts):
            if len(part.shas) < _ENOUGH:
                block = Block(np.arange(len(part.shas)), part.variables, part.shared)
                loose.update({sha: block.curve(i) for i, sha in enumerate(part.shas)})
                continue
            group = f.create_group(f"block{number:05d}")
            _put(group, "sha", np.frombuffer(bytes.fromhex("".join(part.shas)), np.uint8).reshape(-1, 32))
            _put(group, "seal", _joined(_seals(part, key)))
            group.attrs["order"] = json.dumps(list(part.variables))
            data = group.create_group("data")
            for name, v in part.variables.items():
                about = [list(v.dims), v.units, v.long_name, name in part.shared]
                _put(data, name, v.data).attrs["about"] = json.dumps(about, ensure_ascii=False)
        if loose:
            group = f.create_group("loose")
            bodies = [pack_arrays(v) for v in loose.values()]
            _put(group, "sha", np.frombuffer(bytes.fromhex("".join(loose)), np.uint8).reshape(-1, 32))
            _put(group, "seal", _joined([_seal(key, sha, body) for sha, body in zip(loose, bodies, strict=True)]))
            _put(group, "ends", np.cumsum([len(x) for x in bodies]))
            _put(group, "bytes", np.frombuffer(b"".join(bodies), np.uint8))


def _put(group: Any, name: str, data: Any) -> Any:
    """A dataset with a checksum in every chunk."""
    data = np.asarray(data)
    if data.size == 0 or data.ndim == 0:
        return group.create_dataset(name, data=data)
    per_row = max(data.nbytes // data.shape[0], 1)
    chunks = (min(data.shape[0], max(_CHUNK_BYTES // per_row, 1)), *data.shape[1:])
    return group.create_dataset(name, data=data, chunks=chunks, fletcher32=True)
