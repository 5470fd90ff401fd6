"""Facts, attributes and sentences about the flowers and birds that the generator draws."""
