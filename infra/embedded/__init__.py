"""The embedded stack: real servers from wheels, under one supervisor. No Docker, no root.

`infra.embedded.supervisor` has `EmbeddedServers` (the four servers, for tests) and `up` (everything). This package
itself imports nothing, so that its small programs start quickly.
"""
