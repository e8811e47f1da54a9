"""Crops -> embeddings. A new model is an ONNX file with a card (`model_file.py`); a new runtime is a file here."""
