"""The kernels page: each control does what it says, and what is shown are the numbers of szem.kernels."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from szem.kernels import Kernel, average_pool, convolve, max_pool, parse_kernel, view
from szem.media.samples import read_sample

from .seeing import canvas_of, exact, grey_of, in_address, set_slider, settle, until, wait_drawn

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]


def choose(page: Any, name: str, value: str) -> None:
    """Press one of a row of choices."""
    page.locator(f"[data-name={name}] label", has=page.locator(f"input[value='{value}']")).click()
    settle(page)


def pick_kernel(page: Any, name: str, slot: int = 0) -> None:
    page.locator(f"[data-slot='{slot}'] select").select_option(name)
    settle(page)


def answer_of(page: Any) -> np.ndarray:
    return canvas_of(page, "[data-name=output-0] canvas")


def assert_same_picture(shown: np.ndarray, wanted: np.ndarray) -> None:
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted.astype(int)).max() <= 1


def test_it_opens_with_the_cameraman_and_shows_what_szem_makes_of_him(visit: Visit) -> None:
    page = visit("kernels")
    wait_drawn(page)
    picture = read_sample("cameraman")
    assert page.locator(".thumb").first.get_attribute("data-name") == "cameraman"
    assert (canvas_of(page, "[data-name=input] canvas") == picture).all()
    wanted = convolve(grey_of(picture), "sobel-x", mode="correlation")
    assert_same_picture(answer_of(page), view(wanted))
    line = page.locator("[data-name=statistics]").inner_text().replace("−", "-")
    assert f"from {wanted.min():.0f} to {wanted.max():.0f}" in line
    assert float(page.locator(".zero-share").get_attribute("data-share")) == pytest.approx(
        (wanted == 0).mean(), abs=1e-6
    )


def test_each_option_does_what_it_says_and_the_address_says_it_too(visit: Visit) -> None:
    page = visit("kernels", picture="cat")
    wait_drawn(page)
    picture = read_sample("cat")
    grey = grey_of(picture)
    k = parse_kernel("sharpen")
    pick_kernel(page, "sharpen")
    options: dict[str, Any] = {"mode": "correlation"}
    assert_same_picture(answer_of(page), view(convolve(grey, k, **options)))

    set_slider(page, "stride", 2)
    options["stride_px"] = 2
    assert_same_picture(answer_of(page), view(convolve(grey, k, **options)))
    assert page.locator("[data-name=share]").inner_text() == "A quarter of the data is left."
    assert page.locator("[data-name=output-size]").inner_text() == "226 × 150"

    set_slider(page, "dilation", 3)
    options["dilation"] = 3
    for border in ("replicate", "constant", "wrap", "reflect"):
        page.locator("[data-name=border] select").select_option(border)
        settle(page)
        assert_same_picture(answer_of(page), view(convolve(grey, k, border=border, **options)))

    choose(page, "padding", "valid")
    assert page.locator("[data-name=border] select").is_disabled()
    valid = convolve(grey, k, border="valid", **options)
    assert_same_picture(answer_of(page), view(valid))

    choose(page, "pool", "max")
    assert_same_picture(answer_of(page), view(max_pool(valid, 2)))
    set_slider(page, "window", 3)
    assert_same_picture(answer_of(page), view(max_pool(valid, 3)))
    choose(page, "pool", "average")
    assert_same_picture(answer_of(page), view(average_pool(valid, 3)))
    choose(page, "pool", "none")
    choose(page, "padding", "same")

    pick_kernel(page, "emboss")
    choose(page, "operation", "convolution")
    options |= {"mode": "convolution"}
    assert_same_picture(answer_of(page), view(convolve(grey, parse_kernel("emboss"), **options)))

    choose(page, "colour", "colour")
    assert (canvas_of(page, "[data-name=input] canvas") == picture).all()
    assert_same_picture(answer_of(page), view(convolve(picture, parse_kernel("emboss"), **options)))
    assert page.locator("[data-name=output-size]").inner_text() == "226 × 150 × 3"

    share = page.locator("[data-name=output-0] .frame-picture")
    before = share.bounding_box()
    page.locator("[data-name=size]").click()
    settle(page)
    after = share.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] / before["width"] == pytest.approx(226 / 451, abs=0.02)

    in_address(page, "picture=cat", "kernel=emboss", "stride=2", "dilation=3", "operation=convolution")
    in_address(page, "colour=colour", "size=true")
    for unsaid in ("pool", "border", "mode", "weights"):
        assert f"{unsaid}=" not in page.evaluate("location.hash")


def test_views_clipped_signed_and_beside_show_the_same_numbers(visit: Visit) -> None:
    page = visit("kernels", kernel="laplacian")
    wait_drawn(page)
    wanted = convolve(grey_of(read_sample("cameraman")), "laplacian", mode="correlation")
    choose(page, "view", "signed")
    assert_same_picture(answer_of(page), view(wanted, how="signed", scale=255))
    assert page.locator("[data-name=legend]").inner_text().split() == ["−255", "+255"]
    choose(page, "view", "beside")
    assert_same_picture(answer_of(page), view(wanted))
    assert_same_picture(canvas_of(page, "[data-name=output-1] canvas"), view(wanted, how="signed", scale=255))
    assert page.locator(".stage h2").all_inner_texts() == ["Picture", "Answer, clipped", "Answer, signed"]
    page.locator("[data-name=zeros]").click()
    settle(page)
    marked = (answer_of(page) == (255, 196, 0)).all(axis=2)
    assert (marked == (np.abs(wanted) < 1e-3)).all()
    assert marked.any(), "a Laplacian of the cameraman has zeros"


def test_kernel_can_be_typed_resized_and_normalised(visit: Visit) -> None:
    page = visit("kernels", kernel="identity")
    wait_drawn(page)
    until(page, """document.querySelector("[data-slot='0'] .slider output").innerText === '3 × 3'""")
    pick_kernel(page, "outline")
    total = page.locator(".sum-value")
    assert total.inner_text() == "0"
    assert page.locator("[data-name=normalise]").is_disabled()
    assert "constant areas become 0" in page.locator(".sum-line").inner_text()

    centre = page.locator(".cell[data-row='1'][data-column='1']")
    centre.fill("9,5")
    settle(page)
    assert total.inner_text() == "1.5"
    assert page.locator("[data-slot='0'] select").input_value() == "custom"
    rows = [[-1, -1, -1], [-1, 9.5, -1], [-1, -1, -1]]
    grey = grey_of(read_sample("cameraman"))
    assert_same_picture(answer_of(page), view(convolve(grey, Kernel(rows), mode="correlation")))

    page.click("[data-name=normalise]")
    settle(page)
    assert total.inner_text() == "1"
    assert_same_picture(answer_of(page), view(convolve(grey, Kernel(rows).normalize(), mode="correlation")))
    assert page.locator("[data-name=normalise]").is_disabled()

    set_slider(page, "kernel-size", 5)
    assert page.locator("[data-slot='0'] input.cell").count() == 25
    assert total.inner_text() == "1"
    corner = page.locator(".cell[data-row='0'][data-column='0']")
    corner.fill("1/4")
    settle(page)
    assert total.inner_text() == "1.25"
    bigger = np.zeros((5, 5))
    bigger[1:4, 1:4] = np.array(rows) / 1.5
    bigger[0, 0] = 0.25
    assert_same_picture(answer_of(page), view(convolve(grey, Kernel(bigger), mode="correlation")))

    before = answer_of(page)
    corner.fill("one")
    settle(page)
    assert corner.get_attribute("aria-invalid") == "true"
    assert (answer_of(page) == before).all(), "a number that is none changes nothing"
    corner.blur()
    assert corner.input_value() == "0.25"
    for n in (3, 9):
        set_slider(page, "kernel-size", n)
        assert page.locator("[data-slot='0'] input.cell").count() == n * n

    again = visit("kernels", **dict(part.split("=", 1) for part in ["kernel=custom", "weights=0 0 0;0 2 0;0 0 0"]))
    wait_drawn(again)
    assert_same_picture(answer_of(again), view(2.0 * grey))


def test_kernels_step_by_buttons_and_arrow_keys_move_between_numbers(visit: Visit) -> None:
    page = visit("kernels", kernel="sharpen")
    wait_drawn(page)
    names = page.locator("[data-slot='0'] select option").evaluate_all("all => all.map((o) => o.value)")
    at = names.index("sharpen")
    page.click("[data-name=next]")
    assert page.locator("[data-slot='0'] select").input_value() == names[at + 1]
    page.click("[data-name=previous]")
    page.click("[data-name=previous]")
    assert page.locator("[data-slot='0'] select").input_value() == names[at - 1]
    pick_kernel(page, "sharpen")
    page.locator(".cell[data-row='0'][data-column='1']").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("[document.activeElement.dataset.row, document.activeElement.dataset.column]") == ["1", "1"]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.column") == "2"


def test_a_large_kernel_is_shown_whole_and_its_sum_is_right(visit: Visit) -> None:
    page = visit("kernels", kernel="gabor", view="signed", at="300,200")
    wait_drawn(page)
    wanted = convolve(grey_of(read_sample("cameraman")), "gabor", mode="correlation")
    assert page.locator(".kernel-panel .cell.still").count() == 21 * 21
    assert exact(page, "sum") == pytest.approx(float(wanted[200, 300]), abs=1e-2)
    assert_same_picture(answer_of(page), view(wanted, how="signed", scale=255 / 4))


def test_pointing_at_either_picture_takes_its_pixel_apart(visit: Visit) -> None:
    page = visit("kernels", kernel="emboss")
    wait_drawn(page)
    grey = grey_of(read_sample("cameraman"))
    wanted = convolve(grey, "emboss", mode="correlation")
    weights = parse_kernel("emboss").weights

    def cells(name: str) -> np.ndarray:
        texts = page.locator(f".inspector [data-name={name}] .cell").all_inner_texts()
        return np.array([float(text.replace("−", "-")) for text in texts]).reshape(3, 3)

    for figure in ("input", "output-0"):
        box = page.locator(f"[data-name={figure}] canvas").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * (100.5 / 512), box["y"] + box["height"] * (60.5 / 512))
        settle(page)
        assert "row 60, column 100" in page.locator("[data-name=place]").inner_text()
        patch = grey[59:62, 99:102].astype(float)
        assert (cells("patch") == patch).all()
        assert (cells("weights") == weights).all()
        assert (cells("products") == patch * weights).all()
        assert exact(page, "sum") == pytest.approx(float(wanted[60, 100]))
        assert exact(page, "shown") == np.clip(wanted[60, 100], 0, 255)
        page.mouse.move(5, 5)

    page.locator("[data-name=input] canvas").click(position={"x": 40, "y": 40})
    settle(page)
    held = page.locator("[data-name=place]").inner_text()
    assert "held" in held
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    settle(page)
    assert page.locator("[data-name=place]").inner_text() == held
    in_address(page, "at=")
    page.locator("[data-name=input]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    settle(page)
    row, column = (int(s) for s in held.replace("row ", "").split(" ·")[0].split(", column "))
    assert f"row {row + 10}, column {column + 1}" in page.locator("[data-name=place]").inner_text()
    assert exact(page, "sum") == pytest.approx(float(wanted[row + 10, column + 1]))
    page.keyboard.press("Escape")
    settle(page)
    assert "held" not in page.locator("[data-name=place]").inner_text()

    page.locator(".inspector [data-name=products] .cell").first.hover()
    assert "× −2 =" in page.locator("[data-name=notes]").inner_text()
    page.locator(".matrix[data-name=answer] td").nth(3).scroll_into_view_if_needed()
    until(page, "document.querySelector('.matrix td.lit')")
    page.locator(".matrix[data-name=answer] td").nth(3).click()
    settle(page)
    assert "held" in page.locator("[data-name=place]").inner_text()


@pytest.mark.parametrize("border", ["reflect", "replicate", "constant", "wrap"])
def test_corner_shows_what_stands_beyond_the_edge(visit: Visit, border: str) -> None:
    page = visit("kernels", kernel="box", border=border, at="0,0")
    wait_drawn(page)
    grey = grey_of(read_sample("cameraman")).astype(float)
    how = {"reflect": "reflect", "replicate": "edge", "constant": "constant", "wrap": "wrap"}[border]
    patch = np.pad(grey, 1, mode=how)[:3, :3]
    texts = page.locator(".inspector [data-name=patch] .cell").all_inner_texts()
    assert [float(t) for t in texts] == patch.ravel().tolist()
    assert page.locator(".inspector .cell.outside").count() == 5
    assert "5 of 9 values lie beyond the edge" in page.locator("[data-name=notes]").inner_text()
    assert exact(page, "sum") == pytest.approx(patch.mean(), abs=1e-5)


def test_constant_area_is_said_to_give_zero_and_what_is_cut_off_is_said(visit: Visit) -> None:
    grey = grey_of(read_sample("astronaut"))
    flat = np.argwhere(view(convolve(grey, "outline", mode="correlation"))[..., 0] == 0)
    same = [
        (y, x)
        for y, x in flat
        if 0 < y < 511 and 0 < x < 511 and len(set(grey[y - 1 : y + 2, x - 1 : x + 2].ravel())) == 1
    ]
    y, x = same[len(same) // 2]
    page = visit("kernels", picture="astronaut", kernel="outline", at=f"{x},{y}")
    wait_drawn(page)
    note = page.locator("[data-name=notes]").inner_text()
    assert note == f"A constant area: all values are {grey[y, x]}, the weights add up to 0, so the answer is 0."
    assert exact(page, "sum") == 0

    wanted = convolve(grey, "outline", mode="correlation")
    y, x = np.unravel_index(wanted.argmin(), wanted.shape)
    page = visit("kernels", picture="astronaut", kernel="outline", at=f"{x},{y}")
    wait_drawn(page)
    assert "is below 0: a screen cannot show it" in page.locator("[data-name=notes]").inner_text()
    assert exact(page, "shown") == 0


def test_two_kernels_in_a_row_and_their_steps(visit: Visit) -> None:
    page = visit("kernels", mode="two", kernel="gaussian", second="laplacian", stride=2, at="200,150")
    wait_drawn(page)
    grey = grey_of(read_sample("cameraman"))
    first = convolve(grey, "gaussian", mode="correlation")
    second = convolve(first, "laplacian", stride_px=2, mode="correlation")
    assert_same_picture(answer_of(page), view(second))
    assert exact(page, "sum") == pytest.approx(float(first[150, 200]), abs=1e-2)
    assert page.locator("[data-name=result] [data-name=shown]").count() == 0
    choose(page, "part", "1")
    assert exact(page, "sum") == pytest.approx(float(second[75, 100]), abs=1e-2)
    assert page.locator("[data-name=together]").inner_text().endswith("one 9 × 9 kernel.")
    pick_kernel(page, "identity", slot=1)
    assert_same_picture(answer_of(page), view(first[::2, ::2]))


def test_edges_in_both_directions_strength_and_direction(visit: Visit) -> None:
    page = visit("kernels", kernel="sharpen")
    wait_drawn(page)
    choose(page, "mode", "edges")
    page.locator("[data-name=edges] select").select_option("scharr")
    settle(page)
    grey = grey_of(read_sample("cameraman"))
    x, y = (convolve(grey, f"scharr-{way}", mode="correlation") for way in "xy")
    strength = np.hypot(x, y)
    assert_same_picture(answer_of(page), view(strength))
    choose(page, "view", "signed")
    shown = answer_of(page)
    right = (np.abs(y) < 1e-3) & (x > 255)
    assert (np.abs(shown[right].astype(int) - (255, 122, 26)) <= 1).all(), "brighter to the right is orange"
    page.locator("[data-name=input] canvas").click(position={"x": 150, "y": 120})
    settle(page)
    row, column = (
        int(s)
        for s in page.locator("[data-name=place]").inner_text().replace("row ", "").split(" ·")[0].split(", column ")
    )
    assert exact(page, "strength") == pytest.approx(float(strength[row, column]), abs=1e-2)
    assert exact(page, "direction") == pytest.approx(np.degrees(np.arctan2(y[row, column], x[row, column])), abs=1e-2)
    assert exact(page, "sum") == pytest.approx(float(x[row, column]), abs=1e-2)
    choose(page, "part", "1")
    assert exact(page, "sum") == pytest.approx(float(y[row, column]), abs=1e-2)


def test_pooling_window_and_colour_channel_are_shown(visit: Visit) -> None:
    page = visit("kernels", picture="coffee", colour="colour", kernel="box", pool="max", at="301,101")
    wait_drawn(page)
    picture = read_sample("coffee")
    blurred = convolve(picture, "box", mode="correlation")
    window = blurred[100:102, 300:302]
    for channel in range(3):
        choose(page, "channel", str(channel))
        pooled = float(page.locator("[data-name=pooled]").get_attribute("data-exact"))
        assert pooled == pytest.approx(window[..., channel].max(), abs=1e-2)
        assert exact(page, "sum") == pytest.approx(window[..., channel].max(), abs=1e-2)
        assert page.locator("[data-name=pool-window] .chosen").count() == 1


def test_gallery_shows_every_kernel_and_choosing_one_puts_it_on_the_stage(visit: Visit) -> None:
    from szem.kernels import KERNELS

    page = visit("kernels")
    wait_drawn(page)
    assert page.locator(".gallery-item").count() == len(KERNELS)
    page.locator(".gallery-item[data-name=emboss]").click()
    settle(page)
    assert page.locator("[data-slot='0'] select").input_value() == "emboss"
    assert page.locator(".gallery-item[aria-pressed=true]").get_attribute("data-name") == "emboss"
    assert_same_picture(
        answer_of(page), view(convolve(grey_of(read_sample("cameraman")), "emboss", mode="correlation"))
    )


def test_a_kernel_that_fits_nowhere_is_said(visit: Visit) -> None:
    page = visit("kernels", mode="two", kernel="gabor", second="gabor", dilation=8, border="valid", picture="cat")
    page.wait_for_selector(".empty-answer")
    assert "fits nowhere" in page.locator(".empty-answer").inner_text()
    assert "Nothing is left" in page.locator("[data-name=share]").inner_text()
    set_slider(page, "dilation", 1)
    assert page.locator(".empty-answer").count() == 0


def test_graphics_card_draws_the_same_page(visit: Visit) -> None:
    page = visit("kernels", engine="webgl", kernel="sharpen", stride=2)
    wait_drawn(page)
    if page.locator("[data-name=meter]").get_attribute("data-engine") != "webgl":
        pytest.skip("this Chromium has no WebGL2 with float textures")
    wanted = convolve(grey_of(read_sample("cameraman")), "sharpen", stride_px=2, mode="correlation")
    assert_same_picture(answer_of(page), view(wanted))


def test_a_kernel_with_parameters_in_the_address_is_shown(visit: Visit) -> None:
    page = visit("kernels", kernel="gaussian:1")
    wait_drawn(page)
    wanted = convolve(grey_of(read_sample("cameraman")), "gaussian:1", mode="correlation")
    assert_same_picture(answer_of(page), view(wanted))
    assert page.locator("[data-slot='0'] select").input_value() == "gaussian:1"


def test_a_kernel_that_does_not_exist_is_reported_and_the_page_works(visit: Visit) -> None:
    page = visit("kernels", kernel="gausian:2", expect=("404",))
    wait_drawn(page)
    assert "gausian:2" in page.locator("[data-name=kernel-problem]").inner_text()
    assert page.locator("[data-slot='0'] select").input_value() == "identity"


def test_the_kernel_walks_from_pixel_to_pixel_and_stops(visit: Visit) -> None:
    page = visit("kernels", kernel="box", at="100,90")
    wait_drawn(page)
    page.click("[data-name=walk-step]")
    until(page, "document.querySelector('[data-name=place]').textContent.includes('column 101')")
    page.click("[data-name=walk]")
    until(page, "document.querySelector('[data-name=place]').textContent.includes('column 104')")
    page.click("[data-name=walk]")
    until(page, "location.hash.match(/at=(\\d+),90/)[1] >= 104")


def test_the_flat_spot_gives_exactly_nothing(visit: Visit) -> None:
    page = visit("kernels", kernel="laplacian")
    wait_drawn(page)
    page.click("[data-name=flat]")
    until(page, "document.querySelector('[data-name=notes]').textContent.includes('constant area')")
    assert exact(page, "sum") == 0


def test_flat_spots_are_the_nearest_or_none(lab: Callable[..., Any]) -> None:
    body = """const data = Float32Array.from({ length: 81 }, (_, i) => i);
      for (let y = 5; y < 8; y++) for (let x = 1; x < 4; x++) data[y * 9 + x] = 7;
      const plane = { data, height: 9, width: 9 };
      const three = [[1, 1, 1], [1, 1, 1], [1, 1, 1]];
      return [m.flatSpot([plane], three, 1, { x: 8, y: 0 }), m.flatSpot([plane], three, 2, { x: 8, y: 0 })];"""
    assert lab("kernels/flat.js", body) == [{"x": 2, "y": 6}, None]
