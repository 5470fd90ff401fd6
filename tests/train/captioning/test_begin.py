"""A training that begins with the shipped captioner computes what its files compute, and knows more words."""

import cv2
import numpy as np
import pytest
import torch

from szem.data.words import Vocabulary
from szem.errors import TrainError
from szem.media.pictures import read_picture
from szem.media.samples import sample_path
from szem.models.captioner import CAPTIONERS, CaptionNetwork
from szem.models.encoder import build_encoder
from szem.runtime.sessions import OnnxFile
from szem.train.captioning.begin import begin_captioner, begin_space, find_captioner, join_vocabularies
from szem.train.shipped_weights import load_weights

pytestmark = pytest.mark.train


def network_for(words: int, *, width: int = 256) -> CaptionNetwork:
    _, tail = build_encoder("lite2")
    return CaptionNetwork(tail, CAPTIONERS["attender"](words, width=width, places=81, blocks=2))


def test_it_says_what_the_shipped_files_say() -> None:
    model = find_captioner("caption")
    known = len(model.labels)
    network = network_for(known + 2).eval()
    begin_captioner(network, model)
    trunk, _ = build_encoder("lite2")
    load_weights(trunk, model.file(), within="trunk")
    picture = cv2.resize(read_picture(sample_path("cat")), (260, 260), interpolation=cv2.INTER_AREA)
    pixels = torch.from_numpy((picture.astype(np.float32) - 127) / 128).permute(2, 0, 1)[None]
    with torch.no_grad():
        memory = network.memory(trunk.eval()(pixels))
    shipped = OnnxFile(model.file()).run({"pictures": picture[None]}, ["memory"])[0]
    # Activations are rounded to 8 bits in the file, not here.
    assert np.corrcoef(memory.numpy().ravel(), shipped.ravel())[0, 1] > 0.97
    tokens = np.array([[1, 7, 20]])
    state = np.zeros((1, 3, *shipped.shape[1:3], 0, shipped.shape[-1]), np.float32)
    feeds = {"tokens": tokens, "memory": shipped, "state": state}
    expected = OnnxFile(model.part("step")).run(feeds, ["scores"])[0]
    with torch.no_grad():
        arrays = (torch.from_numpy(x) for x in (tokens, shipped, state))
        scores = network.captioner.step(*arrays)[0]
    np.testing.assert_allclose(scores[..., :known].numpy(), expected, atol=0.02)


def test_another_network_is_refused() -> None:
    model = find_captioner("caption")
    with pytest.raises(TrainError, match=r"caption: has no weight .* of shape"):
        begin_captioner(network_for(len(model.labels), width=64), model)


def test_new_words_stand_behind_the_known_ones() -> None:
    known = Vocabulary(find_captioner("caption").labels)
    joined = join_vocabularies(known, Vocabulary([*known.words[:4], "dog", "zzyzx"]))
    assert joined.words == (*known.words, "zzyzx")


def test_the_common_space_is_kept_and_new_words_are_unknown_ones() -> None:
    model = find_captioner("caption")
    known = Vocabulary(model.labels)
    space = begin_space(model, Vocabulary([*known.words, "zzyzx"]))
    assert space is not None
    tokens = np.array([known.encode("a dog runs in the grass"), known.encode("two men are on a red")])
    expected = OnnxFile(model.part("sentence")).run({"tokens": tokens}, ["space"])[0]
    with torch.no_grad():
        np.testing.assert_allclose(space.eval().sentence(torch.from_numpy(tokens)).numpy(), expected, atol=1e-5)
        unknown = space.sentence(torch.tensor([[known.numbers["dog"], 3]]))
        new = space.sentence(torch.tensor([[known.numbers["dog"], len(known)]]))
    np.testing.assert_array_equal(unknown.numpy(), new.numpy())
