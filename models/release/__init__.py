"""Make the model file of a trained network, and smaller files of a model.

publish.py          a checkpoint -> the model file: `facenet-models export`
export.py           a network -> an ONNX file with a card, refused if ONNX Runtime and PyTorch differ
quantise_file.py    a model file -> a file in float16 or int8: `facenet-models quantise`
quantise.py         the comparison of the quantised model with its parent, and the card of the quantised model
float16.py          a graph in float32 -> the graph in float16
int8.py             a graph in float32 -> the graph in int8
int8_grids.py       faces -> the grids of sface-int8: `facenet-models calibrate-int8`
candidate.py        opens the bytes of a model file before the file is written
"""
