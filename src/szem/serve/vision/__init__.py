"""The Cloud Vision REST v1 dialect: messages, features, files and operations."""
