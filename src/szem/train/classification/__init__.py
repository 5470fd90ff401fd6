"""Recipe of image classifiers."""
