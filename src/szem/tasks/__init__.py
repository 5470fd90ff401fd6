"""What szem does with pictures, video, sound and text: one folder per task."""
