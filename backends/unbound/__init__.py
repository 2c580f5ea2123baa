"""Forward zones of an Unbound resolver, over its control channel."""
