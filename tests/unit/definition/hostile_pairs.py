"""Expressions with the data they do harm with, by what they are after. What becomes of them is told in the tests."""

import random
import zoneinfo
from collections.abc import Mapping

from app.json import Json

NOW = "2030-01-31T09:00:00Z"
MERSENNE = (1 << 61) - 1
"""Python's integers share their hash with all others that are equal modulo this."""
_DIE = random.Random(1)


def nested(value: Json, levels: int, key: str | None = None) -> Json:
    """The value inside so many lists, or objects with this key."""
    for _ in range(levels):
        value = [value] if key is None else {key: value}
    return value


def shuffled(letters: str, count: int) -> Json:
    """Objects whose keys have all the same letters."""
    return {"".join(_DIE.sample(letters, len(letters))): 1 for _ in range(count)}


MANY_LETTERS = "".join(map(chr, range(99, 50_000)))
PATH = ".".join("a" * 98)
TUPLE = ",".join(f"a{number}" for number in range(1_000))
LETTERS = "abcdefghijklmnopqrstuvwxyz" * 2 + "abcdefghijkl"
PAIRS: Mapping[str, tuple[str, Json]] = {
    # JSON
    "an open quote in JSON": ("{{ x | from_json }}", "," * 200_001 + '"' + '\\"' * 40_000),
    "an open quote and a backslash": ("{{ x | from_json }}", "," * 200_001 + '"' + '\\"' * 40_000 + "\\"),
    "a long open quote": ("{{ x | from_json }}", "," * 200_001 + '"' + "a" * 790_000),
    "JSON made of a template": ("{{ (',' * 200001 ~ '\"' ~ '\\\\\"' * 20000) | from_json }}", 0),
    "fractions in JSON": ("{{ x | from_json | length }}", "[" + "1.5," * 190_000 + "1]"),
    "an escape among many numbers": ("{{ x | from_json | length }}", "[" + "1," * 150_000 + '"\\u0041"]'),
    "an escape deep below": ("{{ x | from_json }}", "[" * 98 + "1," * 99_000 + '"\\u0041"' + "]" * 98),
    "indents of deep values": ("{{ x | json(8) | length }}", nested([1] * 80_000, 97)),
    "indents of many values": ("{{ x | json(1) | length }}", [1] * 115_000),
    "many small JSON texts": ("{{ x | map('from_json') | length }}", ["{}"] * 16_000),
    # Regular expressions
    "groups in a replacement": (r"{{ 'a' | regex_replace('(a)', '\\1' * 330000) }}", 0),
    "groups that become large": (r"{{ ('a' * 1000) | regex_replace('(.*)', '\\1' * 300000) }}", 0),
    "groups that become thirty gigabytes": (r"{{ ('a' * 100000) | regex_replace('(.*)', '\\1' * 300000) }}", 0),
    "groups inside groups": (
        "{{ x | regex_replace('" + "(" * 90 + ".*" + ")" * 90 + "', '" + r"\\9" * 20 + "') }}",
        "a" * 900_000,
    ),
    "many patterns": ("{% for i in range(5000) %}{{ 'a' | regex_search('((a{100}){10}|b' ~ i ~ ')') }}{% endfor %}", 0),
    "many large patterns": (
        "{% for i in range(2000) %}{{ 'a' | regex_search('(?i)[\\\\pL\\\\pN]{4}|' ~ i) }}{% endfor %}",
        0,
    ),
    "the same patterns in turn": (
        "{% for j in range(99) %}{% for i in range(129) %}{{ 'a' | regex_search('a' ~ i) }}{% endfor %}{% endfor %}",
        0,
    ),
    "many small searches": ("{{ x | select('matches', 'a') | length }}", ["a"] * 16_000),
    "many small replacements": ("{{ x | map('regex_replace', '(a)', 'b') | length }}", ["a"] * 12_000),
    # Looking for things
    "a text among numbers": ("{% for a in range(9000) %}{% if 'x' in x %}{% endif %}{% endfor %}", list(range(10_000))),
    "texts among numbers": ("{{ (['x'] * 15000) | select('in', range(9999)) | length }}", 0),
    "texts among others of another type": ("{{ x.a | reject('in', x.b) }}", {"a": ["x"] * 5_000, "b": [1] * 50_000}),
    "equal hashes": ("{{ x | unique | length }}", [number * MERSENNE for number in range(1, 20_000)]),
    "equal hashes of fractions": ("{{ x | unique }}", [float(n << 61 * p) for n in range(1, 900) for p in range(15)]),
    "a text in one almost like it": (
        "{% for a in range(4000) %}{{ x.b in x.a }}{% endfor %}",
        {"a": "a" * 2_400, "b": "a" * 600 + "b" + "a" * 600},
    ),
    "texts in one almost like them": ("{{ (['a' * 600 ~ 'b' ~ 'a' * 600] * 15000) | select('in', 'a' * 2400) }}", 0),
    "a replacement almost everywhere": ("{{ x | replace('a' * 49 ~ 'b' ~ 'a' * 49, '') }}", "a" * 990_000),
    "the like, over and over": ("{{ x | map('replace', 'a' * 49 ~ 'b' ~ 'a' * 49, '') }}", ["a" * 29_000] * 9_000),
    "the like, shorter": ("{{ x | map('replace', 'a' * 600 ~ 'b' ~ 'a' * 600, '') }}", ["a" * 2_400] * 15_000),
    "the like, shorter, split": ("{{ x | map('split', 'a' * 600 ~ 'b' ~ 'a' * 600) }}", ["a" * 2_400] * 15_000),
    "the like, split": ("{{ x | map('split', 'a' * 49 ~ 'b' ~ 'a' * 49) }}", ["a" * 29_000] * 9_000),
    "a long key": ("{% for a in x.n %}{{ x.o[x.k] }}{% endfor %}", {"n": [1] * 4_000, "o": {}, "k": "a" * 500_000}),
    # Long texts that are read again and again
    "is lower": ("{{ ([x] * 20000) | select('lower') | length }}", "b" * 1_000_000),
    "is upper of a template's own": ("{{ (['B' * 900000] * 15000) | select('upper') | length }}", 0),
    "characters to trim": ("{{ x.a | trim(x.b) }}", {"a": "b" * 990_000, "b": "a" * 1_000_000 + "b"}),
    "different characters to trim": (
        "{{ x.a | trim(x.b) }}",
        {"a": "b" * 990_000, "b": "".join(map(chr, range(99, 50_000)))},
    ),
    "long fractions": ("{{ ([x] * 20000) | map('float') | length }}", "0." + "9" * 900_000),
    "spaces before a fraction": ("{{ ([x] * 20000) | map('float', 1) | length }}", " " * 900_000 + "1"),
    "spaces before a date": (
        "{{ ([x] * 2000) | map('date_diff', '2030-01-01') | length }}",
        " " * 900_000 + "2030-01-31",
    ),
    "words": ("{{ x | title | length }}", "a " * 249_000),
    "long texts cut": ("{{ ([x] * 20000) | map('truncate', 5) | length }}", "é" * 900_000),
    "brackets in a phone number": ("{{ x | phone }}", "+1" + "1 " * 240_000 + "( " * 200_000),
    # Numbers
    "digits": ("{{ (['9' * 1500] * 24000) | map('int') | length }}", 0),
    "digits to round": ("{{ x | map('round', -5) | length }}", [10**1_200] * 24_000),
    "digits to divide": (
        "{{ x.a | select('divisibleby', x.b) | length }}",
        {"a": [10**4_200 + 1] * 24_000, "b": 10**2_100 + 7},
    ),
    "digits left over": ("{% for a in x %}{{ a % (9 ** 1200) }}{% endfor %}", [10**4_200 + 1] * 9_000),
    "odd digits": ("{{ x | select('odd') | length }}", [10**4_200 + 1] * 24_000),
    "digits to multiply": ("{% for a in range(9000) %}{% if x * x %}{% endif %}{% endfor %}", 10**600),
    "an endless exponent": ("{% for a in range(9000) %}{% if (-1) ** x %}{% endif %}{% endfor %}", 10**4_200),
    "fractions to round": ("{{ x | map('round', 2) | length }}", [1.567] * 49_000),
    "amounts": ("{{ x | map('currency') | length }}", [1.567] * 49_000),
    # Dates
    "differences of dates": ("{{ x | map('date_diff', '2030-01-01T00:00:00Z') | length }}", [NOW] * 49_000),
    "sums of dates": ("{{ x | map('date_add', '1d2h3m4s5ms') | length }}", [NOW] * 24_000),
    "formats of dates": ("{{ x | map('date_format', 'YYYY MMMM Do HH:mm:ss.SSS ZZ X') | length }}", [NOW] * 9_000),
    "all time zones": (
        "{% for i in range(5) %}{% for z in x %}{{ '2030-01-31' | date_format('Q', z) }}{% endfor %}{% endfor %}",
        sorted(zoneinfo.available_timezones()),
    ),
    # Names and paths
    "names spread over": ("{% for " + TUPLE + " in x %}{% endfor %}", [[1] * 1_000] * 20_000),
    "names set": ("{% for a in x %}{% set " + TUPLE + " = a %}{% endfor %}", [[1] * 1_000] * 4_000),
    "long paths": (f"{{{{ x | map(attribute='{PATH}') | length }}}}", [nested(1, 98, "a")] * 24_000),
    "long paths of indices": ("{{ x | map(attribute='" + "[0]" * 98 + "') | length }}", [nested(1, 98)] * 24_000),
    "long paths that lead nowhere": (
        f"{{{{ x | map(attribute='{PATH}', default=0) | length }}}}",
        [nested(1, 97, "a")] * 24_000,
    ),
    "many paths": ("{% for i in range(900) %}{{ [1] | selectattr('a.' * 490 ~ i) }}{% endfor %}", 0),
    "names of the same letters": ("{{ x." + LETTERS + " }}", shuffled(LETTERS, 500)),
    "names of two letters": ("{{ x." + "ba" * 32 + " }}", shuffled("ab" * 32, 500)),
    "very many names": ("{{ x.email }}", {f"e{number}": 1 for number in range(200_000)}),
    "a name of 200,000 letters": ("{{ " + "a" * 200_000 + " }}", 0),
    "a filter of 200,000 letters": ("{{ 1 | " + "a" * 200_000 + " }}", 0),
    "a test of 200,000 letters": ("{{ 1 is " + "a" * 200_000 + " }}", 0),
    "a function of 200,000 letters": ("{{ " + "a" * 200_000 + "() }}", 0),
    "missing names passed over": (
        "{% for a in range(7000) %}{{ x.gone.a | default(1) }}{% endfor %}",
        {str(n): 1 for n in range(300)},
    ),
    # The text itself
    "runs of digits": ("{{ 1 }} " + ("9" * 19_990 + " ") * 13, 0),
    "runs of digits inside": ("{{ 1 }}{{ " + ("9" * 19_990 + " ") * 12 + "}}", 0),
    "hexadecimal digits": ("{{ 0x" + "f" * 250_000 + " }}", 0),
    "binary digits": ("{{ 0b" + "1" * 250_000 + " }}", 0),
    "digits of another script": ("{{ 1" + "\u0661" * 250_000 + " }}", 0),
    "digits and underscores": ("{{ " + "1_" * 9_990 + "1 }}", 0),
    "constants inside each other": ("{% for i in range(2000) %}{% set a = [" + "1," * 1_900 + "] %}{% endfor %}", 0),
}
