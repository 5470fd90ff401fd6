"""Recipe, augmentation, loss and calibration of detectors."""
