"""Tools: what an agent can do. Each is one class with one contract; the executor is the only one that calls them."""
