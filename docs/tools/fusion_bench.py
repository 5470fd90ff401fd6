"""Sound, video and both against degradation: fit the fusion's weights, draw the picture of docs/events.md.

    python docs/tools/fusion_bench.py sense --data DATA --part tune --count 100 --out tune.json
    python docs/tools/fusion_bench.py sense --data DATA --part test --count 160 --out test.json
    python docs/tools/fusion_bench.py fit tune.json
    python docs/tools/fusion_bench.py draw test.json [FOLDER] --minimums JSON

Each clip lasts eight seconds. In most of them something happens that can be heard and seen at the same time: a dog, a
vehicle, or people; in the others nothing of the kind. In all of them other sounds are heard, and where nothing
happens other things are seen. `sense` makes the clips, worse and worse in both channels (noise in the sound; less
light, blur and a barred view), and runs the shipped listener and detector on them; each channel's events come from
its own scores by the same rule. Clips for tuning and for testing share no recording, no photograph and no seed:
`tune` takes sounds that the listener was tuned on, `test` those of folds that it never saw.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from szem.data.sounds import LabelledSound, in_split, read_labelled_sounds
from szem.media.sound import read_sound
from szem.results.events import Event
from szem.tasks.audio.listen import Listener
from szem.tasks.audio.segmenter import EventSettings, SoundEvents
from szem.tasks.audio.windows import AudioWindow
from szem.tasks.detection.detect import Detector
from szem.tasks.models import open_model
from szem.tasks.surveillance.fusion import (
    AGREE,
    WEIGHTS,
    ChannelEvidence,
    ChannelWeights,
    Fuser,
    Fusion,
    family_of,
    measure_picture_quality,
    measure_sound_quality,
)
from szem.tasks.surveillance.open_events import OpenEvents

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the scene simulator is not in the wheel
from benchmarks.scenes.degrade import Degradation, degrade
from benchmarks.scenes.scenes import Scene
from benchmarks.scenes.sprites import SpriteBox, read_sprites
from benchmarks.scenes.stories import compose_scene
from szem.tasks.surveillance.event_metrics import EventCounts

CLIP_S, RATE_HZ, LOOKS_HZ = 8.0, 16000, 1.5
SIZE = (320, 180)
FAMILIES = {"dog": ("dog",), "vehicle": ("car", "bus", "motorbike"), "people": ("person",)}
OTHERS = ("chair", "bottle", "sheep", "cow", "cat", "bird")  # seen, and no happening
LEVELS = (0, 1, 2, 3, 4)
SNR_DB = (24.0, 9.0, 0.0, -9.0, -18.0)
WORSE = (
    Degradation(),
    Degradation(blur=0.004, light=0.6, noise=4),
    Degradation(blur=0.008, light=0.35, noise=8, hidden=0.15),
    Degradation(blur=0.014, light=0.18, noise=10, hidden=0.3),
    Degradation(blur=0.025, light=0.08, noise=12, hidden=0.5),
)

LOW = 0.04  # candidates: chances above this are looked at together


@dataclass(frozen=True)
class Clip:
    """What was told in one clip, and what happened."""

    sound_level: int
    video_level: int
    happens: str  # family; nothing: none
    start_s: float
    end_s: float
    sound: tuple[tuple[str, float, float, float], ...]  # kind, beginning, end, chance
    video: tuple[tuple[str, float, float, float], ...]
    sound_quality: float
    video_quality: float


def make_clips(data: Path, part: str, count: int) -> Iterator[Clip]:
    """Compose clips and run both channels on them."""
    sprites = read_sprites(data, split=part)
    heard = in_split(read_labelled_sounds(data / "sounds"), part)
    listener = Listener(open_model("sounds", task="listen", threads=1))
    detector = Detector(open_model(task="detect", threads=1), threshold=0.02)
    for number in range(count):
        seed = number + (0 if part == "tune" else 100_000)
        rng = np.random.default_rng([seed, 9])
        levels = (number % 5, number % 5) if number % 2 else (int(rng.integers(5)), int(rng.integers(5)))
        family = "" if rng.random() < 0.4 else str(rng.choice(list(FAMILIES)))
        start = float(rng.uniform(1.5, 3.5))
        end = start + float(rng.uniform(2.0, 3.5))
        sound = _sound(heard, family, start, end, SNR_DB[levels[0]], rng)
        scene, path_s = _scene(sprites, family, start, seed, rng)
        reported_sound, sound_quality = _listen(listener, sound)
        reported_video, video_quality = _watch(detector, scene, path_s, WORSE[levels[1]], seed)
        yield Clip(
            levels[0], levels[1], family, start, end, reported_sound, reported_video, sound_quality, video_quality
        )


def _sound(
    heard: list[LabelledSound], family: str, start: float, end: float, snr_db: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Other sounds, what happens, and noise."""
    out = np.zeros(round(CLIP_S * RATE_HZ), np.float32)
    known = {kind for agreement in AGREE.values() for kind in agreement.sounds}
    other = [h for h in heard if h.kind not in known]
    _put(out, _cut(other, rng, CLIP_S), 0.0, 0.01)
    if family:
        right = [h for h in heard if h.kind in AGREE[family].sounds]
        _put(out, _cut(right, rng, end - start), start, 0.05)
    noise = np.cumsum(rng.standard_normal(len(out))) if rng.random() < 0.5 else rng.standard_normal(len(out))
    noise = np.diff(noise, prepend=0.0) * 0.5 + noise * (0.02 if np.abs(noise).max() > 10 else 0.5)
    noise = noise - noise.mean()
    out += (noise / noise.std() * 0.05 * 10 ** (-snr_db / 20)).astype(np.float32)
    return out.clip(-1, 1)


