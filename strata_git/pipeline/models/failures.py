"""What SDKs of models raise, as InferenceError: one kind each, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from strata_git.errors import MissingExtra
from strata_git.pipeline.backoff import seconds_to_wait
from strata_git.pipeline.errors import InferenceError, kind_of, told

FILTERED = "The provider's content filter refused the question or the answer."


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Errors of pydantic-ai and the SDKs below it; `name` is what strata.yaml calls the entry under `inference`."""
    from pydantic_ai import exceptions

    what = f"inference.{name}"
    try:
        yield
    except exceptions.ContentFilterError:
        raise InferenceError(f"{what}: {FILTERED}", hint="Ask something else; nothing here can change it.") from None
    except exceptions.ModelHTTPError as error:
        raise _answered(what, error.status_code, error.body, _headers(error)) from None
    except exceptions.ModelAPIError as error:
        raise _unreachable(what, error) from None
    except exceptions.UnexpectedModelBehavior as error:
        hint = "The endpoint does not speak the protocol of its provider: see endpoint in strata.yaml."
        raise InferenceError(f"{what}: {told(error)}", retryable=True, hint=hint) from None
    except exceptions.UserError as error:
        raise InferenceError(
            f"{what}: {told(error)}", hint="See the section in strata.yaml: git strata config"
        ) from None
    except (InferenceError, MissingExtra):
        raise
    except Exception as error:  # noqa: BLE001 - below are three vendors' SDKs and their transports
        raise _unreachable(what, error) from None


def _answered(what: str, status: int, body: object, headers: Mapping[str, str]) -> InferenceError:
    kind = kind_of(status)
    code, message = _said(body)
    if code in ("content_filter", "ResponsibleAIPolicyViolation"):
        return InferenceError(f"{what}: {FILTERED}", status=status, hint="Ask something else.")
    if code == "insufficient_quota":
        hint = "The account has no credit left, or its limit is reached; waiting does not help."
        return InferenceError(f"{what}: {told(message)}", kind="throttled", retryable=False, status=status, hint=hint)
    return InferenceError(
        f"{what}: {told(message) or f'the service answered {status}'}", kind=kind, status=status,
        retry_after=seconds_to_wait(headers.get("retry-after")),
    )  # fmt: skip


def _said(body: object) -> tuple[str, str]:
    """Code and message of an error's body, in the two forms that providers use."""
    inner: Any = body
    if isinstance(inner, Mapping):
        inner = inner.get("error", inner.get("Error", inner))
    if isinstance(inner, Mapping):
        return str(inner.get("code") or inner.get("Code") or ""), str(
            inner.get("message") or inner.get("Message") or ""
        )
    return "", str(inner or "")


def _headers(error: BaseException) -> Mapping[str, str]:
    """Headers of the answer that the SDK's own error, the cause of this one, carries."""
    cause: Any = error.__cause__ or error.__context__
    response = getattr(cause, "response", None)
    if isinstance(response, Mapping):
        found: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return found
    return {str(name).lower(): value for name, value in dict(getattr(response, "headers", {}) or {}).items()}


def _unreachable(what: str, error: BaseException) -> InferenceError:
    """No answer at all: too late, or no connection."""
    chain = [error]
    while (following := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < 8:
        chain.append(following)
    names = " ".join(type(one).__name__ for one in chain).lower()
    if "credential" in names or ("token" in names and "retrieval" in names):
        hint = "Give the entry a key, or the SDK its own credentials: AWS_PROFILE, a role, az login."
        return InferenceError(f"{what}: {told(chain[-1])}", kind="authentication", hint=hint)
    late = "timeout" in names or isinstance(error, TimeoutError)
    return InferenceError(f"{what}: {told(error)}", kind="timeout" if late else "unavailable")
