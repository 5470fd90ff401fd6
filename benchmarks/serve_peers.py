"""The servers that `serve.py` runs beside szem: a small FastAPI program and LitServe, with the same network.

    python benchmarks/serve_peers.py fastapi|litserve --port PORT --model model.onnx --labels labels.txt --workers 2

Each takes the request that szem takes, {"requests": [{"image": {"content": base64}}]}, and answers with ten labels as
an ordinary program would: Pillow reads and shrinks the picture, ONNX Runtime runs the network on one thread in each
worker process. Nothing of szem is imported.
"""

import argparse
import base64
import importlib.util
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

SIDE_PX, CROP = 224, 0.875
TOP = 10


class Network:
    """What both do with one picture."""

    def __init__(self, model: str, labels: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]
        self.extra = {one.name: np.zeros((), bool) for one in self.session.get_inputs()[1:]}
        self.labels = [line.split("\t")[0] for line in Path(labels).read_text(encoding="utf-8").splitlines()]

    def read(self, content: str) -> np.ndarray:
        """Base64 of a picture -> (224, 224, 3) uint8: its middle."""
        with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
            picture.draft("RGB", (round(SIDE_PX / CROP),) * 2)  # JPEG: decodes to a smaller size
            picture = picture.convert("RGB")
            side = round(min(picture.size) * CROP)
            left, top = ((length - side) // 2 for length in picture.size)
            box = (left, top, left + side, top + side)
            return np.asarray(picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=box))

    def label(self, picture: np.ndarray) -> list[dict[str, Any]]:
        """The ten likeliest classes of a picture."""
        (logits, *_) = self.session.run(["logits"], {self.input.name: picture[None], **self.extra})
        shares = np.exp(logits[0] - logits[0].max())
        shares /= shares.sum()
        best = np.argsort(-shares)[:TOP]
        return [{"description": self.labels[k], "score": float(shares[k])} for k in best]


def fastapi_app() -> Any:
    """For uvicorn, which imports this file in each worker process."""
    import fastapi

    app = fastapi.FastAPI()
    network = Network(os.environ["PEER_MODEL"], os.environ["PEER_LABELS"])

    @app.post("/v1/images:annotate")
    def annotate(body: dict[str, Any]) -> dict[str, Any]:
        answers = [network.label(network.read(one["image"]["content"])) for one in body["requests"]]
        return {"responses": [{"labelAnnotations": labels} for labels in answers]}

    return app


def run_fastapi(port: int, workers: int) -> None:
    import uvicorn

    uvicorn.run(
        "serve_peers:fastapi_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        workers=workers,
        log_level="error",
        app_dir=str(Path(__file__).parent),
    )


if importlib.util.find_spec("litserve"):  # at the top of the module: its workers are spawned and import it
    import litserve

    class Labels(litserve.LitAPI):
        """The network behind LitServe."""

        def setup(self, device: str) -> None:  # noqa: ARG002
            """Open the network, once in each worker."""
            self.network = Network(os.environ["PEER_MODEL"], os.environ["PEER_LABELS"])

        def decode_request(self, request: dict[str, Any], **_: Any) -> list[np.ndarray]:
            """The pictures of a request."""
            return [self.network.read(one["image"]["content"]) for one in request["requests"]]

        def predict(self, x: list[np.ndarray], **_: Any) -> list[list[dict[str, Any]]]:
            """Labels of each picture."""
            return [self.network.label(picture) for picture in x]

        def encode_response(self, output: list[list[dict[str, Any]]], **_: Any) -> dict[str, Any]:
            """As Cloud Vision answers."""
            return {"responses": [{"labelAnnotations": labels} for labels in output]}


def run_litserve(port: int, workers: int) -> None:
    server = litserve.LitServer(
        Labels(api_path="/v1/images:annotate"), accelerator="cpu", workers_per_device=workers, timeout=60
    )
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="error")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", choices=("fastapi", "litserve"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--labels", required=True)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    os.environ |= {"PEER_MODEL": chosen.model, "PEER_LABELS": chosen.labels}
    {"fastapi": run_fastapi, "litserve": run_litserve}[chosen.kind](chosen.port, chosen.workers)
