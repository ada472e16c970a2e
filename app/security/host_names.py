"""How host names are compared. Nothing is resolved here."""


def normal_host(host: str) -> str:
    """A host name as it is compared: lower case, no brackets, no trailing dot, ASCII form of international names."""
    bare = host.strip().strip("[]").rstrip(".").lower()
    try:
        return bare if bare.isascii() else bare.encode("idna").decode("ascii")
    except UnicodeError:
        return bare
