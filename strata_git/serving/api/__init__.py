"""The api-service: what answers over HTTP, in its own words and in those of the Open Inference Protocol."""
