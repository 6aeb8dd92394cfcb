"""gRPC: servers and channels, the stages that each call passes, callers and policies, request ids and pages."""
