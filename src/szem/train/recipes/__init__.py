"""Recipes: one training a file."""
