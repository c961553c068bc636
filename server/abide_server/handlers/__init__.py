"""One module per resource, thin: read, ask a core, answer."""
