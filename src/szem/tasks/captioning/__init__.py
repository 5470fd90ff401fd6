"""Sentences for pictures and pictures for sentences."""
