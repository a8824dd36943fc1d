"""What a container says of itself, before and after its model is loaded."""

import json
import threading
from importlib.metadata import version

import aiohttp
import pytest
from aiohttp import web
from pydantic import ConfigDict, Field
from pytrickle.utils.hardware import GPUComputeInfo, GPUUtilizationInfo

from byoc_kit.core.bundle_reader import Bundle
from byoc_kit.core.capability import Capability
from byoc_kit.core.hooks import Hooks
from byoc_kit.core.params import Params
from byoc_kit.core.processor import FrameProcessor
from byoc_kit.core.source_map import SourceMap
from byoc_kit.server.serve import WaitingRoom
from byoc_kit.server.settings import ServerSettings
from byoc_kit.server.stream_server import server_of


class Tint(Params):
    gain: float = Field(1.4, ge=0, le=4)


OPTIONS = {"capability_name": "green-tint", "version": "1.2.3", "capacity": 2}


@pytest.fixture
async def tinted(rig):
    async with rig(lambda frame, params: frame, params_type=Tint, options=OPTIONS) as it:
        yield it


async def test_the_root_says_what_the_container_is(tinted):
    status, said = await tinted.get("/")
    assert status == 200
    routes = set(said.pop("routes"))
    assert said == {
        "model_id": "green-tint",
        "version": "1.2.3",
        "byoc_kit": version("byoc-kit"),
        "pipeline": "live-video-to-video",
        "contract": "byoc",
        "capacity": 2,
        "params": json.loads(json.dumps(Tint.model_json_schema())),
    }
    assert {"GET /health", "POST /stream/start", "GET /stream/status", "GET /params/schema"} <= routes


async def test_the_version_is_that_of_the_capability(tinted):
    content = {"pipeline": "live-video-to-video", "model_id": "green-tint", "version": "1.2.3"}
    assert await tinted.get("/version") == (200, content)
    assert await tinted.get("/app-version") == (200, {"version": "1.2.3"})


def bundle(tmp_path, **said):
    capability = Capability(model_id="green-tint", **said)
    return Bundle(tmp_path, "tint", "Tint", tmp_path / "tint.ipynb", capability, SourceMap("tint.ipynb", ()))


@pytest.mark.parametrize(("said", "version"), [({"version": "1.4.0-rc.1"}, "1.4.0-rc.1"), ({}, "0.0.0")])
def test_a_bundles_server_has_the_version_of_its_capability(tmp_path, said, version):
    processor = FrameProcessor(Hooks(lambda frame: frame))
    server = server_of(bundle(tmp_path, capacity=3, **said), processor, ServerSettings())
    assert (server.version, server.capability_name, server.sessions.capacity) == (version, "green-tint", 3)


async def test_the_version_is_answered_before_there_is_a_model():
    """An ai-worker asks for it once, at the first answer of ``/health``."""
    capability = Capability(model_id="green-tint", version="1.4.0")
    assert await waiting_rooms_version(capability) == (
        200,
        {"pipeline": "live-video-to-video", "model_id": "green-tint", "version": "1.4.0"},
    )
    status, said = await waiting_rooms_version(None)
    assert (status, said["message"]) == (503, "the model is loading; try again")


async def waiting_rooms_version(capability):
    runner = web.AppRunner(WaitingRoom(ServerSettings(), capability).app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/version"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return answer.status, await answer.json()
    finally:
        await runner.cleanup()


async def test_the_schema_of_the_parameters_is_json_schema(tinted):
    status, schema = await tinted.get("/params/schema")
    assert status == 200
    assert schema["properties"]["gain"] == {
        "default": 1.4,
        "maximum": 4,
        "minimum": 0,
        "title": "Gain",
        "type": "number",
    }


async def test_parameters_that_json_cannot_describe_have_no_schema(rig):
    class Odd(Params):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        lock: threading.Event = Field(default_factory=threading.Event)

    async with rig(lambda frame: frame, params_type=Odd) as it:
        assert (await it.get("/"))[1]["params"] is None
        status, said = await it.get("/params/schema")
    assert status == 404
    assert said["message"] == "JSON cannot describe a type of these parameters, so they have no schema"


async def test_the_gpus_are_those_that_the_driver_names(tinted, monkeypatch):
    of_both = {"id": "GPU-1", "name": "NVIDIA L40S", "memory_total": 48 << 30, "memory_free": 40 << 30}
    asked_on = []

    def compute_info():
        asked_on.append(threading.current_thread())
        return {0: GPUComputeInfo(**of_both, major=8, minor=9)}

    hardware = tinted.server.hardware_info
    monkeypatch.setattr(hardware, "get_gpu_compute_info", compute_info)
    monkeypatch.setattr(
        hardware,
        "get_gpu_utilization_stats",
        lambda: {0: GPUUtilizationInfo(**of_both, utilization_compute=7, utilization_memory=5)},
    )
    named = {"pipeline": "live-video-to-video", "model_id": "green-tint"}
    info, stats = {"major": 8, "minor": 9}, {"utilization_compute": 7, "utilization_memory": 5}
    assert await tinted.get("/hardware/info") == (200, {**named, "gpu_info": {"0": of_both | info}})
    assert await tinted.get("/hardware/stats") == (200, {**named, "gpu_stats": {"0": of_both | stats}})
    assert threading.main_thread() not in asked_on


async def test_a_machine_without_a_gpu_names_none(tinted):
    tinted.server.hardware_info._initialized = False
    assert (await tinted.get("/hardware/info"))[1]["gpu_info"] == {}
    assert (await tinted.get("/hardware/stats"))[1]["gpu_stats"] == {}
