"""Every cache of szem, damaged in every way: it is made anew, the answer is right, and a warning says so."""

import logging
import random
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from szem.errors import SzemError
from szem.kept import is_whole, read_kept, seal_folder, write_kept
from szem.machine import measurement_file, write_measurement
from szem.media.pictures import write_picture
from szem.tasks.explain import top_activations
from szem.tasks.search.encoder import EncodedRow
from szem.tasks.search.search import WIDTH, update_index
from szem.train.captioning import feature_cache
from szem.train.detection.feature_cache import open_maps, write_maps

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "random": lambda data: random.Random(0).randbytes(len(data)),
    "half": lambda data: data[: len(data) // 2],
    "without its end": lambda data: data[: -len(data) // 9],
    "another program's": lambda data: b"PK\x03\x04" + data,
    "its middle": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0x41]) + data[len(data) // 2 + 1 :]
    ),
    "its first byte": lambda data: bytes([data[0] ^ 1]) + data[1:],
}


@dataclass
class Cache:
    """A cache with the work that it saves."""

    use: Callable[[], object]  # gives what must come out, from the cache or anew
    file: Callable[[], Path]  # the file that is damaged


def _measurement(home: Path) -> Cache:
    file = measurement_file(home, "kernels", "this machine")

    def use() -> object:
        if read_kept(file, "this machine") is None:
            write_measurement(file, "this machine", {"ns": {"tap": 1.5}})
        return {"tap": 1.5} if (kept := read_kept(file, "this machine")) is None else kept["ns"]

    return Cache(use, lambda: file)


def _strongest(home: Path) -> Cache:
    scores = {"a": np.arange(6, dtype=np.float32).reshape(3, 2)}
    found = top_activations.TopActivations(("x.png",), (), scores, scores, scores)
    file = home / "strongest.npz"

    def use() -> object:
        kept = top_activations._load(file, "key")
        if kept is None:
            top_activations._save(file, "key", found)
            kept = top_activations._load(file, "key") or found
        return kept.files, kept.scores["a"].tolist()

    return Cache(use, lambda: file)


def _maps(name: str) -> Callable[[Path], Cache]:
    def build(home: Path) -> Cache:
        maps = [np.full((2, 3, 4), n, np.float32) for n in range(3)]

        def use() -> object:
            kept = open_maps(home, about={"seed": 1}) or write_maps(home, maps, about={"seed": 1})
            return [kept[n].tolist() for n in range(3)]

        return Cache(use, lambda: home / name)

    return build


def _trunk_maps(name: str) -> Callable[[Path], Cache]:
    def build(home: Path) -> Cache:
        def use() -> object:
            maps, sums = feature_cache._open(home, (3, 1, 2, 2, 2))
            for n in np.flatnonzero(sums == 0):
                maps[n] = n
                sums[n] = feature_cache._checksum(maps[n])
            return maps.tolist()

        return Cache(use, lambda: home / name)

    return build


def _index(home: Path) -> Cache:
    rows = {name: np.full(2 * WIDTH, n, np.int8) for n, name in enumerate("abc")}
    for n, name in enumerate(rows):
        write_picture(home / "pictures" / name / "1.png", np.full((4, 4, 3), n, np.uint8))
    encoder: Any = SimpleNamespace(
        identity="test", workers=1, encode=lambda picture: EncodedRow(rows["abc"[picture[0, 0, 0]]], "[]")
    )

    def use() -> object:
        found = update_index(home / "pictures", encoder=encoder, file=home / "index")
        best = found.file.best(np.ones(2 * WIDTH, np.float32), 9)
        found.file.close()
        return [(one.name, one.value) for one in best]

    return Cache(use, lambda: home / "index")


CACHES: dict[str, Callable[[Path], Cache]] = {
    "what was measured": _measurement,
    "strongest pictures": _strongest,
    "maps for training": _maps("maps.f16"),
    "their places": _maps("index.npy"),
    "about them": _maps("about.json"),
    "maps of a trunk": _trunk_maps("maps.npy"),
    "their checksums": _trunk_maps("done.npy"),
    "search index": _index,
}


def is_in_the_way(name: str, damage: str) -> bool:
    """Whether an error says so: the user named the place, and a folder there is the user's."""
    return damage == "a folder" and name not in ("what was measured", "strongest pictures")


@pytest.mark.parametrize("damage", [*DAMAGES, "a folder", "a link to nowhere", "missing"])
@pytest.mark.parametrize("name", CACHES)
def test_a_damaged_cache_is_made_anew_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    cache = CACHES[name](tmp_path)
    right = cache.use()
    assert cache.use() == right
    assert not caplog.records  # what is whole, and what was never there, needs no word
    file = cache.file()
    good = file.read_bytes()
    if damage in DAMAGES:
        file.write_bytes(DAMAGES[damage](good))
    else:
        file.unlink()
    if damage == "a folder":
        file.mkdir()
        (file / "something").write_text("a user's")
    elif damage == "a link to nowhere":
        file.symlink_to(tmp_path / "nowhere")
    named = pytest.raises(SzemError, match=str(tmp_path)) if is_in_the_way(name, damage) else nullcontext()
    with named, caplog.at_level(logging.WARNING):
        assert cache.use() == right
    if damage in ("zeros", "random", "its first byte"):  # others may hit what nothing depends on
        assert any(str(file.parent) in message and "anew" in message for message in caplog.messages)
    if damage != "a folder":
        caplog.clear()
        assert cache.use() == right
        assert not caplog.records  # the new one holds
    else:
        assert (file / "something").read_text() == "a user's"


def test_any_byte_of_an_index_may_be_damaged(tmp_path: Path) -> None:
    cache = _index(tmp_path)
    right, rng = cache.use(), random.Random(1)
    good = cache.file().read_bytes()
    for _ in range(60):
        at, size = rng.randrange(len(good)), rng.choice((1, 8, 100))
        cache.file().write_bytes(good[:at] + rng.randbytes(size) + good[at + size :])
        assert cache.use() == right


def test_a_sealed_folder_is_whole_only_with_its_files_and_its_key(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    seal_folder(tmp_path, ("a",), {"seed": 1})
    assert is_whole(tmp_path, ("a",), {"seed": 1})
    assert not is_whole(tmp_path, ("a",), {"seed": 2})
    assert not is_whole(tmp_path, ("a", "b"), {"seed": 1})
    (tmp_path / "a").write_bytes(b"2")
    assert not is_whole(tmp_path, ("a",), {"seed": 1})
    shutil.rmtree(tmp_path)
    assert not is_whole(tmp_path, ("a",), {"seed": 1})


def test_another_key_is_passed_over_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_kept(tmp_path / "a.json", "one", {"n": 1})
    assert read_kept(tmp_path / "a.json", "one") == {"n": 1}
    assert read_kept(tmp_path / "a.json", "two") is None
    assert read_kept(tmp_path / "b.json", "one") is None
    assert not caplog.records
