"""Chains: prompts asked for every chunk of many documents, as a run whose plugin is `chain` (TFC-0011 section 4)."""
