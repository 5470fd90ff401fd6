"""Recipe, augmentation and export of sound classifiers."""
