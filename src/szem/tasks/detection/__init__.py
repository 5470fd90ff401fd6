"""Objects with boxes in one picture."""
