"""Pictures for sentences."""
