"""From the bytes of a photograph to embeddings. Serving, evaluation and training use this same code.

    bytes -> decoding -> Image -> detection -> [Face] -> selection -> alignment -> Crops
          -> batching -> embedders -> (n, d) embeddings

`extraction.py` does the first line, `pipeline.py` does both, `opening.py` opens the models. `quality.py` measures each
face beside its crop, and judges it when the embedding is there.
"""
