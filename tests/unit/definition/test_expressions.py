"""What expressions yield: types, operators, lookups, blocks, and errors that name the thing and the way out."""

import pytest

from app.definition.expressions import ExpressionError, MissingError, evaluate, is_template
from app.json import Json

CONTEXT: dict[str, Json] = {
    "trigger": {
        "contact": {"first_name": "Ada", "email": "ada@example.com", "phone": None, "first name": "x", "items": [1, 2]},
        "total": 42,
        "tags": ["vip", "new"],
        "price": 19.5,
    },
    "steps": {"fetch": {"output": {"items": [{"id": 1}, {"id": 2}]}, "status": "completed"}},
    "vars": {"currency": "EUR", "big": 12345678901234567890123},
    "now": "2030-01-31T09:00:00Z",
}


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ trigger.total }}", 42),
        ("{{ trigger.tags }}", ["vip", "new"]),
        ("{{ trigger.contact.phone }}", None),
        ("{{ trigger.total > 41 }}", True),
        ("{{ trigger.total }}\n", 42),
        ("total: {{ trigger.total }}", "total: 42"),
        (" {{ trigger.total }}", " 42"),
        ("{{ trigger.total }}{{ trigger.total }}", "4242"),
        ("{{ trigger.tags }} {{ trigger.contact.phone }}|{{ true }}", '["vip", "new"] |true'),
        ("no braces at all", "no braces at all"),
        ("a {# comment #} b", "a  b"),
        ("{% raw %}{{ kept }}{% endraw %}", "{{ kept }}"),
        ("line\r\n{{ 1 }}\r\n", "line\r\n1\r\n"),
    ],
)
def test_a_single_expression_keeps_its_type_and_other_text_renders(template: str, value: Json) -> None:
    result = evaluate(template, CONTEXT)
    assert result == value
    assert type(result) is type(value)


