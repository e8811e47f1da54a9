"""How ONNX Runtime runs a model file.

options.py       the execution provider and its options
installed.py     what must be there for a provider
bound_calls.py   calls whose inputs and outputs stay on a GPU
"""
