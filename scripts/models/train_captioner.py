"""Train the captioner's decoder with tags beside the picture.

Command:  python -m scripts.models.train_captioner --data shared/data --features runs/captioner --out decoder.pt \
              [--minutes 40] [--reward-minutes 12]
Duration: the features about 6 minutes of one core, once; the training as long as it is given.
Seed:     0
Expected: the scores on the card of `caption`, through the shipped path, on pictures never trained or tuned on

Begins with the weights of a model without tags (`--begin`). Three kinds of examples: pictures of Flickr8k `train`
without its last 500; pictures of `coco_mini` train2017; and sentences without a picture, whose tags are taken from
their own nouns. Tags of the taggers are known for a part of the pictures; for the others they are drawn: a noun that
people use gets the tag of another picture where it was found or missed, and false tags come from the same pool. So
the decoder sees tags that are as often wrong as the real ones.
"""

import argparse
import csv
import gzip
import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from scripts.models.captioner_features import Features, read_features
from scripts.models.tag_captioner import PLACES, SLOTS, WIDTH, TagDecoder, TagEncoder, read_decoder
from szem.data.words import END, FIRST_WORD, PAD, START, UNKNOWN, Vocabulary, split_words
from szem.results.caption import Tag
from szem.tasks.captioning.beam_search import search_beams
from szem.tasks.captioning.bleu_cider import Cider, bleu
from szem.tasks.captioning.nouns import NAMES, named_classes
from szem.tasks.captioning.place_colors import COLOR_WORDS
from szem.tasks.captioning.tag_memory import rows_of
from szem.tasks.search.query import demands_of

__all__ = ["train_captioner"]

STYLES = ("flickr", "coco")
_LONGEST, _SENTENCES, _MINIMUM = 24, 4, 90
_DROPPED, _ALL_DROPPED, _FORGET = 0.1, 0.08, 0.1
_RATE, _SMOOTHING = 6e-4, 0.1
_FLICKR, _COCO, _TEXT = 44, 2, 14  # examples of a step


@dataclass
class Example:
    """A picture, or none, with its sentences and tags."""

    sentences: list[NDArray[np.int64]]
    place: int  # of its features; -1 without a picture
    tags: list[Tag] | None  # None: drawn
    nouns: dict[str, tuple[int, str, float]]  # class -> number, colour, fraction of the people who name it
    style: int


class TagPool:
    """Tags as the taggers give them, to draw from."""

    def __init__(self, seen: list[tuple[list[Tag], list[list[str]]]]) -> None:
        self.found: dict[str, list[Tag | None]] = {}
        self.false: list[list[Tag]] = []
        for tags, people in seen:
            by_name = {tag.name: tag for tag in tags}
            named = {name for words in people for name, _ in named_classes(words)}
            for name in named:
                self.found.setdefault(name, []).append(by_name.get(name))
            self.false.append([tag for tag in tags if tag.name not in named])
        self.any = [tag for tags in self.found.values() for tag in tags]

    def draw(self, nouns: dict[str, tuple[int, str, float]], rng: np.random.Generator) -> list[Tag]:
        """Tags for nouns: each as that of another picture where people name it, or missed as there."""
        out = []
        for name, (count, color, fraction) in nouns.items():
            pool = self.found.get(name, [])
            one = pool[rng.integers(len(pool))] if len(pool) >= 8 else self.any[rng.integers(len(self.any))]
            if one is None or rng.random() > 0.4 + 0.6 * fraction:
                continue
            many = count if count > 0 else max(2, one.count) if count < 0 else one.count
            kept = color if color and rng.random() < 0.6 else ""
            out.append(Tag(name=name, confidence=one.confidence, count=many, box=one.box, color=kept))
        named = set(nouns)
        out += [tag for tag in self.false[rng.integers(len(self.false))] if tag.name not in named]
        return out


def nouns_of(sentences: list[str]) -> dict[str, tuple[int, str, float]]:
    """The classes that people name, with number, colour and how many of them name it."""
    times: Counter[str] = Counter()
    about: dict[str, tuple[int, str]] = {}
    for text in sentences:
        for demand in demands_of(text):
            times[demand.name] += 1
            count, color = about.get(demand.name, (0, ""))
            about[demand.name] = (count or demand.count, color or demand.color)
    return {name: (*about[name], times[name] / len(sentences)) for name in times}


def build_words(begin: Vocabulary, texts: list[str]) -> Vocabulary:
    """The words of the model that is begun with, and those that occur often enough in all sentences."""
    counts = Counter(word for text in texts for word in split_words(text))
    new = sorted(
        (w for w, n in counts.items() if n >= _MINIMUM and w not in begin.numbers), key=lambda w: (-counts[w], w)
    )
    return Vocabulary((*begin.words, *[word for word in new if word.isalpha()]))


