"""ONNX Runtime, set up before it is imported. The only file of szem that imports it; a test holds that.

ONNX Runtime's builds for Linux send telemetry by default (since 1.32): they write a device identity and a queue of
events below `~/.cache/Microsoft` and resolve and call their maker's host. Nothing may leave a machine that runs szem,
so telemetry is off before the library's first line runs.
"""

import os
from types import ModuleType

# Read when the native library is loaded: setting it later has no effect. Children inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["import_quantization", "ort"]

# For a program that imported ONNX Runtime itself, before szem: events stop here at the latest.
ort.disable_telemetry_events()


def import_quantization() -> ModuleType:
    """The module `onnxruntime.quantization`; it takes a while to import, and only training needs it."""
    from onnxruntime import quantization

    return quantization  # type: ignore[no-any-return, unused-ignore]
