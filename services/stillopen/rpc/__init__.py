"""gRPC plumbing for both ends: addresses, options, messages and errors. Decides nothing."""
