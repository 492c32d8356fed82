"""Cut and damaged files of thermal analysis, calorimetry, infrared, sorption, gamma and MATLAB.

A cut file is an error, or not `declared`, or numerically the same as the whole. A damaged one gives an
`InstrumentError` or a reading, never another exception.
"""

from __future__ import annotations

import random

import numpy as np
import pytest
from thermal_samples import REAL, SHARED, SYNTHETIC, real

from wastelab.errors import InstrumentError
from wastelab.instruments import Reading, detect, read_bytes
from wastelab.instruments.base import Source
from wastelab.instruments.read import readers


def same_numbers(one: list[Reading], other: list[Reading]) -> bool:
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        if a.variables.keys() != b.variables.keys():
            return False
        if not all(np.array_equal(a.variables[n].data, b.variables[n].data, equal_nan=True) for n in a.variables):
            return False
        if [(v.quantity, v.value) for v in a.values] != [(v.quantity, v.value) for v in b.values]:
            return False
    return True


def check_cut(data: bytes, name: str, whole: list[Reading], position: int) -> None:
    try:
        got = read_bytes(data[:position], name)
    except InstrumentError as exc:
        assert name in str(exc)
        return
    assert got
    if any(r.completeness == "declared" for r in got):
        assert same_numbers(got, whole), f"{name} cut at byte {position} of {len(data)} passes as whole"
    for reading in got:
        assert reading.completeness != "partial" or reading.warnings, (
            f"{name} cut at {position}: partial without a word"
        )


@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_files_are_recognised_and_cut_everywhere(name: str) -> None:
    make, reader = SYNTHETIC[name]
    data = make()
    assert detect(Source(data, name)).name == reader
    assert detect(Source(data, "renamed.bin")).name == reader
    whole = read_bytes(data, name)
    positions = range(1, len(data))
    if name.endswith((".xlsx", ".mat", ".CNF")) or len(data) > 4000:
        positions = sorted({*range(1, len(data), max(1, len(data) // 120)), *range(len(data) - 64, len(data))})
    for position in positions:
        check_cut(data, name, whole, position)


@pytest.mark.parametrize("path", REAL)
def test_real_files_are_recognised_and_cut(path: str) -> None:
    data, name = real(path)
    reader, count, points = REAL[path]
    assert detect(Source(data, name)).name == reader
    assert detect(Source(data, "renamed.bin")).name == reader
    whole = read_bytes(data, name)
    assert len(whole) == count
    assert max((v.data.shape[0] for v in whole[0].variables.values()), default=0) == points
    _cut_real(data, name, whole, 8 if len(data) > 100_000 else 24, 12)


@pytest.mark.slow
@pytest.mark.parametrize("path", REAL)
def test_real_files_cut_at_many_places(path: str) -> None:
    data, name = real(path)
    _cut_real(data, name, read_bytes(data, name), 100, 64)


def _cut_real(data: bytes, name: str, whole: list[Reading], spread: int, last: int) -> None:
    positions = {len(data) * k // (spread + 1) for k in range(1, spread + 1)} | set(
        range(max(1, len(data) - last), len(data))
    )
    for position in sorted(positions - {0}):
        check_cut(data, name, whole, position)


def _mutate(data: bytes, rng: random.Random) -> bytes:
    body = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(body))
        kind = rng.randrange(4)
        if kind == 0:
            body[at] = rng.randrange(256)
        elif kind == 1:
            body[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del body[at : at + rng.randrange(1, 40)]
        else:
            body[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 12)))
        if not body:
            body = bytearray(b"\0")
    return bytes(body)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_damaged_synthetic_files_give_only_our_errors(name: str) -> None:
    make, reader = SYNTHETIC[name]
    data, rng = make(), random.Random(name)
    outcomes = 0
    for _ in range(60):
        try:
            found = read_bytes(_mutate(data, rng), name, format=reader)
        except InstrumentError as exc:
            assert name in str(exc)
            outcomes += 1
            continue
        outcomes += 1
        for reading in found:
            for variable in reading.variables.values():
                assert variable.units and not np.isinf(variable.data).any()
    assert outcomes == 60


@pytest.mark.parametrize("path", [p for p in REAL if not p.endswith(".gz")])
def test_damaged_real_files_give_only_our_errors(path: str) -> None:
    data, name = real(path)
    rng, outcomes = random.Random(path), 0
    for _ in range(6):
        damaged = _mutate(data, rng)
        try:
            outcomes += bool(read_bytes(damaged, name))
        except InstrumentError as exc:
            assert name in str(exc)
            outcomes += 1
    assert outcomes == 6


OURS = {reader for reader, *_ in REAL.values()} | {reader for _, reader in SYNTHETIC.values()}


def test_files_of_other_kinds_are_left_alone() -> None:
    if not SHARED.is_dir():
        pytest.skip(f"real instrument files are absent (looked in {SHARED}); set WASTELAB_SHARED")
    seen = 0
    for path in sorted(SHARED.glob("*/*")):
        if str(path.relative_to(SHARED)) in REAL or path.name == "corrupt_example.csv":
            continue
        source = Source(path.read_bytes(), path.name)
        scores = {name: readers()[name].sniff(source) for name in OURS}
        assert not any(scores.values()), f"{path.name}: { ({k: v for k, v in scores.items() if v}) }"
        seen += 1
    assert seen >= 20


@pytest.mark.parametrize("name", SYNTHETIC)
def test_no_two_readers_claim_one_file(name: str) -> None:
    make, reader = SYNTHETIC[name]
    source = Source(make(), name)
    assert {n: readers()[n].sniff(source) for n in OURS if n != reader and readers()[n].sniff(source)} == {}


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"PK\x03\x04", b"\xff\xfe", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"##", b"#", b"\r\n" * 50]
)
def test_detection_never_raises_on_scraps(content: bytes) -> None:
    source = Source(content, "scrap")
    assert {readers()[name].sniff(source) for name in OURS} == {0}
