"""How long drawings take on this machine: nine pictures of 128×128 from a sentence, and the parts of that time.

Run:  python benchmarks/generate.py [--rounds 7]

There is no peer to run beside it: the published StackGAN needs Python 2 and TensorFlow 0.12; diffusion models of the
size of Stable Diffusion take minutes for a picture on two cores.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from machine import describe_machine
from szem.runtime.sessions import cores
from szem.tasks.generation.generate import EXAMPLES, Generator
from szem.tasks.models import open_model


def median_ms(run: Callable[[], object], rounds: int) -> float:
    """Of some rounds, after one to warm up."""
    run()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return 1e3 * float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(describe_machine())
    began = time.perf_counter()
    painter = Generator(open_model(task="generate", threads=1))
    print(f"opening the model: {1e3 * (time.perf_counter() - began):.0f} ms")
    text = EXAMPLES[0]
    print(f"the place of a sentence: {median_ms(lambda: painter.place(text), rounds):.1f} ms")
    for n in (1, 9, 36):
        print(f"{n} pictures, {cores()} threads: {median_ms(lambda n=n: painter(text, n=n), rounds):.0f} ms")
    one = Generator(painter.session, workers=1)
    print(f"9 pictures, one thread: {median_ms(lambda: one(text, n=9), rounds):.0f} ms")
    print(f"a film of 24 pictures: {median_ms(lambda: painter.between(*EXAMPLES, frames=24), rounds):.0f} ms")
    print(f"what each of {len(text.split())} words does: {median_ms(lambda: painter.influence(text), rounds):.0f} ms")


if __name__ == "__main__":
    main()
