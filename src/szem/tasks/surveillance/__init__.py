"""Events from video and sound: zones, abandoned objects, tampering, fusion."""
