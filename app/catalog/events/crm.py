"""Events of the CRM: contacts, companies, deals, tasks, activities."""

from app.catalog.events.base import Entity, choice, identity, mapping, number, text, texts

_CONTACT = Entity(
    "crm.contact",
    {
        "contact_id": identity("Id of the contact."),
        "email": text("E-mail address."),
        "first_name": text("First name."),
        "last_name": text("Last name."),
        "phone": text("Phone number."),
        "company": text("Name of the company."),
        "tags": texts("The tags it has now."),
        "custom_fields": mapping("Values of the workspace's own fields, by name."),
    },
    {
        "contact_id": "c-17",
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone": "+442079460123",
        "company": "Analytical Engines",
        "tags": ["newsletter"],
        "custom_fields": {"plan": "trial"},
    },
)
_COMPANY = Entity("crm.company", {"company_id": identity("Id of the company.")}, {"company_id": "co-4"})
_DEAL = Entity(
    "crm.deal",
    {
        "deal_id": identity("Id of the deal."),
        "title": text("What it is about."),
        "value": number("What it is worth."),
        "stage": text("The stage of the pipeline it is in now."),
        "contact_id": text("The contact it is with."),
        "company_id": text("The company it is with."),
    },
    {
        "deal_id": "d-8",
        "title": "Warehouse software",
        "value": 4800,
        "stage": "proposal",
        "contact_id": "c-17",
        "company_id": "co-4",
    },
)
_TASK = Entity(
    "crm.task",
    {
        "task_id": identity("Id of the task."),
        "title": text("What is to be done."),
        "description": text("More about it."),
        "due_date": text("When it is due."),
        "assigned_to": text("Who is to do it."),
        "contact_id": text("The contact it is about."),
        "deal_id": text("The deal it is about."),
    },
    {
        "task_id": "t-3",
        "title": "Call back",
        "description": "Asked about delivery times.",
        "due_date": "2030-02-01",
        "assigned_to": "u-2",
        "contact_id": "c-17",
        "deal_id": "d-8",
    },
)
_ACTIVITY = Entity(
    "crm.activity",
    {
        "activity_id": identity("Id of the activity."),
        "contact_id": text("The contact it was with."),
        "type": choice("What kind of activity it was.", "call", "meeting", "note", "email"),
        "description": text("What was said or done."),
    },
    {"activity_id": "a-5", "contact_id": "c-17", "type": "call", "description": "Talked about the offer."},
)
_TAG = {"tag": identity("The tag.")}

EVENTS = (
    _CONTACT.event(
        "created",
        "Contact created",
        "A contact was added.",
        {
            "contactId": identity("Its id, as some senders spell it."),
            "firstName": text("Its first name, as some senders spell it."),
        },
    ),
    _CONTACT.event("updated", "Contact updated", "Something about a contact was changed."),
    _CONTACT.event("deleted", "Contact deleted", "A contact was removed."),
    _CONTACT.event("merged", "Contacts merged", "Two contacts turned out to be one, and were made one."),
    _CONTACT.event("tag_added", "Tag added", "A contact was given a tag.", _TAG, {"tag": "customer"}),
    _CONTACT.event("tag_removed", "Tag removed", "A tag was taken from a contact.", _TAG, {"tag": "trial"}),
    _CONTACT.event("note_added", "Note added", "A note was written about a contact."),
    _COMPANY.event("created", "Company created", "A company was added."),
    _COMPANY.event("updated", "Company updated", "Something about a company was changed."),
    _COMPANY.event("deleted", "Company deleted", "A company was removed."),
    _DEAL.event("created", "Deal created", "A deal was opened."),
    _DEAL.event("updated", "Deal updated", "Something about a deal was changed."),
    _DEAL.event("deleted", "Deal deleted", "A deal was removed."),
    _DEAL.event("stage_changed", "Deal moved", "A deal moved to another stage of its pipeline."),
    _DEAL.event("won", "Deal won", "A deal was closed with success."),
    _DEAL.event("lost", "Deal lost", "A deal was closed without success."),
    _DEAL.event("value_changed", "Value of a deal changed", "A deal is worth more or less than before."),
    _DEAL.event("owner_changed", "Owner of a deal changed", "Somebody else takes care of a deal."),
    _TASK.event("created", "Task created", "Something is to be done."),
    _TASK.event("completed", "Task completed", "A task was done."),
    _TASK.event("overdue", "Task overdue", "A task was not done until it was due."),
    _ACTIVITY.event("logged", "Activity logged", "Something done with a contact was written down."),
    _ACTIVITY.event("email_sent", "E-mail logged", "An e-mail to a contact was written down."),
    _ACTIVITY.event("call_logged", "Call logged", "A call with a contact was written down."),
    _ACTIVITY.event("meeting_logged", "Meeting logged", "A meeting with a contact was written down."),
)
