"""Images -> faces. A new model that keeps to `model_file.py` needs no code; one of another kind is a file here."""
