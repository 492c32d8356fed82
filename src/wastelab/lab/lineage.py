"""Where something came from and what became of it: heaps, samples, mixes, specimens, batches and yards as one graph.

A family of samples is one recursive query and a level of records one more, so ten thousand descendants are a matter of
a moment; a record is visited once, so a ring of parents ends. Tonnes are told by `ledger_trace`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, literal, or_, select

from ..errors import LabError, UnknownNameError
from ..i18n import near, say
from . import contents as c
from . import filters as f
from . import frames as fr
from . import schema as s
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

#: Kinds of record, in the order in which a code is looked for and in which they stand within a level.
KINDS = ("specimen", "mix", "sample", "batch", "source", "yard")
DIRECTIONS = ("both", "up", "down")
#: Column with the date, and with the treatment, of each kind.
_DATE = {"specimen": "cast_at", "mix": "made_at", "sample": "collected_at", "batch": "received_at",
         "source": "started"}  # fmt: skip
_PROCESS = {"specimen": "curing", "mix": "process", "sample": "process"}
_MEASURED = {"specimen": "specimen_id", "mix": "mix_id", "sample": "sample_id"}

Node = tuple[str, Any]


@dataclass
class _Find:
    """A record on the way: how far it is, by what relations to which records, and its share of mass."""

    level: int
    relations: dict[str, None] = field(default_factory=dict)
    of: dict[Node, None] = field(default_factory=dict)


class _Walk:
    """What was found in one direction from a record; levels are least numbers of links from it."""

    def __init__(self, start: Node, step: int) -> None:
        self.start, self.step = start, step
        self.found: dict[Node, _Find] = {}
        self.fraction: dict[Node, float] = {}
        self.share: dict[Node, float] = {}

    def add(self, node: Node, relation: str, of: Node) -> bool:
        """Note a link; True if the record is new. Those nearer to the start must be added first."""
        if node == self.start:
            return False
        level = (0 if of == self.start else self.found[of].level) + self.step
        new = node not in self.found
        find = self.found.setdefault(node, _Find(level))
        if abs(level) < abs(find.level):
            find.level = level
        find.relations[relation] = None
        find.of[of] = None
        return new

    def nodes(self, kind: str) -> list[Node]:
        """The records of a kind, the start among them, nearest first."""
        own = [self.start] if self.start[0] == kind else []
        return own + [node for node in self.found if node[0] == kind]


def lineage(store: Store, code: str, direction: str = "both") -> pd.DataFrame:
    """Where something came from and what became of it.

    Parameters
    ----------
    store : Store
    code : str
        Code of a sample, mix, specimen, source, batch or yard; ``"mix:A-1"`` where several kinds share a code.
    direction : {"both", "up", "down"}
        ``up``: specimen, mix, samples, their parents, heaps; ``down``: the other way.

    Returns
    -------
    pandas.DataFrame
        One row a record, the record asked for at ``level`` 0, ancestors at negative and descendants at positive levels
        (the least number of links); sorted by level.

        ``relation`` is what the record is to those under ``of``: ``parent``, ``child``, ``source``, ``sample``,
        ``mix``, ``specimen``, ``batch``, ``yard``, or the role of a component (``binder``, ``activator`` …). Reference
        materials of a recipe are rows of the entity ``material`` without uid.
        ``fraction`` is a share of mass [kg per kg of dry binder], whatever the role: of the ancestor in the mix that
        was asked for, or in the mix of the specimen; in a descending mix or specimen, of the record asked for.
        ``share_of_source`` is the part of each heap in the dry binder of the mix [kg/kg]; NaN where a sample was taken
        from several heaps, so that its part is not known.
        ``process`` and ``date`` are the record's own; ``measurements`` counts those that are not retracted, by
        technique (``"XRD 1, XRF 3"``), ``n_measurements`` all of them.

    Raises
    ------
    UnknownNameError
        If nothing has this code.
    LabError
        If several kinds of record have it.

    Notes
    -----
    A portion that states a heap of its own is of that heap, whatever its parent's is. One that states none, but was
    taken from a batch, is of the heap of the batch.
    """
    c.choose("direction", direction, DIRECTIONS)
    with store.read() as conn:
        start = _find(conn, code)
        walks = []
        if direction != "down":
            walks.append(_up(conn, start))
        if direction != "up":
            walks.append(_down(conn, start))
        return _frame(conn, start, walks)


def _find(conn: Connection, code: str) -> Node:
    """The one record that has a code.

    Raises
    ------
    UnknownNameError, LabError
    """
    prefix, _, rest = code.partition(":")
    for label, kinds in ((code, KINDS), *([(rest, (prefix,))] if prefix in KINDS else [])):
        found = []
        for kind in kinds:
            body = s.metadata.tables[kind]
            row = conn.execute(select(body.c.id).where(or_(body.c.code == label, body.c.uid == label))).first()
            if row is not None:
                found.append((kind, int(row[0])))
        if len(found) > 1:
            choices = " / ".join(f"{kind}:{label}" for kind, _ in found)
            raise LabError(say("error.several", label=label, choices=choices))
        if found:
            return found[0]
    known: list[str] = []
    for kind in KINDS:
        body = s.metadata.tables[kind]
        known += [row[0] for row in conn.execute(select(body.c.code).limit(20_000))]
    raise UnknownNameError(say("error.nothing_named", label=code) + near(code, known))


def _among(conn: Connection, query: Any, column: Any, keys: Iterable[int]) -> Iterator[tuple[Any, ...]]:
    """Rows whose key is one of many."""
    wanted = sorted(set(keys))
    for at in range(0, len(wanted), fr.CHUNK):
        yield from f.fetch(conn, query.where(f.is_one_of(column, wanted[at : at + fr.CHUNK])))


# -- up
def _up(conn: Connection, start: Node) -> _Walk:
    walk = _Walk(start, -1)
    kind, key = start
    amounts: dict[Node, float] = {}
    binder: dict[Node, float] = {}
    if kind == "specimen":
        mix = int(conn.execute(select(s.specimen.c.mix_id).where(s.specimen.c.id == key)).scalar_one())
        walk.add(("mix", mix), "mix", start)
        amounts, binder = _components(conn, walk, ("mix", mix))
    elif kind == "mix":
        amounts, binder = _components(conn, walk, start)
    first = [start] if kind == "sample" else [node for node in amounts if node[0] == "sample"]
    if first:
        _up_samples(conn, walk, first, amounts, binder)
    if kind == "batch":
        source, yards = _batches(conn, [key])[key]
        if source is not None:
            walk.add(("source", source), "source", start)
        for yard in yards:
            walk.add(("yard", yard), "yard", start)
    return walk


def _components(conn: Connection, walk: _Walk, mix: Node) -> tuple[dict[Node, float], dict[Node, float]]:
    """What a mix is made of: kg per kg of dry binder of each component, and of that as binder."""
    part = s.mix_component
    query = select(part.c.sample_id, part.c.material, part.c.role, part.c.fraction).where(part.c.mix_id == mix[1])
    amounts: dict[Node, float] = {}
    binder: dict[Node, float] = {}
    for sample, material, role, fraction in f.fetch(conn, query.order_by(part.c.ordinal)):
        node: Node = ("material", material) if sample is None else ("sample", sample)
        walk.add(node, role, mix)
        amounts[node] = amounts.get(node, 0.0) + fraction
        binder[node] = binder.get(node, 0.0) + (fraction if role == "binder" else 0.0)
    walk.fraction.update(amounts)
    return amounts, binder


def _up_samples(
    conn: Connection, walk: _Walk, first: Sequence[Node], amounts: dict[Node, float], binder: dict[Node, float]
) -> None:
    """Ancestors, batches, heaps and yards of samples, and what part of the mix each of them is."""
    family = _ancestors(conn, [key for _, key in first])
    of_batch: dict[int, list[int]] = {}
    link = s.batch_sample
    for sample, batch in _among(conn, select(link.c.sample_id, link.c.batch_id), link.c.sample_id, family):
        of_batch.setdefault(sample, []).append(batch)
    batches = _batches(conn, {batch for found in of_batch.values() for batch in found})
    frontier = list(first)
    while frontier:
        onward = []
        for node in frontier:
            parent = family[node[1]][1]
            if parent is not None and walk.add(("sample", parent), "parent", node):
                onward.append(("sample", parent))
        frontier = onward
    for node in walk.nodes("sample"):
        for batch in sorted(of_batch.get(node[1], ())):
            walk.add(("batch", batch), "batch", node)
    for node in walk.nodes("batch"):
        for yard in batches[node[1]][1]:
            walk.add(("yard", yard), "yard", node)
    unsure: set[Node] = set()
    for node in first:
        heaps: dict[Node, None] = {}
        for key in _line(family, node[1]):
            if not heaps:  # of the nearest that has any
                source = family[key][0]
                told = [(source, ("sample", key))] if source is not None else [
                    (batches[b][0], ("batch", b)) for b in of_batch.get(key, ())
                ]  # fmt: skip
                for heap, of in told:
                    if heap is not None:
                        walk.add(("source", heap), "source", of)
                        heaps[("source", heap)] = None
            if amounts and key != node[1]:
                up: Node = ("sample", key)
                walk.fraction[up] = walk.fraction.get(up, 0.0) + amounts[node]
        for one in heaps if amounts else ():
            walk.fraction[one] = walk.fraction.get(one, 0.0) + amounts[node]
            walk.share[one] = walk.share.get(one, 0.0) + binder[node]
            if len(heaps) > 1:
                unsure.add(one)
    for one in unsure:  # a part of it was not divided among several heaps
        walk.fraction[one] = walk.share[one] = float("nan")


def _ancestors(conn: Connection, keys: Sequence[int]) -> dict[int, tuple[int | None, int | None]]:
    """Source and parent of samples and of all their ancestors."""
    table, up = s.sample, s.sample.alias("up")
    out: dict[int, tuple[int | None, int | None]] = {}
    for at in range(0, len(keys), fr.CHUNK):
        first = select(table.c.id, table.c.source_id, table.c.parent_id)
        family = first.where(f.is_one_of(table.c.id, keys[at : at + fr.CHUNK])).cte("family", recursive=True)
        family = family.union(select(up.c.id, up.c.source_id, up.c.parent_id).where(up.c.id == family.c.parent_id))
        out |= {row[0]: (row[1], row[2]) for row in f.fetch(conn, select(family))}
    return out


def _line(family: Mapping[int, tuple[int | None, int | None]], key: int | None) -> Iterator[int]:
    """A sample and its ancestors, each once."""
    seen: set[int] = set()
    while key is not None and key not in seen:
        seen.add(key)
        yield key
        key = family[key][1]


def _batches(conn: Connection, keys: Iterable[int]) -> dict[int, tuple[int | None, list[int]]]:
    """Heap of batches and the yards in which they lay."""
    table, m = s.batch, s.movement
    wanted = sorted(set(keys))
    out: dict[int, tuple[int | None, list[int]]] = {}
    for key, source, yard in _among(conn, select(table.c.id, table.c.source_id, table.c.yard_id), table.c.id, wanted):
        out[key] = (source, [] if yard is None else [yard])
    query = select(m.c.batch_id, m.c.yard_from_id, m.c.yard_to_id).where(*_valid())
    for key, *yards in _among(conn, query, m.c.batch_id, wanted):
        out[key][1].extend(yard for yard in yards if yard is not None and yard not in out[key][1])
    return out


def _valid() -> list[f.Condition]:
    """Conditions that a movement was not reversed and reverses none."""
    m = s.movement
    return [m.c.reverses_id.is_(None), m.c.id.not_in(select(m.c.reverses_id).where(m.c.reverses_id.is_not(None)))]


# -- down
def _down(conn: Connection, start: Node) -> _Walk:
    walk = _Walk(start, 1)
    kind, key = start
    table, batch, link, m = s.sample, s.batch, s.batch_sample, s.movement
    unsure: set[int] = set()  # samples whose part in what was asked for is not known
    if kind == "source":
        for row in conn.execute(select(batch.c.id).where(batch.c.source_id == key).order_by(batch.c.id)):
            walk.add(("batch", row[0]), "batch", start)
        for row in conn.execute(select(table.c.id).where(table.c.source_id == key).order_by(table.c.id)):
            walk.add(("sample", row[0]), "sample", start)
    elif kind == "yard":
        there = select(m.c.batch_id).where(or_(m.c.yard_from_id == key, m.c.yard_to_id == key), *_valid())
        query = select(batch.c.id).where(or_(batch.c.yard_id == key, batch.c.id.in_(there)))
        for row in conn.execute(query.order_by(batch.c.id)):
            walk.add(("batch", row[0]), "batch", start)
    own = [node[1] for node in walk.nodes("batch")]
    query = select(link.c.batch_id, link.c.sample_id, table.c.source_id).join(table, table.c.id == link.c.sample_id)
    for one, sample, source in sorted(_among(conn, query, link.c.batch_id, own), key=lambda row: row[:2]):
        if kind != "source" or source is None:
            walk.add(("sample", sample), "sample", ("batch", one))
    if own:
        unsure = _from_several(conn, [node[1] for node in walk.nodes("sample")], kind)
    _down_samples(conn, walk, unsure)
    if kind != "specimen":
        _down_mixes(conn, walk, unsure)
    return walk


def _from_several(conn: Connection, samples: Sequence[int], kind: str) -> set[int]:
    """Samples that were taken from several batches (or, of a heap, from batches of several heaps)."""
    link, batch = s.batch_sample, s.batch
    column = batch.c.source_id if kind == "source" else batch.c.id
    query = select(link.c.sample_id, column).select_from(link.join(batch, link.c.batch_id == batch.c.id))
    query = query.join(s.sample, s.sample.c.id == link.c.sample_id).where(column.is_not(None))
    if kind == "source":
        query = query.where(s.sample.c.source_id.is_(None))
    told: dict[int, set[int]] = {}
    for sample, one in _among(conn, query, link.c.sample_id, samples):
        told.setdefault(sample, set()).add(one)
    return {sample for sample, found in told.items() if len(found) > 1}


def _down_samples(conn: Connection, walk: _Walk, unsure: set[int]) -> None:
    """Everything made from the samples found so far."""
    table, child = s.sample, s.sample.alias("child")
    frontier = walk.nodes("sample")
    roots = [key for _, key in frontier]
    made: dict[int, dict[int, None]] = {}
    link, batch = s.batch_sample, s.batch
    elsewhere = (
        select(link.c.sample_id).join(batch, link.c.batch_id == batch.c.id).where(batch.c.source_id.is_not(None))
    )
    for at in range(0, len(roots), fr.CHUNK):
        first = select(table.c.id, table.c.parent_id).where(f.is_one_of(table.c.id, roots[at : at + fr.CHUNK]))
        family = first.cte("family", recursive=True)
        onward = select(child.c.id, child.c.parent_id).where(child.c.parent_id == family.c.id)
        if walk.start[0] == "source":  # a portion that tells a heap of its own is of that one
            onward = onward.where(child.c.source_id.is_(None), child.c.id.not_in(elsewhere))
        for key, parent in sorted(f.fetch(conn, select(family.union(onward)))):
            if parent is not None:
                made.setdefault(parent, {})[key] = None
    told = {node[1] for node in frontier}
    while frontier:
        found = []
        for node in frontier:
            for key in made.get(node[1], ()):
                if walk.start[0] == "source" and key in told:
                    continue  # it is there by what it tells itself
                if walk.add(("sample", key), "child", node):
                    found.append(("sample", key))
                if node[1] in unsure:
                    unsure.add(key)
        frontier = found


def _down_mixes(conn: Connection, walk: _Walk, unsure: set[int]) -> None:
    """Mixes that hold the samples found so far, their specimens, and how much they hold."""
    part, specimen = s.mix_component, s.specimen
    samples = [key for _, key in walk.nodes("sample")]
    query = select(part.c.sample_id, part.c.mix_id, part.c.fraction)
    rows = sorted(_among(conn, query, part.c.sample_id, samples))
    near = {key: n for n, key in enumerate(samples)}
    for sample, mix, fraction in sorted(rows, key=lambda row: near[row[0]]):
        node: Node = ("mix", mix)
        walk.add(node, "mix", ("sample", sample))
        amount = float("nan") if sample in unsure else fraction
        walk.fraction[node] = walk.fraction.get(node, 0.0) + amount
    mixes = [key for _, key in walk.nodes("mix")]
    query = select(specimen.c.id, specimen.c.mix_id)
    for key, mix in sorted(_among(conn, query, specimen.c.mix_id, mixes)):
        of: Node = ("mix", mix)
        walk.add(("specimen", key), "specimen", of)
        if of in walk.fraction:
            walk.fraction[("specimen", key)] = walk.fraction[of]


# -- the table
def _frame(conn: Connection, start: Node, walks: Sequence[_Walk]) -> pd.DataFrame:
    import pandas as pd

    finds: list[tuple[Node, _Find, _Walk]] = [
        (start, _Find(0), _Walk(start, 0)), *((node, find, walk) for walk in walks for node, find in walk.found.items())
    ]  # fmt: skip
    order = {kind: n for n, kind in enumerate((*KINDS, "material"))}
    finds.sort(key=lambda item: (item[1].level, order[item[0][0]], item[0][1]))
    by_kind: dict[str, set[int]] = {}
    for (kind, key), _, _ in finds:
        if kind != "material":
            by_kind.setdefault(kind, set()).add(key)
    about = {kind: _about(conn, kind, keys) for kind, keys in by_kind.items()}
    counts = {kind: _counts(conn, kind, keys) for kind, keys in by_kind.items() if kind in _MEASURED}

    def told(node: Node) -> tuple[str, str, str, str]:
        return (str(node[1]), "", "", "") if node[0] == "material" else about[node[0]][node[1]]

    shown = [told(node) for node, _, _ in finds]
    measured = [counts.get(kind, {}).get(key, {}) for (kind, key), _, _ in finds]
    nan = float("nan")
    return pd.DataFrame({
        "level": fr.integers([find.level for _, find, _ in finds]),
        "entity": fr.texts([node[0] for node, _, _ in finds]),
        "code": fr.texts([row[0] for row in shown]),
        "relation": fr.texts([", ".join(find.relations) for _, find, _ in finds]),
        "of": fr.texts(["; ".join(told(node)[0] for node in find.of) for _, find, _ in finds]),
        "fraction": fr.numbers([walk.fraction.get(node, nan) for node, _, walk in finds]),
        "share_of_source": fr.numbers([walk.share.get(node, nan) for node, _, walk in finds]),
        "process": fr.texts([row[2] for row in shown]),
        "date": fr.texts([row[3] for row in shown]),
        "measurements": fr.texts([", ".join(f"{t} {n}" for t, n in sorted(found.items())) for found in measured]),
        "n_measurements": fr.integers([sum(found.values()) for found in measured]),
        "uid": fr.texts([row[1] for row in shown]),
    })  # fmt: skip


def _about(conn: Connection, kind: str, keys: Iterable[int]) -> dict[int, tuple[str, str, str, str]]:
    """Code, uid, treatment and date of records."""
    table = s.metadata.tables[kind]
    empty = literal("")
    process = table.c[_PROCESS[kind]] if kind in _PROCESS else empty
    date = table.c[_DATE[kind]] if kind in _DATE else empty
    query = select(table.c.id, table.c.code, table.c.uid, process, date)
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in _among(conn, query, table.c.id, keys)}


def _counts(conn: Connection, kind: str, keys: Iterable[int]) -> dict[int, dict[str, int]]:
    """Measurements of records by technique; retracted ones do not count."""
    column = s.measurement.c[_MEASURED[kind]]
    query = select(column, s.measurement.c.technique, func.count()).where(f.with_status())
    out: dict[int, dict[str, int]] = {}
    for key, technique, number in _among(conn, query.group_by(column, s.measurement.c.technique), column, keys):
        out.setdefault(key, {})[technique] = number
    return out
