"""Taking secrets out of texts for the log: those known by name or form, and those the caller names. Reads no settings.

Masking what is kept of a step's inputs is `activities.masking`'s, where the shape of the value is known. Here are texts
of libraries and providers, so that too much hidden is better than too little.
"""

import re
from collections.abc import Sequence

from app.security.masking import HIDDEN, Mask
from app.security.secret_names import WORDS

LONGEST_TEXT = 20_000
"""Characters of one text in a line; the rest is cut off."""
SHORTEST_LINE = 8
"""Characters from which one line of a secret is hidden by itself."""

SECRET_NAME = re.compile(rf"{WORDS}|^(?:pwd|sig|auth)$", re.IGNORECASE)
"""Names of what usually is a secret."""

# Each is a pattern and what stands in its place. Every repetition is bounded or cannot overlap with what follows it:
# a text of any length takes time in proportion.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A name that tells, then a value in quotes (escaped ones, too) or up to where a value ends.
    (
        re.compile(
            rf"((?:{WORDS})[\w-]{{0,40}}\\*[\"']?\]?\s?[:=]\s?)"
            r"(?:b?\\*\"(?:[^\"\\]|\\.)*\\*\"|b?\\*'(?:[^'\\]|\\.)*\\*'"
            r"|(?:(?:bearer|basic|digest|token)\s)?[^\s,;&)}\]\"']+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=:-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # Our own: API keys, tokens of webhooks and messages, signing secrets. Then common ones of others.
    (re.compile(r"\b(hf|wh|msg|whsec)_[A-Za-z0-9_+/=-]{6,}"), rf"\1_{HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{6,}\.[\w-]{4,}(?:\.[\w-]*)*"), HIDDEN),
    (re.compile(r"\b(?:(?:[srp]k|gh[pousr])[-_]|xox[abeprs]-|SG\.|AKIA)[A-Za-z0-9][\w.-]{15,}"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END|\Z)", re.DOTALL), f"{HIDDEN} -----END"),
    # User and password of a URL; query parameters that open something.
    (re.compile(r"(://)[^\s/\"'<>]{1,500}@"), rf"\1{HIDDEN}@"),
    (re.compile(r"([?&](?:code|state|key|sig|auth|pwd)=)[^&\s\"']+", re.IGNORECASE), rf"\1{HIDDEN}"),
    # Addresses whose rest is what opens them.
    (re.compile(r"(?<!/v1)(/(?:hooks|approvals|messages|forms|oauth/begin)/)[^\s\"'?,)<>]+"), rf"\1{HIDDEN}"),
    # Values that errors of the database and of validation repeat.
    (re.compile(r"(\[parameters: )[^\n]+"), rf"\1{HIDDEN}]"),
    (re.compile(r"(DETAIL: )[^\n]+"), rf"\1 {HIDDEN}"),
    (re.compile(r"(input_value=).*?(?=, input_type=|\Z)", re.DOTALL), rf"\1{HIDDEN}"),
)

# One of these stands, in lower case, in every text that a pattern above can fit: most texts are done after this look,
# which takes a fraction of the time of theirs.
_HINTS = (
    "passw", "passphrase", "secret", "token", "key", "credential", "signature", "cookie", "authorization",
    "bearer", "basic", "digest", "hf_", "wh_", "whsec_", "msg_", "eyj", "akia", "xox", "sg.",
    *(f"{start}{mark}" for start in ("sk", "rk", "pk", "ghp", "gho", "ghu", "ghs", "ghr") for mark in "-_."),
    "://", "?", "&", "hooks/", "approvals/", "messages/", "forms/", "oauth/", "parameters", "detail", "input_value",
)  # fmt: skip
_WORTH_A_LOOK = re.compile("|".join(map(re.escape, _HINTS)))
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), 127, *range(128, 160))}


def mask(text: str, secrets: Sequence[str] = ()) -> str:
    """The text without secrets: without `secrets` in any usual spelling, and without what looks like one. Control
    characters are spelled out, so that no line can pretend to be two or speak to a terminal."""
    if secrets:
        text = _without(text, secrets)
    if _WORTH_A_LOOK.search(text.lower()):
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
    if not text.isprintable():
        text = text.translate(_CONTROLS)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}... ({len(text)} characters)"


def _without(text: str, secrets: Sequence[str]) -> str:
    """Tracebacks quote a text of several lines by its lines."""
    found = Mask()
    for secret in secrets:
        for each in (secret, *(line for line in secret.splitlines() if len(line) >= SHORTEST_LINE)):
            found.add(each)
    return str(found.hidden(text))
