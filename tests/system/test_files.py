import hashlib
import os
from pathlib import Path

import pytest

from byoc_kit.system.files import sha256_of, write_whole


def test_a_new_file_may_be_read_by_whom_any_new_file_may(tmp_path):
    (tmp_path / "other").write_bytes(b"")
    write_whole(tmp_path / "new", b"all")
    assert (tmp_path / "new").read_bytes() == b"all"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_file_keeps_its_mode_and_the_link_to_it(tmp_path):
    (tmp_path / "file").write_bytes(b"before")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"after"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_failure_leaves_the_file_as_it_was_and_nothing_next_to_it(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"after")
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


def test_a_hash_is_that_of_the_content_and_follows_a_change(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"before")
    assert sha256_of(file) == hashlib.sha256(b"before").hexdigest()
    file.write_bytes(b"after it")
    assert sha256_of(file) == hashlib.sha256(b"after it").hexdigest()


def test_a_file_that_has_not_changed_is_read_once(tmp_path, monkeypatch):
    file = tmp_path / "weights"
    file.write_bytes(b"large")
    wanted = sha256_of(file)
    monkeypatch.delattr(Path, "open")
    assert sha256_of(file) == wanted
