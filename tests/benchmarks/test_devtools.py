import pytest

from benchmarks.devtools import open_page
from byoc_kit.errors import ByocKitError


@pytest.mark.browser
async def test_a_page_is_asked_and_pictured(tmp_path):
    async with open_page("data:text/html,<title>here</title>", tmp_path / "log") as page:
        await page.wait_for("document.title === 'here'")
        assert await page.evaluate("[1, 'two', null]") == [1, "two", None]
        assert await page.evaluate("undefined") is None
        assert int((await page.version()).split(".")[0]) > 100
        assert await page.heap_mb() > 0.1
        assert (await page.screenshot()).startswith(b"\x89PNG")
        with pytest.raises(ByocKitError, match="cannot evaluate nowhere: Uncaught"):
            await page.evaluate("nowhere")
        with pytest.raises(ByocKitError, match=r"does not take No\.such: 'No\.such' wasn't found"):
            await page.send("No.such")


@pytest.mark.browser
async def test_a_page_that_does_not_get_so_far_is_reported(tmp_path, monkeypatch):
    async with open_page("about:blank", tmp_path / "log") as page:
        monkeypatch.setattr("benchmarks.devtools._TIMEOUT_S", 0.2)
        with pytest.raises(ByocKitError, match="the page did not get so far in 0 s that false"):
            await page.wait_for("false")


async def test_a_missing_chromium_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ByocKitError, match="not on the path; apt-get install chromium"):
        async with open_page("about:blank", tmp_path / "log"):
            pass


async def test_a_chromium_that_does_not_start_shows_its_last_lines(monkeypatch, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho no display\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ByocKitError, match=r"Chromium ended early \(exit code 3\); its last lines:\nno display"):
        async with open_page("about:blank", tmp_path / "log"):
            pass
