"""How sound becomes the input of an ONNX file, as far as its shape tells: a waveform, or bands moment by moment."""

from szem.errors import CardError
from szem.runtime.cards import SoundInput
from szem.runtime.sessions import OnnxFile

__all__ = ["sound_rules"]


def sound_rules(opened: OnnxFile, given: SoundInput) -> SoundInput:
    """Complete what is declared by what the file fixes.

    Args:
        opened: The file: its one input is (N, samples), or (N, moments, bands), or that with an axis of 1 behind N.
        given: What is declared; `samples` and `bands` may be left 0.
    Raises:
        CardError: another shape or type, or what is declared contradicts it.
    """
    name = opened.path.name
    seen = ", ".join(f"{i.name} {i.shape}" for i in opened.inputs)
    if len(opened.inputs) != 1 or opened.input_types[0] != "tensor(float)":
        raise CardError(f"{name}: needs one float32 input of sound, got {seen} ({', '.join(opened.input_types)})")
    shape = opened.inputs[0].shape
    if len(shape) == 4 and shape[1] in (1, None):
        shape = (shape[0], *shape[2:])
    if len(shape) == 3 and shape[1] == 1 and not given.bands:  # (N, 1, samples)
        shape = (shape[0], shape[2])
    if len(shape) == 2:
        if given.bands:
            raise CardError(
                f"{name}: takes a waveform {seen}, yet {given.bands} bands are declared; leave --bands out"
            )
        return given.model_copy(update={"samples": _one("samples", shape[1], given.samples, name)})
    if len(shape) != 3:
        raise CardError(
            f"{name}: needs (N, samples), or (N, moments, bands) as made by log-mel, got {seen}; export it so"
        )
    bands = _one("bands", shape[2], given.bands, name)
    if not bands:
        raise CardError(f"{name}: the file leaves the number of bands open ({seen}); say it with --bands")
    samples = given.samples
    if shape[1] is not None:
        hop, window = round(given.hop_s * given.rate_hz), round(given.window_s * given.rate_hz)
        samples = _one("samples", window + (shape[1] - 1) * hop, given.samples, name)
    return given.model_copy(update={"bands": bands, "samples": samples})


def _one(what: str, fixed: int | None, declared: int, name: str) -> int:
    if fixed is not None and declared and fixed != declared:
        raise CardError(f"{name}: takes {fixed} {what}, {declared} are declared; correct the declaration")
    return declared or fixed or 0
