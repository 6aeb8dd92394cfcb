"""CertificateService and its registry for the hub's other services."""
