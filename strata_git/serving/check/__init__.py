"""`service check`: all that can be known about a service before anybody asks it, one judge a file."""
