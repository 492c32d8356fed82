"""Content-addressed files: whole or not there, never changed."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

import pytest

from wastelab.errors import IntegrityError, LabError
from wastelab.lab.files import FileStore, sha256, write_durably


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    (tmp_path / "tmp").mkdir()
    return FileStore(tmp_path / "raw", tmp_path / "tmp", ".bin")


def test_put_and_get(files: FileStore) -> None:
    shas = files.put_many([b"a", b"", b"a", b"c" * 100_000])
    assert shas == [sha256(b"a"), sha256(b""), sha256(b"a"), sha256(b"c" * 100_000)]
    assert [files.get(s) for s in shas] == [b"a", b"", b"a", b"c" * 100_000]
    assert list(files.hashes()) == sorted(set(shas))
    assert shas[0] in files and "0" * 64 not in files and 7 not in files
    assert not list(files.temporary.iterdir())
    assert files.path(shas[0]).stat().st_mode & 0o222 == 0  # read only


def test_a_damaged_file_is_written_again(files: FileStore) -> None:
    sha = files.put(b"content")
    path = files.path(sha)
    path.chmod(0o644)
    path.write_bytes(b"rotten!")
    with pytest.raises(IntegrityError, match="does not match its hash"):
        files.get(sha)
    assert files.put(b"content") == sha and files.get(sha) == b"content"
    path.unlink()
    with pytest.raises(IntegrityError, match=r"missing.*backup"):
        files.get(sha)


def test_many_threads_put_the_same(files: FileStore) -> None:
    found: list[list[str]] = []
    items = [bytes([n]) * 1000 for n in range(20)]
    threads = [Thread(target=lambda: found.append(files.put_many(items))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(f == found[0] for f in found)
    assert [files.get(s) for s in found[0]] == items and not list(files.temporary.iterdir())


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("a file")
    (tmp_path / "tmp").mkdir()
    with pytest.raises(LabError, match="nothing was stored"):
        FileStore(tmp_path / "raw", tmp_path / "tmp").put(b"x")
    assert not list((tmp_path / "tmp").iterdir())


def test_write_durably_replaces_whole(tmp_path: Path) -> None:
    write_durably(tmp_path / "a.toml", b"one")
    write_durably(tmp_path / "a.toml", b"two")
    assert (tmp_path / "a.toml").read_bytes() == b"two" and [p.name for p in tmp_path.iterdir()] == ["a.toml"]
    with pytest.raises(LabError, match="cannot be written"):
        write_durably(tmp_path / "nothing" / "a.toml", b"x")
