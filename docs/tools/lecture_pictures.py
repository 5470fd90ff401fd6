"""Make the pictures of docs/lecture.md and docs/lecture.hu.md: `python docs/tools/lecture_pictures.py`.

There are no words in them, so that both languages share them. The pages of the studio are photographed by
`pictures.py`.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from szem.kernels import Kernel, Layer, average_pool, convolve, edges, max_pool, parse_kernel, receptive_field, view
from szem.media.drawing import draw_boxes, font_of, ink_on
from szem.media.pictures import write_picture
from szem.media.samples import read_sample
from szem.results.explanation import draw_maps
from szem.tasks.captioning.caption import caption
from szem.tasks.classification.classify import classify
from szem.tasks.detection.detect import detect
from szem.tasks.explain.explain import Explorer
from szem.tasks.explain.neuron import explain_neuron
from szem.tasks.generation.generate import EXAMPLES, generate
from szem.tasks.segmentation.instance_masks import outline

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
GAP_PX = 10
YELLOW = (255, 196, 0)
STRONG_EDGE = 255


def row(*pictures: np.ndarray, gap_px: int = GAP_PX) -> np.ndarray:
    """Pictures side by side on white, middles on one line."""
    height = max(p.shape[0] for p in pictures)
    parts: list[np.ndarray] = []
    for picture in pictures:
        tall = np.full((height, picture.shape[1] + gap_px, 3), 255, np.uint8)
        top = (height - picture.shape[0]) // 2
        tall[top : top + picture.shape[0], : picture.shape[1]] = picture
        parts.append(tall)
    return np.concatenate(parts, axis=1)[:, :-gap_px]


def column(*pictures: np.ndarray) -> np.ndarray:
    """Pictures one below the other on white."""
    return row(*(p.transpose(1, 0, 2) for p in pictures)).transpose(1, 0, 2)


def enlarge(picture: np.ndarray, width: int) -> np.ndarray:
    """Larger by a whole factor, pixels staying square."""
    factor = max(width // picture.shape[1], 1)
    return picture.repeat(factor, 0).repeat(factor, 1)


def number_grid(numbers: np.ndarray, *, cell_px: int, digits: int, signed: bool) -> np.ndarray:
    """Numbers in cells; cells coloured as the numbers are large."""
    top = float(np.abs(numbers).max()) or 1.0
    rows, columns = numbers.shape
    if signed:
        coloured = view(numbers.astype(np.float32) / top * 255, how="signed")
    else:
        coloured = np.repeat(np.rint(numbers / top * 255).astype(np.uint8)[..., None], 3, axis=2)
    image = Image.fromarray(coloured.repeat(cell_px, 0).repeat(cell_px, 1))
    draw = ImageDraw.Draw(image)
    for y in range(rows):
        for x in range(columns):
            text = f"{numbers[y, x]:.{digits}f}".replace("-", "−")
            ink = ink_on(tuple(int(v) for v in coloured[y, x]))
            middle = ((x + 0.5) * cell_px, (y + 0.5) * cell_px)
            draw.text(
                middle, text, font=font_of(round(cell_px * (0.36 if digits < 2 else 0.3))), fill=ink, anchor="mm"
            )
            draw.rectangle((x * cell_px, y * cell_px, (x + 1) * cell_px, (y + 1) * cell_px), outline=(128, 128, 128))
    return np.array(image)


def sign(text: str, height: int, *, width: int = 46, size_px: int = 30) -> np.ndarray:
    """A sign between two pictures."""
    image = Image.new("RGB", (width, height), (255, 255, 255))
    ImageDraw.Draw(image).text((width / 2, height / 2), text, font=font_of(size_px), fill=(20, 20, 16), anchor="mm")
    return np.array(image)


def pixels(cameraman: np.ndarray) -> np.ndarray:
    """A picture, a window of it, and the numbers that the window is."""
    y, x, side = 120, 222, 12
    box = np.array([[x - 6, y - 6, x + side + 6, y + side + 6]], np.float32)
    colour = np.repeat(cameraman[..., None], 3, axis=2)
    whole = cv2.resize(draw_boxes(colour, box, colors=[YELLOW]), (432, 432), interpolation=cv2.INTER_AREA)
    window = cameraman[y : y + side, x : x + side].astype(np.float32)
    return row(whole, number_grid(window, cell_px=36, digits=0, signed=False))


def laid(picture: np.ndarray, kernel: Kernel, *, how: str = "clip") -> np.ndarray:
    """A kernel's weights above what it makes of a picture."""
    answer = convolve(picture, kernel, mode="correlation")
    if how == "signed":  # a quarter of the range fills the colours: most edges are weak
        answer = np.clip(answer, -STRONG_EDGE, STRONG_EDGE)
    made = view(answer, how=how)
    weights = kernel.to_picture(cell_px=max(150 // kernel.weights.shape[0], 1))
    frame = np.full((160, made.shape[1], 3), 255, np.uint8)
    left = (made.shape[1] - weights.shape[1]) // 2
    frame[: weights.shape[0], left : left + weights.shape[1]] = weights[:160]
    return column(frame, made)


def shared_weights(explorer: Explorer, picture: np.ndarray) -> np.ndarray:
    """One neuron of the first layer: the patch it sees in three colours, the weights, what they add up to."""
    prepared = explorer.prepare(picture)
    layer = explorer.layer("stem.conv").row
    found = explain_neuron(explorer, prepared, layer.index, map=0, row=59, column=60)
    assert found.weights is not None
    lines = []
    for inputs, weights in zip(found.inputs, found.weights, strict=True):
        left = number_grid(inputs, cell_px=64, digits=2, signed=True)
        right = number_grid(weights, cell_px=64, digits=1, signed=True)
        total = f"{float((inputs * weights).sum()):.2f}".replace("-", "−")
        lines.append(
            row(left, sign("×", 192), right, sign("=", 192), sign(total, 192, width=110, size_px=26), gap_px=4)
        )
    numbers = column(*lines)
    maps = explorer.maps(prepared.values, [explorer.layers[layer.index]])[layer.name]
    map_ = enlarge(draw_maps(maps[:1], tile_px=112, gap_px=0), 336)
    scale = map_.shape[1] / layer.output_shape[2]
    spot = np.array([[60 * scale - 6, 59 * scale - 6, 61 * scale + 6, 60 * scale + 6]], np.float32)
    seen = cv2.resize(prepared.picture, (336, 336), interpolation=cv2.INTER_CUBIC)
    x0, y0, x1, y1 = (v * 1.5 for v in found.input_xyxy or (0, 0, 0, 0))
    field = np.array([[x0 - 6, y0 - 6, x1 + 7, y1 + 7]], np.float32)
    return row(
        column(draw_boxes(seen, field, colors=[YELLOW]), draw_boxes(map_, spot, colors=[YELLOW])), numbers, gap_px=24
    )


def strides(grey: np.ndarray) -> np.ndarray:
    """The same picture walked over in steps of 1, 2, 3 and 4."""
    return row(*(view(convolve(grey, "identity", stride_px=n)) for n in (1, 2, 3, 4)))


def pooled(grey: np.ndarray) -> np.ndarray:
    """A quarter, then a sixteenth: every fourth pixel, the largest of four by four, their mean; shown at one size."""
    smaller = (view(convolve(grey, "identity", stride_px=4)), view(max_pool(grey, 4)), view(average_pool(grey, 4)))
    return row(*(enlarge(p[:60, 20:80], 300) for p in smaller))


def fields_of_view(explorer: Explorer, picture: np.ndarray) -> np.ndarray:
    """What the middle neuron of ever deeper layers sees, with the width of its field in pixels."""
    prepared = explorer.prepare(picture)
    boxes, names = [], []
    for name in ("stages.4.0.depthwise", "stages.3.0.depthwise", "stages.2.0.depthwise", "stages.1.0.depthwise"):
        layer = explorer.layer(name).row
        _, rows, columns = layer.output_shape
        found = explain_neuron(explorer, prepared, layer.index, map=0, row=rows // 2, column=columns // 2)
        assert found.input_xyxy is not None
        assert layer.field_px is not None
        x0, y0, x1, y1 = found.input_xyxy
        boxes.append([2 * x0, 2 * y0, 2 * (x1 + 1), 2 * (y1 + 1)])
        names.append(str(layer.field_px[1]))
    large = cv2.resize(prepared.picture, (448, 448), interpolation=cv2.INTER_CUBIC)
    return draw_boxes(large, np.array(boxes, np.float32), labels=names)


def atrous(grey: np.ndarray) -> np.ndarray:
    """Where three layers look, dense and at growing rates; below, one kernel at rates 1, 2, 4 and 8."""
    fields = []
    for rates in ((1, 1, 1), (2, 2, 2), (1, 2, 4), (4, 4, 4)):
        worth = receptive_field([Layer(3, dilation=rate) for rate in rates]).worth
        dots = np.zeros((27, 27), np.float32)
        edge = (27 - len(worth)) // 2
        dots[edge : edge + len(worth), edge : edge + len(worth)] = np.outer(worth, worth)
        fields.append(enlarge(draw_maps(dots[None], tile_px=27, gap_px=0), 216))
    rates = [
        view(
            convolve(grey, "laplacian", dilation=d, mode="correlation").clip(-STRONG_EDGE, STRONG_EDGE), how="signed"
        )
        for d in (1, 2, 4, 8)
    ]
    return column(row(*fields), row(*(cv2.resize(r, (216, 216), interpolation=cv2.INTER_AREA) for r in rates)))


def masks(coffee: np.ndarray) -> np.ndarray:
    """A rectangle, and the outline of what is in it."""
    box = np.array([[70, 12, 492, 392]], np.float32)
    return row(draw_boxes(coffee, box, colors=[YELLOW]), outline(coffee, box).draw(coffee))


def drawn() -> np.ndarray:
    """Both sentences of the lecture, a row each: four sketches, each with its picture."""
    rows = []
    for text in EXAMPLES:
        made = generate(text, n=4, seed=7)
        pairs = [
            row(enlarge(sketch, 128), cv2.resize(picture, (192, 192), interpolation=cv2.INTER_CUBIC), gap_px=2)
            for sketch, picture in zip(made.sketches, made.pictures, strict=True)
        ]
        rows.append(row(*pairs))
    return column(*rows)


def main() -> None:
    """Write every picture of the lecture."""
    cameraman = read_sample("cameraman")[..., 0]
    small = average_pool(cameraman, 2).astype(np.uint8)
    cat, coffee = read_sample("cat"), read_sample("coffee")
    explorer = Explorer()
    box = np.ones((3, 3))
    found = edges(small)
    stem = explorer.explain(coffee, layers=["stem.conv"], timed=False)
    made = {
        "pixels": pixels(cameraman),
        "kernels": row(laid(small, parse_kernel("gaussian:1")), laid(small, parse_kernel("sharpen"))),
        "normalise": row(
            laid(small, parse_kernel("identity")), laid(small, Kernel(box)), laid(small, Kernel(box / box.sum()))
        ),
        "edges": row(
            laid(small, parse_kernel("sobel-x"), how="signed"),
            laid(small, parse_kernel("sobel-y"), how="signed"),
            column(
                np.full((160, small.shape[1], 3), 255, np.uint8),
                view(found.magnitude.clip(0, STRONG_EDGE), how="absolute"),
            ),
        ),
        "neurons": shared_weights(explorer, cat),
        "depth": draw_maps(stem.maps("stem.conv"), columns=8, tile_px=112),
        "stride": strides(small),
        "pooling": pooled(cameraman),
        "locality": fields_of_view(explorer, cat),
        "atrous": atrous(small),
        "recognise": row(coffee, classify(coffee, top=1, maps=True).draw(coffee)),
        "boxes": row(cat, detect(cat).draw(cat)),
        "masks": masks(coffee),
        "draw": drawn(),
        "caption": caption(read_sample("cameraman"), attention=True).draw_attention(read_sample("cameraman")),
    }
    for name, picture in made.items():
        suffix = ".png" if name in ("pixels", "neurons", "locality") else ".jpg"
        write_picture(PICTURES / f"lecture-{name}{suffix}", picture, quality=85)
        print(name, picture.shape)


if __name__ == "__main__":
    main()
