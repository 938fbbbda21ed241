"""Files that users give to runs: what they are, reading them in portions, and what comes of it."""
