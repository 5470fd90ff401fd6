"""szem (Hungarian: "eye"): vision, audio and text models that run offline, and a course that shows how they work.

`import szem` is light: it loads no network and no heavy library. Each verb below loads what it needs when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from szem.tasks.registry import public_names

if TYPE_CHECKING:
    from szem.kernels.convolution import convolve as convolve
    from szem.kernels.edges import edges as edges
    from szem.kernels.kernel import Kernel as Kernel
    from szem.kernels.layers import output_size as output_size
    from szem.kernels.layers import receptive_field as receptive_field
    from szem.kernels.pooling import average_pool as average_pool
    from szem.kernels.pooling import max_pool as max_pool
    from szem.kernels.views import view as view
    from szem.media.pictures import read_picture as read_picture
    from szem.media.pictures import write_picture as write_picture
    from szem.tasks.audio.listen import listen as listen
    from szem.tasks.captioning.caption import caption as caption
    from szem.tasks.captioning.search import search as search
    from szem.tasks.classification.classify import classify as classify
    from szem.tasks.detection.detect import detect as detect
    from szem.tasks.explain.explain import explain as explain
    from szem.tasks.generation.generate import generate as generate
    from szem.tasks.lipreading.lipread import lipread as lipread
    from szem.tasks.look import look as look
    from szem.tasks.segmentation.instance_masks import outline as outline
    from szem.tasks.segmentation.segment import segment as segment
    from szem.tasks.surveillance.watcher import watch as watch

__version__ = "0.1.0"

# Public name -> the module that defines it. `__all__` and the lazy loader below both read this one table.
_HOME = {
    "receptive_field": "szem.kernels.layers",
    "output_size": "szem.kernels.layers",
    "average_pool": "szem.kernels.pooling",
    "max_pool": "szem.kernels.pooling",
    "edges": "szem.kernels.edges",
    "view": "szem.kernels.views",
    "convolve": "szem.kernels.convolution",
    "Kernel": "szem.kernels.kernel",
    "read_picture": "szem.media.pictures",
    "write_picture": "szem.media.pictures",
}
# What each task offers stands in its row.
_HOME |= public_names()

__all__ = ["__version__", *_HOME]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'szem' has no attribute {name!r}; it has {', '.join(sorted(_HOME))}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
