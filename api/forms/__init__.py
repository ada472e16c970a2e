"""Forms on pages: fields drawn from a JSON Schema and read back, and what all pages that people open share."""
