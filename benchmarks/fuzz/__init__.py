"""Mutated media for szem's readers; run by `scripts/fuzz`."""
