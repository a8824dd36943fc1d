"""What each reader of clips shows, in a table of containers, codecs and oddities, against what ffmpeg shows."""

import gc
import subprocess
from contextlib import closing
from fractions import Fraction

import av
import numpy as np
import pytest
from numbered_clips import GOP, HEIGHT, RATE, WIDTH, copy_from, damage, make_clip, picture, turn

from byoc_kit.media.clip import Clip, read_clip
from byoc_kit.media.paced_clip import live_clip

pytestmark = pytest.mark.slow

COUNT = 12
X265 = {"x265-params": f"keyint={GOP}:log-level=none"}
FAST_VP9 = {"deadline": "realtime", "cpu-used": "8"}
QUARTER, HALF, THREE_QUARTERS = (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)
MIRRORED, TRANSPOSED = (-1, 0, 0, 1), (0, 1, 1, 0)

ENCODED = {
    "h264.mp4": {"b_frames": 2},
    "h264.mkv": {"b_frames": 2},
    "h264 without b-frames.mkv": {},
    "h264.avi": {"b_frames": 2},
    "h264 without b-frames.avi": {},
    "h264.ts": {"b_frames": 2},
    "h264.mov": {"b_frames": 2},
    "h264.flv": {"b_frames": 2},
    "raw.h264": {"b_frames": 2},
    "raw without b-frames.h264": {},
    "uneven.mkv": {"b_frames": 2, "time_ms": lambda number: 40 * number + number % 5 * 7 + 500 * (number > 5)},
    "late.mp4": {"time_ms": lambda number: 5000 + 40 * number},
    "with wavefronts.mp4": {"codec": "libx265", "options": X265},
    "hevc.mkv": {"codec": "libx265", "options": X265},
    "hevc of 10 bits.mp4": {"codec": "libx265", "options": X265, "pixel_format": "yuv420p10le"},
    "raw.hevc": {"codec": "libx265", "options": X265},
    "mpeg2.ts": {"codec": "mpeg2video", "b_frames": 2},
    "mpeg2.mpg": {"codec": "mpeg2video", "b_frames": 2},
    "mpeg4.avi": {"codec": "mpeg4", "b_frames": 2},
    "mpeg4.mp4": {"codec": "mpeg4", "b_frames": 2},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "mjpeg 444.mov": {"codec": "mjpeg", "pixel_format": "yuvj444p"},
    "raw.mjpeg": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": FAST_VP9},
    "prores.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "gray.mkv": {"codec": "ffv1", "pixel_format": "gray"},
    "gray of 16 bits.mkv": {"codec": "ffv1", "pixel_format": "gray16le"},
    "rgb.mkv": {"codec": "ffv1", "pixel_format": "bgr0"},
    "rgb with alpha.mkv": {"codec": "ffv1", "pixel_format": "bgra"},
    "rgb in h264.mkv": {"codec": "libx264rgb", "pixel_format": "rgb24"},
    "rgb of 48 bits.mkv": {"codec": "ffv1", "pixel_format": "gbrp16le"},
    "yuv with alpha.mkv": {"codec": "ffv1", "pixel_format": "yuva420p"},
    "raw video.avi": {"codec": "rawvideo", "pixel_format": "yuv420p"},
    "png.mov": {"codec": "png", "pixel_format": "rgb24"},
}


def encoded(name):
    return lambda folder: make_clip(folder / name, **{"count": COUNT, **ENCODED[name]})


def trimmed(folder):
    return copy_from(make_clip(folder / "whole.mp4", b_frames=2, count=20), folder / "trimmed.mp4", 12)


def turned(matrix):
    return lambda folder: turn(make_clip(folder / "turned.mp4", count=COUNT, b_frames=2), matrix)


def turned_by_sei(folder):
    whole, path = make_clip(folder / "whole.ts", count=COUNT), folder / "turned.ts"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        video = source.streams.video[0]
        turn = av.bitstream.BitStreamFilterContext("h264_metadata=display_orientation=insert:rotate=90", video)
        copy = target.add_stream_from_template(video, opaque=True)
        for packet in source.demux(video):
            for filtered in turn.filter(packet if packet.size else None):
                filtered.stream = copy
                target.mux(filtered)
    return path


