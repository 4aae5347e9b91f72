"""Reports: what a change brings, and how models did over time; values, renderers, and what gathers them."""