def test_templates_are_resolved_at_any_depth_and_everything_else_stays() -> None:
    value = {"a": [{"b": "{{ vars.currency }}"}, 5, None, True], "{{ key }}": "{{ trigger.total + 1 }}"}
    assert evaluate(value, CONTEXT) == {"a": [{"b": "EUR"}, 5, None, True], "{{ key }}": 43}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("6 / 2", 3),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("-7 % 3", 2),
        ("2 ** 10", 1024),
        ("-trigger.total", -42),
        ("+trigger.total", 42),
        ("vars.big + 1", 12345678901234567890124),
        ("vars.big * 2", 24691357802469135780246),
        ("0.5 + 1", 1.5),
        ("'a' + 'b'", "ab"),
        ("'a' * 3", "aaa"),
        ("[1] * 2", [1, 1]),
        ("[] * 10 ** 40", []),
        ("10 ** 40 * ''", ""),
        ("'a' * -(10 ** 40)", ""),
        ("[1] + [2, 3]", [1, 2, 3]),
        ("1 ~ 'a' ~ none ~ true", "1atrue"),
        ("1 < 2 < 3", True),
        ("1 < 2 > 3", False),
        ("2 <= 2 and 3 >= 3 and 1 != 2", True),
        ("'a' < 'b'", True),
        ("1 == 1.0", True),
        ("none == none", True),
        ("trigger.contact.phone == none", True),
        ("'x' == none", False),
        ("[1, 'a'] == [1, 'a']", True),
        ("{'a': [1]} == {'a': [1.0]}", True),
        ("{'a': 1} == {'a': 1, 'b': 2}", False),
        ("[1] == {'a': 1}", False),
        ("'vip' in trigger.tags", True),
        ("'old' not in trigger.tags", True),
        ("5 in ['5', 5]", True),
        ("5 in ['5']", False),
        ("true in [1]", False),
        ("'da' in trigger.contact.first_name", True),
        ("'email' in trigger.contact", True),
        ("not true", False),
        ("'' or 'fallback'", "fallback"),
        ("'a' and 'b'", "b"),
        ("0 and missing.name", 0),
        ("1 or missing.name", 1),
        ("'yes' if trigger.total > 1 else 'no'", "yes"),
        ("'yes' if false", None),
        ("[1, 'a', none, {'k': [true]}]", [1, "a", None, {"k": [True]}]),
        ("(1, 2)", [1, 2]),
        ("{'a': 1, 'b': {'c': 2}}.b.c", 2),
        ("trigger.tags[0]", "vip"),
        ("trigger.tags[-1]", "new"),
        ("trigger.tags.0", "vip"),
        ("trigger['contact']['first name']", "x"),
        ("trigger.contact.items", [1, 2]),
        ("trigger[('con' ~ 'tact')].email", "ada@example.com"),
        ("'abcdef'[1:4]", "bcd"),
        ("[1, 2, 3, 4][::2]", [1, 3]),
        ("[1, 2, 3][::-1]", [3, 2, 1]),
        ("[1, 2, 3][-2:]", [2, 3]),
        ("range(3)", [0, 1, 2]),
        ("range(5, 1, -2)", [5, 3]),
        ("0xff + 1_000", 1255),
    ],
)
def test_operators_and_lookups(expression: str, value: Json) -> None:
    result = evaluate(f"{{{{ {expression} }}}}", CONTEXT)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 < '2'", "a number cannot be compared with a string"),
        ("1 == '1'", "a number cannot be compared with a string"),
        ("'true' != true", "a string cannot be compared with a boolean"),
        ("true > false", "a boolean cannot be compared with a boolean"),
        ("true == 1", "a boolean cannot be compared with a number"),
        ("none < 1", "null cannot be compared with a number"),
        ("[1] < [2]", "a list cannot be compared with a list"),
        ("1 + '2'", "+ does not work between a number and a string"),
        ("true + 1", "+ does not work between a boolean and a number"),
        ("'%5d' % 1", "% does not work between a string and a number"),
        ("-'a'", "- needs a number, not a string"),
        ("1 / 0", "/ divides by zero"),
        ("1 % 0", "% divides by zero"),
        ("0 ** -1", "** divides by zero"),
        ("(-8) ** 0.5", "the result is no real number"),
        ("1e308 * 10", "the result is too large for a number"),
        ("5 in 'abc'", "a number cannot be part of a string"),
        ("1 in {'a': 1}", "a number cannot be a key of an object"),
        ("1 in 5", "a number contains nothing"),
        ("{1: 2}", "a number cannot be a key of an object"),
        ("trigger.total[1:]", "a number has no slices"),
        ("'abc'[::0]", "bounds of a slice"),
        ("'abc'['a':]", "bounds of a slice"),
        ("range('3')", "range takes one to three integers"),
        ("range(1, 2, 0)", "the step of range is not 0"),
        ("range(stop=3)", "range takes no named arguments"),
        ("lipsum()", "unknown function 'lipsum'"),
        ("upper('a')", "unknown function 'upper'"),
        ("trigger.tags.append(1)", "only functions can be called"),
        ("range(1)(2)", "only functions can be called"),
        ("range(*[1])", "* and ** in arguments"),
        ("'a' | nofilter", "unknown filter 'nofilter'"),
        ("'a' is notest", "unknown test 'notest'"),
        ("'a' | replace('b')", "replace is used wrongly"),
        ("'a' | upper(1, 2)", "upper is used wrongly"),
        ("range", "'range' is a function"),
        ("null", "unknown name 'null'"),
    ],
)
def test_what_makes_no_sense_is_an_error_that_says_why(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(f"{{{{ {expression} }}}}", CONTEXT)
    assert message in caught.value.message
    assert caught.value.expression == f"{{{{ {expression} }}}}"


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        ("triger.total", "unknown name 'triger'", "did you mean 'trigger'?"),
        ("zzz", "unknown name 'zzz'", "there are: trigger, steps, vars, now"),
        ("trigger.contact.emial", "trigger.contact has no 'emial'", "did you mean 'email'?"),
        ("steps.ftech.output", "no step 'ftech' has run", "did you mean 'fetch'?"),
        ("vars.curency", "there is no variable 'curency'", "did you mean 'currency'?"),
        ("trigger.contact.phone.number", "trigger.contact.phone is null and has no 'number'", "default"),
        ("trigger.tags[7]", "trigger.tags has no element 7", "it has 2"),
        ("trigger.total.digits", "trigger.total is a number and has no 'digits'", ""),
        ("trigger.tags.length", "trigger.tags is a list and has no 'length'", "use a filter: `| length`"),
        ("[] | first", "first of an empty list", "default"),
    ],
)
def test_a_missing_name_says_which_where_and_what_there_is(expression: str, message: str, hint: str) -> None:
    with pytest.raises(MissingError) as caught:
        evaluate(f"{{{{ {expression} }}}}", CONTEXT)
    assert caught.value.message == message
    assert hint in caught.value.hint


