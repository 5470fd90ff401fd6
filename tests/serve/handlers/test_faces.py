"""Faces over HTTP: Google's own client asks for FACE_DETECTION, a program for /v1/szem/faces."""

import io

import httpx
import numpy as np
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import vision
from PIL import Image, ImageFilter

from szem.media.samples import sample_path

LIKELY = vision.Likelihood
KIND = vision.FaceAnnotation.Landmark.Type


@pytest.fixture(scope="module")
def client(server: httpx.Client) -> vision.ImageAnnotatorClient:
    return vision.ImageAnnotatorClient(
        transport="rest",
        client_options={"api_endpoint": str(server.base_url).rstrip("/")},
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
    )


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    """A woman's face of about 100 pixels in 512×512, looking ahead, head slightly turned."""
    return Image.open(sample_path("astronaut")).convert("RGB")


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def ask(client: vision.ImageAnnotatorClient, image: Image.Image, **options: int) -> list[vision.FaceAnnotation]:
    answer = client.face_detection(image=vision.Image(content=png(image)), **options)  # type: ignore[attr-defined]
    assert not answer.error.message
    return list(answer.face_annotations)


def test_googles_client_gets_a_face_with_its_landmarks_and_angles(
    client: vision.ImageAnnotatorClient, portrait: Image.Image
) -> None:
    (face,) = ask(client, portrait)
    assert face.detection_confidence > 0.7
    assert face.landmarking_confidence > 0.9
    skin = [(v.x, v.y) for v in face.fd_bounding_poly.vertices]
    head = [(v.x, v.y) for v in face.bounding_poly.vertices]
    assert head[0][0] < skin[0][0] < 200 < skin[2][0] < head[2][0]
    assert head[0][1] < skin[0][1] < 100 < skin[2][1] <= head[2][1]
    at = {mark.type_: mark.position for mark in face.landmarks}
    assert len(at) == 36
    for eye in ("LEFT", "RIGHT"):  # each pupil between the corners of its eye
        pupil, left, right = (at[KIND[f"{eye}_EYE{part}"]] for part in ("_PUPIL", "_LEFT_CORNER", "_RIGHT_CORNER"))
        assert left.x < pupil.x < right.x
    assert at[KIND.LEFT_EYE].x < at[KIND.MIDPOINT_BETWEEN_EYES].x < at[KIND.RIGHT_EYE].x  # the viewer's left
    assert at[KIND.MOUTH_LEFT].x < at[KIND.MOUTH_CENTER].x < at[KIND.MOUTH_RIGHT].x
    down = [KIND.FOREHEAD_GLABELLA, KIND.LEFT_EYE, KIND.NOSE_TIP, KIND.UPPER_LIP, KIND.LOWER_LIP, KIND.CHIN_GNATHION]
    heights = [at[kind].y for kind in down]
    assert heights == sorted(heights)
    assert at[KIND.NOSE_TIP].z < -5 < 0 < at[KIND.LEFT_EAR_TRAGION].z  # smaller is nearer
    assert abs(at[KIND.LEFT_EYE].z) < 10
    assert max(abs(face.roll_angle), abs(face.pan_angle), abs(face.tilt_angle)) < 15


def test_what_is_not_measured_is_unknown(client: vision.ImageAnnotatorClient, portrait: Image.Image) -> None:
    (face,) = ask(client, portrait)
    for name in ("joy", "sorrow", "anger", "surprise", "headwear"):
        assert getattr(face, f"{name}_likelihood") == LIKELY.UNKNOWN


def test_blur_and_darkness_are_reported(client: vision.ImageAnnotatorClient, portrait: Image.Image) -> None:
    (sharp,) = ask(client, portrait)
    assert sharp.blurred_likelihood == LIKELY.VERY_UNLIKELY
    assert sharp.under_exposed_likelihood == LIKELY.VERY_UNLIKELY
    (smeared,) = ask(client, portrait.filter(ImageFilter.GaussianBlur(4)))
    assert smeared.blurred_likelihood >= LIKELY.LIKELY
    (small,) = ask(client, portrait.resize((256, 256), Image.Resampling.LANCZOS))
    assert small.blurred_likelihood <= LIKELY.UNLIKELY  # small is not blurred
    (dark,) = ask(client, portrait.point(lambda v: int(v * 0.08)))
    assert dark.under_exposed_likelihood == LIKELY.VERY_LIKELY
    assert dark.blurred_likelihood <= LIKELY.UNLIKELY


def test_rolling_the_picture_turns_the_roll(client: vision.ImageAnnotatorClient, portrait: Image.Image) -> None:
    (plain,) = ask(client, portrait)
    (rolled,) = ask(client, portrait.rotate(-25, Image.Resampling.BICUBIC))  # PIL turns against the clock
    assert rolled.roll_angle - plain.roll_angle == pytest.approx(25, abs=4)
    (mirrored,) = ask(client, portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert mirrored.pan_angle == pytest.approx(-plain.pan_angle, abs=5)


def test_max_results_limits_faces_and_nobody_is_no_error(
    client: vision.ImageAnnotatorClient, portrait: Image.Image
) -> None:
    pair = Image.new("RGB", (1024, 512))
    pair.paste(portrait, (0, 0))
    pair.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (512, 0))
    assert len(ask(client, pair)) == 2
    assert len(ask(client, pair, max_results=1)) == 1
    assert ask(client, Image.open(sample_path("coffee")).convert("RGB")) == []


def test_own_route_reports_the_points_and_on_demand_the_mesh(server: httpx.Client, portrait: Image.Image) -> None:
    plain = server.post("/v1/szem/faces", content=png(portrait)).json()
    (face,) = plain["faces"]
    assert np.array(face["points_xy"]).shape == (68, 2)
    assert "mesh_xyz" not in face
    meshed = server.post("/v1/szem/faces?mesh=true", content=png(portrait)).json()["faces"][0]
    assert np.array(meshed["mesh_xyz"]).shape == (468, 3)
    refused = server.post("/v1/szem/faces?threshold=2", content=png(portrait))
    assert refused.status_code == 400
    assert "threshold" in refused.text
