"""One of 1,000 ImageNet classes for a picture."""
