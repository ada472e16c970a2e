"""Events of wizards: what happens while somebody goes through one. Their data is what the wizard knows by then."""

from app.catalog.events.base import Entity, identity, mapping

_RESPONSES = {"responses": mapping("What was answered so far, by field.")}
_TARGET = {**_RESPONSES, "target_id": identity("The step, option set or option it happened to.")}
_ANSWERED = {"responses": {"name": "Ada"}}
_WIZARD = Entity("wizard", _RESPONSES, _ANSWERED)
_STEP = Entity("wizard.step", _TARGET, {**_ANSWERED, "target_id": "step-2"})
_OPTION_SET = Entity("wizard.option_set", _TARGET, {**_ANSWERED, "target_id": "colours"})
_OPTION = Entity("wizard.option", _TARGET, {**_ANSWERED, "target_id": "red"})

EVENTS = (
    _WIZARD.event("on_start", "Wizard begun", "Somebody began a wizard."),
    _WIZARD.event("on_complete", "Wizard completed", "Somebody reached the end of a wizard."),
    _STEP.event("on_entry", "Step entered", "Somebody came to a step."),
    _STEP.event("on_exit", "Step left", "Somebody left a step."),
    _STEP.event("on_validate", "Step to be checked", "What was entered in a step is to be checked."),
    _OPTION_SET.event("on_load", "Options loaded", "A set of options is about to be shown."),
    _OPTION_SET.event("on_change", "Choice changed", "Something was chosen, or no longer, in a set of options."),
    _OPTION_SET.event("on_apply", "Choice applied", "What was chosen in a set of options was applied."),
    _OPTION.event("on_click", "Option clicked", "Somebody clicked on an option."),
    _OPTION.event("on_select", "Option chosen", "An option was chosen."),
    _OPTION.event("on_deselect", "Option no longer chosen", "A choice was taken back."),
    _OPTION.event("on_change", "Option changed", "The value of an option was changed."),
)
