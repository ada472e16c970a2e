"""Every filter: what it gives, and what it refuses."""

import pytest

from app.definition.expressions import FILTERS, ExpressionError, evaluate, syntax_problems
from app.json import Json

CONTEXT: dict[str, Json] = {
    "orders": [
        {"id": 1, "total": 50, "owner": {"name": "Ada"}, "paid": True},
        {"id": 2, "total": 20.5, "owner": {"name": "Bob"}, "paid": False},
        {"id": 3, "total": 20.5, "owner": {"name": "Ada"}},
    ],
    "moment": "2030-03-05T14:07:09.250Z",
    "now": "2030-01-31T23:30:00Z",
}

GIVES: list[tuple[str, str, Json]] = [
    ("upper", "'straße' | upper", "STRASSE"),
    ("lower", "'ABC' | lower", "abc"),
    ("title", "'the o’neill file, ada\\'s' | title", "The O’neill File, Ada's"),
    ("capitalize", "'hELLO' | capitalize", "Hello"),
    ("trim", "'  a b ' | trim", "a b"),
    ("trim", "'--a--' | trim('-')", "a"),
    ("replace", "'aXbX' | replace('X', '-')", "a-b-"),
    ("replace", "'aXbX' | replace('X', '-', 1)", "a-bX"),
    ("split", "'a,b,,c' | split(',')", ["a", "b", "", "c"]),
    ("split", "' a  b ' | split", ["a", "b"]),
    ("split", "'a-b-c' | split('-', 1)", ["a", "b-c"]),
    ("split", "'abc' | split('')", ["a", "b", "c"]),
    ("slug", "'Grüße aus Köln & so!' | slug", "grusse-aus-koln-so"),
    ("slug", "'A B' | slug('_')", "a_b"),
    ("regex_replace", r"'2030-01-31' | regex_replace('(\\d+)-(\\d+)-(\\d+)', '\\3.\\2.\\1')", "31.01.2030"),
    ("regex_replace", "'aaa' | regex_replace('a', 'ü', 2)", "üüa"),
    ("regex_replace", r"'ab' | regex_replace('(?P<x>a)', '\\g<x>\\\\')", "a\\b"),
    ("regex_search", "'order 4711 of' | regex_search('order ([0-9]+)')", "4711"),
    ("regex_search", "'order 4711' | regex_search('[0-9]+')", "4711"),
    ("regex_search", "'none' | regex_search('[0-9]+')", None),
    ("string", "5 | string", "5"),
    ("string", "none | string", ""),
    ("string", "true | string", "true"),
    ("truncate", "'abcdef' | truncate(4)", "abc…"),
    ("truncate", "'abc' | truncate(4)", "abc"),
    ("phone", "'(415) 555-0100' | phone", "+14155550100"),
    ("phone", "'1 415 555 0100' | phone", "+14155550100"),
    ("phone", "'030 123456' | phone('49')", "+4930123456"),
    ("phone", "'0049 30 123456' | phone", "+4930123456"),
    ("phone", "'+49 30 123456' | phone", "+4930123456"),
    ("join", "[1, 'a', true] | join(', ')", "1, a, true"),
    ("join", "orders | join('/', attribute='owner.name')", "Ada/Bob/Ada"),
    ("first", "[3, 4] | first", 3),
    ("first", "'abc' | first", "a"),
    ("last", "[3, 4] | last", 4),
    ("length", "'abc' | length", 3),
    ("length", "{'a': 1} | length", 1),
    ("count", "[1, 2] | count", 2),
    ("sort", "[3, 1, 2.5] | sort", [1, 2.5, 3]),
    ("sort", "['b', 'a'] | sort(true)", ["b", "a"]),
    ("sort", "orders | sort(attribute='total') | map(attribute='id')", [2, 3, 1]),
    ("unique", "[1, 1.0, '1', true, none, none, [1], [1]] | unique", [1, "1", True, None, [1]]),
    ("unique", "orders | unique(attribute='owner.name') | map(attribute='id')", [1, 2]),
    ("map", "orders | map(attribute='owner.name')", ["Ada", "Bob", "Ada"]),
    ("map", "orders | map(attribute='paid', default=false)", [True, False, False]),
    ("map", "['a', 'b'] | map('upper')", ["A", "B"]),
    ("map", "['a1', 'b1'] | map('replace', '1', '2')", ["a2", "b2"]),
    ("select", "[0, 1, '', 'a'] | select", [1, "a"]),
    ("select", "[1, 2, 3] | select('>', 1)", [2, 3]),
    ("reject", "[1, 2, 3] | reject('odd')", [2]),
    ("selectattr", "orders | selectattr('total', '<', 30) | map(attribute='id')", [2, 3]),
    ("selectattr", "orders | selectattr('paid') | map(attribute='id')", [1]),
    ("selectattr", "orders | selectattr('paid', 'defined') | map(attribute='id')", [1, 2]),
    ("rejectattr", "orders | rejectattr('paid') | map(attribute='id')", [2, 3]),
    ("rejectattr", "orders | rejectattr('paid', 'undefined') | map(attribute='id')", [1, 2]),
    ("sum", "[1, 2, 3] | sum", 6),
    ("sum", "[] | sum", 0),
    ("sum", "orders | sum(attribute='total')", 91.0),
    ("sum", "[1] | sum(start=10)", 11),
    ("min", "[3, 1, 2] | min", 1),
    ("min", "orders | min(attribute='total') | items | first", ["id", 2]),
    ("max", "['a', 'c', 'b'] | max", "c"),
    ("reverse", "[1, 2] | reverse", [2, 1]),
    ("reverse", "'ab' | reverse", "ba"),
    ("batch", "[1, 2, 3] | batch(2)", [[1, 2], [3]]),
    ("batch", "[1, 2, 3] | batch(2, 0)", [[1, 2], [3, 0]]),
    ("list", "'ab' | list", ["a", "b"]),
    ("list", "{'a': 1} | list", ["a"]),
    ("default", "none | default(5)", 5),
    ("d", "missing | d(5)", 5),
    ("merge", "{'a': 1, 'b': 1} | merge({'b': 2}, {'c': 3})", {"a": 1, "b": 2, "c": 3}),
    ("keys", "{'a': 1, 'b': 2} | keys", ["a", "b"]),
    ("values", "{'a': 1, 'b': 2} | values", [1, 2]),
    ("items", "{'a': 1} | items", [["a", 1]]),
    (
        "type",
        "[none | type, true | type, 1 | type, 1.5 | type, '' | type, [] | type, {} | type] | join(' ')",
        "null boolean number number string list object",
    ),
    ("round", "2.5 | round", 3),
    ("round", "2.675 | round(2)", 2.68),
    ("round", "-2.5 | round", -3),
    ("round", "1.21 | round(1, 'ceil')", 1.3),
    ("round", "1.29 | round(1, method='floor')", 1.2),
    ("round", "1250 | round(-2)", 1300),
    ("round", "7 | round(2)", 7),
    ("abs", "-5 | abs", 5),
    ("int", "'42' | int", 42),
    ("int", "' -3.9 ' | int", -3),
    ("int", "3.9 | int", 3),
    ("int", "'123456789012345678901234567890' | int", 123456789012345678901234567890),
    ("int", "'abc' | int(0)", 0),
    ("float", "'1.5' | float", 1.5),
    ("float", "2 | float", 2.0),
    ("float", "'x' | float(default=none)", None),
    ("number", "1234567.891 | number(2)", "1,234,567.89"),
    ("number", "1234567 | number", "1,234,567"),
    ("number", "1234.5 | number(2, '.', ',')", "1.234,50"),
    ("currency", "1234.5 | currency", "$1,234.50"),
    ("currency", "-1234.5 | currency('EUR')", "-€1,234.50"),
    ("currency", "1234.5 | currency('CHF')", "1,234.50 CHF"),
    ("currency", "1234.5 | currency('jpy')", "¥1,235"),
    ("currency", "-0.001 | currency", "$0.00"),
    ("date_format", "moment | date_format", "2030-03-05"),
    ("date_format", "moment | date_format('YYYY-MM-DD HH:mm:ss')", "2030-03-05 14:07:09"),
    ("date_format", "moment | date_format('D.M.YY h:mm A ddd [at] SSS')", "5.3.30 2:07 PM Tue at 250"),
    ("date_format", "moment | date_format('dddd, D MMMM YYYY', 'Europe/Berlin')", "Tuesday, 5 March 2030"),
    ("date_format", "moment | date_format('HH:mm Z', 'America/New_York')", "09:07 -05:00"),
    ("date_format", "'2030-03-05' | date_format('DD.MM.YYYY')", "05.03.2030"),
    ("date_format", "now | date_format('X')", "1896132600"),
    ("date_format", "moment | date_format('Do MMMM, DDD. [day], [week] W')", "5th March, 64. day, week 10"),
    ("date_format", "'2030-12-31' | date_format('Do Mo Qo GGGG-WW-E dd')", "31st 12th 4th 2031-01-2 Tu"),
    ("date_format", "moment | date_format('YYYYMMDDTHHmmss.SSSSSSZ')", "20300305T140709.250000+00:00"),
    ("phone", "'+49 (0) 30 1234567' | phone", "+49301234567"),
    ("phone", "'0049 (0)30/1234567' | phone", "+49301234567"),
    ("phone", "'(+49) 30 1234567' | phone", "+49301234567"),
    ("phone", "'(212) 555-0142' | phone", "+12125550142"),
    ("date_add", "now | date_add('1d')", "2030-02-01T23:30:00Z"),
    ("date_add", "now | date_add('-30m')", "2030-01-31T23:00:00Z"),
    ("date_add", "now | date_add(2, 'weeks')", "2030-02-14T23:30:00Z"),
    ("date_add", "now | date_add(-1.5, 'hours')", "2030-01-31T22:00:00Z"),
    ("date_diff", "'2030-01-03T00:00:00Z' | date_diff('2030-01-01T00:00:00Z', 'days')", 2),
    ("date_diff", "'2030-01-01' | date_diff('2030-01-01T00:00:30Z')", -30),
    ("json", "{'a': [1, none, 'ü']} | json", '{"a": [1, null, "ü"]}'),
    ("json", "[1] | json(2)", "[\n  1\n]"),
    ("from_json", "'{\"a\": [1, null]}' | from_json", {"a": [1, None]}),
    ("base64", "'ü' | base64", "w7w="),
    ("base64_decode", "'w7w' | base64_decode", "ü"),
    ("base64_decode", "'_-8' | base64 | base64_decode", "_-8"),
    ("sha256", "'abc' | sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("urlencode", "'a b/ü' | urlencode", "a%20b%2F%C3%BC"),
    ("urlencode", "{'q': 'a b', 'n': [1, 2]} | urlencode", "q=a%20b&n=1&n=2"),
    ("escape", "'<a href=\"x\">' | escape", "&lt;a href=&quot;x&quot;&gt;"),
]


@pytest.mark.parametrize(("name", "expression", "value"), GIVES)
def test_a_filter_gives(name: str, expression: str, value: Json) -> None:
    result = evaluate(f"{{{{ {expression} }}}}", CONTEXT)
    assert result == value
    assert type(result) is type(value)


def test_every_filter_is_tested_and_described() -> None:
    assert {name for name, _expression, _value in GIVES} == set(FILTERS)
    for name, entry in FILTERS.items():
        assert entry.name == name
        assert entry.description.endswith(".")


REFUSES = [
    ("5 | upper", "upper needs a string, not a number"),
    ("none | lower", "lower needs a string, not null"),
    ("'a' | split(5)", "split needs a string"),
    ("'a' | replace('a', 'b', -1)", "replace needs an integer from 0"),
    ("'a' | regex_replace('(', '')", "'(' is no regular expression"),
    ("'a' | regex_replace('(?=a)', '')", "is no regular expression"),
    (r"'a' | regex_replace('a', '\\2')", "the regular expression has no group '2'"),
    (r"'a' | regex_replace('a', '\\g<x>')", "the regular expression has no group 'x'"),
    ("'a' | truncate(0)", "truncate needs an integer from 1"),
    ("'12' | phone", "'12' is no phone number"),
    ("'call me' | phone", "'call me' is no phone number"),
    ("'a' | join", "join needs a list"),
    ("{'a': 1} | first", "first needs a list, not an object"),
    ("[] | last", "last of an empty list"),
    ("'' | first", "first of an empty text"),
    ("5 | length", "a number has no length"),
    ("[1, 'a'] | sort", "cannot be compared"),
    ("[none] | sort", "null cannot be compared with null"),
    ("orders | sort(attribute='nope')", "has no 'nope'"),
    ("[1] | map", "map needs a string"),
    ("[1] | map('nofilter')", "unknown filter 'nofilter'"),
    ("[1] | select('notest')", "unknown test 'notest'"),
    ("orders | map(attribute='paid')", "has no 'paid'"),
    ("[1, 'a'] | sum", "sum needs numbers, but item 1 is a string"),
    ("[true] | sum", "sum needs numbers, but item 0 is a boolean"),
    ("[] | min", "min of an empty list"),
    ("[{}] | max", "cannot be compared"),
    ("5 | reverse", "reverse needs a list"),
    ("[1] | batch(0)", "batch needs an integer from 1"),
    ("5 | list", "list needs a list"),
    ("[1] | merge({})", "merge needs an object, not a list"),
    ("[1] | keys", "keys needs an object"),
    ("'a' | round", "round needs a number"),
    ("1.5 | round(0, 'up')", "round has no method 'up'"),
    ("true | abs", "abs needs a number, not a boolean"),
    ("'abc' | int", "'abc' is not an integer"),
    ("true | int", "a boolean is not an integer"),
    ("'1_0' | int", "'1_0' is not an integer"),
    ("'nan' | float", "'nan' is not a number"),
    ("'inf' | int", "'inf' is not an integer"),
    ("none | float", "null is not a number"),
    ("('1' * 401 ~ '_1') | float", "is not a number"),
    ("'5' | number", "number needs a number"),
    ("5 | currency('EURO')", "'EURO' is no currency code"),
    ("'yesterday' | date_format", "'yesterday' is no moment"),
    ("now | date_format('YYYY', 'Mars/Base')", "there is no time zone 'Mars/Base'"),
    ("now | date_add('soon')", "'soon' is no duration"),
    ("now | date_add(1, 'month')", "date_add has no unit 'month'"),
    ("now | date_add('1', 'days')", "date_add needs a number"),
    ("'9999-12-31' | date_add('2d')", "outside the years"),
    ("now | date_diff(now, 'moons')", "date_diff has no unit 'moons'"),
    ("'{a}' | from_json", "is no JSON"),
    ("'NaN' | from_json", "NaN is no JSON"),
    (r"""'"\\ud800"' | from_json""", "a character that cannot be stored"),
    ("'@@' | base64_decode", "is no base64"),
    ("'/w==' | base64_decode", "is no base64 of a text"),
    ("5 | sha256", "sha256 needs a string"),
]


@pytest.mark.parametrize(("expression", "message"), REFUSES)
def test_a_filter_refuses(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(f"{{{{ {expression} }}}}", CONTEXT)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("format", "letters"), [("D. MMMM YYYY um HH:mm", "u"), ("DD/MM/yyyy", "yyyy"), ("Today", "Tod"), ("%Y-%m-%d", "Y")]
)
def test_letters_of_a_date_that_mean_nothing_are_told_when_a_workflow_is_published(format: str, letters: str) -> None:
    [(_place, told, _hint)] = syntax_problems(f"{{{{ now | date_format('{format}') }}}}")
    assert told.startswith(f"date_format has no '{letters}': what is text stands in brackets")


@pytest.mark.parametrize(
    "expression",
    [
        "now | date_format",
        "now | date_format(timezone='Europe/Berlin')",
        "now | date_format('YYYY-MM-DDTHH:mm:ssZ')",
        "now | date_format('[um] HH:mm')",
        "now | date_format(format=vars.format)",
    ],
)
def test_a_format_of_tokens_and_signs_is_no_problem(expression: str) -> None:
    assert syntax_problems(f"{{{{ {expression} }}}}") == []
