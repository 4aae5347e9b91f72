"""Items of a DynamoDB table: what is there already, and the same, is not written again.

A table has no place for notes of ours, so an export first reads the items with the same keys (BatchGetItem) and writes
those that differ. `batch` writes 25 at once and repeats what the table had no capacity for; `transact` writes a hundred
at once, all of them or none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any

from strata_git.contracts.pipeline import DynamoSink
from strata_git.errors import printable
from strata_git.pipeline.aws import client, translated
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import Row, canonical_line
from strata_git.pipeline.sinks.exporter import PART, Receipt, require_names
from strata_git.pipeline.sinks.spool import spooled
from strata_git.pipeline.sources.catalog import Place

READ, BATCH, TRANSACTION = 100, 25, 100
_LARGEST = 400 * 1024
"""Bytes of an item, names included."""
Item = dict[str, dict[str, Any]]


def exporter(settings: DynamoSink, place: Place) -> Dynamo:
    """The exporter for those settings."""
    return Dynamo(place.name, settings, lambda: client("dynamodb", settings, place.secrets, place.environ))


@dataclass(frozen=True)
class Dynamo:
    """A table whose keys are `key_fields`."""

    name: str
    settings: DynamoSink
    make: Callable[[], Any] = field(repr=False)
    backoff: Backoff = field(default=Backoff(attempts=10, first_s=0.1, most_s=10.0), repr=False)

    @cached_property
    def _client(self) -> Any:
        return self.make()

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """Every row whose item is missing or another."""
        require_names(self.name, run_id, part)
        self._require_keys()
        keys = self.settings.key_fields
        written = 0
        with spooled(self.name, rows) as spool:
            places, dropped = spool.distinct(self.name, keys)
            found = spool.at(places)
            while batch := list(islice(found, READ)):
                items = [self._item(row) for row in batch]
                new = self._differing(items)
                self._put(new, run_id, part)
                written += len(new)
            uri = f"dynamodb:{self.settings.table}"
            return Receipt(self.name, uri, run_id, part, spool.digest, spool.count, written, dropped)

    def _require_keys(self) -> None:
        """Raise ExportError when the table's keys are not those that strata.yaml says."""
        table = self._asked("describe_table", TableName=self.settings.table)["Table"]
        keys = {entry["AttributeName"] for entry in table["KeySchema"]}
        if keys != set(self.settings.key_fields):
            raise ExportError(
                f"{self.name}: the table's key is {', '.join(sorted(map(printable, keys)))}.",
                hint=f"Set sinks.{self.name}.key_fields so.",
            )

    def _item(self, row: Row) -> Item:
        item = {name: _attribute(value) for name, value in row.items() if value is not None}
        if len(canonical_line(row)) > _LARGEST:
            raise ExportError(f"{self.name}: a row is larger than the 400 KiB that an item may have.")
        for name in self.settings.key_fields:
            if row.get(name) == "" or isinstance(row.get(name), bool):
                raise ExportError(
                    f"{self.name}: the key '{printable(name)}' must be a number, or text that is not empty."
                )
        return item

    def _key(self, item: Item) -> Item:
        return {name: item[name] for name in self.settings.key_fields}

    def _differing(self, items: Sequence[Item]) -> list[Item]:
        """The items that are not in the table as they are."""
        table = self.settings.table
        pending: Mapping[str, Any] = {table: {"Keys": [self._key(item) for item in items], "ConsistentRead": True}}
        there: dict[str, Item] = {}

        def ask() -> None:
            nonlocal pending
            answer = self._once("batch_get_item", RequestItems=pending)
            for item in answer["Responses"].get(table, ()):
                there[_told_apart(self._key(item))] = item
            pending = answer.get("UnprocessedKeys") or {}
            if pending:
                raise self._busy(len(pending[table]["Keys"]))

        self.backoff.call(ask)
        return [item for item in items if _same(there.get(_told_apart(self._key(item)))) != _same(item)]

    def _put(self, items: Sequence[Item], run_id: str, part: str) -> None:
        if self.settings.mode == "transact":
            for some in _by(items, TRANSACTION):
                puts = [{"Put": {"TableName": self.settings.table, "Item": item}} for item in some]
                token = hashlib.sha256(repr((run_id, part, some)).encode()).hexdigest()[:36]
                self._asked("transact_write_items", TransactItems=puts, ClientRequestToken=token)
        else:
            for some in _by(items, BATCH):
                self._put_batch(some)

    def _put_batch(self, items: Sequence[Item]) -> None:
        table = self.settings.table
        pending: Mapping[str, Any] = {table: [{"PutRequest": {"Item": item}} for item in items]}

        def ask() -> None:
            nonlocal pending
            pending = self._once("batch_write_item", RequestItems=pending).get("UnprocessedItems") or {}
            if pending:
                raise self._busy(len(pending[table]))

        self.backoff.call(ask)

    def _busy(self, left: int) -> ExportError:
        return ExportError(
            f"{self.name}: table {printable(self.settings.table)} has no capacity for {left} items.", kind="throttled"
        )

    def _asked(self, operation: str, **words: Any) -> Any:
        return self.backoff.call(lambda: self._once(operation, **words))

    def _once(self, operation: str, **words: Any) -> Any:
        with translated(ExportError, f"{self.name}: table {printable(self.settings.table)}"):
            try:
                return getattr(self._client, operation)(**words)
            except Exception as error:
                if _is_cancelled_for_a_while(error):
                    raise self._busy(len(words.get("TransactItems", ()))) from None
                raise


def _is_cancelled_for_a_while(error: Exception) -> bool:
    """Whether a transaction failed for nothing but capacity or another one at work."""
    response = getattr(error, "response", {})
    reasons = {reason.get("Code") for reason in response.get("CancellationReasons", ())} - {"None", None}
    passing = {"TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"}
    return bool(reasons) and reasons <= passing


def _attribute(value: object) -> dict[str, Any]:
    """A plain value as DynamoDB types it; numbers keep their digits."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": _number(value)}
    if isinstance(value, Mapping):
        return {"M": {str(name): _attribute(inner) for name, inner in value.items()}}
    if isinstance(value, list):
        return {"L": [_attribute(inner) for inner in value]}
    return {"S": str(value)}


def _number(value: int | float) -> str:
    """As text. Raises ExportError for a number that DynamoDB has no room for (38 digits, 1E-130 to 9.9E+125)."""
    exact = Decimal(repr(value))
    if len(exact.as_tuple().digits) > 38 or (exact and not -130 <= exact.adjusted() <= 125):
        raise ExportError(f"the number {value!r} has no room in DynamoDB.", hint="Write it as text.")
    return str(value)


def _same(item: Mapping[str, Any] | None) -> Any:
    """What two items are compared by: numbers by their value, however they are written."""
    if item is None:
        return None
    return {name: _comparable(value) for name, value in item.items()}


def _comparable(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "N":
        return kind, Decimal(value)
    if kind == "M":
        return kind, _same(value)
    if kind == "L":
        return kind, [_comparable(inner) for inner in value]
    return kind, value


def _told_apart(key: Item) -> str:
    return repr(sorted((name, str(_comparable(value))) for name, value in key.items()))


def _by(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]
