"""What an answer costs, by the price list of genai-prices: a table in the package, nothing is asked of the network."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

_PROVIDERS = {"openai": "openai", "azure-openai": "azure", "bedrock": "aws"}


def cost_of(provider: str, model: str, *, taken: int, given: int, cached: int = 0) -> Decimal | None:
    """US dollars for `taken` tokens in (of which `cached` were) and `given` out; None where the price is not known.

    What answers offline costs nothing.
    """
    if provider in ("offline", "recorded"):
        return Decimal(0)
    return _priced(provider, model, taken, given, cached)


@lru_cache(4096)
def _priced(provider: str, model: str, taken: int, given: int, cached: int) -> Decimal | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None
    usage = Usage(input_tokens=taken, output_tokens=given, cache_read_tokens=cached)
    for provider_id in (_PROVIDERS.get(provider), None):
        try:
            return calc_price(usage, model, provider_id=provider_id).total_price
        except (LookupError, ValueError):
            continue
    return None
