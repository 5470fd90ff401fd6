"""Recipes, feature cache, calibration and export of captioner and search."""
