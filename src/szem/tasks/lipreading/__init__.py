"""Words read from lips, sound or both."""
