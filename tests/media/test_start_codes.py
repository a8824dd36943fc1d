import pytest

from byoc_kit.media.start_codes import Code, start_codes


class Bits:
    """Writes bits: numbers of a width, and Exp-Golomb codes."""

    def __init__(self):
        self.text = ""

    def put(self, value, width):
        self.text += f"{value:0{width}b}"
        return self

    def golomb(self, value):
        code = f"{value + 1:b}"
        self.text += "0" * (len(code) - 1) + code
        return self

    @property
    def data(self):
        text = self.text + "1"
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big") + b"\0\0\0\0"


def parameters(*, fields):
    """Return an H.264 sequence parameter set of Main profile (7.3.2.1.1) whose frame numbers have 4 bits."""
    bits = Bits().put(0x67, 8).put(77, 8).put(0, 8).put(40, 8).golomb(0).golomb(0)
    bits.golomb(2).golomb(1).put(0, 1).golomb(3).golomb(2)  # order count, references, gaps, width, height
    return bits.put(0 if fields else 1, 1).data


def picture(*, frame_num, is_field=True, is_bottom=False):
    """Return the slice header of a picture (7.3.3), its first macroblock first."""
    bits = Bits().put(0x65, 8).golomb(0).golomb(7).golomb(0).put(frame_num, 4)
    bits.put(is_field, 1)
    return (bits.put(is_bottom, 1) if is_field else bits).data


def read(codec, *headers):
    reader = start_codes(codec)
    return [reader.read(header.ljust(8, b"\0")) for header in headers]


def test_what_other_codecs_begin_nobody_asks():
    assert start_codes("vp9") is None


@pytest.mark.parametrize(
    ("codec", "header", "code"),
    [
        ("h264", b"\x09\xf0", Code.PREFIX),  # an access unit delimiter
        ("h264", b"\x06\x05", Code.PREFIX),  # supplemental information
        ("h264", b"\x65\x88", Code.PICTURE),
        ("h264", b"\x41\x40", Code.SLICE),  # its first macroblock is not the first
        ("h264", b"\x0c\xff", Code.OTHER),  # filler
        ("hevc", b"\x46\x01\x50", Code.PREFIX),
        ("hevc", b"\x26\x01\x80", Code.PICTURE),
        ("hevc", b"\x26\x01\x40", Code.SLICE),
        ("hevc", b"\x26\x09\x80", Code.OTHER),  # of another layer
        ("hevc", b"\x4c\x01\xff", Code.OTHER),  # filler
        ("mpeg2video", b"\xb3", Code.PREFIX),
        ("mpeg2video", b"\xb8", Code.PREFIX),
        ("mpeg2video", b"\x00", Code.PICTURE),
        ("mpeg2video", b"\x01", Code.SLICE),
        ("mpeg2video", b"\xaf", Code.SLICE),
        ("mpeg2video", b"\xb2", Code.OTHER),  # user data
        ("mpeg4", b"\xb0", Code.PREFIX),
        ("mpeg4", b"\x20", Code.PREFIX),
        ("mpeg4", b"\xb6", Code.PICTURE),
        ("mpeg4", b"\xb2", Code.OTHER),
    ],
)
def test_a_start_code_says_what_begins(codec, header, code):
    assert read(codec, header) == [code]


def test_two_fields_of_h264_are_one_picture():
    codes = read(
        "h264",
        parameters(fields=True),
        picture(frame_num=1),
        picture(frame_num=1, is_bottom=True),
        picture(frame_num=2),
        picture(frame_num=3, is_bottom=True),
        picture(frame_num=4, is_field=False),
    )
    second = Code.PICTURE, Code.SECOND_FIELD
    assert codes == [Code.PREFIX, *second, Code.PICTURE, Code.PICTURE, Code.PICTURE]


def test_without_fields_h264_has_a_picture_for_each():
    codes = read("h264", parameters(fields=False), picture(frame_num=1), picture(frame_num=1, is_bottom=True))
    assert codes == [Code.PREFIX, Code.PICTURE, Code.PICTURE]


def test_a_picture_of_h264_awaits_its_second_field():
    reader = start_codes("h264")
    awaits = []
    for header in (parameters(fields=True), picture(frame_num=1), picture(frame_num=1, is_bottom=True)):
        reader.read(header)
        awaits.append(reader.awaits_field)
    assert awaits == [False, True, False]


def coding_extension(structure):
    return bytes([0xB5, 0x80, 0, structure, 0])


def test_two_fields_of_mpeg_2_are_one_picture():
    top, bottom, frame = 1, 2, 3
    codes = read(
        "mpeg2video",
        b"\0",
        coding_extension(top),
        b"\0",
        coding_extension(bottom),
        b"\0",
        coding_extension(frame),
        b"\0",
    )
    assert codes[::2] == [Code.PICTURE, Code.SECOND_FIELD, Code.PICTURE, Code.PICTURE]
