"""What a network is trained towards, one objective a file: each draws a batch and says how wrong its embeddings are."""
