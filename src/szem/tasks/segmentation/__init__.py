"""A class for each pixel, and a mask for each box."""
