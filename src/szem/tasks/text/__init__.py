"""Reading text in pictures: lines are found, turned upright, recognised, and ordered as people read."""
