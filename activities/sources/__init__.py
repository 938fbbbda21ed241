"""Where research looks outside the organisation's own corpus: search providers, MCP servers, and their manners."""
