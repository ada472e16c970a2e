"""`email.send`: from inputs and connection to one SMTP transaction, and what the server's replies mean for the step.

How a message looks is `email_message.py`'s. The egress rule holds for mail servers as for everything else: the
connection is made to the address that was checked, and TLS still verifies the name.
"""

import asyncio
import base64
import ssl
from collections.abc import Sequence
from urllib.parse import unquote

import aiosmtplib
from multidict import CIMultiDict
from pydantic import ValidationError
from yarl import URL

from activities.base import ActionError, Invocation, action
from activities.email_message import Envelope, File, build_message, envelope_of, sender_of
from activities.exchange import call_provider
from activities.masking import mask_named, mask_url
from activities.smtp_client import smtp_client
from activities.smtp_errors import action_error, reply_error
from app.catalog.connections import SmtpConfig, SmtpCredentials
from app.catalog.email import Attachment, EmailSendInputs, EmailSendOutputs, Rejected
from app.catalog.errors import ErrorType
from app.json import Json, JsonObject


def mask_email(inputs: JsonObject) -> JsonObject:
    """Inputs as they are kept: attachments by name and size, not by content."""
    masked = dict(inputs)
    if isinstance(files := masked.get("attachments"), list):
        masked["attachments"] = [_without_content(file) for file in files]
    if "headers" in masked:
        masked["headers"] = mask_named(masked["headers"])
    return masked


def _without_content(file: Json) -> Json:
    if not isinstance(file, dict):
        return file
    masked = {name: mask_url(value) if name == "url" else value for name, value in file.items()}
    if isinstance(content := file.get("content"), str):
        masked["content"] = f"({len(content) * 3 // 4:,} bytes)"
    return masked


@action("email.send", mask=mask_email)
async def email_send(call: Invocation[EmailSendInputs]) -> EmailSendOutputs:
    """Send the message; raises `ActionError` when the server took no recipient."""
    config, credentials = _connection(call)
    try:
        sender = sender_of(call.inputs, config.from_)
        envelope = envelope_of(call.inputs, sender)
    except ValueError as error:
        raise ActionError(ErrorType.INVALID_INPUT, str(error)) from error
    files = [await _file(call, index, attachment) for index, attachment in enumerate(call.inputs.attachments)]
    try:
        message = build_message(
            call.inputs,
            sender=sender,
            key=call.key,
            date=call.started_at,
            files=files,
            international=envelope.international,
        )
        written = message.as_bytes()
    except ValueError as error:
        raise ActionError(ErrorType.INVALID_INPUT, f"the message cannot be written: {error}") from error
    if len(written) > call.settings.max_call_bytes:
        raise ActionError(
            ErrorType.INVALID_INPUT,
            f"the message is {len(written):,} bytes; at most {call.settings.max_call_bytes:,} are sent in one call",
        )
    rejected = await _deliver(call, config, credentials, envelope, written)
    refused = {each.address for each in rejected}
    return EmailSendOutputs(
        message_id=str(message["Message-ID"]),
        accepted=[address for address in envelope.recipients if address not in refused],
        rejected=rejected,
        success=not rejected,
    )


def _connection(call: Invocation[EmailSendInputs]) -> tuple[SmtpConfig, SmtpCredentials]:
    connection = call.connection
    if connection is None:
        raise ActionError(ErrorType.CONNECTION_MISSING, "email.send needs a connection of kind smtp")
    try:
        return SmtpConfig.model_validate(connection.config), SmtpCredentials.model_validate(connection.credentials)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        raise ActionError(
            ErrorType.CONNECTION_INVALID, f"the connection {connection.name!r} is not usable: {problem['msg']}"
        ) from error


async def _file(call: Invocation[EmailSendInputs], index: int, attachment: Attachment) -> File:
    """The attachment with its content, fetched when it is a URL."""
    if attachment.url is None:
        content = base64.b64decode("".join((attachment.content or "").split()))
        return File(attachment.filename or f"attachment-{index + 1}", attachment.content_type, content)
    try:
        answer = await call_provider(
            call, "GET", attachment.url, headers=CIMultiDict({"Accept": "*/*"}), key_suffix=f"/attachments[{index}]"
        )
    except ActionError as error:
        raise ActionError(
            error.type,
            f"attachments[{index}]: {error.message}",
            provider_code=error.provider_code,
            retry_after=error.retry_after,
        ) from error
    name = attachment.filename or _name_in(answer.url) or f"attachment-{index + 1}"
    return File(name, attachment.content_type or answer.headers.get("content-type"), answer.body)


def _name_in(url: str) -> str:
    name = unquote(URL(url).raw_name)
    return "".join(character for character in name if character.isprintable() and character not in '/\\"')[:255]


async def _deliver(
    call: Invocation[EmailSendInputs],
    config: SmtpConfig,
    credentials: SmtpCredentials,
    envelope: Envelope,
    message: bytes,
) -> list[Rejected]:
    """One SMTP transaction; returns the recipients that were refused. Raises `ActionError` when all were."""
    server = f"{config.host}:{config.resolved_port}"
    try:
        # Each command has a time; a server that uses all of it each time must not take for ever.
        async with asyncio.timeout(call.settings.max_call_seconds):
            client = await smtp_client(call.http, config, credentials)
            async with client:
                options = ["SMTPUTF8"] if envelope.international else []
                refused, _ = await client.sendmail(envelope.sender, envelope.recipients, message, mail_options=options)
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise reply_error(server, _rejections(error.recipients)) from error
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError, ValueError) as error:
        raise action_error(server, error) from error
    return [Rejected(address=address, code=reply.code, reason=reply.message) for address, reply in refused.items()]


def _rejections(refused: Sequence[aiosmtplib.SMTPRecipientRefused]) -> list[Rejected]:
    return [Rejected(address=each.recipient, code=each.code, reason=each.message) for each in refused]
