"""The values that every part of the service shares: images, faces, embeddings, distances and errors.

Nothing here imports another part of the service. Values are frozen, and their shapes are checked when they are made.

    bytes -> Image -> [Face] -> Crops -> Embeddings -> a decision
"""
