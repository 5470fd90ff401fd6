"""How quickly the studio's Network page opens a layer, and how many frames a second it keeps while hovering.

Nothing else shows all maps of a layer of one's own network in a browser, so there is no peer to run beside it. The
goals: a layer of a thousand maps in under a second, 60 frames a second while the pointer moves. Run it alone on the
machine: `python benchmarks/network_page.py [--repeats 5] [--json FILE]`. Needs playwright and a Chromium.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from playwright.sync_api import sync_playwright

from machine import describe_machine
from pages import chromium, studio

HOVER_S = 4.0
STEP_S = 1 / 125  # a mouse tells its place 125 times a second

# name, network ("" for the wide one made here), layer, what it shows
LAYERS = (
    ("1280 maps of 7×7", "efficientnet-lite0", "head.conv"),
    ("1152 maps of 7×7", "efficientnet-lite0", "stages.5.1.depthwise"),
    ("144 maps of 56×56", "efficientnet-lite0", "stages.1.1.depthwise"),
    ("96 maps of 112×112", "efficientnet-lite0", "stages.1.0.expand"),
    ("1024 maps of 28×28", "", "wide"),
    ("1024 maps of 112×112", "", "wider"),
)

# Frames as the screen shows them, gathered in the page while the pointer moves.
COUNT = """(span) => new Promise((done) => { const at = []; const end = performance.now() + span;
  const tick = (now) => { at.push(now); now < end ? requestAnimationFrame(tick) : done(at); };
  requestAnimationFrame(tick); })"""
# A click, until the browser has shown the frame in which the layer is painted.
OPEN = """(layer) => new Promise((done) => { const panel = document.querySelector('[data-name=layer]');
  panel.dataset.layer = ''; const start = performance.now();
  new MutationObserver((_, seen) => { if (panel.dataset.layer !== layer) return; seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => done(performance.now() - start))); })
    .observe(panel, { attributes: true, attributeFilter: ['data-layer'] });
  document.querySelector(`.layer-tile[data-layer='${layer}']`).click(); })"""


def make_wide(path: Path) -> None:
    """A network whose layers have 1024 kinds of neurons on large maps: more than any classifier has."""
    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> Any:
        return numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "wider.weight"], ["a"], strides=[2, 2], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("MaxPool", ["b"], ["c"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["c", "wide.weight"], ["y"], pads=[1] * 4, group=1024),
    ]
    weights = [weight("wider.weight", 1024, 3, 3, 3), weight("wide.weight", 1024, 1, 3, 3)]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "wide", [x], [y], weights)
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )


def hover(page: Any, selector: str) -> dict[str, float]:
    """Move the pointer over an element for some seconds and count the frames."""
    page.locator(selector).first.scroll_into_view_if_needed()
    box = page.locator(selector).first.bounding_box()
    left, top = box["x"], max(box["y"], 70)
    width, height = box["width"], min(box["y"] + box["height"], 890) - top
    counted = page.evaluate_handle(f"() => ({{ frames: ({COUNT})({HOVER_S * 1000}) }})")
    start = time.perf_counter()
    moves = 0
    while (now := time.perf_counter() - start) < HOVER_S:
        page.mouse.move(
            left + width * (0.5 + 0.48 * np.sin(2.1 * now)), top + height * (0.5 + 0.48 * np.sin(3.3 * now))
        )
        moves += 1
        time.sleep(max(0.0, STEP_S - (time.perf_counter() - start - now)))
    at = page.evaluate("async (c) => await c.frames", counted)
    gaps = np.diff(at)
    return {
        "frames_per_s": 1000 / float(gaps.mean()),
        "gap_ms_99": float(np.percentile(gaps, 99)),
        "frames_over_20_ms": float((gaps > 20).mean()),
        "moves_per_s": moves / HOVER_S,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": describe_machine("onnxruntime", "playwright"), "open_ms": {}, "hover": {}}
    with tempfile.TemporaryDirectory() as folder, studio() as url, sync_playwright() as playwright:
        wide = Path(folder) / "wide.onnx"
        make_wide(wide)
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/#/network?picture=cat")
        page.wait_for_selector("[data-fact=time]", timeout=60_000)
        page.wait_for_timeout(1500)  # the picture has flowed through
        for name, selector in (
            ("neurons", "[data-name=neurons] canvas"),
            ("maps", "[data-name=sheet] canvas"),
            ("layers", "[data-name=map]"),
        ):
            found["hover"][name] = hover(page, selector)
        for title, network, layer in LAYERS:
            if not network and "sent-" not in page.url:
                page.locator("[data-name=onnx]").set_input_files(str(wide))
                page.wait_for_function("() => document.querySelectorAll('.layer-tile').length === 3")
                page.wait_for_selector("[data-fact=time]", timeout=60_000)
            index = page.locator(f".layer-tile[aria-label^='{layer}']").first.get_attribute("data-layer")
            times = [page.evaluate(OPEN, index) for _ in range(options.repeats)]
            page.wait_for_selector("[data-name=runtime]")
            found["open_ms"][title] = {"first": times[0], "median": statistics.median(times)}
            if "1280" in title or "112×112" in title:
                found["hover"][f"maps, {title}"] = hover(page, "[data-name=sheet] canvas")
        browser.close()
    print(found["machine"])
    for title, row in found["open_ms"].items():
        print(f"open {title:24} first {row['first']:7.0f} ms, median {row['median']:7.0f} ms")
    for name, row in found["hover"].items():
        print(
            f"hover {name:27} {row['frames_per_s']:5.1f} frames/s, 99 % of the gaps below {row['gap_ms_99']:.1f} ms, "
            f"{row['frames_over_20_ms']:.1%} over 20 ms, {row['moves_per_s']:.0f} moves/s"
        )
    if options.json:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
