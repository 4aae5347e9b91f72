"""Judgement: a tree and facts in, findings out. Pure: no process, no network, no file is touched here."""
