"""Recipes, augmentation and losses of semantic and instance segmentation."""
