"""Guarding: sources watched and listened to for months; what happened kept, reported and found again."""
