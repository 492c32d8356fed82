"""Cut and damaged diffraction files: an error, a reading that does not claim to be whole, or the same numbers."""

from __future__ import annotations

import zipfile
from io import BytesIO

import numpy as np
import pytest
from xrd_samples import SAMPLES, real, zipped

from wastelab.errors import InstrumentError
from wastelab.instruments import Reading, read_bytes
from wastelab.instruments.base import Source
from wastelab.instruments.read import detect

REAL = [
    "xrd_panalytical_xrdml/210520step1_30min.xrdml",
    "xrd_panalytical_xrdml/10_m84325_C_XRR_fast_processed.xrdml",
    "xrd_bruker_brml/23-012-AG_2thomegascan_long.brml",
    "xrd_bruker_raw/BT86.raw",
    "xrd_bruker_raw/TiO2.raw",
    "xrd_bruker_raw/TwoTheta_scan_scrambled.raw",
    "xrd_bruker_raw/format1.raw",
    "xrd_bruker_uxd/BT86_.UXD",
    "xrd_rigaku_ras/inas_layer_radial_002_004.ras",
    "xrd_rigaku_rasx/TwoTheta_scan_powder.rasx",
    "xrd_rigaku_rasx/Omega-2Theta_scan_high_temperature.rasx",
    "xrd_xy/D8_LynxEye_glass_background.xy",
    "xrd_xy/example_evadiffract.xy",
    "xrd_xy/example_ocx.xy",
    "xrd_xye/example_bmb.xye",
    "xrd_xye/example_mac.xye",
    "xrd_stoe_raw/stoe.raw",
    "cif/cod_9004112.cif",
]


def same(a: list[Reading], b: list[Reading]) -> bool:
    return len(a) == len(b) and all(
        x.variables.keys() == y.variables.keys()
        and all(np.array_equal(v.data, y.variables[n].data) for n, v in x.variables.items())
        for x, y in zip(a, b, strict=True)
    )


def check_cuts(data: bytes, name: str, positions) -> int:
    """Cut at each position; returns how many cuts gave a reading."""
    try:
        full = read_bytes(data, name)
    except InstrumentError:
        full = None
    given = 0
    for at in positions:
        try:
            found = read_bytes(data[:at], name)
        except InstrumentError as exc:
            assert str(exc).startswith(name)
            continue
        given += 1
        assert full is not None, f"cut at {at}: a file that is refused whole was read"
        if any(r.completeness == "declared" for r in found):
            assert same(found, full), f"cut at {at}: a short reading claims to be whole"
        if not same(found, full):
            assert all(r.completeness in ("partial", "unverified") for r in found)
            points = [sum(len(r.variables["intensity"].data) for r in rs) for rs in (found, full)]
            assert points[0] <= points[1], f"cut at {at}: more points than the whole file has"
    return given


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_cut_at_every_byte(name):
    data = SAMPLES[name]
    given = check_cuts(data, name, range(len(data)))
    if name.endswith((".xrdml", ".brml", ".rasx")):
        assert given <= 1  # at most the cut that only takes the last line end


@pytest.mark.parametrize("path", REAL)
def test_real_files_cut(path):
    data, name = real(path).read_bytes(), path.rpartition("/")[2]
    if len(data) <= 3000:
        spread = list(range(len(data)))
    else:
        few = 60 if path.endswith(".brml") else 200
        spread = sorted({*np.linspace(0, len(data) - 1, few).astype(int).tolist(), *range(len(data) - 64, len(data))})
    check_cuts(data, name, spread)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, removed, doubled or put in."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at, size = int(rng.integers(0, len(out))), int(rng.integers(1, 9))
        match int(rng.integers(0, 5)):
            case 0:
                out[at : at + size] = rng.bytes(size)
            case 1:
                del out[at : at + size]
            case 2:
                out[at:at] = out[at : at + size]
            case 3:
                out[at] ^= 1 << int(rng.integers(0, 8))
            case _:
                out[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"nan ", b"1e99"])
        if not out:
            return b"x"
    return bytes(out)


def mutated(name: str, rng: np.random.Generator) -> bytes:
    """A damaged file; of a zip, every other time a member is damaged and the archive is sound."""
    data = SAMPLES[name]
    if data.startswith(b"PK") and rng.random() < 0.6:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members: dict[str, str | bytes] = {n: archive.read(n) for n in archive.namelist()}
        chosen = str(rng.choice(list(members)))
        content = members[chosen]
        assert isinstance(content, bytes)
        members[chosen] = mutate(content, rng)
        return zipped(members)
    return mutate(data, rng)


def attack(name: str, seed: int, times: int) -> int:
    """Readers are called themselves, so that no other error is turned into a clear one; returns readings got."""
    rng = np.random.default_rng(seed)
    whole = Source(SAMPLES[name], name)
    reader, got = detect(whole), 0
    for _ in range(times):
        data = mutated(name, rng)
        source = Source(data, name)
        reader.sniff(source)
        try:
            found = reader.read(source)
        except InstrumentError:
            continue
        got += 1
        size = sum(v.data.nbytes for r in found for v in r.variables.values())
        assert size <= 1000 * len(data)
        for reading in found:
            assert reading.variables["intensity"].data.size > 0
            assert all(np.isfinite(v.data).all() for v in reading.variables.values())
    return got


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_mutations_raise_only_instrument_errors(name):
    assert attack(name, 7, 150) < 150


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_many_mutations_raise_only_instrument_errors(name):
    assert attack(name, 11, 5000) < 5000
