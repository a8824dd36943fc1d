import io
from itertools import pairwise

import av
import numpy as np
import pytest
from media_rig import Segments
from sound_clips import RATE, sound_clip

from byoc_kit.core.audio import from_av_audio
from byoc_kit.media.audio_decoder import AudioDecoder
from byoc_kit.media.decode import open_stream
from byoc_kit.media.encode import SegmentWriter

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
