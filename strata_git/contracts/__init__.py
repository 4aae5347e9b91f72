"""What the files must say: the grammars and the contracts (TFC-0001 to TFC-0009). No I/O."""
