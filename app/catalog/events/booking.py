"""Events of bookings: appointments, when somebody is available, services. No fields of theirs are known."""

from app.catalog.events.base import Entity

_APPOINTMENT = Entity("booking.appointment")
_AVAILABILITY = Entity("booking.availability")
_SERVICE = Entity("booking.service")

EVENTS = (
    _APPOINTMENT.event("created", "Appointment made", "Somebody booked an appointment."),
    _APPOINTMENT.event("confirmed", "Appointment confirmed", "An appointment was confirmed."),
    _APPOINTMENT.event("cancelled", "Appointment cancelled", "An appointment was called off."),
    _APPOINTMENT.event("rescheduled", "Appointment moved", "An appointment was given another time."),
    _APPOINTMENT.event("completed", "Appointment over", "An appointment took place."),
    _APPOINTMENT.event("no_show", "Appointment missed", "Somebody did not come to an appointment."),
    _APPOINTMENT.event("reminder_sent", "Reminder sent", "Somebody was reminded of an appointment."),
    _AVAILABILITY.event("updated", "Availability changed", "The times that can be booked were changed."),
    _AVAILABILITY.event("blocked", "Time blocked", "A time was closed for bookings."),
    _SERVICE.event("created", "Service created", "A service that can be booked was added."),
    _SERVICE.event("updated", "Service updated", "A service that can be booked was changed."),
)
