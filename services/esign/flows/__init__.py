"""Signing flows (签署流程): several parties, one document."""
