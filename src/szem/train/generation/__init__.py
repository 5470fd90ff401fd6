"""Recipes, losses and export of the text-to-picture generator."""
