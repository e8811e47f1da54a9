"""What makes, checks and measures model files. The service imports nothing from here.

A model is one ONNX file with a card (`service/model_files/card.py`). The catalogue is the list of known models
(`service/model_files/catalogue.toml`). The folders, in the order of a model's life:

zoo/             the source files: downloads of published files, and a file that was trained here
conversion/      published weights become model files
preparation/     photographs become canvases of faces, for training
architectures/   the networks, and what each of their rows costs
training/        a network learns from canvases
release/         a trained network becomes a model file; a model file becomes float16 or int8
calibration/     the thresholds in the card of a model
evaluation/      every table and figure of the paper, measured
commands/        the command line, `facenet-models`

Only architectures/, training/ and release/ need PyTorch. All folders use three files: errors.py, files.py (atomic
writes, checksums) and progress.py (a progress bar).
"""
