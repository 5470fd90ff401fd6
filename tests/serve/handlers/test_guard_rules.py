"""The rules file over HTTP: secrets never leave, and what is the operator's never changes."""

import json
import os
import stat
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from szem.errors import DeniedError, RulesError
from szem.serve.handlers.guard_rules import RulesText, mask_address

RULES = "/v1/szem/guard/rules"
Run = Callable[..., AbstractContextManager[httpx.Client]]

# Every place where a secret may stand; each secret says "hush".
FILE = r'''# the old password was hush-camera-password, at rtsp://old:hush-older@10.0.0.9/h264
[cameras.door]
source = "rtsp://admin:hush-camera-password@10.0.0.7:554/h264?token=hush-token-in-a-query"
zones.step = [[0.1, 0.5], [0.6, 0.5], [0.6, 1.0], [0.1, 1.0]]   # by hand
[cameras.yard]
source = 'http://10.0.0.8/live/hush_0123456789abcdef/stream.m3u8'

[[rules]]
name = "at the door"
events = ["enters"]
zones = ["step"]
score = 0.6
do = ["save", "webhook:office", "mqtt:home"]

[webhooks.office]
url = "https://hooks.lan/services/hush/in-the-path?key=hush-key"
headers.Authorization = "Bearer hush-\u0062earer"
headers."X-Other" = """hush-other"""
secret_env = "SZEM_HOOK_KEY"

[webhooks.second]
url = "https://hooks.lan/services/hush/second"
headers = { Authorization = 'hush-second' }

[mqtt.home]
host = "broker.lan"
user = "szem"
password_env = "SZEM_MQTT_PASSWORD"

[keep]
days = 20
'''


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "guard.toml").write_text(FILE)
    return folder


def test_no_secret_is_in_what_is_shown() -> None:
    shown = RulesText(FILE).masked()
    assert "hush" not in shown
    assert tomllib.loads(shown).keys() == tomllib.loads(FILE).keys()
    for kept in ("10.0.0.7:554", "hooks.lan", "broker.lan", "SZEM_MQTT_PASSWORD", "# by hand", "score = 0.6"):
        assert kept in shown


def test_what_comes_back_gets_its_secrets_again() -> None:
    file = RulesText(FILE)
    changed = file.masked().replace("score = 0.6", "score = 0.9")
    saved = tomllib.loads(file.merged(changed))
    wanted = tomllib.loads(FILE)
    wanted["rules"][0]["score"] = 0.9
    assert saved == wanted


def test_rules_zones_and_thresholds_may_change() -> None:
    file = RulesText(FILE)
    sent = (
        file.masked()
        + "\n[watch]\nscore = 0.4\n[zones]\ngate = [[0, 0], [1, 0], [1, 1]]\n[cameras.new]\nsound = false\n"
    )
    saved = tomllib.loads(file.merged(sent))
    assert saved["watch"] == {"score": 0.4}
    assert saved["cameras"]["new"] == {"sound": False}
    assert saved["webhooks"] == tomllib.loads(FILE)["webhooks"]


SHOWN = RulesText(FILE).masked()
EVIL: dict[str, tuple[str, str]] = {
    "a webhook of a stranger": (SHOWN + '[webhooks.evil]\nurl = "http://evil.test/"\n', "webhooks.evil"),
    "a broker of a stranger": (SHOWN + '[mqtt.evil]\nhost = "evil.test"\n', "mqtt.evil"),
    "another environment variable": (SHOWN.replace("SZEM_MQTT_PASSWORD", "AWS_SECRET_ACCESS_KEY"), "password_env"),
    "another host for the same secret": (SHOWN.replace("broker.lan", "evil.test"), "mqtt.home.host"),
    "another receiver for the same key": (
        SHOWN.replace("https://hooks.lan", "https://evil.test", 1),
        "webhooks.office",
    ),
    "another port": (SHOWN.replace('user = "szem"', 'user = "szem"\nport = 9'), "mqtt.home.port"),
    "a film of the machine as a camera": (SHOWN + '[cameras.evil]\nsource = "/etc/passwd"\n', "cameras.evil.source"),
    "an address within": (SHOWN + '[cameras.evil]\nsource = "http://169.254.169.254/"\n', "cameras.evil.source"),
    "a camera without its address": (
        SHOWN.replace("[cameras.yard]\nsource", "[cameras.yard]\nsource2"),
        "yard.source",
    ),
    "events forgotten at once": (SHOWN.replace("days = 20", "days = 0.001"), "keep.days"),
    "the same number of another type": (SHOWN.replace("days = 20", "days = 20.0"), "keep.days"),
    "clips with faces": (SHOWN + "[clips]\nblur_faces = false\n", "clips"),
    "the operator's part left out": ('[[rules]]\nname = "a"\nevents = ["enters"]\n', "webhooks"),
    "masks exchanged": (
        SHOWN.replace('"***"', '"SWAP"').replace('"***2***"', '"***"').replace('"SWAP"', '"***2***"'),
        "webhooks",
    ),
}


