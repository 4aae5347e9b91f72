"""Secrets by what stands before them: a header, a parameter, a login in a URL. Nobody resolved their values, and they
look like nothing; the name gives them away.
"""

from __future__ import annotations

import re

SHOWN = "***"
_HEADER = re.compile(
    r"(?i)(\b(?:proxy-)?authorization|\bx-amz-security-token|\b(?:x-)?(?:goog-)?api-key|\bocp-apim-subscription-key|"
    r"\bx-ms-encryption-key|\b(?:set-)?cookie)(['\"]?\s*[:=]\s*(?:b?['\"])?)([^'\"\r\n]{4,8192})"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|sharedkey [a-z0-9]+:)(\s+)([A-Za-z0-9+/=._~-]{8,8192})")
_PARAMETER = re.compile(
    r"(?i)([?&;](?:sig|x-amz-signature|x-amz-security-token|x-amz-credential|code|access_token|client_secret|"
    r"api[_-]?key|password|tempauth|client_assertion|assertion|refresh_token)=)([^&\s'\"#;]{4,8192})"
)
_FORM = re.compile(
    r"(?i)\b((?:client_secret|client_assertion|refresh_token|access_token|password)=)([^&\s'\"]{4,8192})"
)
_LOGIN = re.compile(r"(://[^\s/:@]{0,256}:)([^\s/@]{1,512})(@)")


def without_named(text: str) -> str:
    """`text` with `***` for what stands behind such a name."""
    if "://" in text:
        text = _LOGIN.sub(rf"\1{SHOWN}\3", text)
    if "=" in text or ":" in text:
        text = _HEADER.sub(rf"\1\2{SHOWN}", text)
        text = _PARAMETER.sub(rf"\1{SHOWN}", text)
        text = _FORM.sub(rf"\1{SHOWN}", text)
    return _BEARER.sub(rf"\1\2{SHOWN}", text) if "earer" in text or "asic" in text or "haredKey" in text else text
