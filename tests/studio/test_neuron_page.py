"""The page of one neuron: its sum is the kernel's, its map the answer, and its weights are counted."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from szem.kernels import convolve
from szem.media.samples import read_sample

from .seeing import grey_of, settle

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]


def number_of(text: str) -> float:
    return float(text.replace("\u2212", "-").replace(",", ""))


def test_the_neuron_and_its_neighbours_give_the_numbers_of_the_kernel(visit: Visit) -> None:
    page = visit("neuron", kernel="laplacian", at="100,120")
    page.wait_for_selector(".neuron-drawing .sum")
    wanted = convolve(grey_of(read_sample("cameraman")), "laplacian", mode="correlation")
    assert number_of(page.locator(".neuron-drawing .sum").text_content()) == pytest.approx(wanted[120, 100], abs=0.06)
    shown = [number_of(text) for text in page.locator(".near-neuron").all_inner_texts()]
    assert np.reshape(shown, (5, 5)) == pytest.approx(wanted[118:123, 98:103], abs=0.51)
    page.locator(".near-neuron").nth(13).click()
    settle(page)
    assert number_of(page.locator(".neuron-drawing .sum").text_content()) == pytest.approx(wanted[120, 101], abs=0.06)


def test_weights_are_counted_shared_and_not(visit: Visit, lab: Callable[..., Any]) -> None:
    # the numbers of lecture step 5: 32 kinds at 112 x 112 places see 3 x 3 pixels in 3 colours
    found = lab(
        "neuron/counts.js", "return m.countWeights(a)", {"height": 112, "width": 112, "kinds": 32, "inputs": 27}
    )
    assert found["neurons"] == 401_408
    assert found["shared"] == 896
    assert found["unshared"] == 11_239_424
    assert found["unshared"] / found["shared"] == 12_544
    page = visit("neuron", kinds=64)
    page.wait_for_selector("[data-count=shared]")
    assert page.locator("[data-count=shared]").inner_text() == "640"
    page.locator("[data-name=kinds] label", has_text="192").click()
    assert page.locator("[data-count=shared]").inner_text() == "1,920"
    assert page.locator("[data-count=neurons]").inner_text() == f"{192 * 512 * 512:,}"


def test_copying_ends_with_the_whole_map(visit: Visit) -> None:
    page = visit("neuron", before=lambda p: p.emulate_media(reduced_motion="reduce"))
    page.wait_for_selector(".neuron-drawing .sum")
    pixels = "el => Array.from(el.getContext('2d').getImageData(0, 500, 64, 4).data)"
    before = page.locator("[data-name=map] canvas").evaluate(pixels)
    page.click("[data-name=copy]")
    settle(page)
    assert page.locator("[data-name=map] canvas").evaluate(pixels) == before
