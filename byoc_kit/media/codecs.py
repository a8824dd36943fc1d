"""Chooses and opens encoders and decoders: on the GPU if it was asked for and works, else on the CPU."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import CodecContext
from av.codec.hwaccel import HWAccel
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:  # it imports torch, which reading settings does not need
    from byoc_kit.media.picture import DisplayInfo

logger = logging.getLogger(__name__)

T = TypeVar("T")

TIME_BASE = Fraction(1, 90_000)
_NVENC = "h264_nvenc"
_X264_PRESET = "superfast"
_X264_PRESETS = {"ultrafast", _X264_PRESET, "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"}
_NO_KEY_FRAMES_OF_ITS_OWN = 100_000

EncoderName = Literal["libx264", "h264_nvenc", "auto"]
DecoderName = Literal["cpu", "cuda", "auto"]


class MediaSettings(BaseModel):
    """The choice of codec and quality. The defaults are fast, and work on any machine.

    ``encoder``: ``auto`` takes NVENC if it works, else x264. ``preset``: the encoder's own word; by default, x264's
    ``superfast`` and NVENC's ``p3``. ``crf``: the quality; lower is better (NVENC's ``cq``). ``gop_s``: seconds between
    key frames, each of which begins a segment; by default, key frames follow those of the input, 0.5 to 2 s apart.
    ``decoder``: ``cuda`` decodes on the GPU, ``auto`` only if there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: EncoderName = "libx264"
    preset: str | None = None
    crf: int = Field(default=23, ge=0, le=51)
    gop_s: float | None = Field(default=None, gt=0, le=60)
    decoder: DecoderName = "cpu"


def encoder_options(name: str, settings: MediaSettings) -> dict[str, str]:
    """Return the options for low latency, so that each picture comes out at once."""
    if name == _NVENC:
        preset = settings.preset or "p3"
        quality = {"rc": "vbr", "cq": str(settings.crf), "b": "0"}
        return {
            "preset": preset,
            "tune": "ull",
            "zerolatency": "1",
            "delay": "0",
            "bf": "0",
            "forced-idr": "1",
            **quality,
        }
    preset = settings.preset or _X264_PRESET
    if settings.encoder != "libx264" and preset not in _X264_PRESETS:
        preset = _X264_PRESET  # the word is NVENC's, which x264 replaces here
    return {"preset": preset, "tune": "zerolatency", "crf": str(settings.crf), "forced-idr": "1"}


def set_up(encoder: VideoCodecContext, *, width: int, height: int, format: str, display: DisplayInfo) -> None:  # noqa: A002
    """Tell an encoder what pictures it gets. It makes key frames only when they are asked for."""
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = format
    encoder.time_base = TIME_BASE
    encoder.gop_size = _NO_KEY_FRAMES_OF_ITS_OWN
    display.apply_to(encoder)


def open_encoder(settings: MediaSettings, open_named: Callable[[str], T]) -> T:
    """Return what ``open_named(name)`` opens with the wanted encoder, or with ``libx264`` if that raises.

    NVENC is tried each time, since it can open again when one of its sessions, or memory of the GPU, becomes free.
    """
    if settings.encoder != "libx264":
        try:
            return open_named(_NVENC)
        except (FFmpegError, ValueError) as error:
            say = logger.info if settings.encoder == "auto" else logger.warning
            say("NVENC does not open at present (%s); encoding with libx264", error)
    return open_named("libx264")


@cache
def encodable_layout(encoder: str, format: str, layout: str) -> str:  # noqa: A002  # FFmpeg's word
    """Return the sound's layout if the encoder takes it, or else stereo. libopus has eight layouts, AAC some more.

    Side speakers become back speakers: ADTS has no name for the former, and readers would only find "6 channels".
    """
    layout = layout.replace("(side)", "")
    trial = cast("AudioCodecContext", CodecContext.create(encoder, "w"))
    trial.format, trial.layout, trial.sample_rate = format, layout, 48_000
    trial.time_base = Fraction(1, 48_000)
    try:
        trial.open()
    except (FFmpegError, ValueError):
        return "stereo"
    return layout


@cache
def choose_decoder(wanted: DecoderName) -> HWAccel | None:
    """Return the hardware to decode with, or ``None`` for the CPU."""
    if wanted == "cpu":
        return None
    try:
        accelerator = HWAccel(device_type="cuda", allow_software_fallback=True)
        accelerator.create(av.codec.Codec("h264", "r"))
    except (FFmpegError, ValueError, NotImplementedError, RuntimeError) as error:
        say = logger.info if wanted == "auto" else logger.warning
        say("NVDEC does not work here (%s); decoding on the CPU", error)
        return None
    return accelerator
