"""Lineage: every share by hand, symmetry of up and down on random families, rings, large families."""

from __future__ import annotations

import time
from typing import Any

import builders as b
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import update

from wastelab.errors import LabError, UnknownNameError
from wastelab.lab import schema as s
from wastelab.lab.lab import Lab

COLUMNS = ["level", "entity", "code", "relation", "of", "fraction", "share_of_source", "process", "date",
           "measurements", "n_measurements", "uid"]  # fmt: skip


def row(frame: pd.DataFrame, code: str, entity: str | None = None) -> dict[str, Any]:
    """The one row of a record."""
    found = frame[(frame["code"] == code) & ((frame["entity"] == entity) | (entity is None))]
    assert len(found) == 1, f"{code}: {len(found)} rows"
    return dict(found.iloc[0])


def levels(frame: pd.DataFrame) -> dict[str, int]:
    return dict(zip(frame["code"], frame["level"].astype(int), strict=True))


@pytest.fixture
def plant(lab: Lab) -> Lab:
    """Two heaps, a chain of portions, a mix of four components, two specimens (synthetic)."""
    lab.add("source", code="堆场-1", name_zh="赤泥堆场", kind="heap", waste_class="red_mud", started="2019-05")
    lab.add("source", code="FA-SILO", kind="silo", waste_class="fly_ash")
    b.sample(lab, "RM-1", source="堆场-1", values=b.RED_MUD, collected_at="2026-01-10")
    b.sample(lab, "RM-1-D", parent="RM-1", process={"step": "dried"})
    b.sample(lab, "RM-1-D-G", parent="RM-1-D", process={"step": "ground"})
    b.sample(lab, "FA-1", "fly_ash", source="FA-SILO")
    b.mix(lab, "M-1", {"RM-1-D-G": 0.25, "RM-1": 0.10, "FA-1": 0.35, "raw/limestone": 0.30}, more=[
        {"material": "raw/naoh", "fraction": 0.08, "role": "activator"},
        {"sample": "FA-1", "fraction": 0.5, "role": "aggregate"},
    ], made_at="2026-02-01")  # fmt: skip
    b.mix(lab, "M-2", {"raw/limestone": 1.0})
    b.strengths(lab, "M-1", [20.0, 22.0])
    return lab


def test_up_from_a_specimen(plant: Lab) -> None:
    frame = plant.lineage("M-1-S1", "up")
    assert list(frame.columns) == COLUMNS
    assert levels(frame) == {
        "堆场-1": -3, "RM-1-D": -3, "FA-SILO": -3, "RM-1": -2, "RM-1-D-G": -2, "FA-1": -2, "raw/limestone": -2,
        "raw/naoh": -2, "M-1": -1, "M-1-S1": 0,
    }  # fmt: skip
    assert frame["level"].is_monotonic_increasing
    heap = row(frame, "堆场-1")
    assert (heap["entity"], heap["relation"], heap["of"], heap["date"]) == ("source", "source", "RM-1", "2019-05")
    assert heap["fraction"] == pytest.approx(0.35)  # 0.25 + 0.10, both from the one heap
    assert heap["share_of_source"] == pytest.approx(0.35)
    silo = row(frame, "FA-SILO")
    assert silo["fraction"] == pytest.approx(0.85)  # 0.35 binder + 0.5 aggregate
    assert silo["share_of_source"] == pytest.approx(0.35)  # only the binder counts
    assert row(frame, "RM-1")["fraction"] == pytest.approx(0.35)  # its own 0.10 and what was made of it
    assert row(frame, "RM-1")["relation"] == "binder, parent"
    assert row(frame, "RM-1-D")["fraction"] == pytest.approx(0.25)
    assert row(frame, "FA-1")["relation"] == "binder, aggregate"
    assert (row(frame, "raw/naoh")["entity"], row(frame, "raw/naoh")["uid"]) == ("material", "")
    assert row(frame, "RM-1-D-G")["process"] == '{"step":"ground"}'
    assert np.isnan(row(frame, "M-1")["fraction"])


def test_down_from_a_heap(plant: Lab) -> None:
    frame = plant.lineage("堆场-1", "down")
    assert levels(frame) == {"堆场-1": 0, "RM-1": 1, "RM-1-D": 2, "M-1": 2, "RM-1-D-G": 3, "M-1-S1": 3, "M-1-S2": 3}
    assert row(frame, "M-1")["fraction"] == pytest.approx(0.35)
    assert row(frame, "M-1-S2")["fraction"] == pytest.approx(0.35)
    assert set(row(frame, "M-1")["of"].split("; ")) == {"RM-1", "RM-1-D-G"}
    assert row(frame, "RM-1")["measurements"] == "XRF 1"
    assert row(frame, "M-1-S1")["measurements"] == "strength 1"
    assert "M-2" not in set(frame["code"])


