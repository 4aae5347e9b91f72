"""One kind of page a file: plain values in, a page as data out. Pure."""
