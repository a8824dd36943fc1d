import io
import subprocess
import sys
from collections import deque
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_rig import Segments

from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.core.pixels import FrameError
from byoc_kit.media import codecs, encode
from byoc_kit.media.access_units import access_units
from byoc_kit.media.clip import read_clip
from byoc_kit.media.codecs import MediaSettings
from byoc_kit.media.decode import to_video_frame
from byoc_kit.media.demux import open_clip, open_stream
from byoc_kit.media.encode import TIME_BASE, SegmentWriter
from byoc_kit.media.paced_clip import live_clip
from byoc_kit.media.picture import DecodedPicture, DisplayInfo, pixels_to_yuv420p

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"
ADTS_HEADER = 7  # bytes that MPEG-TS puts before each AAC packet of an mp4
STEP = 3600  # 25 frames a second
BT601 = 5  # as H.273 numbers its matrix

FORGET_A_WRITER = """
import gc, sys
import numpy as np
from byoc_kit.core.frames import AudioFrame, VideoFrame
from byoc_kit.core.pixels import FrameError
from byoc_kit.media.encode import SegmentWriter

class Output:
    def begin_segment(self):
        pass

    def write(self, data):
        if sys.argv[1] == "True" and taken:
            raise ConnectionError
        taken.append(data)

taken = []
writer = SegmentWriter(Output())
for pts in (0, 3000, 6000):
    try:
        writer.write_frame(VideoFrame.from_pixels(np.zeros((48, 64, 3), np.uint8), pts=pts))
    except ConnectionError:
        break
count = len(taken)
del writer
gc.collect()
assert len(taken) == count
print("alive")
"""


@pytest.fixture
def segments():
    return Segments()


def writer_to(segments, **options):
    settings = MediaSettings(gop_s=options.pop("gop_s", 1.0), encoder=options.pop("encoder", "libx264"))
    return SegmentWriter(segments, rate=Fraction(25), settings=settings, **options)


def frame(number=0, width=64, height=48, level=100, step=STEP):
    pixels = np.full((height, width, 3), level, np.uint8)
    return VideoFrame.from_pixels(pixels, pts=number * step, time_base=TIME_BASE)


def decoded(stream):
    with av.open(io.BytesIO(bytes(stream)), format="mpegts") as container:
        return list(container.decode(video=0))


def sound_of(container):
    return [packet for packet in container.demux(container.streams.audio[0]) if packet.size]


@pytest.fixture(scope="module")
def clip_segments():
    """The clip with its sound, packet by packet as the file has them."""
    segments = Segments()
    with open_clip(CLIP) as clip, writer_to(segments, audio=clip.streams.audio[0]) as writer:
        for packet in clip.demux(clip.streams.video[0], clip.streams.audio[0]):
            if packet.stream.type == "audio":
                writer.write_audio(packet)
            else:
                for picture in packet.decode():
                    writer.write_frame(to_video_frame(picture))
    return segments


def test_every_frame_of_the_clip_comes_out_with_its_time(clip_segments):
    frames = decoded(clip_segments.whole)
    assert [frame.pts * frame.time_base for frame in frames] == [Fraction(number, 25) for number in range(132)]
    assert {(frame.width, frame.height, frame.format.name) for frame in frames} == {(1280, 720, "yuv420p")}


def test_each_segment_is_one_second_decodes_alone_and_begins_with_a_keyframe(clip_segments):
    frames = [decoded(segment) for segment in clip_segments.all]
    assert [len(segment) for segment in frames] == [25, 25, 25, 25, 25, 7]
    assert [segment[0].pts for segment in frames] == [number * 90_000 for number in range(6)]
    assert [[frame.key_frame for frame in segment].index(False) for segment in frames] == [1] * 6
    assert not any(frame.key_frame for segment in frames for frame in segment[1:])


def test_the_picture_is_the_one_that_went_in(clip_segments):
    output = [picture.to_ndarray(format="rgb24").astype(int) for picture in decoded(clip_segments.all[0])[:3]]
    for source, picture in zip(read_clip(CLIP), output, strict=False):
        assert np.abs(source.pixels - picture).mean() < 4


def test_the_sound_comes_through_untouched(clip_segments):
    with open_clip(CLIP) as clip, av.open(io.BytesIO(clip_segments.whole), format="mpegts") as output:
        sent, received = sound_of(clip), sound_of(output)
        # Sound from before the first picture has no place in the stream.
        assert len(sent) - len(received) <= 1
        sent = sent[len(sent) - len(received) :]
        assert [bytes(packet)[ADTS_HEADER:] for packet in received] == [bytes(packet) for packet in sent]


