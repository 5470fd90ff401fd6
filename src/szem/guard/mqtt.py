"""Events published at an MQTT broker, and whether the guard is there at `PREFIX/available`.

One connection a broker, opened again by itself. A message counts as sent once the broker has said that it has it.
Needs the `guard` extra (paho-mqtt).
"""

import threading
from typing import Any

from szem.errors import MissingExtraError, StoreError
from szem.guard.outbox import Message

__all__ = ["MqttSender"]

_WAIT_S = 10.0  # for the broker's word
_LONGEST_RECONNECT_S = 60


class MqttSender:
    """One broker.

    Args:
        host: Its name or address.
        port: 1883, or 8883 with TLS, by custom.
        user: Empty: none.
        password: Likewise.
        tls: Encrypt, and check the broker's certificate.
        qos: 0 (sent), 1 (at least once), 2 (once, between guard and broker).
        retain: The broker keeps each topic's last message for those who come later.
        available: The topic that says "online" or "offline"; the broker says the latter when the guard is gone.
        client_id: By which the broker knows this guard again.
    Raises:
        MissingExtraError: paho-mqtt is not installed.
    """

    def __init__(
        self,
        host: str,
        *,
        port: int = 1883,
        user: str = "",
        password: str = "",
        tls: bool = False,
        qos: int = 1,
        retain: bool = False,
        available: str = "szem/available",
        client_id: str = "",
    ) -> None:
        try:
            import paho.mqtt.client as paho
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise MissingExtraError("MQTT needs paho-mqtt; install it: pip install 'szem[guard]'") from error
        self.name = f"{host}:{port}"
        self._qos, self._retain, self._available = qos, retain, available
        self._connected = threading.Event()
        self._reported = "no answer yet"
        self._client: Any = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.reconnect_delay_set(1, _LONGEST_RECONNECT_S)
        self._client.will_set(available, "offline", qos=1, retain=True)
        if user:
            self._client.username_pw_set(user, password or None)
        if tls:
            self._client.tls_set()
        self._client.connect_async(host, port, keepalive=30)
        self._client.loop_start()

    def send(self, message: Message) -> None:
        """Publish a message.

        Raises:
            StoreError: the broker does not answer, or does not take it.
        """
        if not self._connected.wait(_WAIT_S):
            raise StoreError(f"the broker {self.name} cannot be reached ({self._reported})")
        sent = self._client.publish(message.topic, message.body, qos=self._qos, retain=self._retain)
        try:
            sent.wait_for_publish(_WAIT_S)
            is_sent = sent.is_published()
        except (ValueError, RuntimeError) as error:
            raise StoreError(f"the broker {self.name} did not take a message ({error})") from error
        if not is_sent:
            raise StoreError(f"the broker {self.name} did not say that it has the message")

    def close(self) -> None:
        """Say goodbye."""
        if self._connected.is_set():
            self._client.publish(self._available, "offline", qos=1, retain=True).wait_for_publish(2.0)
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._reported = str(reason)
            return
        client.publish(self._available, "online", qos=1, retain=True)
        self._connected.set()

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._connected.clear()
        self._reported = str(reason)
