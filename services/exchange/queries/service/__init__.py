"""Servicers of queries: who asks, who answers, and the hub's own questions."""