@settings(max_examples=25, deadline=None)
@given(
    start=st.integers(0, 2**32),
    gaps=st.lists(st.integers(1, 90_000), min_size=1, max_size=8),
    time_base=st.sampled_from([Fraction(1, 90_000), Fraction(1, 12_800), Fraction(1001, 30_000), Fraction(1, 1000)]),
)
def test_output_times_are_the_inputs_to_the_90_khz_tick(start, gaps, time_base):
    segments = Segments()
    times = [round(start * TIME_BASE / time_base)]
    for gap in gaps:
        times.append(times[-1] + max(1, round(gap * TIME_BASE / time_base)))
    with writer_to(segments) as writer:
        for pts in times:
            writer.write_frame(VideoFrame.from_pixels(frame().pixels, pts=pts, time_base=time_base))
    expected = [round(pts * time_base / TIME_BASE) for pts in times]
    with av.open(io.BytesIO(segments.whole), format="mpegts", options={"correct_ts_overflow": "0"}) as container:
        assert [packet.pts for packet in container.demux(video=0) if packet.size] == expected


def test_each_frames_bytes_are_handed_on_before_the_next_frame(segments):
    sizes = []
    with writer_to(segments) as writer:
        for number in range(10):
            writer.write_frame(frame(number))
            sizes.append(len(segments.whole))
            assert len(decoded(segments.whole)) == number + 1
    assert sizes == sorted(set(sizes))


def test_frames_that_are_not_later_than_the_last_are_left_out(segments):
    with writer_to(segments) as writer:
        for number in (0, 1, 1, 0, 2, 2, 3):
            writer.write_frame(frame(number))
    assert [picture.pts for picture in decoded(segments.whole)] == [0, STEP, 2 * STEP, 3 * STEP]


def test_frames_nearer_than_a_tick_are_one(segments):
    with writer_to(segments) as writer:
        for pts in (0, 1, 100):
            writer.write_frame(VideoFrame.from_pixels(frame().pixels, pts=pts, time_base=Fraction(1, 1_000_000)))
    assert [picture.pts for picture in decoded(segments.whole)] == [0, 9]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [(65, 49, (64, 48)), (64, 49, (64, 48)), (3, 3, (2, 2)), (1279, 719, (1278, 718)), (2, 2, (2, 2))],
)
def test_an_odd_size_loses_its_last_row_or_column(segments, width, height, expected):
    with writer_to(segments) as writer:
        writer.write_frame(frame(0, width, height))
    [picture] = decoded(segments.whole)
    assert (picture.width, picture.height) == expected
    assert abs(int(picture.to_ndarray(format="rgb24").mean()) - 100) <= 2


def test_where_nvenc_does_not_open_libx264_encodes_and_later_streams_try_again(monkeypatch, caplog):
    monkeypatch.setattr(codecs, "_NVENC", "libx264")  # stands for it, as it opens everywhere
    good, refused = {"tune": "zerolatency"}, {"preset": "none such"}  # the latter as where all sessions are used up
    tries = [good, refused, good, good, refused, good]
    monkeypatch.setattr(encode, "encoder_options", lambda *_: tries.pop(0))
    sizes = []
    for widths in ([64], [64], [64, 96]):  # the last one is refused another session in mid-stream
        segments = Segments()
        with writer_to(segments, encoder="auto") as writer, caplog.at_level("INFO"):
            for number, width in enumerate(widths):
                writer.write_frame(frame(number, width))
        sizes.append([picture.width for picture in decoded(segments.whole)])
    assert (sizes, tries) == ([[64], [64], [64, 96]], [])
    assert caplog.text.count("NVENC does not open at present") == 2


