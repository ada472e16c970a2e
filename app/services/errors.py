"""What a use case can refuse, as one small tree. The API turns each into a problem document; nothing here knows HTTP.

ServiceError
├── NotFound        it is not there, or not yours to see
├── Conflict        the state does not allow it
├── Stale           somebody changed it since you read it
├── Invalid         it does not validate; `problems` says where
├── TooLarge        more than the limit takes
├── TooMany         a limit of the workflow takes no more runs now
├── Unauthenticated no key, or a wrong one
│   └── Lapsed      one that was right and is so no more
├── Forbidden       not theirs to do
└── Unavailable     a part (database, Temporal) is down
"""

from collections.abc import Sequence

from app.definition.problems import Problem


class ServiceError(Exception):
    """`code` is a slug people match on, `detail` names the thing and the way out."""

    def __init__(self, code: str, detail: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.problems = list(problems)


class NotFound(ServiceError): ...


class Conflict(ServiceError): ...


class Stale(ServiceError): ...


class Invalid(ServiceError): ...


class TooLarge(ServiceError): ...


class TooMany(ServiceError):
    """`retry_after` is when the same may be asked again, in seconds."""

    def __init__(self, code: str, detail: str, *, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Unauthenticated(ServiceError): ...


class Lapsed(Unauthenticated):
    """Said in the words of any other: whoever sends it guesses nothing, so that it does not count as a guess."""


class Forbidden(ServiceError): ...


class Unavailable(ServiceError): ...
