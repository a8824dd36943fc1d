import pytest
from av.error import FFmpegError

from byoc_kit.media import codecs
from byoc_kit.media.codecs import MediaSettings, choose_decoder, encodable_layout, encoder_options, open_encoder


@pytest.mark.parametrize("encoder", ["auto", "h264_nvenc"])
@pytest.mark.parametrize("error", [FFmpegError(1, "no such device"), ValueError("no such codec")])
def test_libx264_stands_in_for_an_nvenc_that_does_not_open(encoder, error):
    tried = []

    def open_named(name):
        tried.append(name)
        if name == "h264_nvenc":
            raise error
        return name

    assert open_encoder(MediaSettings(encoder=encoder), open_named) == "libx264"
    assert tried == ["h264_nvenc", "libx264"]


def test_nvenc_is_not_tried_by_default():
    assert open_encoder(MediaSettings(), lambda name: name) == "libx264"


@pytest.mark.parametrize(
    ("encoder", "preset", "expected"),
    [
        ("auto", "p4", "superfast"),
        ("h264_nvenc", "llhq", "superfast"),
        ("auto", "medium", "medium"),
        ("libx264", "p4", "p4"),
    ],
)
def test_libx264_in_the_place_of_nvenc_does_without_nvencs_preset(encoder, preset, expected):
    settings = MediaSettings(encoder=encoder, preset=preset)
    assert encoder_options("libx264", settings)["preset"] == expected


def test_nvenc_gets_the_quality_in_its_own_words():
    options = encoder_options("h264_nvenc", MediaSettings(encoder="h264_nvenc", crf=30))
    assert (options["cq"], options["preset"], options["bf"]) == ("30", "p3", "0")
    assert "crf" not in options


@pytest.mark.parametrize(
    ("encoder", "format_", "layout", "expected"),
    [
        ("aac", "fltp", "5.1(side)", "5.1"),
        ("aac", "fltp", "mono", "mono"),
        ("libopus", "flt", "hexagonal", "stereo"),
    ],
)
def test_a_layout_that_the_encoder_does_not_take_becomes_stereo(encoder, format_, layout, expected):
    assert encodable_layout(encoder, format_, layout) == expected


@pytest.mark.parametrize("wanted", ["cuda", "auto"])
def test_without_a_gpu_the_cpu_decodes(wanted, monkeypatch):
    def no_gpu(**_):
        raise RuntimeError("no CUDA device")

    monkeypatch.setattr(codecs, "HWAccel", no_gpu)
    choose_decoder.cache_clear()
    assert choose_decoder(wanted) is None
    choose_decoder.cache_clear()


def test_the_cpu_is_chosen_without_looking_for_a_gpu(monkeypatch):
    monkeypatch.delattr(codecs, "HWAccel")
    choose_decoder.cache_clear()
    assert choose_decoder("cpu") is None
