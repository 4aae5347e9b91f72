"""A secret's value shows itself nowhere but where it is asked for."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass

import pytest

from strata_git.pipeline.secrets.secret import Secret

VALUE = "canary-7f3e9a"


@dataclass
class Holder:
    secret: Secret


def test_only_reveal_shows_it() -> None:
    secret = Secret(VALUE)
    assert secret.reveal() == VALUE
    shown = [
        repr(secret), str(secret), f"{secret}", f"{secret:>20}", f"{secret!r}",
        repr([secret]), repr({secret: secret}), repr(Holder(secret)), json.dumps({"a": secret}, default=str),
        str(asdict(Holder(secret))), repr(vars(Holder(secret))),
    ]  # fmt: skip
    assert [text for text in shown if VALUE in text] == []
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("write", [json.dumps, pickle.dumps, lambda one: pickle.dumps([Holder(one)])])
def test_it_is_not_written_down(write: object) -> None:
    assert callable(write)
    with pytest.raises(TypeError) as error:
        write(Secret(VALUE))
    assert VALUE not in "".join(traceback.format_exception(error.value))


def test_it_compares_by_value_and_does_not_change() -> None:
    secret = Secret(VALUE)
    assert secret == Secret(VALUE) != Secret("other")
    assert secret != VALUE
    assert len({secret, Secret(VALUE)}) == 1
    assert copy.deepcopy(secret) is secret is copy.copy(secret)
    assert bool(secret)
    assert not Secret("")
    with pytest.raises(AttributeError):
        secret.value = "x"  # type: ignore[attr-defined]


def test_a_log_record_does_not_show_it(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("somebody").warning("resolved %s and %r", Secret(VALUE), Secret(VALUE))
    assert VALUE not in caplog.text
