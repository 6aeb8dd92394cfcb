"""The HTTP that gRPC cannot say: OpenID Connect, sign-in, consent and the verification pages."""
