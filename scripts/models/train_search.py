"""Train the picture tower of the search onto the sentence encoder's space.

Command:  python -m scripts.models.train_search --encoder MINILM.onnx --tokenizer tokenizer.json \
              --data shared/data/flickr8k --features runs/search --out tower.pt
Duration: 12 minutes for the features, once, and 3 for the training, on one core.
Seed:     0
Expected: recall@10 of 0.734 among the 500 pictures held out, by the tower alone.

`--encoder` and `--tokenizer` as for scripts.models.export_search. The features of each picture, whole and mirrored,
are kept in the folder `--features`. The last 500 pictures of the split train are held out.
"""

import argparse
import csv
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scripts.models.search_tower import PictureTower, SentenceProjection, pooled
from szem.media.pictures import read_picture
from szem.runtime.prepare import prepare_picture
from szem.tasks.captioning.tags import tagger_of
from szem.tasks.models import open_model
from szem.tasks.search.word_pieces import WordPieces

__all__ = ["train_search"]

_HELD_OUT, _FORMS = 500, 2
_BATCH, _STEPS, _RATE, _SENTENCES = 384, 230, 1e-3, 3
_NAMES = ("maps", "places", "features", "logits", "boxes")

Features = dict[str, NDArray[np.float16]]


def read_features(files: list[Path], kept: Path, *, mirrored: bool) -> Features:
    """The tower's inputs of each picture, computed once and kept in a file."""
    if not kept.exists():
        maps = open_model(task="caption", threads=1)
        tagger = tagger_of(open_model(task="detect", threads=1), open_model(task="classify", threads=1))
        rows: list[list[NDArray[np.float16]]] = []
        for file in files:
            whole = read_picture(file)
            picture = np.ascontiguousarray(whole[:, ::-1]) if mirrored else whole
            _, boxes, logits, features = tagger.look(picture)
            out = maps.run(prepare_picture(picture, maps.model.card.picture), roles=["maps", "places"])
            coarse, grid = pooled(torch.from_numpy(out["maps"]), torch.from_numpy(out["places"]))
            scores = np.clip(boxes, 1e-3, 0.999)
            values = (coarse.numpy(), grid.numpy(), features, logits, np.log(scores / (1 - scores)))
            rows.append([value[0].astype(np.float16) for value in values])
        kept.parent.mkdir(parents=True, exist_ok=True)
        columns = zip(*rows, strict=True)
        np.savez(kept, **{name: np.stack(column) for name, column in zip(_NAMES, columns, strict=True)})
    stored = np.load(kept)
    return {name: stored[name] for name in _NAMES}


def embed_sentences(texts: list[str], arguments: argparse.Namespace) -> Tensor:
    """(N, 384) of the sentence encoder as it is, of length 1."""
    vocabulary: dict[str, int] = json.loads(arguments.tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    pieces = WordPieces(sorted(vocabulary, key=lambda piece: vocabulary[piece]))
    session = ort.InferenceSession(str(arguments.encoder))
    out = np.zeros((len(texts), 384), np.float32)
    for place, text in enumerate(texts):
        tokens = np.array([pieces.encode(text, most=64)])
        feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        out[place] = session.run(None, feeds)[0][0].mean(0)
    return F.normalize(torch.from_numpy(out), dim=-1)


def train_search(arguments: argparse.Namespace) -> None:
    """Read or compute the features, train, and write the weights."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    sentences: dict[str, list[str]] = {}
    with (arguments.data / "captions.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == "train":
                sentences.setdefault(row["image"], []).append(row["caption"])
    files = [arguments.data / "images" / name for name in sentences]
    forms = [
        read_features(files, arguments.features / f"form-{form}.npz", mirrored=form == 1) for form in range(_FORMS)
    ]
    texts = torch.stack([embed_sentences(said[:5], arguments) for said in sentences.values()])  # (N, 5, 384)
    trained = len(files) - _HELD_OUT
    statistics: dict[str, tuple[Tensor, Tensor]] = {}
    for name in _NAMES:
        values = forms[0][name][:trained].astype(np.float32)
        flat = values.reshape(-1, values.shape[-1])
        statistics[name] = (torch.from_numpy(flat.mean(0)), torch.from_numpy(flat.std(0) + 1e-2))

    def inputs(numbers: NDArray[np.int64], form: NDArray[np.int64]) -> dict[str, Tensor]:
        out = {}
        for name, (mean, deviation) in statistics.items():
            rows = np.stack([forms[f][name][n] for n, f in zip(numbers, form, strict=True)]).astype(np.float32)
            out[name] = (torch.from_numpy(rows) - mean) / deviation
        return out

    tower, projection = PictureTower(), SentenceProjection()
    sharp = torch.nn.Parameter(torch.tensor(math.log(1 / 0.07)))
    parameters = [*tower.parameters(), *projection.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.2},
        {"params": [*(p for p in parameters if p.ndim < 2), sharp], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=_RATE, betas=(0.9, 0.98))
    average = [p.detach().clone() for p in parameters]
    order: list[int] = []
    owner = torch.arange(_BATCH).repeat_interleave(_SENTENCES)
    own = owner[None] == torch.arange(_BATCH)[:, None]
    for step in range(_STEPS):
        rate = _RATE * min(1, (step + 1) / 40) * (0.5 + 0.5 * math.cos(math.pi * step / _STEPS))
        for group in optimizer.param_groups:
            group["lr"] = rate
        if len(order) < _BATCH:
            order = rng.permutation(trained).tolist()
        chosen, order = np.array(order[-_BATCH:]), order[:-_BATCH]
        which = torch.from_numpy(np.stack([rng.permutation(5)[:_SENTENCES] for _ in chosen]))
        said = projection(texts[torch.from_numpy(chosen)[:, None], which]).flatten(0, 1)
        fit = sharp.exp().clamp(max=60) * said @ tower(**inputs(chosen, rng.integers(0, _FORMS, _BATCH))).T
        to_picture = F.cross_entropy(fit, owner, label_smoothing=0.05)
        to_sentence = -(fit.T.log_softmax(-1) * own).sum(1).mean() / _SENTENCES
        optimizer.zero_grad()
        ((to_picture + to_sentence) / 2).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            for kept, now in zip(average, parameters, strict=True):
                kept.lerp_(now, 1 - min(0.99, (step + 1) / (step + 20)))
    with torch.no_grad():
        for parameter, kept in zip(parameters, average, strict=True):
            parameter.copy_(kept)
        tower.eval()
        projection.eval()
        held = np.arange(trained, len(files))
        fit = projection(texts[trained:]).flatten(0, 1) @ tower(**inputs(held, np.zeros_like(held))).T
        mine = fit.gather(1, torch.arange(len(held)).repeat_interleave(5)[:, None])
        print(f"recall@10 held out: {((fit > mine).sum(1) < 10).float().mean():.3f}")
    weights = {"tower": tower.state_dict(), "projection": projection.state_dict(), "statistics": statistics}
    torch.save(weights, arguments.out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("encoder", "tokenizer", "data", "features", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    train_search(parser.parse_args())


if __name__ == "__main__":
    main()
