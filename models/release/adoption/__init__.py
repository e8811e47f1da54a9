"""An ONNX file of somebody else becomes a model file of this project. `facenet-models adopt` runs this.

convention.py   what the file cannot say: the colours and the range of the numbers that its network expects
published.py    the published file: checked, read, and run as it is
wrapping.py     the same network with the inputs and outputs of an embedder
people.py       the people that the network is measured on
adopt.py        wraps, compares with the published file, measures, and writes the model file
"""
