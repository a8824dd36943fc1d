"""What holds in the registry whatever happens in whatever order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from runner_rig import SECRET, Clock, static

from byoc_kit.network.runner_records import Heartbeat, RunnerError
from byoc_kit.network.runner_urls import ProxyTemplate, RunnerUrls
from byoc_kit.network.runners import HEARTBEAT_TTL_S, RunnerRegistry
from byoc_kit.trickle.channels import Channels

IDS = st.sampled_from(["", "runner-a", "runner-b"])
LABELS = st.sampled_from(["label-a", "label-b", "runner-a"])
STATUSES = st.sampled_from(["", "ready", "draining"])
NAMES = st.sampled_from(["in", "out", "data"])
CAPACITIES = st.integers(0, 3)


def asked(call, *statuses):
    """Return what a call answers; None where it is refused with one of the statuses."""
    try:
        return call()
    except RunnerError as error:
        if error.status not in statuses:
            raise
        return None


class Orchestrator(RuleBasedStateMachine):
    """Drives a registry as containers, clients and the operator do, and keeps its own book of sessions."""

    runners = Bundle("runners")
    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.channels = Channels(clock=self.clock)
        urls = RunnerUrls("http://public", "http://internal", ProxyTemplate.parse("http://public/run/{proxy}"))
        self.registry = RunnerRegistry(self.channels, urls, secret=SECRET, clock=self.clock)
        self.secrets = set()
        self.heard_s = {}

    def see(self, *secrets):
        """Note secrets that were given out; none may come twice."""
        for secret in secrets:
            assert secret not in self.secrets
            self.secrets.add(secret)

    @rule(target=runners, runner_id=IDS, capacity=CAPACITIES, proxy=st.booleans())
    def register(self, runner_id, capacity, proxy):
        request = Heartbeat(runner_id, proxy=proxy, runner_url="http://runner", app="a/b", capacity=capacity)
        answer = asked(lambda: self.registry.heartbeat(request, SECRET), 401, 404)
        if answer is None:  # it is there, alive or expired
            return multiple()
        self.see(answer["heartbeat_secret"], answer["o2r"]["channel_name"])
        self.heard_s[answer["runner_id"]] = self.clock()
        return answer["runner_id"], answer["heartbeat_secret"]

    @rule(runner=runners, capacity=CAPACITIES, status=STATUSES)
    def heartbeat(self, runner, capacity, status):
        runner_id, secret = runner
        request = Heartbeat(runner_id, runner_url="http://runner", app="a/b", capacity=capacity, status=status)
        answer = asked(lambda: self.registry.heartbeat(request, secret), 400, 401, 404)
        if answer is not None:
            self.heard_s[runner_id] = self.clock()
            assert "heartbeat_secret" not in answer

    @rule(runner=runners)
    def unregister(self, runner):
        if asked(lambda: self.registry.unregister(*runner) or "done", 400, 401, 404):
            assert runner[0] not in {one.record.runner_id for one in self.registry}

    @rule(
        target=runners,
        label=LABELS,
        routing=st.sampled_from(["runner-id", "label"]),
        capacity=CAPACITIES,
        is_healthy=st.booleans(),
    )
    def declare(self, label, routing, capacity, is_healthy):
        entry = static(label, routing=routing, capacity=capacity, is_healthy=is_healthy)
        [answer] = self.registry.register_static([entry])
        assert answer["healthy"] == is_healthy
        return (label if routing == "label" else answer["runner_id"]), ""

    @rule(is_healthy=st.booleans())
    def check_health(self, is_healthy):
        for runner in self.registry:
            if runner.static is not None:
                self.registry.set_health(runner, is_healthy=is_healthy)
                assert is_healthy or not runner.sessions

    @rule(target=sessions, runner=runners)
    def reserve(self, runner):
        route = runner[0]
        used = {one.route: len(one.sessions) for one in self.registry}
        capacities = {one.route: one.record.capacity for one in self.registry}
        is_full = route in used and used[route] >= capacities[route]
        reserved = asked(lambda: self.registry.reserve(route), 404, *([503] if is_full else []))
        if reserved is None:
            return multiple()
        assert not is_full
        session_id = reserved.session_id
        token = self.registry.target(route, session_id, "").token
        self.see(session_id, token)
        return route, session_id, token

    @rule(session=sessions, name=NAMES)
    def create_channel(self, session, name):
        route, session_id, _ = session
        channel = asked(lambda: self.registry.create_channel(route, session_id, name, ""), 404)
        assert channel is None or channel.channel_name == f"{session_id}-{name}"

    @rule(session=sessions, name=NAMES)
    def delete_channel(self, session, name):
        route, session_id, _ = session
        if asked(lambda: self.registry.delete_channel(route, session_id, name) or "done", 404, 500):
            assert self.channels.find(f"{session_id}-{name}") is None

    @rule(session=sessions)
    def create_proxy(self, session):
        route, session_id, token = session
        proxy = asked(lambda: self.registry.create_proxy(route, session_id, ""), 404)
        if proxy is not None:
            self.see(proxy["proxy_id"])
            target = self.registry.find_proxy("public", f"/run/{proxy['proxy_id']}/x")
            assert (target.session_id, target.token) == (session_id, token)

    @rule(session=consumes(sessions))
    def release(self, session):
        route, session_id, token = session
        if asked(lambda: self.registry.release(route, session_id) or "done", 404):
            assert asked(lambda: self.registry.check_token(route, session_id, token) or "done", 404) is None
            assert not [channel for channel in self.channels if channel.name.startswith(session_id)]

    @rule(seconds=st.sampled_from([1, 5, 19, 21, 301]))
    def pass_time(self, seconds):
        self.clock.pass_(seconds)

    @rule()
    def sweep(self):
        self.registry.sweep()
        dynamic = [one for one in self.registry if one.static is None]
        assert all(self.clock() - one.last_heartbeat_s <= HEARTBEAT_TTL_S for one in dynamic)

    @rule()
    def sweep_channels(self):
        self.channels.sweep()

    @rule()
    def write(self):
        self.registry.write_messages()
        self.registry.keep_alive()

    @invariant()
    def no_runner_is_fuller_than_its_largest_capacity(self):
        for one in self.registry:
            assert len(one.sessions) <= 3
            assert 1 <= one.record.capacity <= 3

    @invariant()
    def only_live_runners_are_shown(self):
        shown = [one for one in self.registry if one.record.is_ready and one.static is None]
        alive = [one for one in shown if self.clock() - self.heard_s[one.record.runner_id] <= HEARTBEAT_TTL_S]
        static_ready = [one for one in self.registry if one.record.is_ready and one.static is not None]
        assert len(self.registry.discovered()) == len(alive) + len(static_ready)

    @invariant()
    def every_channel_belongs_to_a_session_or_a_runner(self):
        owned = set()
        for runner in self.registry:
            if runner.signals is not None:
                owned.add(runner.signals.descriptor.channel_name)
            for session in runner.sessions.values():
                owned |= {channel.channel_name for channel in session.channels.values()}
        assert {channel.name for channel in self.channels} <= owned

    def teardown(self):
        self.registry.close()
        assert list(self.channels) == []


TestOrchestrator = Orchestrator.TestCase
TestOrchestrator.settings = settings(max_examples=100, stateful_step_count=40)
