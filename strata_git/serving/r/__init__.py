"""Models of R: processes of R that hold one model each, and how they are asked."""
