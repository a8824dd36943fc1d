"""Opening encoders and decoders: on the GPU where it was asked for and works, else on the CPU, with one line said."""

from __future__ import annotations

import logging
from fractions import Fraction
from functools import cache
from typing import cast

import av
from av.codec.context import CodecContext
from av.codec.hwaccel import HWAccel
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

from byoc_kit.media.picture import Look
from byoc_kit.media.settings import DecoderName, EncoderName, MediaSettings

logger = logging.getLogger(__name__)

TIME_BASE = Fraction(1, 90_000)
_NO_KEY_FRAMES_OF_ITS_OWN = 100_000


def encoder_options(name: str, settings: MediaSettings) -> dict[str, str]:
    """Return the options for low latency: each picture out as soon as it is in."""
    if name == "h264_nvenc":
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
    preset = settings.preset or "superfast"
    return {"preset": preset, "tune": "zerolatency", "crf": str(settings.crf), "forced-idr": "1"}


def set_up(encoder: VideoCodecContext, *, width: int, height: int, format: str, look: Look) -> None:  # noqa: A002
    """Tell an encoder what it gets. Key frames come where they are asked for, nowhere else."""
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = format
    encoder.time_base = TIME_BASE
    encoder.gop_size = _NO_KEY_FRAMES_OF_ITS_OWN
    look.apply_to(encoder)


def choose_encoder(settings: MediaSettings, *, width: int, height: int) -> str:
    """Return the encoder to use: the one wanted where this machine has it and it takes the size, else ``libx264``."""
    return _working_encoder(settings.encoder, settings.preset, width, height)


@cache
def _working_encoder(wanted: EncoderName, preset: str | None, width: int, height: int) -> str:
    if wanted == "libx264":
        return wanted
    try:
        encoder = cast("VideoCodecContext", CodecContext.create("h264_nvenc", "w"))
        encoder.options = encoder_options("h264_nvenc", MediaSettings(preset=preset))
        set_up(encoder, width=width, height=height, format="yuv420p", look=Look())
        encoder.open()
    except (FFmpegError, ValueError) as error:
        say = logger.info if wanted == "auto" else logger.warning
        say("NVENC does not take %dx%d here (%s); encoding with libx264", width, height, error)
        return "libx264"
    return "h264_nvenc"


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
