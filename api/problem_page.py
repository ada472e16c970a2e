"""What the page of a problem code consists of. The pages themselves stand elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """Title of the problem document, and what its page says."""

    title: str
    explanation: str
