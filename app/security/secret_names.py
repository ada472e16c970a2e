"""Words in the names of what usually is a secret: fields, headers, parameters, settings. Whose names are read, and what
becomes of the value, is for the maskers to say.
"""

WORDS = (
    r"password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|encryption[_-]?key|"
    r"credential|signature|cookie|authorization"
)
"""A pattern, of which each part may stand anywhere in a name."""
