"""Validating, testing and showing enhancers: table, pictures, page, monitor."""
