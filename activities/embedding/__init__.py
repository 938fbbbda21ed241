"""Vectors of texts: a local model, or one that litellm reaches."""
