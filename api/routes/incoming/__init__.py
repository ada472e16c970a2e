"""What comes in from outside without an API key, at addresses of its own."""
