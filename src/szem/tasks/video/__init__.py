"""Detection in every frame, tracking, counting."""
