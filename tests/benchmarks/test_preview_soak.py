import json

import pytest

from benchmarks.preview_soak import Sample, check_growth, soak_preview
from byoc_kit.errors import ByocKitError


def samples(kernel_mb=lambda _: 500.0, page_mb=lambda _: 300.0, heap_mb=lambda _: 80.0):
    return [Sample(10.0 * n, kernel_mb(n), page_mb(n), heap_mb(n), 30.0) for n in range(50)]


def test_what_stays_as_it_is_is_flat():
    assert all(verdict.is_met for verdict in check_growth(samples()))


def test_the_start_does_not_count():
    assert all(verdict.is_met for verdict in check_growth(samples(kernel_mb=lambda n: 200.0 if n < 9 else 500.0)))


@pytest.mark.parametrize(("name", "number"), [("kernel_mb", 0), ("page_mb", 1), ("heap_mb", 2)])
def test_a_leak_is_found_in_each(name, number):
    verdicts = check_growth(samples(**{name: lambda n: 100.0 + n / 5}))
    assert [verdict.is_met for verdict in verdicts] == [index != number for index in range(3)]


def test_a_soak_without_a_start_and_an_end_is_refused(clip, tmp_path):
    with pytest.raises(ByocKitError, match="--soak must be 2 minutes at least"):
        soak_preview(clip, minutes=1, output=tmp_path)


@pytest.mark.browser
def test_a_short_soak_samples_a_page_that_plays(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.preview_soak._SAMPLE_S", 0.1)
    monkeypatch.setattr("benchmarks.preview_soak._MINUTE_S", 4.0)
    code = soak_preview(clip, minutes=2, output=tmp_path)
    content = json.loads((tmp_path / "preview-soak.json").read_text())
    assert code == int(any(target["is_met"] is False for target in content["targets"]))
    assert len(content["samples"]) > 4
    for sample in content["samples"]:
        assert sample["kernel_mb"] > 50
        assert sample["page_mb"] > 50
        assert 1 < sample["heap_mb"] < sample["page_mb"]
    assert max(sample["shown_fps"] for sample in content["samples"]) > 1
    assert (tmp_path / "preview-soak.png").exists()
    assert "preview-soak.svg" in capsys.readouterr().out
