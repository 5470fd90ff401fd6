"""Recipes, augmentation, calibration and export of lip readers."""
