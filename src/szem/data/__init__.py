"""Readers for the ways in which people keep labelled pictures. Broken files are listed with reasons, never hidden."""