def test_both_ways_from_the_middle(plant: Lab) -> None:
    frame = plant.lineage("RM-1-D")
    assert levels(frame) == {"堆场-1": -2, "RM-1": -1, "RM-1-D": 0, "RM-1-D-G": 1, "M-1": 2, "M-1-S1": 3, "M-1-S2": 3}
    assert row(frame, "RM-1-D")["entity"] == "sample"
    assert row(frame, "M-1")["fraction"] == pytest.approx(0.25)
    assert np.isnan(row(frame, "堆场-1")["share_of_source"])  # a share is one of a mix


def test_what_is_retracted_does_not_count(plant: Lab) -> None:
    b.measure(plant, "RM-1", "XRD", {"LOI": 12.0})
    uid = b.measure(plant, "RM-1", "XRF", b.RED_MUD)
    plant.set_status(uid, "retracted", by="somebody else", reason="shifted column")
    found = row(plant.lineage("RM-1"), "RM-1")
    assert (found["measurements"], found["n_measurements"]) == ("XRD 1, XRF 1", 2)


def test_a_lone_record_is_there(lab: Lab) -> None:
    b.sample(lab, "ALONE", "tailings")
    frame = lab.lineage("ALONE")
    assert len(frame) == 1
    assert (frame["level"][0], frame["entity"][0], frame["n_measurements"][0]) == (0, "sample", 0)


def test_a_portion_with_a_heap_of_its_own(lab: Lab) -> None:
    """It is of its own heap: the other heap neither has it below nor stands above it."""
    for code in ("H1", "H2"):
        lab.add("source", code=code, kind="heap")
    b.sample(lab, "A", source="H1")
    b.sample(lab, "B", parent="A", source="H2", process={"step": "blended"})
    b.sample(lab, "C", parent="B")
    b.mix(lab, "M", {"C": 0.4, "A": 0.6})
    up = lab.lineage("M", "up")
    assert row(up, "H1")["share_of_source"] == pytest.approx(0.6)
    assert row(up, "H2")["share_of_source"] == pytest.approx(0.4)
    assert set(lab.lineage("H1", "down")["code"]) == {"H1", "A", "M"}
    assert set(lab.lineage("H2", "down")["code"]) == {"H2", "B", "C", "M"}
    assert row(lab.lineage("H1"), "M")["fraction"] == pytest.approx(0.6)
    assert set(lab.lineage("A", "down")["code"]) == {"A", "B", "C", "M"}  # made from it all the same


def test_batches_and_yards(lab: Lab) -> None:
    for code in ("H1", "H2"):
        lab.add("source", code=code, kind="heap", waste_class="red_mud")
    for code in ("Y1", "Y2"):
        lab.ledger.add_yard(code)
    for code in ("ONE", "TWO", "BOTH"):
        b.sample(lab, code)
    lab.ledger.add_batch("B1", waste_class="red_mud", source="H1", yard="Y1", received_at="2026-03-01",
                         samples=["ONE", "BOTH"])  # fmt: skip
    lab.ledger.add_batch("B2", waste_class="red_mud", source="H2", yard="Y2", received_at="2026-03-02",
                         samples=["TWO", "BOTH"])  # fmt: skip
    b.mix(lab, "CLEAR", {"ONE": 0.3, "TWO": 0.7})
    b.mix(lab, "MIXED", {"ONE": 0.5, "BOTH": 0.5})
    clear = lab.lineage("CLEAR", "up")
    assert levels(clear) == {"CLEAR": 0, "ONE": -1, "TWO": -1, "B1": -2, "B2": -2, "H1": -3, "H2": -3, "Y1": -3,
                             "Y2": -3}  # fmt: skip
    assert row(clear, "H1")["share_of_source"] == pytest.approx(0.3)
    assert row(clear, "H2")["share_of_source"] == pytest.approx(0.7)
    assert row(clear, "B2")["date"].startswith("2026-03-02")
    mixed = lab.lineage("MIXED", "up")  # half of it was not divided between the two heaps
    assert np.isnan(row(mixed, "H1")["share_of_source"]) and np.isnan(row(mixed, "H2")["share_of_source"])
    assert set(lab.lineage("Y1", "down")["code"]) == {"Y1", "B1", "ONE", "BOTH", "CLEAR", "MIXED"}
    assert levels(lab.lineage("B1")) == {"H1": -1, "Y1": -1, "B1": 0, "ONE": 1, "BOTH": 1, "CLEAR": 2, "MIXED": 2}
    assert row(lab.lineage("B1"), "CLEAR")["fraction"] == pytest.approx(0.3)
    assert np.isnan(row(lab.lineage("B1"), "MIXED")["fraction"])
    assert row(lab.lineage("H1", "down"), "CLEAR")["fraction"] == pytest.approx(0.3)
    assert np.isnan(row(lab.lineage("H1", "down"), "MIXED")["fraction"])


