"""A service as an image: what lies in it, what is started in it, and how engines build and run it."""
