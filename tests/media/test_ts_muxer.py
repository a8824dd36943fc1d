import io
import shutil
import subprocess
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_rig import BOTH, SOUND, VIDEO, written

from byoc_kit.media.demux import open_clip
from byoc_kit.media.psi import AUDIO_PID, PACKET, PAT_PID, PMT_PID, TABLE_PIDS, VIDEO_PID, Tables, pid_of, section_of
from byoc_kit.media.ts_muxer import Continuity, TransportMuxer

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


# One muxer after another


HAS_PAYLOAD = 0x10


@pytest.fixture(scope="module")
def sound():
    """The packets of the clip's sound, and their stream."""
    with open_clip(CLIP) as clip:
        stream = clip.streams.audio[0]
        yield stream, [packet for packet in clip.demux(stream) if packet.size]


def pmts_of(data):
    """Return version and PIDs of each PMT that says something else than the one before."""
    found = []
    for packet in packets_of(data):
        if pid_of(packet) != PMT_PID:
            continue
        section = section_of(packet)
        assert section, "a damaged table"
        at, pids = 12 + ((section[10] & 0x0F) << 8 | section[11]), []
        while at < len(section) - 4:
            pids.append((section[at + 1] & 0x1F) << 8 | section[at + 2])
            at += 5 + ((section[at + 3] & 0x0F) << 8 | section[at + 4])
        said = (section[5] >> 1 & 0x1F, pids)
        if not found or found[-1] != said:
            found.append(said)
    return found


PARTS = [
    (BOTH, VIDEO, BOTH),
    (VIDEO, BOTH),
    (BOTH, SOUND, BOTH),
    (SOUND, BOTH, VIDEO),
]
ids = ["-".join("+".join(sorted(part)) for part in parts) for parts in PARTS]


@pytest.mark.parametrize("parts", PARTS, ids=ids)
def test_the_tables_say_each_change_once_and_each_stream_keeps_its_pid(sound, parts):
    segments, _, _ = written(sound, *parts)
    pids = {"video": VIDEO_PID, "sound": AUDIO_PID}
    expected = [[pid for kind, pid in pids.items() if kind in part] for part in parts]
    assert pmts_of(segments.whole) == list(enumerate(expected))


def test_parts_with_the_same_streams_have_the_same_tables(sound):
    segments, _, _ = written(sound, BOTH, BOTH)
    assert pmts_of(segments.whole) == [(0, [VIDEO_PID, AUDIO_PID])]


def test_after_31_the_version_begins_again():
    continuity = Continuity()
    sections = [bytes([2, 0xB0, 18, 0, 1, 0xC1, 0, 0, 0xE1, 0, 0xF0, 0, number % 2]) for number in range(34)]
    versions = [continuity.versioned(section)[5] >> 1 & 0x1F for section in sections]
    assert versions == [*range(32), 0, 1]


@pytest.mark.parametrize("parts", PARTS, ids=ids)
def test_no_packet_is_missing_from_one_muxer_to_the_next(sound, parts):
    segments, _, _ = written(sound, *parts)
    last = {}
    for packet in packets_of(segments.whole):
        pid, number = pid_of(packet), packet[3] & 0x0F
        step = 1 if packet[3] & HAS_PAYLOAD else 0
        assert number == (last.get(pid, number - step) + step) % 16
        last[pid] = number
    assert set(last) <= {PAT_PID, PMT_PID, VIDEO_PID, AUDIO_PID}


@pytest.mark.parametrize("parts", PARTS, ids=ids)
def test_each_segment_begins_with_the_tables_in_force(sound, parts):
    segments, _, _ = written(sound, *parts)
    for segment in segments.all:
        assert [pid_of(packet) for packet in packets_of(segment)[:2]] == [PAT_PID, PMT_PID]


@pytest.mark.parametrize("parts", [(BOTH, VIDEO, BOTH), (BOTH, SOUND, BOTH)], ids=[ids[0], ids[2]])
def test_a_copy_that_goes_by_the_first_tables_loses_nothing(sound, parts):
    segments, pictures, sounds = written(sound, *parts, late_pictures=5)
    count = defaultdict(int)
    with av.open(io.BytesIO(segments.whole), format="mpegts") as source:
        chosen = [source.streams.video[0], source.streams.audio[0]]
        for packet in source.demux(chosen):
            count[packet.stream.type] += packet.size > 0
    # Sound from before the stream's first picture has no place.
    assert (count["video"], sounds - count["audio"]) in {(pictures, lost) for lost in range(2)}


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
@pytest.mark.parametrize("parts", [(BOTH, VIDEO, BOTH), (BOTH, SOUND, BOTH)], ids=[ids[0], ids[2]])
def test_ffmpeg_copies_all_of_it_without_a_word(sound, parts, tmp_path):
    segments, pictures, _ = written(sound, *parts)
    source, copy = tmp_path / "source.ts", tmp_path / "copy.mkv"
    source.write_bytes(segments.whole)
    command = ["ffmpeg", "-v", "warning", "-i", str(source), "-c", "copy", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    with av.open(str(copy)) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == pictures
