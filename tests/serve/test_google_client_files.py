"""Pages of files, and operations over many pictures and files, through Google's own Python client."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from google.api_core import exceptions
from google.cloud import vision
from PIL import Image

from tests.serve.google_client import client_of, tiff

needs_pdf = pytest.mark.skipif(
    importlib.util.find_spec("pypdfium2") is None, reason="needs the extra: pip install 'szem[pdf]'"
)
COLORS = vision.Feature.Type.IMAGE_PROPERTIES


@pytest.fixture(scope="module")
def client(server: httpx.Client) -> vision.ImageAnnotatorClient:
    return client_of(server)


def files_request(content: bytes, mime: str, pages: list[int] | None = None) -> dict[str, object]:
    return {
        "input_config": {"content": content, "mime_type": mime},
        "features": [{"type_": COLORS}],
        "pages": pages or [],
    }


def reds(answer: vision.AnnotateFileResponse) -> dict[int, float]:
    return {
        page.context.page_number: page.image_properties_annotation.dominant_colors.colors[0].color.red
        for page in answer.responses
    }


@pytest.mark.parametrize(("fmt", "mime"), [("TIFF", "image/tiff"), ("GIF", "image/gif")])
def test_pages_of_a_file(client: vision.ImageAnnotatorClient, fmt: str, mime: str) -> None:
    data = tiff(6, fmt=fmt)
    (first_five,) = client.batch_annotate_files(requests=[files_request(data, mime)]).responses
    assert first_five.total_pages == 6
    assert first_five.input_config.mime_type == mime
    assert list(reds(first_five)) == [1, 2, 3, 4, 5]
    (chosen,) = client.batch_annotate_files(requests=[files_request(data, mime, [-1, 2])]).responses
    assert reds(chosen) == pytest.approx({6: 240.0, 2: 80.0}, abs=4)


def test_a_page_that_is_not_there_harms_no_other(client: vision.ImageAnnotatorClient) -> None:
    (answer,) = client.batch_annotate_files(requests=[files_request(tiff(2), "image/tiff", [1, 9, -9])]).responses
    assert answer.responses[0].image_properties_annotation.dominant_colors.colors
    assert [page.error.code for page in answer.responses] == [0, 11, 11]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (files_request(b"x", "image/tiff", [1, 2, 3, 4, 5, 6]), "at most 5 pages"),
        (files_request(b"x", "image/tiff", [0]), "pages begin at 1"),
    ],
)
def test_rules_for_pages(client: vision.ImageAnnotatorClient, one: dict[str, object], said: str) -> None:
    with pytest.raises(exceptions.BadRequest, match=said):
        client.batch_annotate_files(requests=[one])


@needs_pdf
def test_pages_of_a_pdf_are_answered(client: vision.ImageAnnotatorClient) -> None:
    (answer,) = client.batch_annotate_files(
        requests=[files_request(tiff(3, fmt="PDF"), "application/pdf", [1, -1])]
    ).responses
    assert answer.total_pages == 3
    assert reds(answer) == pytest.approx({1: 40, 3: 120}, abs=3)


@pytest.mark.parametrize(
    ("content", "mime", "code", "said"),
    [
        pytest.param(b"%PDF-1.7", "application/pdf", 3, "damaged, or not a PDF", marks=needs_pdf),
        (b"x", "image/png", 3, "application/pdf, image/tiff or image/gif"),
        (b"", "image/tiff", 3, "content or inputConfig.gcsSource"),
        (b"II*\0damaged", "image/tiff", 3, "Bad image data"),
    ],
)
def test_faults_of_files_are_reported_inside_the_answer(
    client: vision.ImageAnnotatorClient, content: bytes, mime: str, code: int, said: str
) -> None:
    (answer,) = client.batch_annotate_files(requests=[files_request(content, mime)]).responses
    assert answer.error.code == code
    assert said in answer.error.message


# Operations --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures(inbox: Path) -> Iterator[list[str]]:
    """Seven pictures in the folder that may be read, as URIs."""
    paths = [inbox / f"{n}.png" for n in range(7)]
    for n, path in enumerate(paths):
        Image.fromarray(np.full((12, 16, 3), 30 * n, np.uint8)).save(path)
    yield [path.as_uri() for path in paths]
    for path in paths:
        path.unlink()


def test_an_operation_over_pictures(client: vision.ImageAnnotatorClient, pictures: list[str], outbox: Path) -> None:
    prefix = f"{outbox.as_uri()}/run-1/"
    requests = [{"image": {"source": {"image_uri": uri}}, "features": [{"type_": COLORS}]} for uri in pictures]
    requests.append({"image": {"source": {"image_uri": "file:///etc/passwd"}}, "features": [{"type_": COLORS}]})
    operation = client.async_batch_annotate_images(
        requests=requests, output_config={"gcs_destination": {"uri": prefix}, "batch_size": 3}
    )
    result = operation.result(timeout=120)
    assert result.output_config.gcs_destination.uri == prefix
    assert operation.metadata.state == vision.OperationMetadata.State.DONE
    assert operation.metadata.create_time <= operation.metadata.update_time
    names = sorted(path.name for path in (outbox / "run-1").iterdir())
    assert names == ["output-1-to-3.json", "output-4-to-6.json", "output-7-to-8.json"]
    answers = [
        page
        for name in names
        for page in vision.BatchAnnotateImagesResponse.from_json((outbox / "run-1" / name).read_text()).responses
    ]
    greys = [a.image_properties_annotation.dominant_colors.colors[0].color.red for a in answers[:7]]
    assert greys == [30.0 * n for n in range(7)]
    assert answers[7].error.code == 7
    assert "--allow-read" in answers[7].error.message


def test_an_operation_over_files(client: vision.ImageAnnotatorClient, inbox: Path, outbox: Path) -> None:
    (inbox / "pages.tif").write_bytes(tiff(5))
    good, bad = ((inbox / name).as_uri() for name in ("pages.tif", "none.tif"))
    prefixes = [f"{outbox.as_uri()}/files/{name}-" for name in ("good", "bad")]
    operation = client.async_batch_annotate_files(
        requests=[
            {
                "input_config": {"gcs_source": {"uri": uri}, "mime_type": "image/tiff"},
                "features": [{"type_": COLORS}],
                "output_config": {"gcs_destination": {"uri": prefix}, "batch_size": 2},
            }
            for uri, prefix in zip((good, bad), prefixes, strict=True)
        ]
    )
    result = operation.result(timeout=120)
    assert [r.output_config.gcs_destination.uri for r in result.responses] == prefixes
    names = sorted(path.name for path in (outbox / "files").iterdir())
    assert names == [
        "bad-output-1-to-1.json",
        "good-output-1-to-2.json",
        "good-output-3-to-4.json",
        "good-output-5-to-5.json",
    ]
    page = vision.AnnotateFileResponse.from_json((outbox / "files" / "good-output-3-to-4.json").read_text())
    assert page.total_pages == 5
    assert reds(page) == pytest.approx({3: 120.0, 4: 160.0}, abs=4)
    assert page.responses[0].context.uri == good
    failed = vision.AnnotateFileResponse.from_json((outbox / "files" / "bad-output-1-to-1.json").read_text())
    assert failed.error.code == 5


def test_operations_must_write_where_they_may(client: vision.ImageAnnotatorClient, pictures: list[str]) -> None:
    requests = [{"image": {"source": {"image_uri": pictures[0]}}, "features": [{"type_": COLORS}]}]
    with pytest.raises(exceptions.Forbidden, match="--allow-write"):
        client.async_batch_annotate_images(
            requests=requests, output_config={"gcs_destination": {"uri": "file:///tmp/elsewhere/"}}
        )
    with pytest.raises(exceptions.BadRequest, match="where the answers go"):
        client.async_batch_annotate_images(requests=requests, output_config={})


def test_operations_take_no_content(client: vision.ImageAnnotatorClient, small: bytes, outbox: Path) -> None:
    with pytest.raises(exceptions.BadRequest, match="by URI only"):
        client.async_batch_annotate_images(
            requests=[{"image": {"content": small}, "features": [{"type_": COLORS}]}],
            output_config={"gcs_destination": {"uri": f"{outbox.as_uri()}/x/"}},
        )


def test_an_operation_can_be_listed_got_and_deleted_by_the_client(
    client: vision.ImageAnnotatorClient, pictures: list[str], outbox: Path
) -> None:
    requests = [{"image": {"source": {"image_uri": pictures[0]}}, "features": [{"type_": COLORS}]}]
    request = {
        "requests": requests,
        "output_config": {"gcs_destination": {"uri": f"{outbox.as_uri()}/one/"}},
        "parent": "projects/demo",
    }
    operation = client.async_batch_annotate_images(request=request)
    name = operation.operation.name
    assert name.startswith("projects/demo/operations/")
    operation.result(timeout=120)
    got = client.get_operation({"name": name})
    assert got.done
    assert got.name == name


@needs_pdf
def test_an_operation_over_pdfs_good_and_bad(client: vision.ImageAnnotatorClient, inbox: Path, outbox: Path) -> None:
    """A PDF, one that needs a password, one that is no PDF, one of too many pages, and a TIFF cut in its midst."""
    good = tiff(3, fmt="PDF")
    files = {
        "good.pdf": good,
        "locked.pdf": locked(good),
        "none.pdf": b"%PDF-1.7 nothing",
        "long.pdf": many_pages(2_001),
        "cut.tif": tiff(3)[:900],
    }
    for name, data in files.items():
        (inbox / name).write_bytes(data)
    requests = [
        {
            "input_config": {
                "gcs_source": {"uri": (inbox / name).as_uri()},
                "mime_type": "image/tiff" if name.endswith("tif") else "application/pdf",
            },
            "features": [{"type_": COLORS}],
            "output_config": {"gcs_destination": {"uri": f"{outbox.as_uri()}/pdf/{name}-"}, "batch_size": 2},
        }
        for name in files
    ]
    result = client.async_batch_annotate_files(requests=requests).result(timeout=120)
    assert len(result.responses) == 5
    names = sorted(path.name for path in (outbox / "pdf").iterdir())
    assert [name for name in names if name.startswith("good")] == [
        "good.pdf-output-1-to-2.json",
        "good.pdf-output-3-to-3.json",
    ]
    whole = [
        vision.AnnotateFileResponse.from_json((outbox / "pdf" / name).read_text())
        for name in names
        if name.startswith("good")
    ]
    assert [page.total_pages for page in whole] == [3, 3]
    assert {**reds(whole[0]), **reds(whole[1])} == pytest.approx({1: 40.0, 2: 80.0, 3: 120.0}, abs=4)
    failed = {
        name: vision.AnnotateFileResponse.from_json(
            (outbox / "pdf" / f"{name}-output-1-to-1.json").read_text()
        ).error.message
        for name in ("locked.pdf", "none.pdf", "long.pdf")
    }
    assert "protected by a password; save it without one" in failed["locked.pdf"]
    assert "damaged, or not a PDF" in failed["none.pdf"]
    assert "2001 pages, the limit is 2000; split the file" in failed["long.pdf"]
    assert any(name.startswith("cut.tif") for name in names)


def locked(data: bytes) -> bytes:
    """A PDF that asks for a password."""
    lock = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%b> /U <%b> >> /ID [<00> <00>]" % (
        b"11" * 32,
        b"22" * 32,
    )
    return data.replace(b"trailer\n<<", b"trailer\n<< " + lock, 1)


def many_pages(count: int) -> bytes:
    """A PDF that has one empty page many times over."""
    kids = b"3 0 R " * count
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%b] /Count %d >>" % (kids, count),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj %b endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 4\n0000000000 65535 f \n%btrailer << /Root 1 0 R /Size 4 >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(out),
    )
