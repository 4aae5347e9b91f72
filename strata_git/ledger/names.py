"""Names of event tags, in GTO's grammar: registration, stage, leaving; and resolution (TFC-0009 §2). Pure.

resnet50@v2.0.0           version v2 is registered
resnet50#production#7     a version enters a stage; the seventh numbered event of the model
resnet50#production!#8    a version leaves it
resnet50@resolved#9       a line of events that had forked is one again; no form of GTO's, which passes over it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from strata_git.contracts.layout import NAME, STAGES, VERSION

TAGS = "refs/tags/"
TAGGED = STAGES[1:]
"""The stages that have tags; being registered and nothing else is the first one, experimental."""

Kind = Literal["registration", "entering", "leaving", "resolution"]
Likeness = Literal["event", "malformed", "foreign"]

_REGISTRATION = re.compile(rf"({NAME.pattern})@({VERSION.pattern})\.0\.0")
_STAGE = re.compile(rf"({NAME.pattern})#({'|'.join(TAGGED)})(!?)#([1-9][0-9]{{0,8}})")
_RESOLUTION = re.compile(rf"({NAME.pattern})@resolved#([1-9][0-9]{{0,8}})")
_ALIKE = re.compile(rf"({NAME.pattern})(?:@(?:v[0-9]|deprecated|created|resolved)|#)")


@dataclass(frozen=True, slots=True)
class EventName:
    """What the name of an event tag says.

    A registration has a version, what enters or leaves a stage and a number (`seq`), a resolution a number alone.
    """

    model: str
    version: str = ""
    stage: str = ""
    leaving: bool = False
    seq: int = 0

    @property
    def kind(self) -> Kind:
        """Which of the forms it is."""
        if self.version:
            return "registration"
        if not self.stage:
            return "resolution"
        return "leaving" if self.leaving else "entering"

    @property
    def tag(self) -> str:
        """The name itself, without `refs/tags/`."""
        if self.version:
            return f"{self.model}@{self.version}.0.0"
        if not self.stage:
            return f"{self.model}@resolved#{self.seq}"
        return f"{self.model}#{self.stage}{'!' if self.leaving else ''}#{self.seq}"


def parse_name(tag: str) -> EventName | None:
    """Read a tag's name (without `refs/tags/`); None when it is not exactly one of the forms."""
    if match := _REGISTRATION.fullmatch(tag):
        return EventName(match[1], version=match[2])
    if match := _STAGE.fullmatch(tag):
        return EventName(match[1], stage=match[2], leaving=bool(match[3]), seq=int(match[4]))
    if match := _RESOLUTION.fullmatch(tag):
        return EventName(match[1], seq=int(match[2]))
    return None


def likeness(tag: str) -> tuple[Likeness, str]:
    """Whether a tag is an event, pretends to be one (GTO would read it, or nearly), or is none of our business.

    With it comes the name of the model it is, or seems to be, about (`""` for foreign ones).
    """
    if name := parse_name(tag):
        return "event", name.model
    if match := _ALIKE.match(tag):
        return "malformed", match[1]
    return "foreign", ""
