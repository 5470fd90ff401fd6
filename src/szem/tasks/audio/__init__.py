"""Sound events: which, when, and how confident."""
