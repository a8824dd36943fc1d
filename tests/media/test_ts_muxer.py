import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from byoc_kit.media.psi import AUDIO_PID, PACKET, PMT_PID, TABLE_PIDS, VIDEO_PID, Tables, pid_of
from byoc_kit.media.ts_muxer import TransportMuxer
from byoc_kit.media.video_file import open_clip

CLIP = Path(__file__).parents[2] / "notebooks/clips/bigbuckbunny.mp4"
H264, AAC = 0x1B, 0x0F
NO_PAYLOAD = 0x20


@pytest.fixture(scope="module")
def muxed():
    """What a muxer hands on for each packet of the clip, pictures and sound: (kind, pts, data)."""
    calls = []
    with open_clip(CLIP) as source, TransportMuxer() as muxer:
        streams = [source.streams.video[0], source.streams.audio[0]]
        copies = {stream: muxer.add_copy(stream) for stream in streams}
        for packet in source.demux(*streams):
            if packet.dts is None:
                continue
            kind, time_s = packet.stream.type, packet.pts * packet.time_base
            packet.stream = copies[packet.stream]
            calls.append((kind, time_s, muxer.mux(packet)))
        assert muxer.close() == b""
    return calls


def test_rgb_in_h264_is_copied_as_it_is():
    recorded = io.BytesIO()
    with av.open(recorded, "w", format="mpegts") as container:  # as OBS records it
        video = container.add_stream("libx264rgb", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "rgb24"
        for number in range(3):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 80 * number, np.uint8), "rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
    with av.open(io.BytesIO(recorded.getvalue()), format="mpegts") as source, TransportMuxer() as muxer:
        copy = muxer.add_copy(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        sent = [bytes(packet) for packet in packets]
        data = b""
        for packet in packets:
            packet.stream = copy
            data += muxer.mux(packet)
    with av.open(io.BytesIO(data), format="mpegts") as container:
        assert [bytes(packet) for packet in container.demux(video=0) if packet.size] == sent


def packets_of(data):
    assert len(data) % PACKET == 0
    return [data[start : start + PACKET] for start in range(0, len(data), PACKET)]


def test_each_packet_is_out_before_the_next_one_comes(muxed):
    for kind, _, data in muxed:
        own = {"video": VIDEO_PID, "audio": AUDIO_PID}[kind]
        assert own in {pid_of(packet) for packet in packets_of(data)} <= TABLE_PIDS | {own}


def test_the_tables_name_all_streams_whichever_has_come(muxed):
    tables = Tables()
    first_picture = next(data for kind, _, data in muxed if kind == "video")
    for packet in packets_of(first_picture):
        if pid_of(packet) in TABLE_PIDS:
            tables.take(packet)
    assert tables.pmt_pid == PMT_PID
    assert [(stream.kind, stream.pid) for stream in tables.streams] == [(H264, VIDEO_PID), (AAC, AUDIO_PID)]


def test_no_packet_is_missing_to_a_reader_that_counts_them(muxed):
    last = {}
    for packet in packets_of(b"".join(data for _, _, data in muxed)):
        pid, number = pid_of(packet), packet[3] & 0x0F
        step = 0 if packet[3] & 0x30 == NO_PAYLOAD else 1
        assert number == (last.get(pid, number - step) + step) % 16
        last[pid] = number


def test_all_of_it_comes_back_with_its_times(muxed):
    with av.open(io.BytesIO(b"".join(data for _, _, data in muxed)), format="mpegts") as container:
        found = {"video": [], "audio": []}
        for packet in container.demux():
            if packet.size:
                found[packet.stream.type].append(packet.pts * packet.time_base)
    for kind, times in found.items():
        given = [time_s for other, time_s, _ in muxed if other == kind]
        assert len(times) == len(given)
        assert all(abs(back - sent) < Fraction(1, 90_000) for back, sent in zip(times, given, strict=True))