def wide_pixels(folder):
    """Say in the container alone that pixels are 4:3 (the box pasp)."""
    path = make_clip(folder / "wide.mp4", count=COUNT, codec="mpeg4", aspect=Fraction(16, 15))
    content = bytearray(path.read_bytes())
    begin = content.index(b"pasp") + 4
    assert content[begin : begin + 8] == bytes([0, 0, 0, 16, 0, 0, 0, 15])
    content[begin : begin + 8] = bytes([0, 0, 0, 4, 0, 0, 0, 3])
    path.write_bytes(content)
    return path


def interlaced(folder, *, codec="mpeg2video", name="interlaced.ts"):
    """Encode pictures whose two fields are of different times, the upper one first."""
    path = folder / name
    options = {"x264-params": "tff=1:keyint=8"} if codec == "libx264" else {"flags": "+ildct+ilme"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = GOP, 0
        for number in range(COUNT):
            pixels = picture(2 * number)
            pixels[1::2] = picture(2 * number + 1)[1::2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))
    return path


def interlaced_h264(folder):
    return interlaced(folder, codec="libx264", name="interlaced.mp4")


def damaged(name, number, codec="libx264", **options):
    def make(folder):
        path = make_clip(folder / name, codec, count=COUNT, **options)
        damage(path, number)
        return path

    return make


