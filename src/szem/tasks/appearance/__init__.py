"""Colours, crops, saliency and sharpness: what is measured on a picture without a network."""
