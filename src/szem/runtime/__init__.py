"""Models at run time: their cards, where they lie, what their outputs mean, and ONNX Runtime sessions."""
