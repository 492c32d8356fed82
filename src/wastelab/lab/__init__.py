"""The laboratory store."""
