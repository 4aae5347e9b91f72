"""What a pipeline tells of its work: log lines, counts, spans; none of it with a secret."""
