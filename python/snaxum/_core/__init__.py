"""Building blocks without a state of their own: patterns, handlers, JSON, digests."""
