"""Text out of images: one engine a module, all with the same function `read`."""
