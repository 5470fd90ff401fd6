"""The ways out that the rules name, ready to send; what is not named in the rules is never opened."""

import base64
import json
import os
import socket

from szem.errors import NotFoundError, RangeError
from szem.guard.event_store import EventStore, slug
from szem.guard.mqtt import MqttSender
from szem.guard.outbox import Message, Notifier
from szem.guard.webhook import WebhookSender
from szem.tasks.surveillance.rules import Rules

__all__ = ["build_notifiers"]

_MOST_PICTURE_BYTES = 2_000_000


def build_notifiers(rules: Rules, store: EventStore) -> dict[str, Notifier]:
    """The hooks that some rule uses, by name: "webhook:office", "mqtt:home".

    Raises:
        RangeError: a key or password is to come from the environment and is not there, or an address is wrong.
        MissingExtraError: MQTT is wanted and paho-mqtt is not installed.
    """
    used = {action for rule in rules.rules for action in rule.do}
    notifiers: dict[str, Notifier] = {}
    for name, webhook in rules.webhooks.items():
        if f"webhook:{name}" in used:
            key = _secret(webhook.secret_env, f"webhooks.{name}.secret_env").encode()
            sender = WebhookSender(webhook.url, headers=webhook.headers, key=key, timeout_s=webhook.timeout_s)
            notifiers[f"webhook:{name}"] = _WithPicture(sender, store) if webhook.picture else sender
    for name, mqtt in rules.mqtt.items():
        if f"mqtt:{name}" in used:
            notifiers[f"mqtt:{name}"] = MqttSender(
                mqtt.host,
                port=mqtt.port,
                user=mqtt.user,
                password=_secret(mqtt.password_env, f"mqtt.{name}.password_env"),
                tls=mqtt.tls,
                qos=mqtt.qos,
                retain=mqtt.retain,
                available=f"{mqtt.topic.split('/')[0].split('{')[0] or 'szem'}/available",
                client_id=f"szem-{slug(socket.gethostname())[:20]}-{os.getpid()}-{slug(name)[:20]}",
            )
    return notifiers


class _WithPicture:
    """A webhook whose messages carry the event's picture, read when they are sent."""

    def __init__(self, notifier: Notifier, store: EventStore) -> None:
        self._notifier, self._store = notifier, store

    def send(self, message: Message) -> None:
        body = json.loads(message.body)
        try:
            with self._store.open_media(body.get("picture", "")) as file:
                data = file.read(_MOST_PICTURE_BYTES + 1)
            if len(data) <= _MOST_PICTURE_BYTES:
                body["picture_jpeg"] = base64.b64encode(data).decode("ascii")
        except (NotFoundError, OSError):  # deleted since
            self._notifier.send(message)
            return
        text = json.dumps(body, ensure_ascii=False)
        self._notifier.send(Message(message.id, message.topic, text, message.attempts))

    def close(self) -> None:
        self._notifier.close()


def _secret(variable: str, where: str) -> str:
    """What an environment variable holds.

    Raises:
        RangeError: it is named and not set.
    """
    if not variable:
        return ""
    value = os.environ.get(variable, "")
    if not value:
        raise RangeError(f"{where}: the environment variable {variable} is not set; export it before szem watch")
    return value
