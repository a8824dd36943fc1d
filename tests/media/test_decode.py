import io
import re
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from interlaced_clips import combed, interlaced_clip
from media_rig import Segments
from sound_clips import RATE, sound_clip
from transport_streams import START, STEP, Transport, grouped, one_stream, units

from byoc_kit.core.audio import from_av_audio
from byoc_kit.media.decode import AudioDecoder, PictureCounts, VideoDecoder, to_video_frame
from byoc_kit.media.demux import open_stream
from byoc_kit.media.encode import SegmentWriter
from byoc_kit.media.programs import read_programs

# Pictures


class Decoded:
    """What comes of an input, and what is counted."""

    def __init__(self, data, *, keys_only=lambda _: False):
        self.frames, self.faults, self.counts = [], [], PictureCounts()
        fault = lambda kind, error: self.faults.append((kind, str(error)))  # noqa: E731
        self.problems = []
        for program in read_programs(io.BytesIO(data), fault, counts=self.counts):
            self.problems.append(program.problem)
            decoder = None
            for packet in program.packets():
                if packet.stream is program.video:
                    decoder = decoder or VideoDecoder(packet.stream, self.counts, fault)
                    skips = keys_only(self.counts.arrived)
                    self.frames += decoder.decode(packet, keys_only=skips)

    @property
    def times(self):
        return [frame.pts for frame in self.frames]

    def assert_all_counted(self):
        assert self.counts.arrived == len(self.frames) + self.counts.drops.total()


def every(count, first=0):
    return [START + (first + number) * STEP for number in range(count)]


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_pictures_without_a_time_come_when_it_is_their_turn(codec, b_frames):
    sent = units(codec, b_frames=b_frames)
    timed = [
        (unit.data, *((unit.pts, unit.dts) if number % 10 == 0 else (None, None))) for number, unit in enumerate(sent)
    ]
    found = Decoded(one_stream(timed, codec))
    assert found.times == every(24)
    found.assert_all_counted()
    assert not found.counts.drops


@pytest.mark.parametrize("counts", [[2], [5], [15]])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_several_pictures_a_packet_come_at_their_own_times(counts, b_frames):
    found = Decoded(one_stream(grouped(units(b_frames=b_frames), counts)))
    assert found.times == every(24)
    assert found.counts.arrived == 24
    assert not found.counts.drops


def test_pictures_before_the_first_time_are_counted_and_said_once_a_picture():
    sent = units()
    found = Decoded(
        one_stream([(unit.data, unit.pts if number >= 10 else None, None) for number, unit in enumerate(sent)])
    )
    assert found.times == every(14, first=10)
    assert found.counts.drops == {"without a time": 10}
    assert {kind for kind, _ in found.faults} == {"pictures without a time"}
    found.assert_all_counted()


def test_pictures_before_the_first_key_frame_are_counted():
    found = Decoded(one_stream(grouped(units(b_frames=2)[3:], [1])))
    assert found.counts.arrived == 21
    assert 0 < found.counts.drops["undecodable"] <= 10
    found.assert_all_counted()


def test_pictures_that_are_skipped_are_counted_as_late():
    found = Decoded(one_stream(grouped(units(b_frames=2), [1])), keys_only=lambda arrived: 3 <= arrived < 20)
    assert found.counts.drops["late"] > 8
    found.assert_all_counted()


def test_bytes_that_are_no_picture_are_counted():
    sent = [(unit.data, unit.pts, unit.dts) for unit in units()]
    sent[12] = (bytes(range(1, 200)), *sent[12][1:])
    found = Decoded(one_stream(sent))
    assert found.counts.arrived in {23, 24}
    found.assert_all_counted()


def test_what_is_in_the_decoder_when_nobody_reads_on_is_counted():
    counts = PictureCounts()
    for program in read_programs(io.BytesIO(one_stream(grouped(units(b_frames=2), [1]))), lambda *_: None):
        decoder = VideoDecoder(program.video, counts, lambda *_: None)
        packets = program.packets()
        frames = [frame for _ in range(6) for frame in decoder.decode(next(packets))]
        decoder.close()
        break
    assert counts.arrived == 6 == len(frames) + counts.drops["closed"]
    assert counts.drops["closed"] > 0


