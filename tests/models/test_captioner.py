"""models/captioner.py: all words at once and one by one give the same scores; sentences of a row do not mix."""

from collections.abc import Callable

import pytest
import torch

from szem.models.captioner import CAPTIONERS, CaptionDecoder, LstmDecoder, TransformerDecoder
from szem.models.text_image_encoder import TextImageEncoder, matching_loss

BUILD: dict[str, Callable[[], CaptionDecoder]] = {
    "attender": lambda: TransformerDecoder(12, channels=6, places=4, width=8, blocks=2, heads=2),
    "teller": lambda: LstmDecoder(12, channels=6, width=8),
}
EVERY = pytest.mark.parametrize("name", BUILD)


def build(name: str) -> CaptionDecoder:
    torch.manual_seed(0)
    return BUILD[name]().eval()


def maps(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 4, 6, generator=torch.Generator().manual_seed(1))


def row(*sentences: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.tensor([[n for s in sentences for n in s]])
    return tokens, torch.tensor([[place for s in sentences for place in range(len(s))]])


def test_every_captioner_is_tried() -> None:
    assert BUILD.keys() == CAPTIONERS.keys()


@EVERY
def test_one_by_one_gives_what_all_at_once_gives(name: str) -> None:
    net, sentences = build(name), [[1, 5, 6, 7], [1, 8, 9, 4]]
    with torch.no_grad():
        tokens, at = row(*sentences)
        whole = net(maps(1), tokens, at)[0]
        memory = net.memory(maps(1))
        state = net.start(memory, 2)
        for place in range(4):
            now = torch.tensor([[s[place] for s in sentences]])
            scores, looked, state = net.step(now, memory, state)
            for beam in range(2):
                torch.testing.assert_close(scores[0, beam], whole[4 * beam + place], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(looked.sum(-1), torch.ones(1, 2))


@EVERY
def test_sentences_of_a_row_do_not_see_each_other(name: str) -> None:
    net = build(name)
    with torch.no_grad():
        alone = net(maps(1), *row([1, 5, 6]))
        after = net(maps(1), *row([1, 9, 9, 9], [1, 5, 6]))[:, 4:]
    torch.testing.assert_close(after, alone, atol=1e-5, rtol=1e-4)


@EVERY
def test_a_later_word_changes_nothing_before_it(name: str) -> None:
    net = build(name)
    with torch.no_grad():
        a, b = net(maps(1), *row([1, 5, 6, 7])), net(maps(1), *row([1, 5, 6, 9]))
    torch.testing.assert_close(a[:, :3], b[:, :3])
    assert not torch.equal(a[:, 3], b[:, 3])


@EVERY
def test_pictures_do_not_mix_and_matter(name: str) -> None:
    net = build(name)
    tokens, at = (value.expand(2, -1) for value in row([1, 5, 6]))
    with torch.no_grad():
        both = net(maps(), tokens, at)
        torch.testing.assert_close(both[1:], net(maps()[1:], tokens[1:], at[1:]), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(both[0], both[1])


@EVERY
def test_gradients_reach_every_parameter(name: str) -> None:
    net = build(name).train()
    tokens, at = (value.expand(2, -1) for value in row([1, 5, 6], [1, 7, 8]))
    net(maps(), tokens, at).square().sum().backward()
    for key, parameter in net.named_parameters():
        assert parameter.grad is not None, key
        assert torch.isfinite(parameter.grad).all(), key


def test_padding_does_not_move_a_sentence() -> None:
    torch.manual_seed(0)
    side = TextImageEncoder(12, channels=6, width=8).eval().sentence
    with torch.no_grad():
        short, long = side(torch.tensor([[5, 6]])), side(torch.tensor([[5, 6, 0, 0]]))
    torch.testing.assert_close(short, long)


def test_matching_learns_which_belongs_to_which() -> None:
    torch.manual_seed(0)
    net = TextImageEncoder(12, channels=6, width=8, dropout=0.0)
    pictures, tokens = maps(3), torch.tensor([[4, 5], [6, 7], [8, 9]])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        loss = matching_loss(net(pictures, tokens), torch.arange(3))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 < losses[0]
    assert net(pictures, tokens).argmax(1).tolist() == [0, 1, 2]
