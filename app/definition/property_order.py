"""The order a schema's properties are written in, noted while there is one: in the database an object has none."""

from app.json import Json


def noted(value: Json, schema: str) -> Json:
    """A document with `order` naming all properties of the schema under this key: those it named already come first.

    What is no such document is left as it is, for those who say what is wrong with it.
    """
    given = value.get(schema) if isinstance(value, dict) else None
    properties = given.get("properties") if isinstance(given, dict) else None
    order = value.get("order", []) if isinstance(value, dict) else None
    if not isinstance(properties, dict) or not isinstance(order, list):
        return value
    named = {name for name in order if isinstance(name, str)}
    return {**value, "order": [*order, *(name for name in properties if name not in named)]}
