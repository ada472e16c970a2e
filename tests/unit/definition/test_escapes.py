"""Ways out of other template engines lead nowhere: every known one is an error."""

import pytest

from app.definition.expressions import ExpressionError, evaluate
from app.json import Json

CONTEXT: dict[str, Json] = {
    "trigger": {"text": "ab", "numbers": [1, 2], "object": {"a": 1}, "word": "__class__"},
    "vars": {},
    "steps": {},
    "now": "2030-01-31T09:00:00Z",
}

ATTRIBUTES = """
__class__ __base__ __bases__ __mro__ __subclasses__ __init__ __globals__ __builtins__ __dict__ __doc__
__module__ __getattribute__ __reduce__ __reduce_ex__ __code__ __closure__ __defaults__ __self__ __func__
__call__ __import__ __loader__ __spec__ __iter__ __next__ __len__ __add__ __format__ __str__ __hash__
__setattr__ __slots__ __weakref__ func_globals gi_frame gi_code cr_frame f_globals f_back tb_frame mro format
format_map encode append extend pop update clear setdefault popitem copy get real imag bit_length denominator
is_integer context environment budget
"""
HOLDERS = ["trigger", "trigger.text", "trigger.numbers", "trigger.object", "vars", "now", "''", "(1)", "(1.5)", "true"]
HOLDERS += ["none", "[]", "{}", "range", "range(3)", "('a' | upper)", "(1, 2)"]


@pytest.mark.parametrize("attribute", ATTRIBUTES.split())
def test_an_attribute_of_python_is_no_member_of_any_value(attribute: str) -> None:
    for holder in HOLDERS:
        forms = [f"{holder}.{attribute}", f"{holder}['{attribute}']", f"{holder} | attr('{attribute}')"]
        forms += [f"[{holder}] | map(attribute='{attribute}')", f"[{holder}] | sum(attribute='{attribute}')"]
        forms += [f"[{holder}] | sort(attribute='{attribute}')", f"{holder}.{attribute}()", f"{holder}()"]
        for form in forms:
            with pytest.raises(ExpressionError) as caught:
                evaluate(f"{{{{ {form} }}}}", CONTEXT)
            assert " object at 0x" not in str(caught.value)
            assert "<class" not in str(caught.value)


NAMES = """
self _ __builtins__ __import__ builtins cycler joiner namespace lipsum dict config request session g app url_for
get_flashed_messages caller varargs kwargs super context environment eval exec open compile getattr globals
locals vars.__class__ type object print input help os sys subprocess True.__class__ Undefined Markup FILTERS
run_id budget loop
"""


@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_of_python_or_of_a_web_framework_is_unknown(name: str) -> None:
    for form in (name, f"{name}('id')", f"{name}.__init__.__globals__", f"{name}['os']", f"[{name}] | first"):
        with pytest.raises(ExpressionError):
            evaluate(f"{{{{ {form} }}}}", CONTEXT)


