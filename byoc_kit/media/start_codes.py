"""Finds out where a picture begins in an elementary stream, from each codec's start codes.

The order of parts in a picture is defined for H.264 in ISO/IEC 14496-10 (7.4.1.2.3 and 7.4.1.2.4), for HEVC in
ISO/IEC 23008-2 (7.4.2.4.4), for MPEG-2 in ISO/IEC 13818-2 (6.2), and for MPEG-4 in ISO/IEC 14496-2 (6.2).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

HEADER = 200
"""Bytes after a start code that are enough to read it, even if it is the longest parameter set."""

_HIGH_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}


class Code(Enum):
    """What a start code begins."""

    PREFIX = auto()
    """Something that comes before a picture, and never inside one."""
    PICTURE = auto()
    """A picture's first part."""
    SECOND_FIELD = auto()
    """The start of the other field of the same picture."""
    SLICE = auto()
    """A further part of a picture."""
    OTHER = auto()


class StartCodes(Protocol):
    """Reads a codec's start codes, in order."""

    @property
    def awaits_field(self) -> bool:
        """Whether the second field of the present picture is still to come."""
        ...

    def read(self, header: bytes) -> Code:
        """Return what a start code begins. ``header`` is what follows the start code, at least four bytes."""
        ...


def start_codes(codec: str) -> StartCodes | None:
    """Return a reader for a codec, by FFmpeg's name; ``None`` if packets of the codec are not split."""
    kinds: dict[str, type[StartCodes]] = {
        "h264": _H264,
        "hevc": _Hevc,
        "mpeg1video": _Mpeg2,
        "mpeg2video": _Mpeg2,
        "mpeg4": _Mpeg4,
    }
    return kinds[codec]() if codec in kinds else None


class _H264:
    _PREFIXES = {6, 7, 8, 9}  # noqa: RUF012  # supplemental information, parameter sets, the delimiter
    _SLICES = {1, 2, 5}  # noqa: RUF012
    _PARAMETERS = 7

    def __init__(self) -> None:
        self._field: tuple[int, bool] | None = None
        self._has_fields = self._has_planes = False
        self._frame_num_bits = 4

    @property
    def awaits_field(self) -> bool:
        return self._field is not None

    def read(self, header: bytes) -> Code:
        type_ = header[0] & 0x1F
        if type_ == self._PARAMETERS:
            self._read_parameters(_Bits(header))
        if type_ in self._PREFIXES:
            return Code.PREFIX
        if type_ not in self._SLICES:
            return Code.OTHER
        is_first = header[1] & 0x80  # first_mb_in_slice is 0
        return self._picture(_Bits(header)) if is_first else Code.SLICE

    def _picture(self, bits: _Bits) -> Code:
        before, self._field = self._field, None
        if not self._has_fields:
            return Code.PICTURE
        bits.skip(8)
        for _ in range(3):  # first_mb_in_slice, slice_type, pic_parameter_set_id
            bits.golomb()
        bits.skip(2 * self._has_planes)
        frame_num, is_field, is_bottom = bits.take(self._frame_num_bits), bits.take(1), bits.take(1)
        if not is_field:
            return Code.PICTURE
        if before == (frame_num, not is_bottom):
            return Code.SECOND_FIELD
        self._field = frame_num, bool(is_bottom)
        return Code.PICTURE

    def _read_parameters(self, bits: _Bits) -> None:
        bits.skip(8)
        profile = bits.take(8)
        bits.skip(16)
        bits.golomb()
        self._has_planes = False
        if profile in _HIGH_PROFILES:
            self._read_high_profile(bits)
        self._frame_num_bits = bits.golomb() + 4
        order = bits.golomb()
        if order == 0:
            bits.golomb()
        elif order == 1:
            bits.skip(1)
            bits.golomb()
            bits.golomb()
            for _ in range(min(bits.golomb(), 255)):
                bits.golomb()
        bits.golomb()
        bits.skip(1)
        bits.golomb()
        bits.golomb()
        self._has_fields = not bits.take(1)  # frame_mbs_only_flag

    def _read_high_profile(self, bits: _Bits) -> None:
        is_444 = bits.golomb() == 3  # chroma_format_idc
        self._has_planes = is_444 and bool(bits.take(1))
        bits.golomb()
        bits.golomb()
        bits.skip(1)
        if not bits.take(1):
            return
        for number in range(12 if is_444 else 8):
            if bits.take(1):
                bits.skip_scaling_list(16 if number < 6 else 64)  # 4x4 lists come first


class _Hevc:
    awaits_field = False

    def read(self, header: bytes) -> Code:
        type_, is_base_layer = header[0] >> 1 & 0x3F, not (header[0] & 1 or header[1] >> 3)
        if not is_base_layer:
            return Code.OTHER
        if type_ in range(10) or type_ in range(16, 22):
            return Code.PICTURE if header[2] & 0x80 else Code.SLICE  # first_slice_segment_in_pic_flag
        is_prefix = type_ in range(32, 36) or type_ == 39 or type_ in range(41, 45) or type_ in range(48, 56)
        return Code.PREFIX if is_prefix else Code.OTHER


class _Mpeg2:
    _PICTURE, _EXTENSION, _CODING_EXTENSION = 0x00, 0xB5, 8

    def __init__(self) -> None:
        self.awaits_field = False
        self._is_second = False

    def read(self, header: bytes) -> Code:
        if header[0] == self._PICTURE:
            self._is_second, self.awaits_field = self.awaits_field, False
            return Code.SECOND_FIELD if self._is_second else Code.PICTURE
        if header[0] == self._EXTENSION and header[1] >> 4 == self._CODING_EXTENSION:
            is_field = header[3] & 3 != 3  # picture_structure
            self.awaits_field = is_field and not self._is_second
        if header[0] in {0xB3, 0xB8}:  # a sequence, a group of pictures
            return Code.PREFIX
        return Code.SLICE if 0 < header[0] < 0xB0 else Code.OTHER


class _Mpeg4:
    awaits_field = False

    def read(self, header: bytes) -> Code:
        if header[0] == 0xB6:  # a video object plane
            return Code.PICTURE
        return Code.PREFIX if header[0] < 0x30 or header[0] in {0xB0, 0xB3, 0xB5} else Code.OTHER


class _Bits:
    """Reads bits, without the bytes that prevent start codes inside the data; past the end, bits are 0."""

    def __init__(self, data: bytes) -> None:
        data = data.replace(b"\0\0\3", b"\0\0")
        self._left = len(data) * 8
        self._value = int.from_bytes(data, "big")

    def take(self, count: int) -> int:
        if count > self._left:
            self._left = 0
            return 0
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def skip(self, count: int) -> None:
        self._left = max(0, self._left - count)

    def golomb(self) -> int:
        zeros = 0
        while self._left and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        value = self.golomb()
        return (value + 1) // 2 if value % 2 else -(value // 2)

    def skip_scaling_list(self, size: int) -> None:
        last = following = 8
        for _ in range(size):
            if following:
                following = (last + self.signed_golomb()) % 256
            last = following or last
