"""What all sections of the settings share."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Strict types, no unknown names, no change afterwards."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
