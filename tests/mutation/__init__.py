"""Mutation testing: `make mutants`. Which modules, and which tests judge them, stands in `modules.toml`."""
