"""Recipes: one training a file, and the table of their names."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from szem.errors import UnknownNameError

__all__ = ["RECIPES", "load_recipe", "load_settings"]

# Name -> (module, its settings). The module's `build_recipe` makes the recipe.
RECIPES: dict[str, tuple[str, str]] = {
    "road": ("szem.train.recipes.road", "RoadSettings"),
    "things": ("szem.train.recipes.things", "ThingsSettings"),
    "detect": ("szem.train.recipes.detect", "DetectSettings"),
    "outline": ("szem.train.recipes.outline", "OutlineSettings"),
    "caption": ("szem.train.recipes.caption", "CaptionSettings"),
    "caption-reward": ("szem.train.recipes.caption_reward", "RewardSettings"),
    "lipwords": ("szem.train.recipes.lipwords", "LipWordsSettings"),
    "search": ("szem.train.recipes.search", "SearchSettings"),
    "sounds": ("szem.train.recipes.sounds", "SoundsSettings"),
    "draw-match": ("szem.train.recipes.draw_match", "DrawMatchSettings"),
    "draw": ("szem.train.recipes.draw", "DrawSettings"),
    "draw-codes": ("szem.train.recipes.draw_codes", "DrawCodesSettings"),
    "draw-flow": ("szem.train.recipes.draw_flow", "DrawFlowSettings"),
    "draw-refine": ("szem.train.recipes.draw_refine", "RefineSettings"),
    "classify": ("szem.train.recipes.classify", "ClassifySettings"),
    "lipread": ("szem.train.recipes.lipread", "LipreadSettings"),
}


def load_settings(name: str) -> Any:
    """The default settings of a recipe.

    Raises:
        UnknownNameError: no such recipe.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"no recipe called {name!r}; there are {', '.join(RECIPES)}")
    module, settings = RECIPES[name]
    return getattr(import_module(module), settings)()


def load_recipe(name: str, assignments: Sequence[str] = ()) -> Any:
    """Build a recipe with some settings changed, each as FIELD=VALUE; its data is read.

    Raises:
        UnknownNameError: no such recipe or field.
        SzemError: the data cannot be read.
    """
    from szem.train.recipe import override

    settings = override(load_settings(name), assignments)
    return import_module(RECIPES[name][0]).build_recipe(settings)
