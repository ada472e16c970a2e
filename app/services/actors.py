"""Who asks. Telling it from a key is `workspaces`' business."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """A key of a workspace. `name` is the key's, and stands in `published_by`."""

    workspace_id: UUID
    key_id: UUID
    name: str
