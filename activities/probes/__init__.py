"""How each kind of connection is tested: the cheapest thing that only works with the right credentials.

Each probe is a function in its category's module. It tries once, changes nothing at the provider, and raises
`ActionError` with what went wrong. Which connection is tested, and what becomes of it, is `connection_tests.py`'s.
"""
