"""The recipes: every number of every training run. `facenet-models train NAME` trains by a recipe.

settings.py   `Recipe` and its parts: what a recipe sets, with the usual values
recipes.py    the recipes by name

All numbers that change the weights of a network are fields of `Recipe`. A checkpoint holds them, and only the same
recipe can continue from it. The numbers of the evaluation on held-out people are in `training/held_out.py`.
"""