def test_after_a_size_that_did_not_open_the_one_before_goes_on(segments, monkeypatch):
    def set_up(encoder, *, width, **rest):
        if width == 96:
            raise ValueError("not this one")
        codecs.set_up(encoder, width=width, **rest)

    monkeypatch.setattr(encode, "set_up", set_up)
    with writer_to(segments) as writer:
        for number, width in enumerate((96, 64, 96, 64)):
            if width == 96:
                with pytest.raises(ValueError, match="not this one"):
                    writer.write_frame(frame(number, width=96))
            else:
                writer.write_frame(frame(number))
    assert [picture.pts // STEP for picture in decoded(segments.whole)] == [1, 3]


def test_after_an_encoder_that_failed_another_is_opened(segments):
    class Lost:
        def encode(self, _):
            raise OSError("the GPU is lost")

    with writer_to(segments) as writer:
        writer.write_frame(frame(0))
        writer._encoder = Lost()
        with pytest.raises(OSError, match="the GPU is lost"):
            writer.write_frame(frame(1))
        writer.write_frame(frame(2))
    assert len(segments.all) == 2
    assert [picture.pts // STEP for picture in decoded(segments.whole)] == [0, 2]


def test_where_the_end_of_one_size_cannot_be_written_the_next_frame_goes_on(segments, monkeypatch):
    def refuse(_):
        raise ConnectionError("the channel is gone")

    with writer_to(segments) as writer:
        writer.write_frame(frame(0))
        with monkeypatch.context() as patched:
            patched.setattr(writer, "_mux_video", refuse)
            with pytest.raises(ConnectionError):
                writer.write_frame(frame(1, width=96))
        writer.write_frame(frame(2))
    assert [picture.pts // STEP for picture in decoded(segments.whole)] == [0, 2]


def test_a_frame_of_another_size_begins_a_segment_in_that_size(segments):
    with writer_to(segments) as writer:
        for number, (width, height) in enumerate([(64, 48), (64, 48), (129, 31), (128, 30), (64, 48)]):
            writer.write_frame(frame(number, width, height, level=50 * number))
    pictures = decoded(segments.whole)
    assert [(picture.width, picture.height) for picture in pictures] == [(64, 48)] * 2 + [(128, 30)] * 2 + [(64, 48)]
    assert [int(picture.to_ndarray(format="rgb24").mean().round(-1)) for picture in pictures] == [0, 50, 100, 150, 200]
    assert [len(decoded(bytes(segment))) for segment in segments.all] == [2, 2, 1]


def test_a_segment_begins_after_gop_s_however_the_frames_are_spaced(segments):
    with writer_to(segments, gop_s=0.5) as writer:
        for number in (0, 12, 13, 40, 41, 60):  # seconds: 0, 0.48, 0.52, 1.6, 1.64, 2.4
            writer.write_frame(frame(number))
    starts = [decoded(segment)[0].pts // STEP for segment in segments.all]
    assert starts == [0, 13, 40, 60]


def test_a_cut_of_the_scene_begins_no_segment(segments):
    random = np.random.default_rng(1)
    with writer_to(segments, gop_s=10) as writer:
        for number in range(20):
            pixels = random.integers(0, 256, (48, 64, 3), np.uint8)
            writer.write_frame(VideoFrame.from_pixels(pixels, pts=number * STEP, time_base=TIME_BASE))
    assert len(segments.all) == 1
    assert [picture.key_frame for picture in decoded(segments.whole)] == [True] + [False] * 19


def test_sound_waits_for_the_first_picture_and_what_is_earlier_is_left_out(segments):
    with open_clip(CLIP) as clip:
        sound = clip.streams.audio[0]
        packets = sound_of(clip)
        with writer_to(segments, audio=sound) as writer:
            for packet in packets[:3]:
                writer.write_audio(packet)
            assert segments.all == []
            writer.write_frame(frame(1))  # at 40 ms, between the second and the third packet
            writer.write_audio(packets[3])
    with av.open(io.BytesIO(segments.whole), format="mpegts") as output:
        assert [packet.size - ADTS_HEADER for packet in sound_of(output)] == [packets[2].size, packets[3].size]


def test_sound_that_nobody_announced_is_left_out(segments):
    with open_clip(CLIP) as clip, writer_to(segments) as writer:
        writer.write_frame(frame(0))
        writer.write_audio(sound_of(clip)[0])
    with av.open(io.BytesIO(segments.whole), format="mpegts") as output:
        assert [stream.type for stream in output.streams] == ["video"]


def test_a_writer_that_got_no_frame_hands_out_nothing(segments):
    with writer_to(segments):
        pass
    assert segments.all == []


def test_closing_twice_ends_the_last_segment_once(segments):
    writer = writer_to(segments)
    writer.write_frame(frame(0))
    writer.close()
    size = len(segments.whole)
    writer.close()
    assert len(segments.whole) == size
    assert len(decoded(segments.whole)) == 1


def test_an_output_that_fails_is_heard(segments, monkeypatch):
    def refuse(_):
        raise ConnectionError("the channel is gone")

    monkeypatch.setattr(segments, "write", refuse)
    writer = writer_to(segments)
    with pytest.raises(ConnectionError, match="the channel is gone"):
        writer.write_frame(frame(0))
    writer.close()


@pytest.mark.parametrize("is_failing", [False, True])
def test_a_closed_writer_has_no_encoder_any_more_also_after_its_output_failed(segments, monkeypatch, is_failing):
    def refuse(_):
        raise ConnectionError("the channel is gone")

    process = psutil.Process()
    before = process.num_threads()
    writer = writer_to(segments)
    for number in range(3):
        writer.write_frame(frame(number, width=640, height=360))
    assert process.num_threads() > before  # the encoder's own
    if is_failing:
        monkeypatch.setattr(segments, "write", refuse)
        with pytest.raises(ConnectionError):
            writer.write_frame(frame(3, width=640, height=360))
    writer.close()
    assert process.num_threads() == before


@pytest.mark.parametrize("is_failing", [False, True])
def test_a_writer_that_nobody_closed_does_not_kill_the_process(is_failing):
    done = subprocess.run(
        [sys.executable, "-c", FORGET_A_WRITER, str(is_failing)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive\n", "")


def test_pictures_do_not_wait_for_sound_that_never_comes(segments):
    with open_stream(io.BytesIO(live_clip(CLIP).data)) as source:
        writer = SegmentWriter(segments, audio=source.streams.audio[0])
        sizes = []
        for packet in access_units(source.demux(video=0)):
            for frame in packet.decode():
                writer.write_frame(to_video_frame(frame))
                sizes.append(len(segments.whole))
            if len(sizes) >= 30:
                break
        writer.close()
    assert sizes[10] > 0
    assert sizes[-1] > sizes[10]


def test_each_segment_decodes_on_its_own_also_where_the_sound_lags(segments):
    with open_stream(io.BytesIO(live_clip(CLIP).data)) as source:
        late = deque()
        writer = SegmentWriter(segments, audio=source.streams.audio[0], settings=MediaSettings(gop_s=1.0))
        for packet in access_units(source.demux()):
            if packet.stream.type == "audio":
                late.append(packet)
                if len(late) > 20:  # about 0.4 s
                    writer.write_audio(late.popleft())
                continue
            for frame in packet.decode():
                writer.write_frame(to_video_frame(frame))
        writer.close()
    assert len(segments.all) == 6
    for segment in segments.all[:-1]:
        with open_stream(io.BytesIO(segment)) as container:
            assert sum(len(p.decode()) for p in access_units(container.demux(video=0))) == 25


@pytest.mark.parametrize(("key_every", "starts"), [(1, [0, 13, 26, 39]), (25, [0, 25]), (1000, [0])])
def test_segments_follow_the_key_frames_of_the_input(segments, key_every, starts):
    source = Segments()
    with SegmentWriter(source, settings=MediaSettings(gop_s=key_every / 25 - 0.001)) as writer:
        for number in range(40):
            writer.write_frame(frame(number))
    with SegmentWriter(segments) as writer:
        for picture in decoded(source.whole):
            writer.write_frame(to_video_frame(picture))
    assert [decoded(segment)[0].pts // STEP for segment in segments.all] == starts


def test_an_input_without_key_frames_gets_a_segment_every_two_seconds(segments):
    with SegmentWriter(segments) as writer:
        for number in range(130):
            writer.write_frame(frame(number))
    assert [decoded(segment)[0].pts // STEP for segment in segments.all] == [0, 50, 100]


@pytest.mark.parametrize("size", [(1, 48), (64, 1), (8194, 48), (4098, 2160)])
def test_a_size_that_no_encoder_takes_is_refused_and_the_next_frame_goes_on(segments, size):
    with writer_to(segments) as writer:
        with pytest.raises(FrameError, match=f"{size[0]}x{size[1]} is no size for video; return 2 to 8192 pixels"):
            writer.write_frame(frame(0, *size))
        assert writer.write_frame(frame(1))
        assert not writer.write_frame(frame(1))
    assert len(decoded(segments.whole)) == 1


def test_a_picture_that_came_in_larger_may_go_out_so(monkeypatch, segments):
    monkeypatch.setattr(encode, "MOST_PIXELS", 64 * 48)
    large = Segments()
    with monkeypatch.context() as patch, SegmentWriter(large) as writer:
        patch.setattr(encode, "MOST_PIXELS", 128 * 96)
        writer.write_frame(frame(0, 128, 96))
    [came_in] = [to_video_frame(picture) for picture in decoded(large.whole)]
    with writer_to(segments) as writer:
        with pytest.raises(FrameError, match="130x96 is no size for video"):
            writer.write_frame(came_in.replace(pixels=np.zeros((96, 130, 3), np.uint8)))
        assert writer.write_frame(came_in.replace(pixels=np.zeros((96, 128, 3), np.uint8)))


def test_sound_alone_goes_out_a_segment_a_second(segments):
    with open_clip(CLIP) as clip:
        sound = clip.streams.audio[0]
        packets = sound_of(clip)
        with writer_to(segments, audio=sound, video=False) as writer:
            for packet in packets:
                writer.write_audio(packet)
    assert len(segments.all) == 6
    for segment in segments.all:
        with open_stream(io.BytesIO(bytes(segment))) as container:
            assert container.streams.audio[0].codec_context.name == "aac"
            assert sum(1 for packet in container.demux(audio=0) if packet.size) > 10


def test_sound_begins_segments_while_no_picture_comes_and_the_next_picture_another(segments):
    with open_clip(CLIP) as clip:
        sound = clip.streams.audio[0]
        packets = sound_of(clip)
        with writer_to(segments, audio=sound) as writer:
            writer.write_frame(frame(0))
            for packet in packets:
                writer.write_audio(packet)
            count = len(segments.all)
            writer.write_frame(frame(132))
            writer.write_frame(frame(133))
    assert (count, len(segments.all)) == (3, 4)  # 4 s after the picture, and a second later
    with open_stream(io.BytesIO(bytes(segments.all[1]))) as container:
        assert sum(1 for packet in container.demux(audio=0) if packet.size) > 10
    assert [picture.key_frame for picture in decoded(segments.all[3])] == [True, False]


@pytest.mark.parametrize("video", [True, False])
def test_sound_can_be_encoded_again(segments, video):
    with open_clip(CLIP) as clip:
        sound = clip.streams.audio[0]
        with writer_to(segments, audio=sound, encodes_audio=True, video=video) as writer:
            if video:
                writer.write_frame(frame(0))
            for picture in clip.decode(audio=0):
                heard = AudioFrame(picture)
                writer.write_audio_frame(heard.replace_samples(heard.samples * 0.5))
    with open_stream(io.BytesIO(segments.whole)) as container:
        frames = list(container.decode(audio=0))
    assert frames[0].layout.name == "5.1"
    assert abs(frames[-1].time - 5.28) < 0.2
    with open_clip(CLIP) as clip:
        before = np.concatenate([picture.to_ndarray() for picture in clip.decode(audio=0)], axis=1)
    after = np.concatenate([picture.to_ndarray() for picture in frames], axis=1)
    assert abs(np.abs(after).mean() / np.abs(before).mean() - 0.5) < 0.05


def test_an_untouched_picture_is_encoded_without_a_turn_through_rgb(segments):
    source = next(iter(read_clip(CLIP)))
    with writer_to(segments) as writer:
        writer.write_frame(source)
    assert source.untouched is not None


@pytest.mark.parametrize("is_touched", [False, True])
def test_rgb_goes_out_with_the_matrix_that_it_was_converted_with(segments, is_touched):
    colour = np.array((200, 60, 30), np.uint8)
    picture = av.VideoFrame.from_ndarray(np.broadcast_to(colour, (48, 64, 3)).copy(), "rgb24").reformat(format="gbrp")
    picture.pts, picture.time_base, picture.colorspace = 0, TIME_BASE, 0  # GBR, as a decoder says of it
    source = to_video_frame(picture)
    with writer_to(segments) as writer:
        writer.write_frame(source.replace(pixels=source.pixels.copy()) if is_touched else source)
    with open_stream(io.BytesIO(segments.whole)) as container:
        back = next(container.decode(video=0))
    assert (back.format.name, back.colorspace) == ("yuv420p", BT601)
    assert np.abs(to_video_frame(back).pixels[0, 0].astype(int) - colour).max() <= 4


@pytest.mark.parametrize(("matrix", "is_full"), [(1, False), (6, False), (2, False), (1, True)])
@pytest.mark.parametrize("is_touched", [False, True])
def test_colours_come_out_as_they_went_in(segments, matrix, is_full, is_touched):
    look = DisplayInfo(matrix, 1, 1, is_full, Fraction(4, 3))
    pixels = np.full((48, 64, 3), (200, 60, 30), np.uint8)
    picture = DecodedPicture(pixels_to_yuv420p(pixels, look), look)
    source = VideoFrame(None, 0, TIME_BASE, origin=picture)
    if is_touched:
        assert np.abs(source.pixels.astype(int) - pixels).max() <= 3
    with writer_to(segments) as writer:
        writer.write_frame(source)
    with open_stream(io.BytesIO(segments.whole)) as container:
        decoder = container.streams.video[0].codec_context
        back = next(container.decode(video=0))
        assert DecodedPicture.of(back, decoder).display == look
    assert np.abs(to_video_frame(back, decoder).pixels.astype(int) - pixels).max() <= 6