def test_the_pictures_of_another_programme_are_counted():
    transport = Transport()
    for number, unit in enumerate(units()):
        if number % 8 == 0:
            transport.tables([(0x1B, 0x100)], [(0x1B, 0x200)])
        transport.pes(unit.data, pid=0x100, pts=unit.pts)
        transport.pes(unit.data, pid=0x200, pts=unit.pts + 10_000_000)
    found = Decoded(bytes(transport.data))
    assert found.times == every(24)
    assert (found.counts.arrived, found.counts.drops) == (48, {"other video": 24})


def test_interlaced_pictures_are_deinterlaced_with_their_times():
    found = Decoded(interlaced_clip([combed(number) for number in range(10)], format="mpegts"))
    assert len(found.frames) == found.counts.arrived == 10
    assert len({later - earlier for earlier, later in pairwise(found.times)}) == 1
    assert not any(frame.origin.frame.interlaced_frame for frame in found.frames)
    assert not found.counts.drops


@pytest.mark.parametrize(
    ("streams", "named"),
    [
        ([(0x06, 0x100, b"\x05\x04AV01")], r"AV1 \(stream type 0x06\)"),
        ([(0x06, 0x100, b"\x05\x04VP09")], r"VP9 \(stream type 0x06\)"),
        ([(0x06, 0x100)], r"private data, as AV1, VP9 and MJPEG come, \(stream type 0x06\)"),
        ([(0x15, 0x100)], r"metadata \(stream type 0x15\)"),
        ([(0x99, 0x100)], r"unknown \(stream type 0x99\)"),
    ],
)
def test_a_programme_of_which_nothing_can_be_decoded_is_reported_once(streams, named):
    transport = Transport()
    for number, unit in enumerate(units()):
        if number % 8 == 0:
            transport.tables(streams)
        transport.pes(bytes(900), pts=unit.pts)
    for unit in units():
        transport.tables([(0x1B, 0x100)])
        transport.pes(unit.data, pts=unit.pts + 10_000_000)
    found = Decoded(bytes(transport.data))
    [said] = [said for kind, said in found.faults if kind == "nothing to decode"]
    assert said.startswith("the input has no video or sound that can be decoded here, only ")
    assert re.search(named, said)
    assert found.problems[-1] is None
    assert len(found.frames) == 24


def test_video_that_cannot_be_decoded_is_reported_where_its_sound_can_be():
    out = io.BytesIO()
    with av.open(out, "w", format="adts") as container:
        sound = container.add_stream("aac", rate=48_000, layout="stereo")
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 48_000), np.float32), "fltp", "stereo")
        silence.sample_rate = 48_000
        container.mux([*sound.encode(silence), *sound.encode(None)])
    transport, adts = Transport(), out.getvalue()
    for number in range(0, len(adts), 100):
        transport.tables([(0x06, 0x100, b"\x05\x04AV01"), (0x0F, 0x101)])
        transport.pes(bytes(900), pts=START + number)
        transport.pes(adts[number : number + 100], pid=0x101, pts=START + number, stream_id=0xC0)
    found = Decoded(bytes(transport.data))
    assert found.problems == [
        "the input has no video that can be decoded here, only AV1 (stream type 0x06), AAC (stream type 0x0f); "
        "send H.264 or HEVC, and AAC"
    ]


def test_a_frame_without_a_time_starts_at_zero():
    frame = to_video_frame(av.VideoFrame.from_ndarray(np.zeros((4, 4, 3), np.uint8), "rgb24"))
    assert (frame.pts, frame.time_base) == (0, Fraction(1, 90_000))


# Sound

CODECS = ["aac", "libopus", "mp2", "ac3"]
# Microseconds, for one frame a PES packet, and for several.
DELAYS = [0, 700_000]


