"""Tracing through account and catalogue: which heap is in this block, and what became of this heap.

Two independent accounts of one thing stand side by side: shares from the composition of mixes (specimen, mix, samples,
their parents, the batches and heaps these were taken from), tonnes from the movements that name a mix or product.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from ..errors import LabError, UnknownNameError, suggest
from . import schema as s
from .ledger_book import GRAM, dry_grams, to_grams
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

#: Kinds of record a trace can begin at, in the order a code is looked for.
STARTS = ("specimen", "mix", "batch", "sample", "source", "yard")
COLUMNS = (
    "direction", "step", "entity", "code", "relation", "of", "share", "joint", "wet_t", "dry_t", "at", "yard", "uid",
)  # fmt: skip


@dataclass
class _Graph:
    """The records and their links, by internal key."""

    codes: dict[str, dict[int, str]]
    uids: dict[str, dict[int, str]]
    parent: dict[int, int]
    source: dict[int, int]
    batch_source: dict[int, int]
    links: list[tuple[int, int]]
    components: list[tuple[int, int | None, str, float]]
    specimen_mix: dict[int, int]
    movements: list[dict[str, Any]]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, direction: str, step: int, entity: str, key: int, relation: str, of: str, **more: Any) -> None:
        """One row of the answer."""
        self.rows.append({
            "direction": direction, "step": step, "entity": entity, "code": self.codes[entity][key],
            "relation": relation, "of": of, "uid": self.uids[entity][key], **more,
        })  # fmt: skip


def trace(store: Store, code: str, direction: str = "both") -> pd.DataFrame:
    """Where something came from and what became of it.

    Parameters
    ----------
    store : Store
    code : str
        Code of a specimen, mix, batch, sample, source or yard; ``"mix:A-1"`` where two kinds share a code.
    direction : {"back", "forward", "both"}

    Returns
    -------
    pandas.DataFrame
        One row a find: ``step`` (links from the start), ``entity``, ``code``, ``relation`` to ``of``; ``share`` is the
        dry mass share in the specimen or mix at which the trace began [kg per kg of dry binder] as its recipe says,
        and ``joint`` the number of batches or heaps among which that share was not divided (a composite sample);
        ``wet_t`` and ``dry_t`` are what movements say; ``at`` and ``yard`` theirs. Reversed movements are left out.

    Raises
    ------
    UnknownNameError
        If nothing has this code.
    LabError
        If several kinds of record have it, or the direction is unknown.
    """
    import pandas as pd

    if direction not in ("back", "forward", "both"):
        raise LabError(f"direction = {direction!r} is not 'back', 'forward' or 'both'.")
    with store.read() as conn:
        graph = _load(conn)
    entity, key = _find(graph, code)
    graph.add("start", 0, entity, key, "", "")
    if direction in ("back", "both"):
        _back(graph, entity, key)
    if direction in ("forward", "both"):
        _forward(graph, entity, key)
    frame = pd.DataFrame(graph.rows, columns=list(COLUMNS))
    for name in ("share", "wet_t", "dry_t"):
        frame[name] = frame[name].astype(float)
    frame["joint"] = frame["joint"].astype(float).fillna(1).astype(int)
    for name in ("at", "yard"):
        frame[name] = frame[name].astype(object).fillna("").astype(str)
    return frame


def _load(conn: Connection) -> _Graph:
    codes: dict[str, dict[int, str]] = {}
    uids: dict[str, dict[int, str]] = {}
    for name in STARTS:
        table = s.metadata.tables[name]
        found = conn.execute(select(table.c.id, table.c.code, table.c.uid)).all()
        codes[name] = {r[0]: r[1] for r in found}
        uids[name] = {r[0]: r[2] for r in found}
    sample, batch, m = s.sample, s.batch, s.movement
    parent, source = {}, {}
    for key, up, heap in conn.execute(select(sample.c.id, sample.c.parent_id, sample.c.source_id)):
        if up is not None:
            parent[key] = up
        if heap is not None:
            source[key] = heap
    undone = select(m.c.reverses_id).where(m.c.reverses_id.is_not(None))
    movements = conn.execute(
        select(m).where(m.c.reverses_id.is_(None) & m.c.id.not_in(undone)).order_by(m.c.at, m.c.id)
    ).mappings()  # fmt: skip
    component, link = s.mix_component, s.batch_sample
    return _Graph(
        codes, uids, parent, source,
        {r[0]: r[1] for r in conn.execute(select(batch.c.id, batch.c.source_id)) if r[1] is not None},
        [(r[0], r[1]) for r in conn.execute(select(link.c.batch_id, link.c.sample_id).order_by(link.c.id))],
        [(r[0], r[1], r[2], r[3]) for r in conn.execute(
            select(component.c.mix_id, component.c.sample_id, component.c.material, component.c.fraction)
            .order_by(component.c.mix_id, component.c.ordinal)
        )],
        {r[0]: r[1] for r in conn.execute(select(s.specimen.c.id, s.specimen.c.mix_id))},
        [dict(r) for r in movements],
    )  # fmt: skip


def _find(graph: _Graph, code: str) -> tuple[str, int]:
    kinds: tuple[str, ...] = STARTS
    label = code
    kind, colon, rest = code.partition(":")
    if colon and kind in STARTS:
        kinds, label = (kind,), rest
    found = [
        (name, key)
        for name in kinds
        for key, known in graph.codes[name].items()
        if label in (known, graph.uids[name][key])
    ]
    if not found:
        known_codes = [c for name in kinds for c in graph.codes[name].values()]
        raise UnknownNameError(
            f"There is no {', '.join(kinds)} {label!r} in this laboratory.{suggest(label, known_codes)}"
        )
    if len(found) > 1:
        choices = " or ".join(f"{name}:{label}" for name, _ in found)
        raise LabError(f"{label!r} is the code of several records; say which: {choices}.")
    return found[0]


# -- back: specimen, mix, sample, parents, batch, source
def _back(graph: _Graph, entity: str, key: int) -> None:
    step = 0
    mix: int | None = None
    if entity == "specimen":
        mix = graph.specimen_mix[key]
        step = 1
        graph.add("back", step, "mix", mix, "cast from", graph.codes["specimen"][key])
    elif entity == "mix":
        mix = key
    if mix is not None:
        _back_mix(graph, mix, step, key if entity == "specimen" else None)
    elif entity == "sample":
        _back_sample(graph, key, step, float("nan"))
    elif entity == "batch" and key in graph.batch_source:
        graph.add("back", 1, "source", graph.batch_source[key], "received from", graph.codes["batch"][key])


def _back_mix(graph: _Graph, mix: int, step: int, specimen: int | None) -> None:
    name = graph.codes["mix"][mix]
    for owner, sample, material, fraction in graph.components:
        if owner != mix:
            continue
        if sample is None:
            graph.rows.append({
                "direction": "back", "step": step + 1, "entity": "material", "code": material, "relation": "part of",
                "of": name, "share": fraction,
            })  # fmt: skip
            continue
        graph.add("back", step + 1, "sample", sample, "part of", name, share=fraction)
        _back_sample(graph, sample, step + 1, fraction)
    for m in graph.movements:
        if m["kind"] == "used" and (m["mix_id"] == mix or (specimen is not None and m["specimen_id"] == specimen)):
            of = name if m["mix_id"] == mix else graph.codes["specimen"][specimen or 0]
            graph.add("back", step + 1, "batch", m["batch_id"], "used for", of, **_masses(graph, m))
            heap = graph.batch_source.get(m["batch_id"])
            if heap is not None:
                batch = graph.codes["batch"][m["batch_id"]]
                graph.add("back", step + 2, "source", heap, "received from", batch)


def _back_sample(graph: _Graph, sample: int, step: int, share: float) -> None:
    """The sample's parents, and the batches and heaps that it or they were taken from."""
    seen: set[int] = set()
    found: set[tuple[str, int]] = set()  # a heap named at several steps is still one heap

    def add(at: int, entity: str, key: int, relation: str, of: str, joint: int = 1) -> None:
        if (entity, key) not in found:
            found.add((entity, key))
            graph.add("back", at, entity, key, relation, of, share=share, joint=joint)

    here: int | None = sample
    while here is not None and here not in seen:
        seen.add(here)
        name = graph.codes["sample"][here]
        batches = [b for b, taken in graph.links if taken == here]
        for batch in batches:
            add(step + 1, "batch", batch, "sampled as", name, len(batches))
            if batch in graph.batch_source:
                heap, code = graph.batch_source[batch], graph.codes["batch"][batch]
                add(step + 2, "source", heap, "received from", code, len(batches))
        if here in graph.source:
            add(step + 1, "source", graph.source[here], "sampled as", name)
        up = graph.parent.get(here)
        if up is not None:
            step += 1
            graph.add("back", step, "sample", up, "parent of", name, share=share)
        here = up