class Trainer:
    """Examples, network and the two kinds of steps."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.rng = np.random.default_rng(0)
        torch.manual_seed(0)
        begin = Vocabulary((arguments.begin / "words.txt").read_text(encoding="utf-8").split("\n")[:-1])
        self.features: dict[str, Features] = {
            name: read_features(arguments.data, name, arguments.features) for name in ("train", "held", "coco")
        }
        rows = {name: self.features[name].rows for name in self.features}
        loose = read_sentences(arguments.data)
        texts = [text for part in ("train", "coco") for row in rows[part] for text in row["people_text"]]
        self.words = build_words(begin, texts + [text for _, said in loose for text in said])
        self.names = [
            *NAMES,
            *sorted({tag.name for row in rows["train"] for tag in row.get("tags") or ()} - set(NAMES)),
        ]
        seen = [(row["tags"], row["people"]) for row in rows["train"] if row.get("tags") is not None]
        self.pool = TagPool(seen)
        self.flickr = [self._example(row, place, 0) for place, row in enumerate(rows["train"])]
        coco = [(place, row) for place, row in enumerate(rows["coco"]) if row["split"] == "train2017"]
        self.coco = [self._example(row, place, 1) for place, row in coco]
        self.text = [Example(self._encode(said), -1, None, nouns_of(said), style) for style, said in loose]
        self.decoder = TagDecoder(len(self.words), TagEncoder(len(self.names), len(COLOR_WORDS), 2), dropout=0.25)
        self._begin(arguments.begin, len(begin))
        self.average = {k: v.detach().clone() for k, v in self.decoder.state_dict().items()}
        people = [[[*words, "<end>"] for words in row["people"]] for row in rows["train"]]
        self.cider = Cider(people)
        self.orders: dict[str, list[int]] = {"flickr": [], "coco": [], "text": []}

    def _begin(self, folder: Path, known: int) -> None:
        weights = read_decoder(folder)
        net = self.decoder.captioner
        with torch.no_grad():
            net.word.weight[:known] = weights.pop("word.weight")
            net.bias[known:] = -4.0
            net.bias[:known] = weights.pop("bias")
            net.load_state_dict(weights, strict=False)
            for place, name in enumerate(self.names, start=1):
                numbers = [self.words.numbers[w] for w in name.split() if w in self.words.numbers]
                if numbers:
                    self.decoder.tags.name.weight[place] = net.word.weight[numbers].mean(0) * math.sqrt(WIDTH)
            self.decoder.tags.name.weight[0] = 0

    def _encode(self, sentences: list[str]) -> list[NDArray[np.int64]]:
        rows = [np.array(self.words.encode(text), np.int64) for text in sentences]
        return [row for row in rows if 0 < len(row) <= _LONGEST]

    def _example(self, row: dict[str, Any], place: int, style: int) -> Example:
        said = row["people_text"]
        return Example(self._encode(said), place, row.get("tags"), nouns_of(said), style)

    def take(self, kind: str, count: int) -> list[Example]:
        """The next examples, each once before any comes again."""
        examples: list[Example] = getattr(self, kind)
        if len(self.orders[kind]) < count:
            self.orders[kind] = self.rng.permutation(len(examples)).tolist()
        chosen, self.orders[kind] = self.orders[kind][:count], self.orders[kind][count:]
        return [examples[k] for k in chosen if examples[k].sentences]

    def sources(self, examples: list[Example], *, dropped: float = _DROPPED) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Places, whether there is a picture, and tags."""
        places = np.zeros((len(examples), PLACES, WIDTH), np.float32)
        names, numbers = np.zeros((len(examples), SLOTS), np.int64), np.zeros((len(examples), SLOTS, 4), np.float32)
        colors = np.zeros((len(examples), SLOTS), np.int64)
        for row, one in enumerate(examples):
            if one.place >= 0:
                kept = self.features["coco" if one.style else "train"].places
                places[row] = kept[one.place, self.rng.integers(kept.shape[1])]
            tags = one.tags if one.tags is not None else self.pool.draw(one.nouns, self.rng)
            if dropped and one.place >= 0 and self.rng.random() < _ALL_DROPPED:
                tags = []
            tags = [tag for tag in tags if self.rng.random() >= dropped]
            names[row], numbers[row], colors[row] = rows_of(tags, self.places_of_names, SLOTS)
        shown = torch.tensor([one.place >= 0 for one in examples])
        style = torch.tensor([one.style for one in examples])
        parts = [torch.from_numpy(names), torch.from_numpy(numbers), torch.from_numpy(colors), style]
        return torch.from_numpy(places), shown, parts

    @property
    def places_of_names(self) -> dict[str, int]:
        """Name -> number from 1."""
        return {name: place for place, name in enumerate(self.names, start=1)}

    def batch(self) -> tuple[list[Example], Tensor, Tensor, Tensor]:
        """Examples with the words given, their places in the sentence and the words wanted."""
        examples = [*self.take("flickr", _FLICKR), *self.take("coco", _COCO), *self.take("text", _TEXT)]
        rows = []
        for one in examples:
            chosen = self.rng.permutation(len(one.sentences))[: _SENTENCES if one.place >= 0 else 2]
            parts = [one.sentences[k] for k in chosen]
            given = np.concatenate([[START, *p] for p in parts])
            wanted = np.concatenate([[*np.where(p == UNKNOWN, -100, p), END] for p in parts])
            at = np.concatenate([np.arange(len(p) + 1) for p in parts])
            hidden = (self.rng.random(len(given)) < _FORGET) & (given >= FIRST_WORD)
            rows.append((np.where(hidden, UNKNOWN, given), at, wanted))
        longest = max(len(row[0]) for row in rows)
        tokens, at, wanted = (np.full((len(rows), longest), fill, np.int64) for fill in (PAD, 0, -100))
        at[:] = np.arange(longest) % 30
        for k, (given, where, want) in enumerate(rows):
            tokens[k, : len(given)], at[k, : len(given)], wanted[k, : len(given)] = given, where, want
        return examples, torch.from_numpy(tokens), torch.from_numpy(at), torch.from_numpy(wanted)

    def loss(self) -> Tensor:
        """Cross-entropy of the next words, computed where a word is wanted only."""
        examples, tokens, at, wanted = self.batch()
        places, shown, tags = self.sources(examples)
        with torch.autocast("cpu", torch.bfloat16):
            features = self.decoder(self.decoder.look_at(places, shown, tags), tokens, at)
            there = wanted >= 0
            scores = self.decoder.scores(features[there])
        return F.cross_entropy(scores.float(), wanted[there], label_smoothing=_SMOOTHING)

    def reward_loss(self, count: int = 24, said: int = 4) -> Tensor:
        """Policy gradient: sentences drawn for pictures, those of higher CIDEr-D than the others become likelier."""
        examples = self.take("flickr", count)
        places, shown, tags = self.sources(examples)
        net = self.decoder
        net.eval()
        with torch.no_grad():
            memory = net.memory(net.look_at(places, shown, tags))
            state = net.captioner.start(memory, said)
            last = torch.full((len(examples), said), START)
            going = torch.ones_like(last, dtype=torch.bool)
            columns = []
            for _ in range(18):
                scores, _, state = net.captioner.step(last, memory, state)
                scores[..., [PAD, START, UNKNOWN]] = -torch.inf
                last = torch.multinomial(scores.float().softmax(-1).flatten(0, 1), 1).reshape(last.shape)
                columns.append(torch.where(going, last, PAD))
                going &= last != END
                if not going.any():
                    break
        net.train()
        drawn = torch.stack(columns, 2)  # (B, K, T)
        rewards = np.zeros(drawn.shape[:2], np.float32)
        for b, one in enumerate(examples):
            for k in range(said):
                numbers = drawn[b, k][drawn[b, k] != PAD].tolist()
                words = ["<end>" if n == END else self.words.words[n] for n in numbers]
                rewards[b, k] = self.cider.score(words, one.place)
        others = (rewards.sum(1, keepdims=True) - rewards) / (said - 1)
        gain = torch.from_numpy(rewards - others)
        flat = drawn.flatten(0, 1)
        given = torch.cat((torch.full((len(flat), 1), START), flat[:, :-1]), 1)
        at = torch.arange(flat.shape[1]).expand_as(flat)
        with torch.autocast("cpu", torch.bfloat16):
            source = net.look_at(places, shown, tags).repeat_interleave(said, 0)
            features = net(source, given, at)
            there = flat != PAD
            scores = net.scores(features[there])
        log = scores.float().log_softmax(-1).gather(1, flat[there][:, None])[:, 0]
        weight = gain.flatten()[:, None].expand_as(flat)[there]
        return -(weight * log).sum() / len(flat) / 5

    def score(self, count: int = 150, *, beams: int = 3) -> dict[str, float]:
        """CIDEr-D and BLEU of pictures held out, by the averaged weights, without rules."""
        held = self.features["held"]
        kept = {k: v.clone() for k, v in self.decoder.state_dict().items()}
        self.decoder.load_state_dict(self.average)
        self.decoder.eval()
        captions, people = [], []
        for start in range(0, count, 50):
            rows = held.rows[start : start + 50]
            arrays = [rows_of(row["tags"], self.places_of_names, SLOTS) for row in rows]
            tags = [torch.from_numpy(np.stack(column)) for column in zip(*arrays, strict=True)]
            places = torch.from_numpy(held.places[start : start + len(rows), 0].astype(np.float32))
            with torch.no_grad():
                shown = torch.ones(len(rows), dtype=torch.bool)
                style = torch.zeros(len(rows), dtype=torch.long)
                memory = self.decoder.memory(self.decoder.look_at(places, shown, [*tags, style]))

                def step(last: Any, state: Any, memory: Tensor = memory) -> Any:
                    with torch.no_grad():
                        out = self.decoder.captioner.step(torch.from_numpy(last), memory, torch.from_numpy(state))
                    return [value.numpy() for value in out]

                state = self.decoder.captioner.start(memory, beams).numpy()
                found = search_beams(step, state, pictures=len(rows), beams=beams, longest=20, power=0.8)
            captions += [split_words(self.words.decode(hypotheses[0].numbers)) for hypotheses in found]
            people += [row["people"] for row in rows]
        self.decoder.load_state_dict(kept)
        self.decoder.train()
        blues = bleu(captions, people)
        return {"CIDEr-D": Cider(people).mean(captions), "BLEU-1": blues[0], "BLEU-4": blues[3]}


