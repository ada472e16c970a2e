"""Colours as people write them (`#1b5e20`), and how well one is told from another. Pure arithmetic.

Contrast is that of WCAG 2.2: 4.5 lets text be read (1.4.3), 3 lets a button be seen (1.4.11).
"""

READABLE = 4.5
VISIBLE = 3.0

DARK, LIGHT = "#000000", "#ffffff"
"""Text on a light and on a dark ground: on any colour one of them is readable, which dark grey would not be."""


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black and white); both as `#rrggbb`."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def text_on(ground: str) -> str:
    """Which of dark and light text is read better there."""
    return max(DARK, LIGHT, key=lambda text: contrast(text, ground))


def first_readable(ground: str, *colours: str) -> str:
    """The first of these that can be read as text there, else what can."""
    return next((each for each in colours if contrast(each, ground) >= READABLE), text_on(ground))


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    # A float's power may be complex as far as its type knows.
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)
