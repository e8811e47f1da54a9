"""Embedders. A new model is an ONNX file with a card and needs no code. A new runtime is a new file here."""
