"""The agent's activities: think (observe, decide), act (one tool call), close."""