@pytest.mark.parametrize("name", EVIL)
def test_what_is_the_operators_is_not_changed(name: str) -> None:
    text, says = EVIL[name]
    assert text != SHOWN
    with pytest.raises(DeniedError, match="the operator's") as caught:
        RulesText(FILE, "guard.toml").merged(text)
    assert says in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_mask_does_not_carry_a_secret_into_a_name() -> None:
    """A rule called as a mask would be saved with the secret as its name, and each event would tell it."""
    mask = next(shown for secret, shown in RulesText(FILE).masks.items() if secret.startswith("Bearer"))
    text = SHOWN.replace('"at the door"', f'"{mask}"')
    assert text != SHOWN
    with pytest.raises(DeniedError, match="a mask stands where"):
        RulesText(FILE).merged(text)


def test_texts_that_look_like_masks_are_never_taken_for_secrets() -> None:
    file = RulesText(
        '[[rules]]\nname = "***"\nevents = ["*"]\n[webhooks.a]\nurl = "http://a/"\nheaders = {k = "hush"}\n'
    )
    assert "hush" not in file.masked()
    assert file.merged(file.masked()) != file.masked()
    assert tomllib.loads(file.merged(file.masked())) == file.raw


@pytest.mark.parametrize(
    "broken", ['url = "hush', "[webhooks", "a = 1\na = 2\n# hush", ".".join("a" * 3000) + " = 1"]
)
def test_a_file_that_is_no_toml_shows_nothing_and_is_not_replaced(broken: str) -> None:
    file = RulesText(broken)
    assert file.masked() == ""
    with pytest.raises(RulesError, match="mend it on the machine"):
        file.merged("")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("0", "0"),
        ("/films/a:b@c.mp4", "/films/a:b@c.mp4"),
        ("rtsp://10.0.0.7/h264", "rtsp://10.0.0.7/h264"),
        ("rtsp://u:p@[fd00::1]:554/h264", "rtsp://***@[fd00::1]:554/h264"),
        ("rtsp://u:p@ss@10.0.0.7/h264", "rtsp://***@10.0.0.7/h264"),
        ("rtmp://a/live/hushhushhushhushhush", "rtmp://a/live/***"),
        ("http://[::1", "***"),
    ],
)
def test_addresses_are_shown_without_what_could_be_a_secret(address: str, shown: str) -> None:
    assert mask_address(address) == shown


# Over HTTP ----------------------------------------------------------------------------------------------------------


def everything(server: httpx.Client) -> str:
    """All that the guard's routes say."""
    paths = ("", "/rules", "/areas", "/events", "/export?format=csv", "/export?format=json", "/areas?camera=door")
    return "".join(server.get(f"/v1/szem/guard{path}").text for path in paths)


