"""Names of other systems in ours: step ids, keys in camel case, and what actions are called. Only names live here."""

import re
from collections.abc import Iterable

_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}|[0-9a-f]{24}", re.IGNORECASE)
_LONGEST = 56

ACTION_NAMES: dict[str, str] = {
    "send_email": "email.send",
    "send_sms": "sms.send",
    "notification.send_sms": "sms.send",
    "send_voicemail": "voice.voicemail",
    "make_call": "voice.call",
    "initiate_call": "voice.call",
    "send_whatsapp": "whatsapp.send",
    "send_messenger": "messenger.send",
    "notification.send_slack": "slack.send",
    "notification.send_discord": "discord.send",
    "notification.push": "push.send",
    "send_notification": "notification.send",
    "api_call": "http.request",
    "webhook_call": "webhook.send",
    "mcp_call": "mcp.call_tool",
    "emit_event": "event.emit",
    "send_event": "event.emit",
    "publish_event": "event.emit",
    "create_contact": "crm.create_contact",
    "update_contact": "crm.update_contact",
    "add_tag": "crm.add_tag",
    "remove_tag": "crm.remove_tag",
    "create_opportunity": "crm.create_deal",
    "move_pipeline_stage": "crm.move_deal_stage",
    "create_task": "crm.create_task",
    "add_note": "crm.add_note",
    "add_to_campaign": "crm.add_to_campaign",
    "remove_from_campaign": "crm.remove_from_campaign",
    "assign_to_user": "crm.assign_to_user",
    "update_crm": "crm.update",
    "grant_course_access": "membership.grant_course_access",
    "revoke_course_access": "membership.revoke_course_access",
    "conversational": "ai.converse",
    "decision": "ai.decide",
    "reasoning": "ai.reason",
    "text_gen": "ai.generate_text",
    "sentiment": "ai.sentiment",
    "intent": "ai.intent",
    "vulnerability": "ai.vulnerability",
    "reason": "ai.explain_reason",
    "custom": "ai.custom",
    "custom_code": "code.javascript",
    "custom_script": "code.javascript",
    "set_field_value": "wizard.set_field_value",
    "show_message": "wizard.show_message",
    "navigate": "wizard.navigate",
}
"""What actions are called elsewhere -> catalog id. Any other name is looked up in the catalog as it stands."""

INPUT_NAMES: dict[str, dict[str, str]] = {
    "event.emit": {"event_type": "type", "payload": "data"},
    "http.request": {"body": "json", "success_codes": "success_status"},
    "webhook.send": {"payload": "body", "data": "body"},
    "sms.send": {"message": "body"},
    "code.javascript": {"script": "code"},
    "whatsapp.send": {"messageTemplate": "message"},
    "voice.call": {"phoneNumber": "to"},
    "ai.generate_text": {"inputText": "text"},
    "ai.sentiment": {"inputText": "text"},
    "ai.intent": {"inputText": "text"},
    "ai.vulnerability": {"inputText": "text"},
    "ai.explain_reason": {"inputText": "text"},
    "ai.custom": {"inputText": "text"},
}
"""Inputs that are called otherwise elsewhere, by catalog id."""


def action_id(name: str) -> str:
    """The catalog id of an action, or the name as it stands."""
    return ACTION_NAMES.get(name, name)


def snake(name: str) -> str:
    """`systemPrompt` as `system_prompt`, anything else in small letters, digits and underscores."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


class Ids:
    """Ids for steps, each taken once. An id that fits stays as it is."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def take(self, *wishes: str) -> str:
        """The first wish that says anything, in the letters an id has; a number is added when it is taken."""
        base = next((made for wish in wishes if (made := _id_of(wish))), "step")
        chosen, number = base, 1
        while chosen in self._taken:
            number += 1
            chosen = f"{base[:_LONGEST]}_{number}"
        self._taken.add(chosen)
        return chosen


def _id_of(wish: str) -> str:
    if _ID.fullmatch(wish):
        return wish
    if _UUID.fullmatch(wish) or len(wish) > 1_000:
        return ""
    made = snake(wish)[:_LONGEST].strip("_")
    return made if not made or made[0].isalpha() else f"step_{made}"
