"""Faces, their landmarks and mouth crops."""
