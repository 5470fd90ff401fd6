"""`szem filter`: apply a convolution kernel to pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from szem.cli.options import DryRun, On, Quiet, RayWorkers, Shards, spell

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from szem.arrays import Array, Picture8
    from szem.cli.walk import Item

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command(name="filter")
def filter_pictures(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(help="Pictures, folders, patterns; - reads a picture from the input; none: the cameraman."),
    ] = None,
    kernel: Annotated[
        str,
        typer.Option(
            "--kernel", "-k", help='A name ("sobel-x", "gaussian:2.5") or weights ("0 -1 0; -1 5 -1; 0 -1 0").'
        ),
    ] = "outline",
    stride: Annotated[
        int, typer.Option(min=1, max=2**31 - 1, help="Pixels between outputs; 2 keeps a quarter of the data.")
    ] = 1,
    dilation: Annotated[int, typer.Option(min=1, max=2**31 - 1, help="Pixels between taps: atrous above 1.")] = 1,
    border: Annotated[str, typer.Option(help="reflect, replicate, constant, wrap or valid.")] = "reflect",
    mode: Annotated[
        str, typer.Option(help="correlation (as written) or convolution (turned by half).")
    ] = "correlation",
    normalize: Annotated[bool, typer.Option("--normalize", help="Divide the weights by their sum first.")] = False,
    edges: Annotated[bool, typer.Option("--edges", help="Edges in both directions, by strength; no kernel.")] = False,
    grey: Annotated[bool, typer.Option("--grey", help="Make the picture grey first.")] = False,
    view: Annotated[str, typer.Option(help="How numbers are shown: clip, absolute, signed, stretch.")] = "",
    explain: Annotated[bool, typer.Option("--explain", help="Say how it is computed, and why so.")] = False,
    kernels: Annotated[bool, typer.Option("--kernels", help="List the named kernels and stop.")] = False,
    out: Annotated[str, spell("--out")] = "filtered",
    on: On = "",
    shards: Shards = "jsonl",
    dry_run: DryRun = False,
    workers: RayWorkers = 0,
    quiet: Quiet = False,
) -> None:
    """Apply a convolution kernel to pictures, and write what comes out.

    Results are signed numbers; `--view` says how they become a picture. Without it, kernels whose weights sum to 0
    (they find edges) are shown by size, all others clipped to 0..255.
    """
    if on or dry_run:
        from szem.cli.on_ray import run_on_ray

        run_on_ray(
            context, "filter", paths or (), "kernel stride dilation border mode view", shards=shards, workers=workers
        )
    import numpy as np

    from szem.cli.outputs import Destination, Targets, printable
    from szem.cli.walk import each_picture, find_files, report_failures
    from szem.errors import UnknownNameError
    from szem.kernels import KERNELS, default_view, parse_kernel, plan_convolution
    from szem.kernels import edges as find_edges
    from szem.kernels import view as show
    from szem.kernels.views import VIEWS
    from szem.media.pictures import WRITTEN_SUFFIXES, write_picture
    from szem.media.samples import sample_path

    if kernels:
        for name, recipe in KERNELS.items():
            print(f"{name:22} {recipe.about}")
        return
    if view and view not in VIEWS:
        raise UnknownNameError(f"no view called {view!r}; there are {', '.join(VIEWS)}")
    weights = parse_kernel(kernel)
    if normalize:
        weights = weights.normalize()
    how = view or ("absolute" if edges else default_view(weights))
    suffix = "edges" if edges else kernel.replace(":", "-") if kernel.split(":")[0] in KERNELS else "kernel"
    items, failures = find_files(paths or [str(sample_path("cameraman"))], leave_out=Path(out))
    to = Destination(out, suffixes=WRITTEN_SUFFIXES, inputs=len(items))
    if not quiet and not edges:
        print(f"{weights}\n" if max(weights.shape) <= 9 else f"{weights!r}, sum {weights.sum:g}\n")
    explained: set[tuple[int, ...]] = set()  # a plan depends on the picture's shape alone: each is printed once

    def answer(image: "Array") -> "NDArray[np.float32]":
        if edges:
            found = find_edges(image, stride_px=stride, dilation=dilation, border=border)
            return found.magnitude
        plan = plan_convolution(image.shape, weights, stride_px=stride, dilation=dilation, border=border, mode=mode)
        if explain and plan.shape not in explained:
            explained.add(plan.shape)
            print(plan.explain())
        return plan.run(image)

    targets = Targets(item.name for item in items)

    def work(item: "Item", picture: "Picture8") -> None:
        file = targets.take(to.file(f"{item.stem}-{suffix}.png"), typed=to.is_file)
        image: Array = picture
        # A grey picture stored as RGB has three equal channels; one of them is a third of the work.
        if grey or (
            np.array_equal(picture[..., 0], picture[..., 1]) and np.array_equal(picture[..., 1], picture[..., 2])
        ):
            import cv2

            image = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        result = answer(image)
        target = write_picture(file, show(result, how=how))
        if not quiet:
            before, after = picture.shape[:2], result.shape[:2]
            print(
                f"{printable(item.name)}: {before[1]}×{before[0]} → {after[1]}×{after[0]}, numbers "
                f"{result.min():.4g} to {result.max():.4g}, shown {how}: {printable(str(target))}"
            )

    each_picture(items, failures, work=work, quiet=quiet)
    if status := report_failures(failures, total=len(items)):
        raise typer.Exit(status)
