"""Grants (共享授权): contracts between a consumer and a provider on one resource, and their quotas."""
