"""Messages out: webhooks against a real HTTP server, MQTT against a real broker, through failures and restarts."""

import base64
import hashlib
import hmac
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from szem.errors import RangeError, StoreError
from szem.guard.event_record import EventQuery
from szem.guard.event_store import EventStore, stored_from
from szem.guard.notifiers import build_notifiers
from szem.guard.outbox import Message, Outbox, RefusedError, message_row
from szem.guard.webhook import WebhookSender
from szem.tasks.surveillance.rules_toml import parse_rules

from .acts import happening

PATIENCE_S = 90.0


def wait_for(what: Callable[[], object], *, seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


class Receiver:
    """A web server that notes what it gets and answers as asked; the last answer is repeated."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = [204]
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alarm?from=szem"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def bodies(self) -> list[str]:
        return [body.decode() for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def post(store: EventStore, *bodies: str, notifier: str = "webhook:a") -> None:
    store.post([message_row(notifier, topic="szem/door/enters", body=body) for body in bodies])


def test_a_message_is_signed_and_carries_its_id(receiver: Receiver) -> None:
    sender = WebhookSender(receiver.url, headers={"authorization": "Bearer x"}, key=b"secret")
    sender.send(Message("id1", "", '{"kind": "ő"}', 0))
    headers, body = receiver.got[0]
    assert json.loads(body) == {"kind": "ő"}
    assert (headers["idempotency-key"], headers["authorization"]) == ("id1", "Bearer x")
    known = hmac.new(b"secret", headers["x-szem-timestamp"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-szem-signature"] == f"sha256={known}"


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, StoreError), (429, StoreError), (404, RefusedError), (302, RefusedError)],  # redirects are not followed
)
def test_answers_are_distinguished(receiver: Receiver, status: int, error: type[Exception]) -> None:
    receiver.answers = [status]
    with pytest.raises(error, match=str(status)):
        WebhookSender(receiver.url).send(Message("id1", "", "{}", 0))


@pytest.mark.parametrize("url", ["ftp://a/b", "http://", "http://a:port/", "file:///etc/passwd"])
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(RangeError, match="address begins with http"):
        WebhookSender(url)


def test_messages_go_out_in_order_and_are_tried_again(store: EventStore, receiver: Receiver) -> None:
    receiver.answers = [503, 500, 204]
    outcomes: list[str] = []
    outbox = Outbox(
        store,
        {"webhook:a": WebhookSender(receiver.url)},
        on_sent=lambda _notifier, how: outcomes.append(how),
        first_wait_s=0.02,
    )
    post(store, '{"n": 1}', '{"n": 2}')
    outbox.start()
    wait_for(lambda: outcomes.count("sent") == 2)
    post(store, '{"n": 3}')
    outbox.wake()
    wait_for(lambda: outcomes.count("sent") == 3)
    outbox.stop()
    assert receiver.bodies == ['{"n": 1}', '{"n": 1}', '{"n": 1}', '{"n": 2}', '{"n": 3}']
    keys = [headers["idempotency-key"] for headers, _ in receiver.got]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3
    assert outbox.waiting() == {}


def test_what_was_not_taken_goes_out_after_a_restart(tmp_path: Path, receiver: Receiver) -> None:
    with closing(EventStore(tmp_path)) as first:
        dead = Outbox(first, {"webhook:a": WebhookSender("http://127.0.0.1:9/", timeout_s=1)}, first_wait_s=0.02)
        post(first, '{"n": 1}', '{"n": 2}')
        dead.start()
        wait_for(lambda: dead._last_error)
        dead.stop(grace_s=0.1)
        assert dead.waiting() == {"webhook:a": 2}
    with closing(EventStore(tmp_path)) as second:
        outbox = Outbox(second, {"webhook:a": WebhookSender(receiver.url)})
        outbox.start()
        wait_for(lambda: not outbox.waiting())
        outbox.stop()
    assert receiver.bodies == ['{"n": 1}', '{"n": 2}']


def test_a_notifier_that_is_down_keeps_no_other_waiting(store: EventStore, receiver: Receiver) -> None:
    dead = WebhookSender("http://127.0.0.1:9/", timeout_s=1)
    outbox = Outbox(store, {"webhook:dead": dead, "webhook:a": WebhookSender(receiver.url)}, first_wait_s=5)
    post(store, '{"n": 1}', notifier="webhook:dead")
    post(store, '{"n": 2}')
    outbox.start()
    wait_for(lambda: outbox.waiting() == {"webhook:dead": 1})
    outbox.stop(grace_s=0.1)
    assert receiver.bodies == ['{"n": 2}']
    assert outbox.waiting() == {"webhook:dead": 1}


def test_a_message_that_is_refused_is_given_up_after_some_attempts(store: EventStore, receiver: Receiver) -> None:
    receiver.answers = [400, 400, 400, 400, 400, 204]
    outcomes: list[str] = []
    outbox = Outbox(
        store,
        {"webhook:a": WebhookSender(receiver.url)},
        on_sent=lambda _notifier, how: outcomes.append(how),
        first_wait_s=0.01,
    )
    post(store, '{"bad": 1}', '{"good": 1}')
    outbox.start()
    wait_for(lambda: "sent" in outcomes)
    outbox.stop()
    assert outcomes == ["failed"] * 4 + ["given up", "sent"]


def test_old_messages_are_given_up(store: EventStore) -> None:
    outbox = Outbox(store, {})
    post(store, "{}", notifier="webhook:gone")
    assert outbox.give_up_old() == 0
    store.clock._base_s += 8 * 86_400
    assert outbox.give_up_old() == 1
    assert outbox.waiting() == {}


def test_an_event_and_its_message_are_kept_together_or_not_at_all(store: EventStore) -> None:
    event = stored_from(happening(), source="door", now=5.0, now_s=3.0)
    broken: dict[str, Any] = {"hook": "webhook:a", "topic": "", "body": None}
    with pytest.raises(StoreError):
        store.add(event, messages=[broken])
    assert Outbox(store, {}).waiting() == {}
    assert store.count(EventQuery()) == 0


RULES = """
[[rules]]
name = "all"
events = ["*"]
do = ["save", "webhook:a"]
[webhooks.a]
url = "URL"
secret_env = "SZEM_TEST_KEY"
[webhooks.unused]
url = "http://example.org/"
"""


def test_only_notifiers_that_a_rule_names_are_opened(
    store: EventStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = parse_rules(RULES.replace("URL", receiver.url))
    with pytest.raises(RangeError, match="SZEM_TEST_KEY is not set"):
        build_notifiers(rules, store)
    monkeypatch.setenv("SZEM_TEST_KEY", "k")
    notifiers = build_notifiers(rules, store)
    assert list(notifiers) == ["webhook:a"]
    with store.writing("d/a_door_enters_00000001.jpg") as path:
        path.write_bytes(b"\xff\xd8 a picture")
    for picture in ("d/a_door_enters_00000001.jpg", "gone.jpg"):
        notifiers["webhook:a"].send(Message("i", "", json.dumps({"picture": picture}), 0))
    assert base64.b64decode(json.loads(receiver.bodies[0])["picture_jpeg"]) == b"\xff\xd8 a picture"
    assert "picture_jpeg" not in json.loads(receiver.bodies[1])
    assert build_notifiers(parse_rules(""), store) == {}


# MQTT --------------------------------------------------------------------------------------------------------------


class Broker:
    """A mosquitto of our own, at a port that nobody else gets while it is away."""

    def __init__(self, program: str, folder: Path) -> None:
        self._place = socket.socket()  # bound and not listening: mosquitto may listen beside it, as both reuse
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = int(self._place.getsockname()[1])
        self._program, self._config = program, folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [self._program, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def close(self) -> None:
        self.stop()
        self._place.close()

    def _answers(self) -> bool:
        assert self._process is None or self._process.poll() is None, "mosquitto ended by itself"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S).close()
        except OSError:
            return False
        return True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that does not run yet; skips where there is none."""
    pytest.importorskip("paho.mqtt", reason="needs the guard extra (paho-mqtt)")
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/sbin")
    if program is None:
        pytest.skip("needs mosquitto (Debian: apt install mosquitto)")
    made = Broker(program, tmp_path)
    yield made
    made.close()


class Listener:
    """Another client of the broker, which notes all it hears."""

    def __init__(self, port: int) -> None:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: list[tuple[str, str]] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, m: self.heard.append((m.topic, m.payload.decode()))
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.slow
def test_events_reach_a_real_broker_that_comes_and_goes(store: EventStore, broker: Broker) -> None:
    """The broker is away at first, then comes, goes and comes again; every message arrives, in order."""
    rules = parse_rules(
        f'[[rules]]\nname = "a"\nevents = ["*"]\ndo = ["mqtt:home"]\n'
        f'[mqtt.home]\nhost = "127.0.0.1"\nport = {broker.port}\n'
        "retain = true\n"  # the broker tells those who come after the message, too
    )
    outbox = Outbox(store, build_notifiers(rules, store), first_wait_s=0.05)
    post(store, '{"n": 1}', notifier="mqtt:home")
    outbox.start()
    time.sleep(0.3)
    broker.start()
    first = Listener(broker.port)
    wait_for(lambda: not outbox.waiting())
    post(store, '{"n": 2}', notifier="mqtt:home")
    outbox.wake()
    wait_for(lambda: ("szem/door/enters", '{"n": 2}') in first.heard)
    assert ("szem/available", "online") in first.heard
    first.close()
    broker.stop()
    post(store, '{"n": 3}', notifier="mqtt:home")
    outbox.wake()
    time.sleep(0.3)
    broker.start()
    second = Listener(broker.port)
    wait_for(lambda: ("szem/door/enters", '{"n": 3}') in second.heard)
    outbox.stop()
    wait_for(lambda: ("szem/available", "offline") in second.heard)
    second.close()
    numbers = [text for topic, text in first.heard + second.heard if topic == "szem/door/enters"]
    assert list(dict.fromkeys(numbers))[-2:] == ['{"n": 2}', '{"n": 3}']