def _masses(graph: _Graph, m: dict[str, Any]) -> dict[str, Any]:
    grams = to_grams(m["mass_t"])
    dry = dry_grams(grams, m["moisture"])
    yard = m["yard_from_id"] if m["yard_from_id"] is not None else m["yard_to_id"]
    return {
        "wet_t": grams / GRAM, "dry_t": None if dry is None else dry / GRAM, "at": m["at"],
        "yard": graph.codes["yard"].get(yard, ""),
    }  # fmt: skip


# -- forward: source, batch, movements, samples, mixes, specimens, products
def _forward(graph: _Graph, entity: str, key: int) -> None:
    seen: set[tuple[str, int]] = set()
    _onward(graph, entity, key, 0, seen)


def _onward(graph: _Graph, entity: str, key: int, step: int, seen: set[tuple[str, int]]) -> None:
    if (entity, key) in seen:
        return
    seen.add((entity, key))
    name = graph.codes[entity][key]
    step += 1

    def follow(kind: str, found: int, relation: str, **more: Any) -> None:
        graph.add("forward", step, kind, found, relation, name, **more)
        _onward(graph, kind, found, step, seen)

    if entity == "source":
        for batch in [b for b, heap in graph.batch_source.items() if heap == key]:
            follow("batch", batch, "received from")
        for sample in [x for x, heap in graph.source.items() if heap == key]:
            follow("sample", sample, "taken from")
    elif entity == "yard":
        for batch in dict.fromkeys(
            m["batch_id"] for m in graph.movements if key in (m["yard_from_id"], m["yard_to_id"])
        ):
            follow("batch", batch, "lay in")
    elif entity == "batch":
        _movements(graph, key, step, seen)
        for batch, sample in graph.links:
            if batch == key:
                follow("sample", sample, "taken from")
    elif entity == "sample":
        for child in [x for x, up in graph.parent.items() if up == key]:
            follow("sample", child, "made from")
        for mix, part, _, fraction in graph.components:
            if part == key:
                follow("mix", mix, "holds", share=fraction)
    elif entity == "mix":
        for specimen, mix in graph.specimen_mix.items():
            if mix == key:
                follow("specimen", specimen, "cast from")


def _movements(graph: _Graph, batch: int, step: int, seen: set[tuple[str, int]]) -> None:
    name = graph.codes["batch"][batch]
    for m in graph.movements:
        if m["batch_id"] != batch:
            continue
        masses = _masses(graph, m)
        graph.rows.append({
            "direction": "forward", "step": step, "entity": "movement", "code": m["document"], "relation": m["kind"],
            "of": name, "uid": m["uid"], **masses,
        })  # fmt: skip
        for kind in ("mix", "specimen"):
            found = m[f"{kind}_id"]
            if found is not None:
                graph.add("forward", step + 1, kind, found, "used for", name, **masses)
                _onward(graph, kind, found, step + 1, seen)
        if m["product"]:
            graph.rows.append({
                "direction": "forward", "step": step + 1, "entity": "product", "code": m["product"],
                "relation": "used for", "of": name, "uid": m["uid"], **masses,
            })  # fmt: skip
