"""An approval's form as fields of a page; how forms are drawn and read is told in `api.forms.fields`."""

from api.forms.fields import FormField, fields_of, filled, read, with_problems

__all__ = ["FormField", "fields_of", "filled", "read", "with_problems"]
