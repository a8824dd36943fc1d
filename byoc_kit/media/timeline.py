"""Times that only run forward, whatever the publisher's clock does.

MPEG-TS counts 90 000 a second in 33 bits, so its clock wraps after 26.5 hours (ISO/IEC 13818-1, 2.4.3.7); a publisher
that starts anew, or loops a file, jumps back besides. Jumps ahead are kept: the time in between did pass.
"""

from __future__ import annotations

from av.packet import Packet

WRAP = 1 << 33
_WRAP_GAP = 600 * 90_000
_TOLERANCE = 18_000
_NEAR = 90_000
_DOUBTFUL = 600 * 90_000
_STEP_AFTER_JUMP = 3_000


class Timeline:
    """Shifts the packets of a programme so that a jump back goes on 1/30 s after the latest time before it.

    Video and sound jump one after the other, and to the same place. A step back of up to 1 s is left alone, and one of
    up to 0.2 s also where the other stream has jumped. A jump of ten minutes and more ahead is believed when the next
    packet confirms it: a damaged time is not.
    """

    def __init__(self) -> None:
        self._shift = 0
        self._shift_of: dict[str, int] = {}
        self._latest_of: dict[str, int] = {}
        self._doubtful: dict[str, int] = {}

    def place(self, packet: Packet) -> None:
        """Shift a packet's times, in units of 1/90000 s; one without any stays as it is."""
        time = packet.dts if packet.dts is not None else packet.pts
        if time is None:
            return
        shift = self._shift_for(packet.stream.type, time)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift

    def _shift_for(self, stream: str, time: int) -> int:
        if not self._latest_of and time < 0:
            self._shift = WRAP  # libavformat counts down to a wrap that is near, which no MPEG-TS can say
        shift = self._shift_of.get(stream, self._shift)
        latest = self._latest_of.get(stream, time + shift)
        if time + shift < latest - _TOLERANCE:
            shift = self._shift = self._shift_after_jump(shift, time)
        elif time + shift > latest + _DOUBTFUL and abs(time - self._doubtful.get(stream, -WRAP)) > _DOUBTFUL:
            self._doubtful[stream] = time
            return latest + _STEP_AFTER_JUMP - time
        self._shift_of[stream] = shift
        self._latest_of[stream] = max(latest, time + shift)
        return shift

    def _shift_after_jump(self, shift: int, time: int) -> int:
        latest = max(self._latest_of.values())
        follows_other = abs(time + self._shift - latest) <= _NEAR
        if follows_other:
            return self._shift
        is_wrap = abs(time + shift + WRAP - latest) < _WRAP_GAP
        return shift + WRAP if is_wrap else latest + _STEP_AFTER_JUMP - time
