"""Rules of authorisation requests, codes and claims."""
