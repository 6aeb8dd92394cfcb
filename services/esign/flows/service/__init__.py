"""FlowService and RemoteSignatureService."""
