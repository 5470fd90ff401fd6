"""szem's own routes: three ways to bring a picture, full results, errors in the envelope, the reference page."""

import base64
import io
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

import szem
from szem.cli.run import run
from szem.kernels import convolve, view
from szem.media.pictures import read_picture, write_picture
from szem.tasks.registry import TASKS


def test_a_picture_comes_as_body_form_or_json(server: httpx.Client, cat: bytes) -> None:
    as_body = server.post("/v1/szem/classify?top=3", content=cat, headers={"content-type": "image/png"})
    as_bytes = server.post("/v1/szem/classify?top=3", content=cat)
    as_form = server.post("/v1/szem/classify", files={"image": ("cat.png", cat, "image/png")}, data={"top": "3"})
    as_json = server.post("/v1/szem/classify", json={"image": {"content": base64.b64encode(cat).decode()}, "top": 3})
    answers = [r.json() for r in (as_body, as_bytes, as_form, as_json)]
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["picture"] == {"width": 451, "height": 300}
    assert len(answers[0]["labels"]) == 3


def test_classify_takes_a_model_by_its_name(server: httpx.Client, cat: bytes) -> None:
    named = server.post("/v1/szem/classify?model=efficientnet-lite0", content=cat).json()
    assert named == server.post("/v1/szem/classify", content=cat).json()
    answer = server.post("/v1/szem/classify?model=road", content=cat)  # of another task
    assert answer.status_code == 400
    assert "no model called 'road' for classify" in answer.json()["error"]["message"]


def test_class_maps_come_with_the_part_of_the_picture_they_cover(server: httpx.Client, cat: bytes) -> None:
    answer = server.post("/v1/szem/classify?top=2&maps=true", content=cat).json()
    for row in answer["labels"]:
        assert np.array(row["map"]).ndim == 2
        x0, y0, x1, y1 = row["map_box_xyxy"]
        assert x0 < x1
        assert y0 < y1
        assert (y1 - y0) <= 300.5
    plain = server.post("/v1/szem/classify?top=2", content=cat).json()
    assert all("map" not in row for row in plain["labels"])


def test_look_runs_the_tasks_asked_for(server: httpx.Client, cat: bytes) -> None:
    answer = server.post("/v1/szem/look?tasks=colors,sharpness", content=cat).json()
    assert answer.keys() == {"picture", "width", "height", "colors", "sharpness"}
    assert answer["colors"][0]["hex"].startswith("#")
    refused = server.post("/v1/szem/look?tasks=smell", content=cat)
    assert refused.status_code == 400
    assert "choose labels, masks, boxes, caption, text, colors" in refused.json()["error"]["message"]


def test_each_task_answers_for_itself(server: httpx.Client, cat: bytes) -> None:
    assert len(server.post("/v1/szem/colors?count=2", content=cat).json()["colors"]) == 2
    assert server.post("/v1/szem/measure", content=cat).json()["edge_fraction"] > 0
    body = {"image": {"content": base64.b64encode(cat).decode()}, "aspectRatios": [1, 2]}
    crops = server.post("/v1/szem/crops", json=body).json()["crops"]
    assert [crop["shape"] for crop in crops] == ["1:1", "2:1"]


def test_filter_gives_what_the_package_gives(server: httpx.Client, cat: bytes) -> None:
    query = {"kernel": "sobel-x", "stride": "2", "view": "absolute", "border": "replicate"}
    answer = server.post("/v1/szem/filter", params=query, content=cat)
    assert answer.headers["content-type"] == "image/png"
    picture = read_picture(cat)
    ours = view(convolve(picture, "sobel-x", stride_px=2, border="replicate", mode="correlation"), how="absolute")
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")), ours)


@pytest.mark.parametrize("kernel", ["sobel-x", "emboss", "prewitt-ne", "sharpen", "1 0 -2", "gaussian:1.5"])
def test_a_kernel_gives_the_same_picture_in_python_on_the_command_line_and_over_http(
    server: httpx.Client, tmp_path: Path, kernel: str
) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    source = write_picture(tmp_path / "photo.png", picture)
    in_python = view(convolve(picture, kernel), kernel=kernel)
    over_http = server.post("/v1/szem/filter", params={"kernel": kernel}, content=source.read_bytes())
    assert (read_picture(over_http.content) == in_python).all()
    assert run(["filter", str(source), "-k", kernel, "--out", str(tmp_path / "out")]) == 0
    [made] = (tmp_path / "out").iterdir()
    assert (read_picture(made) == in_python).all()


@pytest.mark.parametrize("dilation", [100_000, 50_000_000, 2**31 - 1])
def test_a_dilation_beyond_the_picture_is_answered_over_http(
    server: httpx.Client, small: bytes, dilation: int
) -> None:
    answer = server.post("/v1/szem/filter", params={"kernel": "sharpen", "dilation": dilation}, content=small)
    assert answer.status_code == 200
    wanted = view(convolve(read_picture(small), "sharpen", dilation=dilation))
    assert (read_picture(answer.content) == wanted).all()


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/szem/classify?top=0", 400, "top must lie in"),
        ("/v1/szem/classify?top=many", 400, "TYPE_INT32"),
        ("/v1/szem/classify?maps=perhaps", 400, "TYPE_BOOL"),
        ("/v1/szem/classify?tpo=3", 400, 'Unknown name "tpo"'),
        ("/v1/szem/filter?kernel=nope", 400, "no kernel called"),
        ("/v1/szem/filter?kernel=box:301", 400, "at most 255 taps"),
        ("/v1/szem/filter?stride=0", 400, "stride"),
        ("/v1/szem/filter?stride=2147483648", 400, "stride"),
        ("/v1/szem/filter?dilation=2147483648", 400, "dilation"),
        ("/v1/szem/filter?border=none", 400, "border"),
        ("/v1/szem/filter?view=none", 400, "view"),
    ],
)
def test_wrong_options_are_refused(server: httpx.Client, small: bytes, path: str, status: int, said: str) -> None:
    answer = server.post(path, content=small)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]


def test_a_missing_or_bad_picture_is_reported(server: httpx.Client) -> None:
    assert "no picture came" in server.post("/v1/szem/look").json()["error"]["message"]
    bad = server.post("/v1/szem/look", content=b"nonsense").json()["error"]
    assert bad["message"].startswith("Bad image data. ")
    form = server.post("/v1/szem/look", data={"image": "text"})
    assert form.status_code == 501
    assert "multipart" in form.json()["error"]["message"]
    broken = server.post(
        "/v1/szem/look", content=b"--x\r\nnonsense", headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert broken.status_code == 400
    uri = server.post("/v1/szem/look", json={"image": {"source": {"imageUri": "http://example.com/a.png"}}})
    assert uri.status_code == 403
    assert uri.json()["error"]["details"][0]["fieldViolations"][0]["field"] == "image.source.imageUri"


def test_the_reference_page_lists_every_route_and_loads_nothing(server: httpx.Client) -> None:
    page = server.get("/docs")
    described = server.get("/openapi.json").json()
    assert page.status_code == 200
    assert "<script" not in page.text
    for path in described["paths"]:
        assert path in page.text
    for name, row in TASKS.items():
        assert (f"/v1/szem/{name}" in described["paths"]) == (row.request is not None)
    assert "LABEL_DETECTION" in page.text
    assert szem.__version__ in page.text
