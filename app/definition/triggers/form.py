"""The form trigger: what somebody filled in starts the run."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.definition.base import Document
from app.definition.property_order import noted
from app.json import Json, JsonObject

Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#1b5e20"])]
HttpsUrl = Annotated[str, Field(pattern=r"^https://[A-Za-z0-9.-]+(:[0-9]{1,5})?([/?#][^\s\"<>]*)?$", max_length=2000)]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$", examples=["https://www.example.com"])]


class Theme(Document):
    """How the form's page looks. What is left out is as on every page, light or dark as people set their browser."""

    color: Colour | None = Field(None, description="Colour of the button, as `#1b5e20`.")
    background: Colour | None = Field(None, description="Colour behind everything; the text is dark or light to suit.")
    font: Literal["sans", "serif", "mono"] = Field("sans", description="Kind of letters.")
    logo_url: HttpsUrl | None = Field(None, description="An image above the title.")


class FormTrigger(Document):
    """Started by each submission of a form, which has a page without a login, and an address for programs."""

    type: Literal["form"]
    fields: JsonObject = Field(description="JSON Schema (2020-12) of what is filled in: an object with `properties`.")
    order: list[str] = Field(
        default_factory=list,
        description="Names of the properties in the order the page has them, which JSON does not keep. Absent = as "
        "they stand in what was sent; those it does not name come last.",
    )
    form_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
        description="What the form is called in its events, and what its address hangs on; absent = the workflow's "
        "slug. A workflow with several forms gives each one.",
    )
    title: str | None = Field(None, min_length=1, max_length=200, description="Absent = the name of the workflow.")
    description: str = Field("", max_length=4000, description="What stands above the fields.")
    submit_label: str = Field("Send", min_length=1, max_length=60, description="What the button says.")
    thank_you: str | None = Field(None, min_length=1, max_length=4000, description="What people read when it is sent.")
    redirect_to: HttpsUrl | None = Field(None, description="Where people go when it is sent, instead of `thank_you`.")
    respond: Literal["at_once", "by_step"] = Field(
        "at_once",
        description="Whose words people read when it is sent: `thank_you`, or what a `respond` step says if it comes "
        "within ten seconds.",
    )
    language: str = Field(
        "en",
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$",
        description="Language of the form's texts (BCP 47), for those who have the page read to them.",
    )
    theme: Theme = Field(default_factory=Theme, description="How the page looks.")
    max_per_minute: int | None = Field(
        20, ge=1, le=1000, description="Most submissions a minute from one address; null = no limit."
    )
    allowed_origins: list[Origin] = Field(
        default_factory=list,
        max_length=20,
        description="Websites whose pages may send to the form by script, and show it in a frame.",
    )

    @model_validator(mode="before")
    @classmethod
    def _in_order(cls, value: Json) -> Json:
        return noted(value, "fields")