def _cut(heard: list[LabelledSound], rng: np.random.Generator, lasts_s: float) -> NDArray[np.float32]:
    sound = read_sound(heard[int(rng.integers(len(heard)))].path, rate_hz=RATE_HZ)
    wanted = round(lasts_s * RATE_HZ)
    loud = np.convolve(sound**2, np.ones(1600), "same")
    first = max(0, min(int(loud.argmax()) - wanted // 3, len(sound) - wanted))
    return sound[first : first + wanted]


def _put(out: NDArray[np.float32], sound: NDArray[np.float32], at_s: float, level: float) -> None:
    own = float(np.sqrt(np.mean(sound**2))) + 1e-9
    first = round(at_s * RATE_HZ)
    part = sound[: len(out) - first]
    out[first : first + len(part)] += part * np.float32(level / own)


def _scene(sprites: SpriteBox, family: str, start: float, seed: int, rng: np.random.Generator) -> tuple[Scene, float]:
    """Something comes into sight when it is heard; where nothing happens another thing does."""
    labels = [x for x in FAMILIES.get(family, ()) if x == "person" or sprites.movers.get(x)]
    others = [x for x in OTHERS if sprites.movers.get(x)]
    label = str(rng.choice(labels)) if labels else str(rng.choice(others))
    scene = compose_scene("passes", seed, sprites, size=SIZE, duration_s=60.0, label=label, extras=False)
    inside = [t for t in np.arange(0, 60, 0.25) if any(box[1] == label for box in scene.boxes(float(t)))]
    return scene, (float(inside[0]) if inside else 10.0) - start  # it comes into sight when it is heard first


def _listen(
    listener: Listener, sound: NDArray[np.float32]
) -> tuple[tuple[tuple[str, float, float, float], ...], float]:
    times, scores = listener.scores(sound, rate_hz=RATE_HZ)
    step = round(listener.settings.hop_s * RATE_HZ)
    levels = [
        20 * float(np.log10(np.sqrt(np.mean(sound[s : s + RATE_HZ // 4] ** 2)) + 1e-6))
        for s in range(0, len(sound) - RATE_HZ // 4, step)
    ]
    reported = _events(listener.names, times, scores, window_s=0.975, hop_s=listener.settings.hop_s, channel="sound")
    return reported, measure_sound_quality(levels)


def _watch(
    detector: Detector, scene: Scene, from_s: float, how: Degradation, seed: int
) -> tuple[tuple[tuple[str, float, float, float], ...], float]:
    frames = list(_frames(scene, from_s))
    qualities, rows = [], []
    still: list[tuple[float, float, float, float]] = []  # boxes of what is there from the beginning
    for index, picture in enumerate(frames):
        worse = degrade(picture, Degradation(**(asdict(how) | {"seed": seed})), index=index)
        qualities.append(measure_picture_quality(np.asarray(cv2.cvtColor(worse, cv2.COLOR_RGB2GRAY), np.uint8)))
        row = np.zeros(len(detector.classes), np.float32)
        found = list(detector([worse])[0])
        if index == 0:
            still = [box.box_xyxy for box in found]
        for box in found:
            if not any(_overlap(box.box_xyxy, known) > 0.4 for known in still):
                place = detector.classes.index(box.label)
                row[place] = max(row[place], box.score)
        rows.append(row)
    times = np.arange(len(rows), dtype=np.float32) / LOOKS_HZ
    reported = _events(
        detector.classes, times, np.array(rows), window_s=1 / LOOKS_HZ, hop_s=1 / LOOKS_HZ, channel="video"
    )
    return reported, float(np.median(qualities))


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(wide, 0.0) * max(high, 0.0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common + 1e-9)


def _frames(scene: Scene, from_s: float) -> Iterator[NDArray[np.uint8]]:
    grain = scene._grain()
    cache: dict[tuple[int, int, bool], object] = {}
    for index in range(round(CLIP_S * LOOKS_HZ)):
        yield scene._draw(from_s + index / LOOKS_HZ, index, cache, grain)  # type: ignore[arg-type]


def _events(
    names: tuple[str, ...], times: NDArray[np.float32], scores: NDArray[np.float32], *, window_s: float, hop_s: float,
    channel: str,
) -> tuple[tuple[str, float, float, float], ...]:  # fmt: skip
    """Events of one channel from low chances on; the same rule for both."""
    reporter = SoundEvents(
        names, np.full(len(names), LOW), window_s=window_s, hop_s=hop_s, reported=OpenEvents(),
        settings=EventSettings(report_after_s=1e9, gap_s=1.2, overlap_s=min(0.24, hop_s)),
    )  # fmt: skip
    wanted = {n for n in names if any(n in (a.sounds if channel == "sound" else a.objects) for a in AGREE.values())}
    found = []
    for time_s, row in zip(times, scores, strict=True):
        window = AudioWindow(time_s=float(time_s), scores=row, level_db=-20.0, peak=0.5, is_steady=False)
        found += reporter.feed(window)
    found += reporter.finish(CLIP_S)
    return tuple((e.kind, e.start_s, e.end_s, e.score) for e in found if e.kind in wanted)


def events_of(clip: Clip, channel: str) -> list[Event]:
    """The candidates of one channel."""
    out = []
    for kind, start, end, probability in clip.sound if channel == "sound" else clip.video:
        named = {"kind": kind} if channel == "sound" else {"kind": "enters", "label": kind}
        out.append(Event(start_s=start, end_s=end, score=probability, channels={channel: probability}, **named))  # type: ignore[arg-type]
    return out


def decided(clip: Clip, way: str, *, minimum: float, fusion: Fusion = WEIGHTS) -> list[Event]:
    """What is told by one channel, or by both together; of each family the surest at a time."""
    if way != "both":
        return _once([e for e in events_of(clip, way) if e.score >= minimum])
    fuser = Fuser(minimum=minimum, fusion=fusion)
    fuser.set_quality("sound", clip.sound_quality)
    fuser.set_quality("video", clip.video_quality)
    sound, video = (_once(events_of(clip, channel)) for channel in ("sound", "video"))
    reported = [e for event in [*sound, *video] for e in fuser.take([event], 0.0)]
    return _once([*reported, *fuser.finish(0.0)])


def _once(events: list[Event]) -> list[Event]:
    """Of events of one family that overlap only the surest: a horn and an idling engine are one vehicle."""
    kept: list[Event] = []
    for event in sorted(events, key=lambda e: -e.score):
        near = (k for k in kept if family_of(k) == family_of(event))
        if not any(event.start_s < k.end_s + 1 and k.start_s < event.end_s + 1 for k in near):
            kept.append(event)
    return kept


def is_right(event: Event, clip: Clip) -> bool:
    """Whether it tells of what happened."""
    return family_of(event) == clip.happens and event.start_s < clip.end_s + 1 and event.end_s > clip.start_s - 1


def count(clips: list[Clip], way: str, *, minimum: float, fusion: Fusion = WEIGHTS) -> EventCounts:
    counts = EventCounts()
    for clip in clips:
        reported = decided(clip, way, minimum=minimum, fusion=fusion)
        right = [e for e in reported if is_right(e, clip)]
        one = EventCounts(
            right={"": min(len(right), 1)}, wrong={"": len(reported) - min(len(right), 1)},
            missed={"": int(bool(clip.happens) and not right)},
        )  # fmt: skip
        counts.add(one)
    return counts


def f1(clips: list[Clip], way: str, *, minimum: float, fusion: Fusion = WEIGHTS) -> float:
    return count(clips, way, minimum=minimum, fusion=fusion).scores()[2]


def rows_of(clips: list[Clip]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N, 7) features of each candidate, paired where it has a partner, and whether it is right."""
    features, truth = [], []
    probe = Fusion(bias=100.0, sound=WEIGHTS.sound, video=WEIGHTS.video)  # all pass
    for clip in clips:
        quality = {"sound": clip.sound_quality, "video": clip.video_quality}
        for event in decided(clip, "both", minimum=0.0, fusion=probe):
            parts = [
                ChannelEvidence(probability=event.channels.get(name), quality=quality[name]).features()
                for name in ("sound", "video")
            ]
            features.append(np.concatenate([*parts, [1.0]]))
            truth.append(is_right(event, clip))
    return np.array(features), np.array(truth)


def fit(clips: list[Clip]) -> Fusion:
    """Logistic regression with a little damping towards even weights."""
    features, truth = rows_of(clips)
    prior = np.array([0, 0.5, 0.5, 0, 0.5, 0.5, 0])
    weights = prior.copy()
    for _ in range(60):
        probability = 1 / (1 + np.exp(-(features @ weights)))
        slope = features.T @ (probability - truth) + 1.0 * (weights - prior)
        curve = (features * (probability * (1 - probability))[:, None]).T @ features + 1.0 * np.eye(7)
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    w = [round(float(v), 3) for v in weights]
    return Fusion(
        bias=w[6],
        sound=ChannelWeights(says=w[0], odds=w[1], odds_clear=w[2]),
        video=ChannelWeights(says=w[3], odds=w[4], odds_clear=w[5]),
    )


def best_minimum(clips: list[Clip], way: str, fusion: Fusion = WEIGHTS) -> float:
    """The threshold with the best F1 on the clips for tuning: each way gets its own."""
    grid = np.round(np.arange(0.1, 0.91, 0.05), 2)
    return float(grid[int(np.argmax([f1(clips, way, minimum=float(g), fusion=fusion) for g in grid]))])


def read_clips(file: Path) -> list[Clip]:
    rows = json.loads(file.read_text())
    return [
        Clip(**{k: tuple(map(tuple, v)) if k in ("sound", "video") else v for k, v in row.items()}) for row in rows
    ]


def draw(clips: list[Clip], minimums: dict[str, float], folder: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    colors = {"sound": "#0072B2", "video": "#E69F00", "both": "#009E73"}
    panels = (
        ("both worse at the same time", lambda c, k: c.sound_level == c.video_level == k, "level"),
        ("noise in the sound", lambda c, k: c.sound_level == k, "signal over noise, dB"),
        ("blur, darkness, a barred view", lambda c, k: c.video_level == k, "level"),
    )
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True)
    for axis, (title, belongs, name) in zip(axes, panels, strict=True):
        for way, color in colors.items():
            rows = [[c for c in clips if belongs(c, k)] for k in LEVELS]
            values = [f1(part, way, minimum=minimums[way]) if part else float("nan") for part in rows]
            axis.plot(LEVELS, values, marker="o", color=color, label=way, linewidth=2)
            print(f"{title}, {way}: " + ", ".join(f"{v:.2f} ({len(p)})" for v, p in zip(values, rows, strict=True)))
        labels = [f"{v:+.0f}" for v in SNR_DB] if "dB" in name else [str(k) for k in LEVELS]
        axis.set_xticks(LEVELS, labels)
        axis.set_xlabel(name)
        axis.set_title(title, fontsize=11)
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("F1 of events")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(folder / "events-fusion.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=("sense", "fit", "draw"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, default=Path("shared/data"))
    parser.add_argument("--part", choices=("tune", "test"), default="tune")
    parser.add_argument("--out", type=Path, default=Path("clips.json"))
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--minimums", type=json.loads, default={"sound": 0.5, "video": 0.5, "both": 0.5})
    given = parser.parse_args()
    if given.what == "sense":
        rows, began = [], time.monotonic()
        for clip in make_clips(given.data, given.part, given.count):
            rows.append(asdict(clip))
            if len(rows) % 10 == 0:
                given.out.write_text(json.dumps(rows))
                print(f"{len(rows)} clips, {time.monotonic() - began:.0f} s", flush=True)
        given.out.write_text(json.dumps(rows))
        return
    clips = [clip for file in given.files[:1] for clip in read_clips(file)]
    if given.what == "fit":
        fusion = fit(clips)
        print(fusion)
        minimums = {way: best_minimum(clips, way, fusion) for way in ("sound", "video", "both")}
        print(json.dumps(minimums))
        print({way: round(f1(clips, way, minimum=minimums[way], fusion=fusion), 3) for way in minimums})
        return
    for way, minimum in given.minimums.items():
        precision, recall, value = count(clips, way, minimum=minimum).scores()
        print(f"{way}: precision {precision:.3f}, recall {recall:.3f}, F1 {value:.3f} on {len(clips)} clips")
    draw(clips, given.minimums, given.files[1] if len(given.files) > 1 else Path("docs/pictures"))


if __name__ == "__main__":
    main()
