"""The table of recipes: one training a file."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from szem.errors import UnknownNameError
from szem.tasks.registry import TASKS

__all__ = ["RECIPES", "RecipeRow", "check_recipe", "load_recipe", "load_settings"]


class RecipeRow(NamedTuple):
    """Where a recipe lies, and what it makes."""

    task: str  # of the models that it makes: a row of `szem.tasks.registry`
    module: str  # its `build_recipe` makes the recipe
    settings: str  # the class of its settings, in the same module


_ALL: dict[str, RecipeRow] = {
    "segment": RecipeRow("segment", "szem.train.segmentation.recipe_segment", "SegmentSettings"),
    "road": RecipeRow("segment", "szem.train.segmentation.recipe_road", "RoadSettings"),
    "things": RecipeRow("segment", "szem.train.segmentation.recipe_things", "ThingsSettings"),
    "detect": RecipeRow("detect", "szem.train.detection.recipe_detect", "DetectSettings"),
    "outline": RecipeRow("outline", "szem.train.segmentation.recipe_outline", "OutlineSettings"),
    "caption": RecipeRow("caption", "szem.train.captioning.recipe_caption", "CaptionSettings"),
    "caption-reward": RecipeRow("caption", "szem.train.captioning.recipe_caption_reward", "RewardSettings"),
    "lipwords": RecipeRow("lipwords", "szem.train.lipreading.recipe_lipwords", "LipWordsSettings"),
    "search": RecipeRow("caption", "szem.train.captioning.recipe_search", "SearchSettings"),
    "sounds": RecipeRow("listen", "szem.train.audio.recipe_sounds", "SoundsSettings"),
    "draw-match": RecipeRow("generate", "szem.train.generation.recipe_draw_match", "DrawMatchSettings"),
    "draw": RecipeRow("generate", "szem.train.generation.recipe_draw", "DrawSettings"),
    "draw-codes": RecipeRow("generate", "szem.train.generation.recipe_draw_codes", "DrawCodesSettings"),
    "draw-flow": RecipeRow("generate", "szem.train.generation.recipe_draw_flow", "DrawFlowSettings"),
    "draw-refine": RecipeRow("generate", "szem.train.generation.recipe_draw_refine", "RefineSettings"),
    "classify": RecipeRow("classify", "szem.train.classification.recipe_classify", "ClassifySettings"),
    "lipread": RecipeRow("lipread", "szem.train.lipreading.recipe_lipread", "LipreadSettings"),
}

RECIPES = {name: row for name, row in _ALL.items() if row.task in TASKS}
"""Name -> row; the recipes of a task go with it."""


def check_recipe(name: str) -> str:
    """The name of a recipe.

    Raises:
        UnknownNameError: no such recipe.
    """
    if name not in RECIPES:
        raise UnknownNameError(f"no recipe called {name!r}; there are {', '.join(RECIPES)}")
    return name


def load_settings(name: str) -> Any:
    """The default settings of a recipe.

    Raises:
        UnknownNameError: no such recipe.
    """
    row = RECIPES[check_recipe(name)]
    return getattr(import_module(row.module), row.settings)()


def load_recipe(name: str, assignments: Sequence[str] = ()) -> Any:
    """Build a recipe with some settings changed, each as FIELD=VALUE; its data is read.

    Raises:
        UnknownNameError: no such recipe or field.
        SzemError: the data cannot be read.
    """
    from szem.train.recipe import override

    settings = override(load_settings(name), assignments)
    return import_module(RECIPES[name].module).build_recipe(settings)