def truncated(folder):
    path = make_clip(folder / "truncated.mkv", count=COUNT, b_frames=2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


ODD = {
    "trimmed without a loss": trimmed,
    "turned by a quarter": turned(QUARTER),
    "turned by a half": turned(HALF),
    "turned by three quarters": turned(THREE_QUARTERS),
    "mirrored": turned(MIRRORED),
    "transposed": turned(TRANSPOSED),
    "turned by SEI": turned_by_sei,
    "wide pixels": wide_pixels,
    "interlaced": interlaced,
    "interlaced h264": interlaced_h264,
    "damaged": damaged("damaged.avi", 5, "mjpeg", pixel_format="yuvj420p"),
    "damaged at the start": damaged("damaged.avi", 0, "mjpeg", pixel_format="yuvj420p"),
    "damaged b-frame": damaged("damaged.mp4", 5, b_frames=2),
    "damaged key frame": damaged("damaged.mkv", 8),
    "damaged at the end": damaged("damaged.mkv", COUNT - 1),
    "damaged h264.ts": damaged("damaged.ts", 5, b_frames=2),
    "damaged hevc": damaged("damaged.mp4", 5, "libx265", options=X265),
    "truncated": truncated,
}
TABLE = {**{name: encoded(name) for name in ENCODED}, **ODD}
IN_EACH_PLAYER = pytest.mark.parametrize("name", TABLE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make each clip of the table once."""
    paths = {}

    def make(name):
        if name not in paths:
            paths[name] = TABLE[name](tmp_path_factory.mktemp("clip"))
        return paths[name]

    return make


def shown_by_ffmpeg(path, folder):
    """Return each picture that ffmpeg shows, and when, in 1/90000 s."""
    deinterlace = ["-vf", "bwdif=mode=send_frame:deint=interlaced"]
    as_shown = ["-fps_mode", "passthrough", "-enc_time_base", "1:90000", *deinterlace]
    times = folder / "times"
    command = ["ffmpeg", "-v", "quiet", "-y", "-threads", "1", "-i", path, "-an", *as_shown, "-f", "framecrc", times]
    pixels = [*as_shown, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run([*command, "-an", *pixels], capture_output=True, check=False)
    lines = [line.split(",") for line in times.read_text().splitlines() if not line.startswith("#")]
    [size] = {line.split(": ")[1] for line in times.read_text().splitlines() if line.startswith("#dimensions")}
    width, height = map(int, size.split("x"))
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width, 3)
    return pictures, [int(line[2]) for line in lines]


@pytest.mark.ffmpeg
@pytest.mark.parametrize("name", [name for name in TABLE if name != "turned by SEI"])  # ffmpeg turns the first alone
def test_a_clip_shows_the_pictures_that_ffmpeg_shows_when_it_shows_them(made, name, tmp_path):
    path = made(name)
    pictures, times = shown_by_ffmpeg(path, tmp_path)
    frames = list(Clip(path).frames())
    assert len(frames) == len(pictures) == len(times)
    assert [frame.pixels.shape for frame in frames] == [pixels.shape for pixels in pictures]
    times_s = [frame.time_s - frames[0].time_s for frame in frames]
    assert times_s == pytest.approx([(time - times[0]) / 90_000 for time in times], abs=0.001)
    off = [np.abs(frame.pixels.astype(int) - pixels).mean() for frame, pixels in zip(frames, pictures, strict=True)]
    assert max(off) < 1.5


@IN_EACH_PLAYER
def test_what_is_sent_of_a_clip_shows_the_same(made, name):
    path = made(name)
    clip, sent = Clip(path), live_clip(path)
    frames, received = list(clip.frames()), list(sent.frames())
    assert [frame.pts for frame in received] == sorted(sent.picture_times_s)
    assert len(received) == len(frames) == clip.count
    times_s = [frame.time_s - received[0].time_s for frame in received]
    assert times_s == pytest.approx([frame.time_s - frames[0].time_s for frame in frames], abs=0.001)
    for one, other in zip(frames, received, strict=True):
        assert one.origin.display.pixel_aspect == other.origin.display.pixel_aspect
        assert np.abs(one.pixels.astype(int) - other.pixels).max() <= 3


@IN_EACH_PLAYER
def test_regression_and_preview_see_the_same(made, name):
    path = made(name)
    by_number = Clip(path)
    for number, frame in enumerate(read_clip(path)):
        if number in {0, 1, 5, by_number.count - 1}:
            jumped = next(by_number.frames(number))
            assert jumped.pts == frame.pts
            assert np.array_equal(jumped.pixels, frame.pixels)


@pytest.mark.parametrize("name", ["h264.mp4", "turned by a quarter", "interlaced", "hevc.mkv"])
def test_a_reading_that_is_over_leaves_no_picture_to_the_garbage_collector(made, name):
    def pictures():
        return [found for found in gc.get_objects() if type(found) is av.VideoFrame and found.width > 16]

    gc.collect()
    gc.disable()
    try:
        before = pictures()  # of other tests
        with closing(Clip(made(name)).frames(5)) as frames:
            next(frames)
        assert not [picture for picture in pictures() if not any(picture is one for one in before)]
    finally:
        gc.enable()


def test_a_turn_by_sei_holds_for_all_pictures(made):
    turned = [frame.pixels for frame in Clip(made("turned by SEI")).frames()]
    upright = [
        frame.pixels for frame in Clip(make_clip(made("turned by SEI").with_name("same.ts"), count=COUNT)).frames()
    ]
    assert all(np.array_equal(one, np.rot90(other)) for one, other in zip(turned, upright, strict=True))


def test_pixels_that_are_not_square_stay_as_stored_and_their_shape_is_reported(made):
    frame = next(Clip(made("wide pixels")).frames())
    assert frame.pixels.shape == (HEIGHT, WIDTH, 3)
    assert frame.origin.display.pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "hevc.mkv", "mpeg2.ts", "rgb in h264.mkv", "interlaced"])
def test_packets_that_mpegts_can_carry_are_sent_as_they_are(made, name):
    assert live_clip(made(name)).notes == ()


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("vp9.webm", "its frames are encoded again, losslessly, since MPEG-TS does not carry vp9"),
        ("raw.h264", "its frames are encoded again, losslessly, since the file has no times"),
        (
            "turned by a quarter",
            "its frames are encoded again, losslessly, since MPEG-TS does not carry what turns, crops or cuts them",
        ),
        ("wide pixels", "its pixels are 4:3, not square; process_frame gets them as they are stored"),
        ("damaged", "frames that cannot be decoded are left out (1)"),
    ],
)
def test_what_is_not_as_in_the_file_is_reported(made, name, note):
    path = made(name)
    assert f"{path.name}: {note}" in live_clip(path).notes


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("damaged", 1),
        ("damaged b-frame", 1),
        ("damaged key frame", 4),
        ("damaged at the end", 1),
        ("damaged hevc", 1),
        ("h264.mp4", 0),
        ("trimmed without a loss", 0),
    ],
)
def test_frames_that_are_left_out_are_counted(made, name, left_out):
    said = []
    clip = Clip(made(name), on_damage=said.append)
    shown = len(list(clip.frames()))
    assert (clip.damaged, clip.count, len(said)) == (left_out, shown, min(left_out, 1))


def test_damage_is_reported_once_in_the_log(made, caplog):
    clip = Clip(made("damaged"))
    assert [len(list(clip.frames())) for _ in range(2)] == [COUNT - 1] * 2
    assert [record.message for record in caplog.records] == [
        f"{made('damaged')} is damaged: 1 picture cannot be decoded and is left out"
    ]
