"""To and from other tools: one adapter a format, and the auditor's archive. Documents are written without peers."""
