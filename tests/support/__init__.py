"""What tests stand on: a sealed environment, real repositories, valid artifacts, keys."""
