"""Measures how similar two pictures are: PSNR and SSIM, by FFmpeg's filters."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.filter
from av.filter.context import FilterContext

from byoc_kit.core.pixels import Pixels

_RATE = Fraction(1, 25)  # the filters pair pictures by time; any constant rate will do


@dataclass(frozen=True)
class Quality:
    """PSNR in dB over all planes of the 4:2:0 pictures (infinite if they are equal), and SSIM (1 if they are)."""

    psnr_db: float
    ssim: float


def compare(pairs: Iterable[tuple[Pixels, Pixels]]) -> list[Quality]:
    """Compare pairs of uint8 ``[H, W, 3]`` pictures, all of one size, as the 4:2:0 pictures of a video."""
    with tempfile.TemporaryDirectory() as folder:
        psnr, ssim = Path(folder) / "psnr", Path(folder) / "ssim"
        if not _run_filters(pairs, psnr, ssim):
            return []
        # The filters write their last lines when their graph is freed, at the return from _run_filters.
        psnr_db = re.findall(r"psnr_avg:(\S+)", psnr.read_text())
        alike = re.findall(r"All:(\S+)", ssim.read_text())
    return [Quality(float(p), float(s)) for p, s in zip(psnr_db, alike, strict=True)]


def _run_filters(pairs: Iterable[tuple[Pixels, Pixels]], psnr: Path, ssim: Path) -> int:
    graph = av.filter.Graph()  # kept here, since its filters do not keep it alive
    ends: tuple[FilterContext, ...] = ()
    number = 0
    for number, pair in enumerate(pairs, start=1):  # number is also the count
        if not ends:
            height, width, _ = pair[0].shape
            ends = _link(graph, width, height, psnr, ssim)
        *sources, sink = ends
        for source, pixels in zip(sources, pair, strict=True):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = number, _RATE
            source.push(picture)
        sink.pull()
    return number


def _link(graph: av.filter.Graph, width: int, height: int, psnr: Path, ssim: Path) -> tuple[FilterContext, ...]:
    """Link ``a -> psnr -> ssim -> sink``; ``b`` is the reference of both filters. Returns a, b and the sink."""
    yuv = av.VideoFormat("yuv420p")
    a, b = (graph.add_buffer(width=width, height=height, format=yuv, time_base=_RATE) for _ in range(2))
    split = graph.add("split")
    by_psnr = graph.add("psnr", f"stats_file={psnr}")
    by_ssim = graph.add("ssim", f"stats_file={ssim}")
    sink = graph.add("buffersink")
    b.link_to(split)
    a.link_to(by_psnr, 0, 0)
    split.link_to(by_psnr, 0, 1)
    by_psnr.link_to(by_ssim, 0, 0)
    split.link_to(by_ssim, 1, 1)
    by_ssim.link_to(sink)
    graph.configure()
    return a, b, sink
