"""A step: one write to one target, with all it takes to undo it."""

from typing import Literal, Self

from pydantic import model_validator

from bot.model.resources import Key, Resource, TargetId
from bot.model.value import Value


class Step(Value):
    """Make one resource equal `after` if it still is `before`. Never "perform this call"."""

    target: TargetId
    before: Resource | None  # as read while planning; None: must not exist
    after: Resource | None  # as it must read afterwards; None: must not exist

    @model_validator(mode="after")
    def _one_resource(self) -> Self:
        keys = {resource.key for resource in (self.before, self.after) if resource is not None}
        if len(keys) != 1:
            raise ValueError("a step concerns exactly one resource")
        return self

    @property
    def key(self) -> Key:
        resource = self.after or self.before
        assert resource is not None  # the validator above refuses a step without any
        return resource.key

    @property
    def verb(self) -> Literal["create", "change", "remove"]:
        if self.before is None:
            return "create"
        return "remove" if self.after is None else "change"

    def inverse(self) -> "Step":
        return Step(target=self.target, before=self.after, after=self.before)