def test_no_answer_holds_a_secret_and_saving_keeps_them(
    store: Path, run_server: Run, caplog: pytest.LogCaptureFixture
) -> None:
    file = store / "guard.toml"
    file.chmod(0o644)
    with run_server(guard_store=store) as server:
        assert "hush" not in everything(server)
        answer = server.get(RULES).json()
        assert (answer["fault"], answer["rules"]["notifiers"]) == (
            "",
            ["webhook:office", "webhook:second", "mqtt:home"],
        )
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        checked = server.put(f"{RULES}/check", json={"text": answer["text"]})
        assert checked.json()["fault"] == ""
        saved = server.put(RULES, json={"text": answer["text"].replace("0.6", "0.7")})
        assert saved.status_code == 200, saved.text
        assert "hush" not in checked.text + saved.text
    now = tomllib.loads(file.read_text())
    before = tomllib.loads(FILE)
    assert now["rules"][0]["score"] == 0.7
    assert (now["webhooks"], now["mqtt"], now["cameras"]["yard"]) == (
        before["webhooks"],
        before["mqtt"],
        before["cameras"]["yard"],
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "hush" not in caplog.text


def test_a_fault_in_the_operators_file_is_reported_without_its_value(store: Path, run_server: Run) -> None:
    for wrong in (
        'headers = "Bearer hush"',
        'headers = { a = "hush\\u0007" }',
        "urls = 'http://hush'",
        'url = "hush://hush:hush-hush@a/"',
    ):
        (store / "guard.toml").write_text(FILE.replace("headers = { Authorization = 'hush-second' }", wrong))
        with run_server(guard_store=store) as server:
            answer = server.get(RULES)
            assert answer.json()["fault"]
            assert "hush" not in answer.text, wrong
            assert "hush" not in server.put(RULES, json={"text": answer.json()["text"]}).text


def test_rules_that_send_a_secret_of_the_environment_elsewhere_are_refused(store: Path, run_server: Run) -> None:
    (store / "guard.toml").unlink()
    evil = (
        '[[rules]]\nname = "a"\nevents = ["enters"]\ndo = ["mqtt:x"]\n'
        '[mqtt.x]\nhost = "127.0.0.1"\nuser = "u"\npassword_env = "AWS_SECRET_ACCESS_KEY"\n'
    )
    with run_server(guard_store=store) as server:
        stranger = server.put(RULES, json={"text": evil}, headers={"x-szem-key": ""})
        assert stranger.status_code == 401
        owner = server.put(RULES, json={"text": evil})
        assert owner.status_code == 403
        assert "mqtt.x" in owner.json()["error"]["message"]
        assert "mqtt.x" in server.put(f"{RULES}/check", json={"text": evil}).json()["fault"]
    assert not (store / "guard.toml").exists()


NUMBERS: tuple[tuple[str, str], ...] = tuple(
    (text.format(n=number), field)
    for text, field in (
        ("[keep]\ndays = {n}", "keep.days"),
        ("[keep]\ngigabytes = {n}", "keep.gigabytes"),
        ('[[rules]]\nname = "a"\nevents = ["*"]\ncooldown_s = {n}', "cooldown_s"),
        ('[[rules]]\nname = "a"\nevents = ["*"]\nscore = {n}', "score"),
        ("[watch]\nloiter_after_s = {n}", "watch.loiter_after_s"),
        ("[watch]\ncrowd_people = {n}", "watch.crowd_people"),
        ("[clips]\nbefore_s = {n}", "clips.before_s"),
        ("[cameras.a.watch]\nscore = {n}", "score"),
        ("[listen]\nthreshold = {n}", "threshold"),
        ("zones.a = [[0, 0], [1, {n}], [1, 1]]", "zones"),
    )
    for number in ("inf", "-inf", "nan", "1e400", str(2**63), "-1", "9" * 5000)
    if not (field == "zones" and number == "-1")
)


@pytest.mark.parametrize("number", range(len(NUMBERS)), ids=[f"{f} {t.rpartition(' ')[2][:9]}" for t, f in NUMBERS])
def test_numbers_without_end_are_refused_before_anything_is_saved(
    guarded_once: tuple[httpx.Client, Path], number: int
) -> None:
    server, folder = guarded_once
    text, field = NUMBERS[number]
    answer = server.put(RULES, json={"text": text})
    assert answer.status_code == 400, answer.text
    message = answer.json()["error"]["message"]
    assert field in message or "digits" in message
    assert len(message) < 500
    assert not (folder / "guard.toml").exists()
    assert server.get(RULES).status_code == 200


@pytest.fixture(scope="module")
def guarded_once(run_server: Run, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("numbers")
    with run_server(guard_store=folder) as server:
        yield server, folder


def test_what_could_be_saved_can_always_be_read_back(guarded_once: tuple[httpx.Client, Path]) -> None:
    """Whatever stands in the file, the answer is JSON, never a 500."""
    server, folder = guarded_once
    file = folder / "guard.toml"
    for text in (
        *(text for text, _ in NUMBERS),
        ".".join("a" * 3000) + " = 1",
        '[webhooks.o]\nurl = "http://[::1"',
        "\x00",
    ):
        file.write_text(text)
        answer = server.get(RULES)
        assert answer.status_code == 200, text[:80]
        assert answer.json()["fault"]
        json.dumps(answer.json(), allow_nan=False)
    file.unlink()


def test_the_old_file_stays_when_the_disk_is_full(
    store: Path, run_server: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with run_server(guard_store=store) as server:
        text = server.get(RULES).json()["text"]
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            answer = server.put(RULES, json={"text": text.replace("0.6", "0.7")})
        assert answer.status_code == 503
        assert (store / "guard.toml").read_text() == FILE
        assert [file.name for file in store.iterdir() if file.name.endswith(".part")] == []
