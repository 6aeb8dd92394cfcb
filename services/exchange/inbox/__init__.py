"""The HTTP carrier: an organisation reads its own stream without a bus client."""
