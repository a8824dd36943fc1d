"""How video is decoded and encoded: what an operator may choose."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EncoderName = Literal["libx264", "h264_nvenc", "auto"]
DecoderName = Literal["cpu", "cuda", "auto"]


class MediaSettings(BaseModel):
    """Choices of codec and quality; the defaults are the fastest that any machine can do.

    ``encoder``: ``auto`` takes NVENC where it works, else x264. ``preset``: the encoder's own word (default: x264's
    ``superfast``, NVENC's ``p3``). ``crf``: quality, lower is better (NVENC's ``cq``). ``gop_s``: seconds between key
    frames, each of which begins a segment; by default the input's key frames are followed, 0.5 to 2 s apart.
    ``decoder``: ``cuda`` decodes on the GPU, ``auto`` only where there is one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: EncoderName = "libx264"
    preset: str | None = None
    crf: int = Field(default=23, ge=0, le=51)
    gop_s: float | None = Field(default=None, gt=0, le=60)
    decoder: DecoderName = "cpu"
