"""Everything that touches the world on behalf of a workflow: a package per capability, registered by explicit name."""
