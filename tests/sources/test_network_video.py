import asyncio
import io
import threading
from fractions import Fraction

import numpy as np
import pytest
from aiohttp import web
from numbered_clips import make_clip, numbers, picture, turn
from PIL import Image
from trickle_rig import until
from web_rig import DEADLINE_S, Silent, served

from byoc_kit.media.clip import Clip
from byoc_kit.media.demux import MediaError
from byoc_kit.sources import network_video
from byoc_kit.sources.network_video import NetworkVideo, _Pace
from byoc_kit.sources.open_source import open_source
from byoc_kit.sources.source import is_clip_source


@pytest.fixture
def silent():
    port = Silent()
    yield port
    port.close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(network_video, "OPEN_TIMEOUT_S", 0.3)
    monkeypatch.setattr(network_video, "READ_TIMEOUT_S", 0.3)


def read(url):
    source = open_source(url)
    assert not is_clip_source(source)
    return list(source.frames())


def no_reader_left():
    return not any(thread.name == "source-network" for thread in threading.enumerate())


async def test_a_file_behind_http_is_played_to_its_end(tmp_path):
    path = make_clip(tmp_path / "a.mp4", b_frames=2)
    async with served(web.static("/clips", path.parent)) as url:
        frames = await asyncio.to_thread(read, f"{url}/clips/a.mp4?token=secret")
    assert numbers(frames) == list(range(30))
    assert [frame.time_s for frame in frames] == pytest.approx([number / 25 for number in range(30)])
    await until(no_reader_left)


async def test_a_file_behind_http_is_shown_as_here(tmp_path):
    path = turn(make_clip(tmp_path / "turned.mp4", count=5, aspect=Fraction(4, 3)), (0, 1, -1, 0))
    async with served(web.static("/", tmp_path)) as url:
        frames = await asyncio.to_thread(read, f"{url}/turned.mp4")
    for frame, expected in zip(frames, Clip(path).frames(), strict=True):
        assert (frame.width, frame.height) == (108, 192)
        assert frame.origin.display == expected.origin.display
        assert np.array_equal(frame.pixels, expected.pixels)


async def test_a_playlist_behind_http_is_played(tmp_path):
    make_clip(tmp_path / "live.m3u8", mux={"hls_time": "0.3", "hls_list_size": "0"})
    assert len(list(tmp_path.glob("*.ts"))) > 2
    async with served(web.static("/", tmp_path)) as url:
        assert numbers(await asyncio.to_thread(read, f"{url}/live.m3u8")) == list(range(30))


async def test_a_camera_s_pictures_come_as_it_sends_them():
    shown = asyncio.Queue()

    async def camera(request):
        response = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=frame"})
        await response.prepare(request)
        while (number := await shown.get()) is not None:
            buffer = io.BytesIO()
            Image.fromarray(picture(number)).save(buffer, "JPEG", quality=90)
            data = buffer.getvalue()
            await response.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data))
            await response.write(data + b"\r\n")
        return response

    for number in range(12):
        shown.put_nowait(number)

    async def endless(request):  # as small cameras answer whatever they are asked for
        response = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=frame"})
        await response.prepare(request)
        await is_over.wait()
        return response

    is_over = asyncio.Event()
    async with served(web.get("/video", camera), web.get("/{any:.*}", endless)) as url:
        source = await asyncio.to_thread(open_source, f"{url}/video")
        frames = source.frames()
        async with asyncio.timeout(DEADLINE_S):
            seen = [await asyncio.to_thread(next, frames) for _ in range(8)]
            shown.put_nowait(None)
            seen += await asyncio.to_thread(list, frames)
        is_over.set()
    assert numbers(seen) == list(range(12))


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
def test_a_server_that_never_answers_is_given_up(silent, impatient, scheme):
    with pytest.raises(MediaError, match=rf"{scheme}://127\.0\.0\.1:\d+/live did not answer for 0 s"):
        read(f"{scheme}://127.0.0.1:{silent.port}/live")
    assert silent.heard


def test_an_rtsp_url_reaches_the_camera_with_its_password_and_no_message(silent, impatient):
    source = open_source(f"rtsp://me:secret@127.0.0.1:{silent.port}/cam?key=secret")
    assert source.name == f"rtsp://127.0.0.1:{silent.port}/cam"
    with pytest.raises(MediaError) as raised:
        list(source.frames())
    assert "secret" not in str(raised.value)
    assert silent.heard[0].startswith(f"OPTIONS rtsp://127.0.0.1:{silent.port}/cam?key=secret RTSP/1.0".encode())