def test_names(plant: Lab) -> None:
    with pytest.raises(UnknownNameError, match=r"堆场-9.*Did you mean '堆场-1'"):
        plant.lineage("堆场-9")
    with pytest.raises(UnknownNameError, match="direction = 'sideways'"):
        plant.lineage("RM-1", "sideways")
    b.sample(plant, "M-2", "raw")
    with pytest.raises(LabError, match="mix:M-2 / sample:M-2"):
        plant.lineage("M-2")
    assert plant.lineage("mix:M-2", "down")["entity"].tolist() == ["mix"]
    uid = plant.samples(codes="RM-1")["uid"].iloc[0]
    assert row(plant.lineage(uid), "RM-1")["level"] == 0


def test_empty_laboratory(lab: Lab) -> None:
    with pytest.raises(UnknownNameError, match="There is no specimen, mix, sample, batch, source, yard 'X'"):
        lab.lineage("X")


def test_a_ring_of_parents_ends(lab: Lab) -> None:
    """No function makes one; a damaged or foreign catalogue may hold one."""
    b.sample(lab, "A")
    b.sample(lab, "B", parent="A")
    b.sample(lab, "C", parent="B")
    b.mix(lab, "M", {"C": 1.0})
    with lab.store.engine.begin() as conn:
        key = dict(conn.execute(s.sample.select().with_only_columns(s.sample.c.code, s.sample.c.id)).all())
        conn.execute(update(s.sample).where(s.sample.c.code == "A").values(parent_id=key["C"]))
    frame = lab.lineage("A")
    assert levels(frame[frame["level"] >= 0]) == {"A": 0, "B": 1, "C": 2, "M": 3}
    assert levels(frame[frame["level"] < 0]) == {"C": -1, "B": -2}
    assert levels(lab.lineage("M")) == {"M": 0, "C": -1, "B": -2, "A": -3}


@pytest.mark.parametrize("seed", range(4))
def test_random_families_against_a_slow_twin(lab: Lab, seed: int) -> None:
    """Shares of heaps in each mix, and in which mixes each heap is, by plain recursion."""
    rng = np.random.default_rng(seed)
    heaps = ["H1", "H2", "H3"]
    for code in heaps:
        lab.add("source", code=code, kind="heap")
    source: dict[str, str | None] = {}
    parent: dict[str, str | None] = {}
    for n in range(14):
        code = f"S{n:02d}"
        parent[code] = f"S{rng.integers(n):02d}" if n and rng.random() < 0.7 else None
        source[code] = str(rng.choice(heaps)) if rng.random() < 0.4 else None
        given = {"parent": parent[code], "source": source[code]}
        b.sample(lab, code, **{k: v for k, v in given.items() if v})
    parts: dict[str, dict[str, float]] = {}
    for n in range(5):
        chosen = rng.choice(list(source), 4, replace=False)
        weights = rng.dirichlet(np.ones(4)).round(4)
        weights[-1] = 1.0 - weights[:-1].sum()
        parts[f"M{n}"] = {str(c): float(w) for c, w in zip(chosen, weights, strict=True)}
        b.mix(lab, f"M{n}", parts[f"M{n}"])

    def heap_of(code: str | None) -> str | None:
        return None if code is None else source[code] or heap_of(parent[code])

    for mix, of in parts.items():
        expected: dict[str, float] = {}
        for code, amount in of.items():
            if heap_of(code):
                expected[str(heap_of(code))] = expected.get(str(heap_of(code)), 0.0) + amount
        frame = lab.lineage(mix, "up")
        found = frame[frame["entity"] == "source"].set_index("code")["share_of_source"].to_dict()
        assert found == pytest.approx(expected)
    for heap in heaps:
        below = {code for code in source if heap_of(code) == heap}
        frame = lab.lineage(heap, "down")
        assert set(frame[frame["entity"] == "sample"]["code"]) == below
        expected = {m: sum(x for c, x in of.items() if c in below) for m, of in parts.items() if below & set(of)}
        assert frame[frame["entity"] == "mix"].set_index("code")["fraction"].to_dict() == pytest.approx(expected)


def test_ten_thousand_descendants(lab: Lab) -> None:
    lab.add("source", code="HEAP", kind="heap")
    with lab.store.write("synthetic family") as act:
        heap = act.uid("source", "HEAP")
        root = {"code": "ROOT", "waste_class": "red_mud", "source": heap, "uid": "0" * 36}
        act.insert("sample", root)
        uids = [f"{n:036d}" for n in range(1, 10_001)]
        family = [
            {"code": f"D{n}", "waste_class": "red_mud", "uid": uid, "parent": uids[n // 10 - 1] if n > 9 else "0" * 36}
            for n, uid in enumerate(uids)
        ]
        act.insert_many("sample", family)
        act.insert("mix", {"code": "M", "components": [{"sample": uids[-1], "fraction": 1.0}]})
    start = time.perf_counter()
    frame = lab.lineage("HEAP", "down")
    assert time.perf_counter() - start < 10.0
    assert frame["entity"].value_counts().to_dict() == {"sample": 10_001, "source": 1, "mix": 1}
    assert levels(frame)["D9999"] == 5 and levels(frame)["M"] == 6  # ROOT 1, then D9, D99, D999
    assert lab.lineage("M", "up")["level"].min() == -6
