"""Guarding: sources watched and listened to for months; what happened kept, told and found again."""