PAYLOADS = [
    "{{ ''.__class__.__mro__[1].__subclasses__()[40]('/etc/passwd').read() }}",
    "{{ ''.__class__.__base__.__subclasses__() }}",
    "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ [].__class__.__base__.__subclasses__() }}",
    "{{ {}.__class__.__mro__[-1].__subclasses__() }}",
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__.os.popen('id').read() }}",
    "{{ namespace.__init__.__globals__.os.popen('id').read() }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ lipsum.__globals__.__builtins__.open('/etc/passwd').read() }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ range.__class__.__base__ }}",
    "{{ request.application.__globals__.__builtins__.__import__('os').popen('id').read() }}",
    "{{ request['application']['__globals__']['__builtins__'] }}",
    "{{ request | attr('application') | attr('\\x5f\\x5fglobals\\x5f\\x5f') }}",
    "{{ request | attr(['_' * 2, 'class', '_' * 2] | join) }}",
    "{{ config.__class__.__init__.__globals__['os'].popen('ls').read() }}",
    "{{ config.items() }}",
    "{{ config.from_object('os') }}",
    "{{ url_for.__globals__['current_app'].config }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ g.pop.__globals__.__builtins__ }}",
    "{{ '' | attr('__class__') }}",
    "{{ '' | attr('\\u005f\\u005fclass\\u005f\\u005f') }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ ''['\\u005f\\u005fclass\\u005f\\u005f'] }}",
    "{{ ''['\\137\\137class\\137\\137'] }}",
    "{{ ''['\\N{LOW LINE}_class__'] }}",
    "{{ ''['_' ~ '_class_' ~ '_'] }}",
    "{{ ''[('_' * 2) ~ 'class' ~ ('_' * 2)] }}",
    "{{ ''['__ssalc__' | reverse] }}",
    "{{ ''['__CLASS__' | lower] }}",
    "{{ ''['X19jbGFzc19f' | base64_decode] }}",
    "{{ ''[trigger.word] }}",
    "{{ trigger[trigger.word] }}",
    "{{ ''.＿＿class＿＿ }}",
    "{{ ''.__ｃlass__ }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__.__mro__}' | format(1) }}",
    "{{ '%s' | format(trigger) }}",
    "{{ '%s' % trigger }}",
    "{{ '%(a)s' % trigger.object }}",
    "{{ '{a.__class__}'.format_map(trigger.object) }}",
    "{{ [1] | map(attribute='__class__') | list }}",
    "{{ [1] | map(attribute='real.__class__') | list }}",
    "{{ [''] | map('attr', '__class__') | list }}",
    "{{ [''] | map('format') | list }}",
    "{{ [''] | map('__class__') }}",
    "{{ [''] | map('xmlattr') }}",
    "{{ [trigger] | groupby('__class__') }}",
    "{{ [trigger] | sort(attribute='__class__') }}",
    "{{ [trigger] | min(attribute='__class__') }}",
    "{{ [''] | select('__class__') | list }}",
    "{{ [''] | select('callable') | list }}",
    "{{ '' is callable }}",
    "{{ '' is sameas '' }}",
    "{{ '' is filter }}",
    "{{ trigger | pprint }}",
    "{{ trigger | tojson | safe }}",
    "{{ '<b>' | safe }}",
    "{{ trigger | xmlattr }}",
    "{{ trigger.text | urlize }}",
    "{{ trigger.text | forceescape }}",
    "{{ 'a' | filesizeformat }}",
    "{{ trigger | dictsort }}",
    "{{ range(1).__iter__().__next__() }}",
    "{{ range.__init__ }}",
    "{{ range }}",
    "{{ range(*[1]) }}",
    "{{ range(**{'a': 1}) }}",
    "{{ 'a' | upper(*[1]) }}",
    "{{ 'a' | replace(**{'old': 'a', 'new': 'b'}) }}",
    "{{ [x for x in [1]] }}",
    "{{ (lambda: 1)() }}",
    "{{ x := 1 }}",
    "{{ f'{trigger}' }}",
    "{{ `id` }}",
    "{{ import os }}",
    "{{ __import__('os').system('id') }}",
    "{{ trigger.text.upper() }}",
    "{{ trigger.numbers.append(3) }}",
    "{{ trigger.object.update({'b': 2}) }}",
    "{{ (trigger | attr('get'))('text') }}",
    "{{ super() }}",
    "{{ super.__class__ }}",
    "{{ caller() }}",
    "{{ loop.__class__ }}",
    "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop.cycle('a') }}{% endfor %}",
    "{% for x in [1] %}{{ loop.changed(1) }}{% endfor %}",
    "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% for x in [[1]] recursive %}{{ loop(x) }}{% endfor %}",
    "{% for c in ''.__class__.__mro__ %}{{ c }}{% endfor %}",
    "{% for k in trigger.items() %}{{ k }}{% endfor %}",
    "{% if ''.__class__ %}x{% endif %}",
    "{% set x = cycler %}{{ x.__init__ }}",
    "{% set trigger.x = 1 %}",
    "{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}",
    "{% set x %}text{% endset %}",
    "{% set x | upper %}text{% endset %}",
    "{% do trigger.numbers.append(1) %}",
    "{% macro m() %}x{% endmacro %}{{ m() }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m() %}x{% endmacro %}{{ m.__globals__ }}",
    "{% call range(1) %}x{% endcall %}",
    "{% filter upper %}x{% endfilter %}",
    "{% with a = 1 %}{{ a }}{% endwith %}",
    "{% block b %}x{% endblock %}{{ self.b() }}",
    "{% extends 'base.html' %}",
    "{% include '/etc/passwd' %}",
    "{% include trigger.text ignore missing %}",
    "{% import 'os' as os %}{{ os }}",
    "{% from 'os' import popen %}{{ popen }}",
    "{% autoescape false %}x{% endautoescape %}",
    "{% autoescape true %}{{ '' }}{% endautoescape %}",
    "{% trans %}x{% endtrans %}",
    "{% debug %}",
    "{% print(1) %}{% raise x %}",
    "{% break %}",
    "{% for x in [1] %}{% continue %}{% endfor %}",
    "{% while true %}{% endwhile %}",
    "{% python %}import os{% endpython %}",
    "{% exec 'id' %}",
    "{% load static %}",
    "{% csrf_token %}",
    "{{ 7 * '7' }}{{ 7 * x }}",
    "${7*7}{{ x }}",
    "#{7*7}{{ x }}",
    "{{{ 7 }}}",
    "{{ {{ 7 }} }}",
    "{{= 7 }}",
    "{{! 7 }}",
    "{{# 7 }}",
    "{{/ 7 }}",
    "{{> 7 }}",
    "{{constructor.constructor('return process')()}}",
    "{{ this.constructor }}",
    "{{ $on.constructor('alert(1)')() }}",
    "{{ system('id') }}",
    "{{ ['id'] | filter('system') }}",
    "{{ _self.env.registerUndefinedFilterCallback('exec') }}",
    "{{ [0] | reduce('system', 'id') }}",
    "{{ 'id' | passthru }}",
    "{{ 'a'.getClass().forName('java.lang.Runtime') }}",
    "{{ T(java.lang.Runtime).getRuntime() }}",
    "{{ now.strftime('%s') }}",
    "{{ now.__class__ }}",
    "{{ trigger.text | date_format('YYYY') }}",
    "{{ 1 if ''.__class__ else 2 }}",
    "{{ [''.__class__] }}",
    "{{ {'a': ''.__class__} }}",
    "{{ {''.__class__: 1} }}",
    "{{ '' ~ ''.__class__ }}",
    "{{ not ''.__class__ }}",
    "{{ ''.__class__ in [1] }}",
    "{{ trigger.numbers[''.__class__] }}",
    "{{ trigger.numbers[''.__class__:] }}",
    "{{ trigger.text | default('') | attr('__class__') }}",
    "{{ (trigger.text | default(range)) ~ range }}",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_known_way_out_is_an_error(payload: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(payload, CONTEXT)
    told = str(caught.value)
    assert caught.value.message
    assert len(told) < 1_000
    assert " object at 0x" not in told
    assert "root:" not in told


def test_what_guards_against_missing_values_opens_no_door() -> None:
    for form in ("''.__class__", "lipsum.__globals__", "self", "trigger.__class__.__mro__"):
        assert evaluate(f"{{{{ {form} | default('closed') }}}}", CONTEXT) == "closed"
        assert evaluate(f"{{{{ {form} is defined }}}}", CONTEXT) is False


def test_choosing_by_an_attribute_of_python_chooses_nothing() -> None:
    for form in ("selectattr('__class__')", "selectattr('__class__', 'defined')", "selectattr('__class__.__mro__')"):
        assert evaluate(f"{{{{ [trigger] | {form} }}}}", CONTEXT) == []


def test_a_context_is_left_as_it_was() -> None:
    context: dict[str, Json] = {"trigger": {"numbers": [3, 1], "object": {"a": [1]}}}
    for form in (
        "numbers | sort",
        "numbers + [4]",
        "object | merge({'b': 2})",
        "numbers | batch(1, 0)",
        "object.a * 2",
    ):
        evaluate(f"{{{{ trigger.{form} }}}}", context)
    evaluate("{% set trigger = 5 %}{% for trigger in [1] %}{% endfor %}{{ trigger }}", context)
    assert context == {"trigger": {"numbers": [3, 1], "object": {"a": [1]}}}
