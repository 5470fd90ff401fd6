"""Make the pictures of docs/kernels.md: `python docs/tools/kernels_pictures.py`."""

from pathlib import Path

import numpy as np

from szem.kernels import KERNELS, average_pool, convolve, edges, max_pool, parse_kernel, view
from szem.media.pictures import write_picture
from szem.media.samples import read_sample

PICTURES = Path(__file__).resolve().parent.parent / "pictures"
GAP_PX = 8


def row(*pictures: np.ndarray) -> np.ndarray:
    """Pictures of one height side by side on white."""
    height = max(p.shape[0] for p in pictures)
    parts: list[np.ndarray] = []
    for picture in pictures:
        tall = np.full((height, picture.shape[1] + GAP_PX, 3), 255, np.uint8)
        tall[: picture.shape[0], : picture.shape[1]] = picture
        parts.append(tall)
    return np.concatenate(parts, axis=1)[:, :-GAP_PX]


def main() -> None:
    """Write every picture of the page."""
    grey = read_sample("cameraman")[..., 0]
    small = average_pool(grey, 2).astype(np.uint8)

    def shown(name: str, how: str) -> np.ndarray:
        return view(convolve(small, name, mode="correlation"), how=how)

    views = [
        shown("gaussian:2.5", "clip"),
        shown("sharpen", "clip"),
        shown("emboss", "clip"),
        shown("outline", "absolute"),
    ]
    write_picture(PICTURES / "kernels-named.jpg", row(view(small), *views), quality=85)

    found = edges(small)
    both = view(found.magnitude, how="absolute")
    write_picture(
        PICTURES / "kernels-edges.jpg",
        row(view(found.across, how="signed"), view(found.down, how="signed"), both),
        quality=85,
    )
    rates = [view(convolve(small, "laplacian", dilation=d, mode="correlation"), how="signed") for d in (1, 2, 4, 8)]
    write_picture(PICTURES / "kernels-atrous.jpg", row(*rates), quality=85)
    write_picture(
        PICTURES / "kernels-stride.jpg",
        row(
            view(grey),
            view(convolve(grey, "box:3", stride_px=2)),
            view(max_pool(grey, 4)),
            view(average_pool(grey, 4)),
        ),
        quality=85,
    )
    drawn = [parse_kernel(name).to_picture(cell_px=40) for name in ("sharpen", "sobel-x", "sobel-ne", "gaussian:0.8")]
    write_picture(PICTURES / "kernels-weights.png", row(*drawn))
    print(f"{len(KERNELS)} named kernels; pictures in {PICTURES}")


if __name__ == "__main__":
    main()
