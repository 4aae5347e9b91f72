"""`git strata service`: from a promoted model to an endpoint. One file a command, imported when it is named."""
