"""A shop's catalogue: the rows that its imports made, one immutable file per version."""
