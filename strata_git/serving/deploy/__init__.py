"""A service in the words of what runs it: one frozen value in, the files of compose, kustomize, KServe or Ray out."""