def decoded(data, change=lambda packet: [packet]):
    """Decode as a live input's sound is; returns the frames and what was reported."""
    faults = []
    with open_stream(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        decoder = AudioDecoder(stream, lambda kind, error: faults.append((kind, error)))
        packets = [one for packet in container.demux(stream) for one in change(packet)]
        return [frame for packet in packets for frame in decoder.decode(packet)], faults


@pytest.mark.parametrize("max_delay_us", DELAYS)
@pytest.mark.parametrize("codec", CODECS)
def test_each_frame_comes_with_its_time(codec, max_delay_us):
    data = sound_clip(codec, max_delay_us=max_delay_us)
    with av.open(io.BytesIO(data)) as container:
        wanted = [(frame.samples, frame.time) for frame in container.decode(audio=0)]
    frames, faults = decoded(data)
    assert faults == []
    assert [(frame.samples, pytest.approx(frame.time, abs=1e-4)) for frame in frames] == wanted
    heard = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    assert np.abs(heard[:, RATE // 2 :]).max() == pytest.approx(0.5, abs=0.1)


def test_a_frame_that_begins_in_one_packet_and_ends_in_the_next():
    data = sound_clip("aac", max_delay_us=700_000)
    carried = b""

    def shifted(packet):
        """Cut each packet 100 bytes before its end, and give them to the next: its time is that of its second frame."""
        nonlocal carried
        if not packet.size:
            return [av.Packet(carried), packet]
        whole = carried + bytes(packet)
        cut, carried = whole[:-100], whole[-100:]
        shorter = av.Packet(cut)
        shorter.stream, shorter.pts, shorter.time_base = packet.stream, packet.pts, packet.time_base
        return [shorter]

    whole, _ = decoded(data)
    frames, faults = decoded(data, shifted)
    assert faults == []
    assert [frame.pts for frame in frames] == [frame.pts for frame in whole]


def test_a_gap_in_the_times_is_kept():
    data = sound_clip("libopus")
    frames, _ = decoded(data, lambda packet: [] if 20 <= (packet.pts or 0) / 1800 < 40 else [packet])
    steps = [later.pts - earlier.pts for earlier, later in pairwise(frames)]
    assert sorted(set(steps)) == [1800, 21 * 1800]


def test_what_cannot_be_decoded_is_reported_and_the_rest_is_heard():
    def broken(packet):
        if packet.pts is None or packet.pts // 1920 != 10:
            return [packet]
        wrong = av.Packet(bytes(packet)[:7] + bytes(len(bytes(packet)) - 7))
        wrong.stream, wrong.pts, wrong.time_base = packet.stream, packet.pts, packet.time_base
        return [wrong]

    data = sound_clip("aac")
    frames, faults = decoded(data, broken)
    assert {kind for kind, _ in faults} <= {"undecodable sound"}
    assert len(frames) >= len(decoded(data)[0]) - 1


@pytest.mark.parametrize(("codec", "encoded"), [("libopus", "opus"), ("aac", "aac"), ("mp2", "aac")])
def test_sound_goes_out_as_what_a_viewer_of_the_input_can_hear(codec, encoded):
    segments = Segments()
    with open_stream(io.BytesIO(sound_clip(codec))) as container:
        stream = container.streams.audio[0]
        decoder = AudioDecoder(stream, lambda *_: None)
        with SegmentWriter(segments, audio=stream, encodes_audio=True, video=False) as writer:
            for packet in container.demux(stream):
                for frame in decoder.decode(packet):
                    writer.write_audio_frame(from_av_audio(frame))
    with av.open(io.BytesIO(segments.whole)) as container:
        assert container.streams.audio[0].codec_context.name == encoded
        heard = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert heard.shape[1] == pytest.approx(2 * RATE, rel=0.03)
    assert np.abs(heard[:, RATE // 2 :]).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("codec", "layout", "encoded"),
    [
        ("aac", "7.1", "7.1"),
        ("aac", "quad", "quad"),
        ("ac3", "5.1(side)", "5.1"),
        ("libopus", "5.1", "5.1"),
        ("aac", "hexadecagonal", "stereo"),  # it is not announced as what it is
    ],
)
def test_surround_sound_goes_through_process_audio_and_out_again(codec, layout, encoded):
    segments = Segments()
    with open_stream(io.BytesIO(sound_clip(codec, layout=layout))) as container:
        stream = container.streams.audio[0]
        decoder = AudioDecoder(stream, lambda *_: None)
        with SegmentWriter(segments, audio=stream, encodes_audio=True, video=False) as writer:
            for packet in container.demux(stream):
                for frame in decoder.decode(packet):
                    sound = from_av_audio(frame)
                    assert sound.samples.shape[0] == av.AudioLayout(layout).nb_channels
                    writer.write_audio_frame(sound)
    with av.open(io.BytesIO(segments.whole)) as container:
        layouts = [frame.layout.name for frame in container.decode(audio=0)]
    assert len(layouts) > 80
    assert set(layouts) == {encoded}
