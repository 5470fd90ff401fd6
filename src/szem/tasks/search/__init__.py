"""Find pictures by a sentence or by a picture."""
