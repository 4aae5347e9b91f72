"""The api-service of an image: it answers over HTTP and gRPC for the one bundle that lies beside it."""
