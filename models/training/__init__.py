"""How a network is trained: a recipe (`recipes.py`) is run by the loop (`run.py`) towards an objective.

One step reads: `loader.py` draws faces and cuts views of them, the network embeds them, an objective says how wrong the
embeddings are, the optimiser moves the weights, `averaging.py` follows them slowly. Everything that a step draws by
chance comes from the recipe's seed and the step's number, so that a resumed run goes the way of one never stopped.
"""
