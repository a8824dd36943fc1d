"""A table of when each picture of a clip is shown, and of the key frames at which decoding can begin.

Usually the packets tell this, and reading them is quick. They do not if they have no times, if their times are not
those of the pictures (H.264 in AVI) or start again (joined files), or if a picture has two packets (fields). Then the
whole clip is decoded once. The first pictures are always decoded, to check what the packets say.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import count, islice, pairwise
from pathlib import Path

from byoc_kit.media.demux import MediaError, decoded, decoder_of, open_clip, readable, video_stream
from byoc_kit.media.presentation import Turn, turn_of

logger = logging.getLogger(__name__)

_COMPARED = 16
_USUAL_FPS = 25
_COUNTED = Fraction(1, 90_000)


@dataclass(frozen=True)
class Entry:
    """A key frame's packet: its presentation time, and the time to seek to."""

    pts: int
    seek_to: int


@dataclass(frozen=True)
class PictureTable:
    """Presentation times in units of ``time_base``, ascending, and the time at which the last picture ends.

    If ``is_counted``, the clip's own times are useless: these times are made up, and a picture is found by counting
    from the first. ``damaged`` is the number of pictures that are known to be missing, since they cannot be decoded.
    """

    times: list[int]
    end: int
    time_base: Fraction
    entries: list[Entry]
    is_counted: bool = False
    is_interlaced: bool = False
    turn: Turn = ()
    damaged: int = 0

    def time_s(self, number: int) -> float:
        """Return a picture's time in seconds, the first one at 0; for numbers past the last, the end."""
        if not self.times:
            return 0.0
        time = self.times[number] if number < len(self.times) else self.end
        return float((time - self.times[0]) * self.time_base)


@dataclass(frozen=True)
class _Packets:
    """What the packets say: times in the order of showing. ``are_sure`` is whether they can be right."""

    times: list[int]
    entries: list[Entry]
    last_lasts: int
    time_base: Fraction
    are_sure: bool


def read_table(path: Path) -> PictureTable:
    """Read the table of a clip. Raises ``MediaError`` if it has no picture."""
    packets = _read_packets(path)
    if packets.are_sure and (table := _confirmed(path, packets)):
        return table
    logger.info("%s: its packets do not tell its pictures; decoding it once", path)
    return _decoded_table(path, packets)


def _read_packets(path: Path) -> _Packets:
    shown: list[int] = []
    entries: list[Entry] = []
    latest, latest_lasts, earlier_dts = None, 0, None
    are_sure = True
    with open_clip(path) as container:
        stream = video_stream(container)
        for packet in readable(container, stream):
            pts, dts = packet.pts, packet.dts
            if pts is None:
                # A clip that was cut from another may begin with pictures that cannot be shown.
                are_sure &= len(entries) == 1
                continue
            if dts is not None:
                are_sure &= earlier_dts is None or dts >= earlier_dts
                earlier_dts = dts
            if packet.is_keyframe:
                entries.append(Entry(pts, pts if dts is None else dts))
            if packet.is_discard:
                continue
            shown.append(pts)
            if latest is None or pts > latest:
                latest, latest_lasts = pts, packet.duration or 0
        times = sorted(shown)
        is_reordered = times != shown
        are_sure &= is_reordered or not decoder_of(stream).has_b_frames
        are_sure &= all(one < other for one, other in pairwise(times)) and bool(times)
        if not all(one.pts < other.pts for one, other in pairwise(entries)) or container.format.name == "apng":
            entries = []  # it calls every picture a key frame, though each is drawn over the one before
        time_base = stream.time_base or Fraction(1, _USUAL_FPS)
    return _Packets(times, entries, latest_lasts, time_base, are_sure)


def _confirmed(path: Path, packets: _Packets) -> PictureTable | None:
    """Return the table if the first pictures come as the packets say; some before them may not be shown."""
    with open_clip(path) as container:
        stream = video_stream(container)
        pictures = list(islice(decoded(stream, readable(container, stream)), _COMPARED))
    first = [picture.pts for picture in pictures]
    if not first or first[0] not in packets.times:
        return None
    times = packets.times[packets.times.index(first[0]) :]
    if times[: len(first)] != first or (len(first) < _COMPARED and len(times) > len(first)):
        return None
    is_interlaced = any(picture.interlaced_frame for picture in pictures)
    damaged = _missing(packets, times)
    return replace(_table(times, packets), is_interlaced=is_interlaced, turn=turn_of(pictures[0]), damaged=damaged)


def _decoded_table(path: Path, packets: _Packets) -> PictureTable:
    found: list[int | None] = []
    is_interlaced, damages = False, count()
    turn: Turn = ()
    with open_clip(path) as container:
        stream = video_stream(container)
        rate = stream.average_rate or stream.guessed_rate or Fraction(_USUAL_FPS)
        for picture in decoded(stream, readable(container, stream), on_damage=lambda: next(damages)):
            if not found:
                turn = turn_of(picture)
            found.append(picture.pts)
            is_interlaced |= picture.interlaced_frame
    if not found:
        msg = f"{path} has a video stream without a picture that can be decoded; give another file"
        raise MediaError(msg)
    times = [pts for pts in found if pts is not None]
    damaged = next(damages)
    if len(times) == len(found) and all(one < other for one, other in pairwise(times)):
        table = _table(times, packets)
        damaged = damaged if is_interlaced else _missing(packets, times)  # a picture of two fields may be two packets
    else:
        step = max(1, round(1 / rate / _COUNTED))
        times = [number * step for number in range(len(found))]
        table = PictureTable(times, len(found) * step, _COUNTED, [], is_counted=True)
    return replace(table, is_interlaced=is_interlaced, turn=turn, damaged=damaged)


def _missing(packets: _Packets, times: list[int]) -> int:
    """Count the pictures that did not come. Those before the first key frame do not count: they need an earlier one."""
    first = packets.entries[0].pts if packets.entries else times[0]
    return len({time for time in packets.times if time >= first}.difference(times))


def _table(times: list[int], packets: _Packets) -> PictureTable:
    steps = sorted(other - one for one, other in pairwise(times))
    lasts = packets.last_lasts or (steps[len(steps) // 2] if steps else round(1 / (_USUAL_FPS * packets.time_base)))
    return PictureTable(times, times[-1] + max(1, lasts), packets.time_base, packets.entries)
