import json

import pytest
from wheel_rig import index, install, known_kit, make_wheel, site

from byoc_kit.bundle.lock import LockError, make_lock
from byoc_kit.bundle.pip import cache_path, remember

pytestmark = pytest.mark.slow

__all__ = ["index", "install", "known_kit", "site"]


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '{"schema": 1, "files": 3}', '{"schema": 9}', "\x00"])
def test_a_damaged_cache_is_made_again(install, index, known_kit, tmp_path, text):
    make_wheel(index, "fake-a")
    install("fake-a", "fake_a")
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "requirements.lock").write_text(make_lock([], bundle).text)
    cache_path().write_text(text)
    assert "fake-a==1.0 \\\n" in make_lock(["fake_a"], bundle).text
    assert json.loads(cache_path().read_text())["files"]
    assert [path.name for path in cache_path().parent.iterdir()] == ["hashes.json"]


def test_a_cache_that_cannot_be_written_is_no_error(install, index, known_kit, tmp_path, monkeypatch):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "requirements.lock").write_text(make_lock([], bundle).text)
    make_wheel(index, "fake-a")
    install("fake-a", "fake_a")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "fake-a==1.0 \\\n" in make_lock(["fake_a"], bundle).text


def test_what_pip_does_not_find_is_named(install, index, known_kit, tmp_path):
    install("fake-a", "fake_a")
    with pytest.raises(LockError) as caught:
        make_lock(["fake_a"], tmp_path)
    assert str(caught.value) == (
        "pip finds no fake-a==1.0 here; let PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS name where it is, "
        "or lock without hashes, with `byoc-kit export --no-hashes`"
    )


def test_an_index_that_cannot_be_reached_is_reported(install, index, known_kit, tmp_path, monkeypatch, free_port):
    install("fake-a", "fake_a")
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{free_port}/")
    with pytest.raises(LockError) as caught:
        make_lock(["fake_a"], tmp_path)
    assert str(caught.value) == (
        "pip cannot reach its index, which knows the hashes; connect to it, "
        "or lock without hashes, with `byoc-kit export --no-hashes`"
    )


def test_remembering_nothing_writes_nothing(index):
    remember("files", {})
    assert not cache_path().exists()
