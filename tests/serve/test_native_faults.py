"""Bytes and numbers that used to end or freeze the server: each is one answer, and the next request is answered."""

import io
import struct
import wave

import av
import httpx
import numpy as np
import pytest

from szem.media.samples import sample_path


def is_well(server: httpx.Client) -> bool:
    found = server.post("/v1/szem/colors", content=sample_path("cat").read_bytes())
    return found.status_code == 200 and server.get("/healthz").json()["status"] == "ok"


@pytest.mark.parametrize("channels", [1, 2, 7, 8, 9, 16, 26, 64])
def test_sounds_of_any_number_of_channels_are_heard(server: httpx.Client, channels: int) -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        tone = (np.sin(np.arange(3200) / 5) * 9000).astype("<i2")
        sound.writeframes(np.repeat(tone[:, None], channels, 1).tobytes())
    answer = server.post("/v1/szem/listen", content=out.getvalue(), headers={"content-type": "audio/wav"})
    assert answer.status_code in (200, 400), answer.text
    assert is_well(server)


@pytest.mark.parametrize("rate_hz", [0, 1, 999, 2**31 - 1, 2**32 - 1])
def test_a_sound_whose_rate_no_ear_or_machine_can_follow_is_refused(server: httpx.Client, rate_hz: int) -> None:
    """At one sample a second, 32 kB would be hours of sound."""
    data = bytes(32_000)
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, rate_hz, 0, 2, 16,
                       b"data", len(data))  # fmt: skip
    answer = server.post("/v1/szem/listen", content=head + data, headers={"content-type": "audio/wav"})
    assert answer.status_code == 400, answer.text
    if rate_hz in (1, 999, 2**31 - 1):
        assert "1,000 to 10,000,000" in answer.json()["error"]["message"], answer.text


@pytest.mark.parametrize(("container", "codec", "written"), [("mp4", b"mp4v", b"zzz1"), ("avi", b"FMP4", b"QQQQ")])
def test_a_video_of_an_unknown_codec_is_a_clear_refusal(
    server: httpx.Client, container: str, codec: bytes, written: bytes
) -> None:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 64, 48
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        file.mux(stream.encode(None))
    data = out.getvalue()
    assert codec in data
    answer = server.post(
        "/v1/szem/lipread", content=data.replace(codec, written), headers={"content-type": "video/x"}
    )
    if container == "avi":  # an MP4 names its codec a second time, and may be read by that
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]
    assert answer.status_code in (200, 400), answer.text
    assert is_well(server)


@pytest.mark.parametrize("border", ["reflect", "constant", "replicate", "wrap"])
@pytest.mark.parametrize("dilation", [50_000_000, 2_000_000_000, 2**31, 2**63])
def test_a_dilation_without_end_is_answered(server: httpx.Client, border: str, dilation: int) -> None:
    answer = server.post(
        "/v1/szem/filter",
        params={"kernel": "sobel-x", "dilation": dilation, "border": border},
        content=sample_path("cat").read_bytes(),
    )
    assert answer.status_code in (200, 400), answer.text
    assert is_well(server)
