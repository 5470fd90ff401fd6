"""What each of szem's own routes does: one file per task."""
