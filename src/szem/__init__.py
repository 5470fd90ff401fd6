"""szem (Hungarian: "eye"): pictures, video, sound and text understood on your own machine.

`import szem` is light: it loads no network and no heavy library. Each verb below loads what it needs when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from szem.kernels.convolution import convolve as convolve
    from szem.kernels.edges import edges as edges
    from szem.kernels.kernel import Kernel as Kernel
    from szem.kernels.layers import output_size as output_size
    from szem.kernels.layers import receptive_field as receptive_field
    from szem.kernels.pooling import average_pool as average_pool
    from szem.kernels.pooling import max_pool as max_pool
    from szem.media.pictures import read_picture as read_picture
    from szem.media.pictures import write_picture as write_picture
    from szem.tasks.caption import caption as caption
    from szem.tasks.classify import classify as classify
    from szem.tasks.detect import detect as detect
    from szem.tasks.explain import explain as explain
    from szem.tasks.generate import generate as generate
    from szem.tasks.lipread import lipread as lipread
    from szem.tasks.listen import listen as listen
    from szem.tasks.look import look as look
    from szem.tasks.outline import outline as outline
    from szem.tasks.search import search as search
    from szem.tasks.segment import segment as segment
    from szem.tasks.watch import watch as watch

__version__ = "0.1.0"

# Public name -> the module that defines it. `__all__` and the lazy loader below both read this one table.
_HOME = {
    "receptive_field": "szem.kernels.layers",
    "output_size": "szem.kernels.layers",
    "average_pool": "szem.kernels.pooling",
    "max_pool": "szem.kernels.pooling",
    "edges": "szem.kernels.edges",
    "convolve": "szem.kernels.convolution",
    "Kernel": "szem.kernels.kernel",
    "read_picture": "szem.media.pictures",
    "write_picture": "szem.media.pictures",
    "caption": "szem.tasks.caption",
    "classify": "szem.tasks.classify",
    "detect": "szem.tasks.detect",
    "explain": "szem.tasks.explain",
    "lipread": "szem.tasks.lipread",
    "listen": "szem.tasks.listen",
    "generate": "szem.tasks.generate",
    "look": "szem.tasks.look",
    "outline": "szem.tasks.outline",
    "search": "szem.tasks.search",
    "segment": "szem.tasks.segment",
    "watch": "szem.tasks.watch",
}

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
