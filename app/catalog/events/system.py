"""Events of the platform itself: webhooks, schedules, modules, users."""

from app.catalog.events.base import Entity, anything, identity, mapping, text

_WEBHOOK = Entity("system.webhook")
_SCHEDULE = Entity(
    "system.schedule",
    {
        "workflow_id": identity("The workflow it starts."),
        "cron_expression": text("The schedule."),
        "timezone": text("The time zone it is read in."),
    },
    {
        "workflow_id": "01890000-0000-7000-8000-000000000000",
        "cron_expression": "0 9 * * 1",
        "timezone": "Europe/Vienna",
    },
)
_MODULE = Entity("system.module")
_USER = Entity("system.user", {"user_id": identity("Id of the user.")}, {"user_id": "u-2"})

EVENTS = (
    _WEBHOOK.event(
        "received",
        "Webhook received",
        "A delivery came to the address of a workflow's webhook.",
        {
            "body": anything("What was sent, read by its content type."),
            "headers": mapping("The headers, by name."),
            "query": mapping("The query parameters, by name."),
            "method": text("The HTTP method."),
        },
        {"body": {"order": 7}, "headers": {"content-type": "application/json"}, "query": {}, "method": "POST"},
    ),
    _WEBHOOK.event("failed", "Webhook failed", "A webhook could not be delivered or taken."),
    _SCHEDULE.event("triggered", "Schedule triggered", "The moment of a schedule has come."),
    _MODULE.event("installed", "Module installed", "A module was added to the platform."),
    _MODULE.event("uninstalled", "Module uninstalled", "A module was removed from the platform."),
    _MODULE.event("settings_changed", "Module settings changed", "The settings of a module were changed."),
    _USER.event("created", "User created", "A user was added."),
    _USER.event("logged_in", "User logged in", "A user logged in."),
    _USER.event("role_changed", "Role changed", "A user was given another role."),
)
