"""How the gradient is computed, and how it changes the weights.

optimiser.py        builds the optimiser of a recipe: AdaGrad, AdamW or SGD
schedule.py         `Schedule`: the learning rate of each step
averaging.py        `WeightAverage`: the moving average of the weights, which is evaluated and exported
gradient_cache.py   `cached_step`: the gradient of a large batch, computed in chunks that fit in memory
"""
