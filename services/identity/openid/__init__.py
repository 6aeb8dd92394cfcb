"""The OpenID provider: authorisation, tokens, userinfo."""
