"""A form's colours and letters as CSS, made of checked values alone: a colour is six hexadecimal digits."""

from app.definition.colours import VISIBLE, contrast, first_readable, text_on
from app.definition.triggers.form import Theme

_LETTERS = {
    "sans": "system-ui, sans-serif",
    "serif": "Georgia, 'Times New Roman', serif",
    "mono": "ui-monospace, monospace",
}
_ERRORS = ("#b00020", "#ff8a80")
_GROUND = "#ffffff"


def css(theme: Theme) -> str:
    """The rules that differ from every page's own; an empty text for none.

    The text and what stands out from it are chosen to be readable on the ground; where only the button has a colour,
    the page is light, for which that colour was checked.
    """
    rules = [f"--letters: {_LETTERS[theme.font]}"] if theme.font != "sans" else []
    body = []
    if theme.color or theme.background:
        ground = (theme.background or _GROUND).lower()
        text = text_on(ground)
        button = theme.color.lower() if theme.color else text
        focus = button if contrast(button, ground) >= VISIBLE else text
        rules += [
            f"color-scheme: {'light' if text != '#ffffff' else 'dark'}",
            f"--error: {first_readable(ground, *_ERRORS)}",
            f"--button: {button}",
            f"--on-button: {text_on(button)}",
            f"--focus: {focus}",
            "--faint: 1",
        ]
        body = [f"background: {ground}", f"color: {text}"]
    found = f":root {{ {'; '.join(rules)}; }}" if rules else ""
    return found + (f" body {{ {'; '.join(body)}; }}" if body else "")