def read_sentences(data: Path) -> list[tuple[int, list[str]]]:
    """Style and sentences of each picture of `sentences`; those of coco_mini are left out."""
    with (data / "coco_mini" / "captions.csv").open(encoding="utf-8") as file:
        mine = {Path(row["image"]).stem.lstrip("0") for row in csv.DictReader(file)}
    groups: dict[tuple[str, str], list[str]] = {}
    with gzip.open(data / "sentences" / "sentences.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["source"] != "coco" or row["picture"].lstrip("0") not in mine:
                groups.setdefault((row["source"], row["picture"]), []).append(row["sentence"])
    return [(int(source == "coco"), said) for (source, _), said in groups.items()]


def train_captioner(arguments: argparse.Namespace) -> None:
    """Train for the time given, then with rewards, and write the averaged weights."""
    trainer = Trainer(arguments)
    print(
        f"{len(trainer.words)} words, {len(trainer.names)} names, {len(trainer.text)} pictures' sentences", flush=True
    )
    print(0, trainer.score(), flush=True)
    learned = [p for p in trainer.decoder.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": 0.05},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]
    step = 0
    for kind, minutes in (("words", arguments.minutes), ("rewards", arguments.reward_minutes)):
        optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98))
        began, shown = time.monotonic(), time.monotonic()
        trainer.decoder.train()
        first, total = step, 0.0
        while (done := (time.monotonic() - began) / (60 * max(minutes, 1e-9))) < 1:
            full = _RATE if kind == "words" else 1e-4
            rate = full * min(1.0, (step - first + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * done))
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss = trainer.loss() if kind == "words" else trainer.reward_loss()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            step, total = step + 1, total + float(loss.detach())
            decay = min(0.98, (step - first + 1) / (step - first + 15))
            with torch.no_grad():
                for name, value in trainer.decoder.state_dict().items():
                    trainer.average[name].lerp_(value, 1 - decay)
            if (step - first) % 50 == 0:
                print(kind, step, f"{done:.0%} loss {total / 50:.3f} {time.monotonic() - began:.0f} s", flush=True)
                total = 0.0
            if time.monotonic() - shown > 420:
                print(step, trainer.score(), flush=True)
                write(trainer, arguments.out)
                shown = time.monotonic()
        print(f"after {kind}, {step} steps:", trainer.score(500), flush=True)
        write(trainer, arguments.out.with_suffix(f".{kind}.pt"))
        trainer.decoder.load_state_dict(trainer.average)
    write(trainer, arguments.out)


def write(trainer: Trainer, file: Path) -> None:
    """The averaged weights with the words and names that they are for."""
    torch.save({"weights": trainer.average, "words": trainer.words.words, "names": trainer.names}, file)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "features", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--begin", type=Path, default=Path("src/szem/weights/caption"), help="a model without tags")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--reward-minutes", type=float, default=12)
    train_captioner(parser.parse_args())


if __name__ == "__main__":
    main()
