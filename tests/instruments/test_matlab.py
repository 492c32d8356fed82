"""MATLAB files: arrays against scipy and h5py, structures flattened, objects, links and bombs refused."""

from __future__ import annotations

import io
import zlib

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array
from thermal_samples import mat, real

from wastelab.errors import InstrumentError
from wastelab.instruments import read_bytes


def save(**variables: object) -> bytes:
    out = io.BytesIO()
    savemat(out, variables)
    return out.getvalue()


def test_structure_and_complex_field() -> None:
    data, name = real("matlab_mat/teststruct_7.4_GLNX86.mat")
    (got,) = read_bytes(data, name)
    plain = loadmat(io.BytesIO(data), squeeze_me=True)["teststruct"]
    np.testing.assert_array_equal(got.variables["teststruct.doublefield"].data, plain["doublefield"].item())
    np.testing.assert_array_equal(got.variables["teststruct.complexfield_real"].data, plain["complexfield"].item().real)
    np.testing.assert_array_equal(got.variables["teststruct.complexfield_imag"].data, plain["complexfield"].item().imag)
    assert got.metadata["teststruct.stringfield"] == "Rats live on no evil star."


def test_japanese_text_is_metadata() -> None:
    (got,) = read_bytes(*real("matlab_mat/testunicode_7.4_GLNX86.mat"))
    assert "すべての人間は" in got.metadata["testunicode"]
    assert not got.variables


@pytest.mark.parametrize(("path", "key"), [("testhdf5_7.4_GLNX86.mat", "testdouble"), ("testfile15.mat", "x_10_10")])
def test_version_73_equals_h5py(path: str, key: str) -> None:
    data, name = real(f"matlab_mat/{path}")
    (got,) = read_bytes(data, name)
    with h5py.File(io.BytesIO(data), "r") as file:
        plain = np.squeeze(file[key][()].T)
    np.testing.assert_array_equal(got.variables[key].data, plain)
    assert got.completeness == "declared"


def test_sparse_and_empty() -> None:
    (sparse,) = read_bytes(*real("matlab_mat/testfile13.mat"))
    assert sparse.variables["A"].data.shape == (2, 3)
    (shapes,) = read_bytes(*real("matlab_mat/testfile15.mat"))
    assert shapes.metadata["x_10_0"] == []
    assert any("'x_0' is empty" in w for w in shapes.warnings)
    (dense,) = read_bytes(save(a=csc_array(np.eye(3))), "x.mat")
    np.testing.assert_array_equal(dense.variables["a"].data, np.eye(3))
    with pytest.raises(InstrumentError, match="at most 1000000 are made dense"):
        read_bytes(save(a=csc_array((2000, 2000))), "x.mat")


@pytest.mark.parametrize("compress", [False, True])
def test_what_was_saved_comes_back(compress: bool) -> None:
    (got,) = read_bytes(mat(compress=compress), "x.mat")
    np.testing.assert_array_equal(got.variables["x"].data, np.arange(5.0))
    np.testing.assert_array_equal(got.variables["grid"].data, np.arange(6).reshape(2, 3))
    assert got.variables["grid"].dims == ("grid_0", "grid_1")
    assert got.variables["grid"].data.dtype == np.int32
    np.testing.assert_array_equal(got.variables["s.a"].data, [1.5, 2.5])
    assert (got.metadata["s.name"], got.metadata["t"]) == ("赤泥", 3.5)
    assert (got.technique, got.completeness) == ("MAT", "unverified")
    assert set(got.to_dataset().data_vars) == {"x", "grid", "s.a", "z_real", "z_imag"}


def test_what_is_not_read() -> None:
    with pytest.raises(InstrumentError, match="not finite"):
        read_bytes(save(a=np.array([1.0, np.inf])), "x.mat")
    (missing,) = read_bytes(save(a=np.array([1.0, np.nan])), "x.mat")
    assert any("1 of 2 elements are NaN" in w for w in missing.warnings)
    bomb = zlib.compress(bytes(600 * 2**20), 1)
    with pytest.raises(InstrumentError, match="unpacks to more than 512 MB"):
        read_bytes(mat()[:128] + (15).to_bytes(4, "little") + len(bomb).to_bytes(4, "little") + bomb, "x.mat")


def test_links_of_hdf5_are_not_followed(tmp_path: object) -> None:
    out = io.BytesIO()
    with h5py.File(out, "w", userblock_size=512) as file:
        file["a"] = np.arange(3.0)
        file["b"] = h5py.ExternalLink("/etc/hostname", "/x")
    data = bytearray(out.getvalue())
    head = b"MATLAB 7.3 MAT-file, Platform: synthetic"
    data[: len(head)] = head
    with pytest.raises(InstrumentError, match="'b' is a link"):
        read_bytes(bytes(data), "x.mat")
