"""The tests mirror the package; `support` is what they stand on."""
