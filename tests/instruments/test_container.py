"""Packed readings: every bit comes back, nothing hostile gets through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wastelab.errors import IntegrityError
from wastelab.instruments import Reading, Value, Variable
from wastelab.instruments.container import pack_arrays, pack_readings, unpack_arrays, unpack_readings

DTYPES = ("f8", "f4", "i4", "i8", "u2", "i1", "?")


@given(
    hnp.arrays(st.sampled_from(DTYPES).map(np.dtype), hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=40))
)
def test_every_bit_comes_back(data):
    packed = pack_arrays({"x": Variable(tuple(f"d{n}" for n in range(data.ndim)), data, "1", "é")}, {"k": "赤泥"})
    back, head = unpack_arrays(packed)
    assert head == {"k": "赤泥"}
    assert back["x"].data.dtype == data.dtype
    assert back["x"].data.shape == data.shape
    assert back["x"].data.tobytes() == data.tobytes()


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 10), st.integers(16, 3000))
def test_even_axes_come_back_bit_for_bit(first, step, n):
    for axis in (first + step * np.arange(n), np.linspace(first, first + step * n, n), np.cumsum(np.full(n, step))):
        back, _ = unpack_arrays(pack_arrays({"x": Variable(("x",), axis, "degree")}))
        assert back["x"].data.tobytes() == axis.tobytes()


def test_an_even_axis_takes_no_room():
    axis = 5.0 + 0.015 * np.arange(100_000)
    assert len(pack_arrays({"x": Variable(("x",), axis, "degree")})) < 200


def test_the_same_content_gives_the_same_bytes():
    make = lambda: {"x": Variable(("x",), np.arange(50, dtype="i4"), "1")}  # noqa: E731
    assert pack_arrays(make()) == pack_arrays(make())


def test_text_and_objects_are_refused():
    with pytest.raises(TypeError, match="not numbers"):
        pack_arrays({"x": Variable(("x",), np.array(["a"], dtype=object), "1")})


def reading():
    return Reading(
        "XRF",
        {"t": Variable(("t",), np.arange(20.0) ** 2, "s")},
        [Value("SiO2", 18.2, "wt%", 0.1, 2.0, None, "", "dry", "18,2", "row 3"), Value("Cl", None, "wt%", lod=0.01)],
        sample="赤泥-1",
        metadata={"kV": 40, "note": "µ"},
        warnings=["short"],
        completeness="partial",
        fields={"waste_class": "red_mud"},
    )


def test_readings_round_trip():
    a, b = unpack_readings(pack_readings([reading(), reading()]))
    for back in (a, b):
        assert list(back.values) == list(reading().values)
        assert back.metadata == reading().metadata
        assert (back.sample, back.completeness, back.fields) == ("赤泥-1", "partial", {"waste_class": "red_mud"})
        np.testing.assert_array_equal(back.variables["t"].data, reading().variables["t"].data)


def test_every_cut_and_many_changes_are_noticed_or_harmless():
    whole = pack_readings([reading()])
    for end in range(len(whole)):
        with pytest.raises(IntegrityError):
            unpack_readings(whole[:end])
    rng = np.random.default_rng(0)
    for _ in range(400):
        body = bytearray(whole)
        body[rng.integers(len(body))] ^= 1 << rng.integers(8)
        try:
            unpack_readings(bytes(body))
        except IntegrityError:
            continue


def test_an_array_that_would_unfold_without_bound_is_refused():
    packed = pack_arrays({"x": Variable(("x",), np.random.default_rng(0).random(100), "1")})
    assert b"[100]" in packed
    grown = packed.replace(b"[100]", b"[99999999999]")
    grown = grown[:4] + (int.from_bytes(packed[4:8], "little") + 8).to_bytes(4, "little") + grown[8:]
    with pytest.raises(IntegrityError):
        unpack_arrays(grown)
