"""Recipes: one training a file, and the table of their names."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from szem.errors import UnknownNameError

__all__ = ["RECIPES", "load_recipe", "load_settings"]

# Name -> (module, its settings). The module's `build_recipe` makes the recipe.
RECIPES: dict[str, tuple[str, str]] = {
    "road": ("szem.train.segmentation.recipe_road", "RoadSettings"),
    "things": ("szem.train.segmentation.recipe_things", "ThingsSettings"),
    "detect": ("szem.train.detection.recipe_detect", "DetectSettings"),
    "outline": ("szem.train.segmentation.recipe_outline", "OutlineSettings"),
    "caption": ("szem.train.captioning.recipe_caption", "CaptionSettings"),
    "caption-reward": ("szem.train.captioning.recipe_caption_reward", "RewardSettings"),
    "lipwords": ("szem.train.lipreading.recipe_lipwords", "LipWordsSettings"),
    "search": ("szem.train.captioning.recipe_search", "SearchSettings"),
    "sounds": ("szem.train.audio.recipe_sounds", "SoundsSettings"),
    "draw-match": ("szem.train.generation.recipe_draw_match", "DrawMatchSettings"),
    "draw": ("szem.train.generation.recipe_draw", "DrawSettings"),
    "draw-codes": ("szem.train.generation.recipe_draw_codes", "DrawCodesSettings"),
    "draw-flow": ("szem.train.generation.recipe_draw_flow", "DrawFlowSettings"),
    "draw-refine": ("szem.train.generation.recipe_draw_refine", "RefineSettings"),
    "classify": ("szem.train.classification.recipe_classify", "ClassifySettings"),
    "lipread": ("szem.train.lipreading.recipe_lipread", "LipreadSettings"),
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