def test_an_error_says_where_in_the_value_it_happened() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate({"headers": [{"id": "{{ nothing.here }}"}]}, CONTEXT)
    assert caught.value.path == ("headers", 0, "id")
    assert "{{ nothing.here }}" in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("trigger.nope | default('x')", "x"),
        ("trigger.a.b.c | default('x')", "x"),
        ("trigger.tags[9] | default('x')", "x"),
        ("nothing | default('x')", "x"),
        ("steps.nope.output.y | default(none)", None),
        ("trigger.contact.phone | default('none given')", "none given"),
        ("trigger.contact.first_name | default('friend')", "Ada"),
        ("'' | default('x')", ""),
        ("'' | default('x', true)", "x"),
        ("trigger.a.b | d('x') | upper", "X"),
        ("trigger.nope is defined", False),
        ("trigger.nope is undefined", True),
        ("trigger.total is defined", True),
        ("trigger.contact.phone is defined", True),
        ("trigger.a.b.c is not defined", True),
        ("[] | first | default('none')", "none"),
        ("trigger.nope if trigger.nope is defined else 'absent'", "absent"),
    ],
)
def test_default_and_is_defined_work_through_missing_members(expression: str, value: Json) -> None:
    assert evaluate(f"{{{{ {expression} }}}}", CONTEXT) == value


def test_default_does_not_hide_other_mistakes() -> None:
    with pytest.raises(ExpressionError, match="cannot be compared"):
        evaluate("{{ (1 < 'a') | default(true) }}", CONTEXT)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% if trigger.total > 50 %}a{% elif trigger.total > 40 %}b{% else %}c{% endif %}", "b"),
        (
            "{% for tag in trigger.tags %}{{ loop.index }}{{ tag }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1vip,2new",
        ),
        ("{% for i in [1, 2, 3, 4] if i is even %}{{ i }}{{ loop.length }}{% endfor %}", "2242"),
        ("{% for i in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for k, v in {'a': 1} | items %}{{ k }}={{ v }}{% endfor %}", "a=1"),
        ("{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}", "ab"),
        ("{% set x = 2 %}{{ x * x }}", "4"),
        ("{% set a, b = [1, 2] %}{{ b }}{{ a }}", "21"),
        ("{% set x = 1 %}{% for i in [1] %}{% set x = 5 %}{{ x }}{% endfor %}{{ x }}", "51"),
        ("{%- if true -%}  a  {%- endif -%}", "a"),
    ],
)
def test_blocks_render(template: str, text: str) -> None:
    assert evaluate(template, CONTEXT) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for i in 5 %}{% endfor %}", "a for loop needs a list"),
        ("{% set a, b = [1] %}", "cannot be spread over 2 names"),
        ("{% include 'x' %}", "{% include %} is not part of the language"),
        ("{% extends 'x' %}", "{% extends %} is not part of the language"),
        ("{% import 'x' as x %}", "{% import %} is not part of the language"),
        ("{% from 'x' import y %}", "{% from %} is not part of the language"),
        ("{% macro m() %}{% endmacro %}", "{% macro %} is not part of the language"),
        ("{% block b %}{% endblock %}", "{% block %} is not part of the language"),
        ("{% filter upper %}a{% endfilter %}", "{% filter %} is not part of the language"),
        ("{% set x %}a{% endset %}", "{% set %} without a value is not part of the language"),
        ("{% call f() %}{% endcall %}", "{% call %} is not part of the language"),
        ("{% with a = 1 %}{% endwith %}", "{% with %} is not part of the language"),
        ("{% autoescape true %}{% endautoescape %}", "{% autoescape %} is not part of the language"),
        ("{% set ns.x = 1 %}", "a namespace is not part of the language"),
        ("{% for i in x recursive %}{% endfor %}", "recursive loops are not part of the language"),
        ("{% do x %}", "cannot be read"),
        ("{{ 1 +", "cannot be read"),
        ("{{ 'a }}", "cannot be read"),
        ("{{ }}", "cannot be read"),
        ("{% if 1 %}", "cannot be read"),
        ("line\n{{ ) }}", "cannot be read on line 2"),
    ],
)
def test_what_cannot_be_read_is_refused(template: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(template, CONTEXT)
    assert message in caught.value.message


def test_what_holds_braces_is_a_template() -> None:
    assert is_template("a {{ b }}")
    assert is_template("{% if a %}{% endif %}")
    assert not is_template("{ a: 1 }")


def test_the_context_is_never_changed() -> None:
    context = {"trigger": {"list": [3, 1, 2], "map": {"a": 1}}}
    evaluate("{{ trigger.list | sort }}{{ trigger.list | reverse }}{{ trigger.map | merge({'b': 2}) }}", context)
    evaluate("{% set trigger = 5 %}{{ trigger }}", context)
    assert context == {"trigger": {"list": [3, 1, 2], "map": {"a": 1}}}