@pytest.mark.parametrize("scheme", ["rtsp", "rtmp"])
def test_closing_lets_go_of_who_waits(silent, monkeypatch, scheme):
    monkeypatch.setattr(network_video, "READ_TIMEOUT_S", 600)
    source = open_source(f"{scheme}://127.0.0.1:{silent.port}/live")
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(source.frames()))
    reader.start()
    deadline = threading.Event()
    while not silent.heard:
        deadline.wait(0.01)
    source.close()
    reader.join(DEADLINE_S)
    assert not reader.is_alive()
    assert seen == []


async def test_closing_breaks_off_a_stream_that_has_gone_quiet(monkeypatch, tmp_path):
    monkeypatch.setattr(network_video, "READ_TIMEOUT_S", 3)
    content = make_clip(tmp_path / "a.ts").read_bytes()
    is_over = asyncio.Event()

    async def camera(request):
        response = web.StreamResponse(headers={"Content-Type": "video/MP2T"})
        await response.prepare(request)
        await response.write(content)
        await is_over.wait()
        return response

    async with served(web.get("/video", camera)) as url:
        source = await asyncio.to_thread(open_source, f"{url}/video")
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(source.frames()))
        reader.start()
        await until(lambda: len(seen) > 20)
        source.close()
        await asyncio.to_thread(reader.join, DEADLINE_S)
        assert not reader.is_alive()
        await until(no_reader_left)  # the reading thread too, as soon as it has waited for its 3 s
        is_over.set()


async def test_a_stream_that_goes_quiet_is_given_up(impatient, tmp_path):
    content = make_clip(tmp_path / "a.ts").read_bytes()
    is_over = asyncio.Event()

    async def camera(request):
        response = web.StreamResponse(headers={"Content-Type": "video/MP2T"})
        await response.prepare(request)
        await response.write(content)
        await is_over.wait()
        return response

    async with served(web.get("/video", camera)) as url:
        network_video.OPEN_TIMEOUT_S = DEADLINE_S
        with pytest.raises(MediaError, match=r"/video has sent (nothing|no picture) for 0 s; check that it"):
            await asyncio.to_thread(read, f"{url}/video")
        is_over.set()


def test_a_port_where_nobody_is_refuses(free_port):
    with pytest.raises(MediaError, match=r"cannot be played: Connection refused; check that it runs, and that the URL"):
        read(f"rtsp://127.0.0.1:{free_port}/live")


def test_udp_without_a_sender_is_given_up(free_port, impatient):
    with pytest.raises(MediaError, match=rf"udp://127\.0\.0\.1:{free_port} (did not answer|has sent no picture)"):
        read(f"udp://127.0.0.1:{free_port}")


async def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "page.html").write_text("<html>no video</html>")
    async with served(web.static("/", tmp_path)) as url:
        with pytest.raises(MediaError, match=r"page\.html cannot be played: Invalid data .*; check that it runs"):
            await asyncio.to_thread(read, f"{url}/page.html")
        with pytest.raises(MediaError, match=r"none\.mp4 cannot be played: Server returned 404 Not Found; check that"):
            await asyncio.to_thread(read, f"{url}/none.mp4")


def test_a_source_that_was_closed_gives_nothing(free_port):
    source = NetworkVideo(f"rtsp://127.0.0.1:{free_port}/live")
    source.close()
    assert list(source.frames()) == []


def test_frames_wait_for_their_time_and_go_on_after_a_jump(monkeypatch):
    now_s = 100.0
    monkeypatch.setattr(network_video.time, "monotonic", lambda: now_s)
    pace = _Pace()
    assert [pace.due_s(time_s) for time_s in (7.0, 7.5, 9.0)] == [100, 100.5, 102]
    assert pace.due_s(3600.0) == 100  # the stream jumped ahead
    assert pace.due_s(3600.5) == 100.5
    now_s = 105.0
    assert pace.due_s(3601.0) == 105  # too late to hurry after it
    assert pace.due_s(3601.5) == 105.5
    assert pace.due_s(0.0) == 105  # it began again
