"""What makes, checks and measures model files. The service imports nothing of it.

A model is one ONNX file with a card (`service/model_files/card.py`). The folders, from the source of a model to the
commands:

zoo/             the known models: downloads of published files, and a file that was trained here
conversion/      published weights become model files
preparation/     photographs become canvases of faces, for training
architectures/   the networks, and what each of their rows costs
training/        a network learns from canvases
release/         a trained network becomes a model file, also in fewer bits
calibration/     the thresholds in the card of a model
evaluation/      every table and figure of the paper, measured
commands/        the command line, `facenet-models`

Only architectures/, training/ and release/ need PyTorch. Three files serve all folders: errors.py, files.py (writes
files whole, compares checksums) and progress.py (a progress bar).
"""
