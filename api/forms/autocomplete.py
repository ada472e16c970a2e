"""What a browser may fill in: the HTML `autocomplete` token (WCAG 2.2, 1.3.5) that a property's name stands for."""

import re
from collections.abc import Mapping

from app.json import JsonObject

_TOKENS: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "fullname", "yourname"),
    "given-name": ("firstname", "givenname", "forename"),
    "family-name": ("lastname", "familyname", "surname"),
    "email": ("email", "emailaddress", "mail"),
    "tel": ("phone", "phonenumber", "telephone", "tel", "mobile", "mobilenumber"),
    "organization": ("company", "companyname", "organization", "organisation"),
    "organization-title": ("jobtitle",),
    "street-address": ("address", "streetaddress"),
    "address-line1": ("street", "addressline1", "address1"),
    "address-line2": ("addressline2", "address2"),
    "address-level2": ("city", "town"),
    "address-level1": ("state", "province", "region"),
    "postal-code": ("postcode", "postalcode", "zip", "zipcode"),
    "country-name": ("country", "countryname"),
    "bday": ("birthday", "birthdate", "dateofbirth"),
    "url": ("website", "homepage"),
}
_BY_NAME = {name: token for token, names in _TOKENS.items() for name in names}
_BY_FORMAT = {"email": "email", "tel": "tel"}


def autocomplete(name: str, schema: JsonObject) -> str:
    """The token, or an empty text for a property a browser knows nothing about."""
    known = _BY_NAME.get(re.sub(r"[^a-z0-9]", "", name.lower()))
    if known == "country-name" and "enum" in schema:
        return "country"
    return known or _BY_FORMAT.get(str(schema.get("format", "")), "")
