from dataclasses import replace

import pytest

from models.errors import TrainingError
from models.training.optimisation.schedule import Schedule
from models.training.recipes.recipes import find_recipe


def test_an_unknown_recipe_is_refused_and_the_recipes_are_named() -> None:
    with pytest.raises(TrainingError, match="smoke"):
        find_recipe("smoked")


def test_a_recipe_without_a_face_or_a_step_is_refused() -> None:
    recipe = find_recipe("smoke")
    with pytest.raises(TrainingError, match="has batch_size 0"):
        replace(recipe, batch_size=0)
    with pytest.raises(TrainingError, match="has chunk_size 0"):
        replace(recipe, chunk_size=0)
    with pytest.raises(TrainingError, match=r"has schedule\.steps 0"):
        replace(recipe, schedule=Schedule(steps=0))
