"""The weights that a captioner's training begins with, where they are those of a model that captions."""

import torch

from szem.data.words import FIRST_WORD, UNKNOWN, Vocabulary
from szem.errors import TrainError
from szem.models.captioner import CaptionNetwork
from szem.models.text_image_encoder import TextImageEncoder
from szem.runtime.store import Model, find_model
from szem.train.onnx_weights import read_weights
from szem.train.shipped_weights import load_weights

__all__ = ["begin_captioner", "begin_space", "find_captioner", "join_vocabularies"]

_OF_WORDS = ("word.weight", "bias")  # a row a word


def find_captioner(name: str) -> Model:
    """The model that captions of this name.

    Raises:
        UnknownNameError: there is none.
    """
    return find_model(name, task="caption")


def join_vocabularies(known: Vocabulary, new: Vocabulary) -> Vocabulary:
    """The words of a model, then those that only the data has.

    >>> marks = ["<pad>", "<start>", "<end>", "<unknown>"]
    >>> join_vocabularies(Vocabulary([*marks, "dog", "a"]), Vocabulary([*marks, "a", "screw"])).words[4:]
    ('dog', 'a', 'screw')
    """
    return Vocabulary([*known.words, *(word for word in new.words[FIRST_WORD:] if word not in known.numbers)])


@torch.no_grad()
def begin_captioner(network: CaptionNetwork, model: Model) -> None:
    """Fill a network's tail and decoder with a model's weights.

    Args:
        network: Filled in place. The rows of words that the model does not know stay as they are, with the bias of
            the model's rarest words.
        model: Of the same shape, but for the number of words; its words are the first of the network's.
    Raises:
        TrainError: the model is of another network.
    """
    load_weights(network.tail, model.file(), within="tail")
    captioner, words = network.captioner, len(model.labels)
    # What is worked out once for each picture lies in the encoder's file, the rest in the step's.
    stored = {**read_weights(model.file()), **read_weights(model.part("step"))}
    state = captioner.state_dict()
    for name, value in state.items():
        given = stored.get(f"captioner.{name}")
        wanted = (words, *value.shape[1:]) if name in _OF_WORDS else tuple(value.shape)
        if given is None or given.shape != wanted:
            raise TrainError(
                f'{model.name}: has no weight {name} of shape {wanted}; train with begin="" or the settings it has'
            )
        value[: len(given)] = torch.from_numpy(given.copy())
        if name == "bias":
            value[len(given) :] = float(given[FIRST_WORD:].min())
    captioner.load_state_dict(state)


@torch.no_grad()
def begin_space(model: Model, words: Vocabulary) -> TextImageEncoder | None:
    """The common space of pictures and sentences of a model, whose encoder it needs as it is.

    Args:
        model: Its words are the first of `words`.
        words: Of the new network. Those that the model does not know stand where its unknown word does.
    Returns:
        None where the model has none.
    """
    if "sentence" not in model.card.parts:
        return None
    given = {name.replace("side.", "picture.", 1): value for name, value in read_weights(model.file()).items()}
    given |= {f"sentence.{name}": value for name, value in read_weights(model.part("sentence")).items()}
    space = TextImageEncoder(len(words))
    state = space.state_dict()
    for name, value in state.items():
        if name == "sharp":  # of the loss only
            continue
        stored = given.get(name)
        is_words = name == "sentence.word.weight"
        known = len(model.labels) if is_words else len(value)
        if stored is None or stored.shape != (known, *value.shape[1:]):
            return None  # a space of another form
        value[:known] = torch.from_numpy(stored.copy())
        if is_words:
            value[known:] = value[UNKNOWN]
    space.load_state_dict(state)
    return space
