"""The process that holds a model and answers over gRPC: Open Inference Protocol, and gRPC's own health service."""
