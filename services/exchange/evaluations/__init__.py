"""Evaluations (好差评) of finished cases."""
