"""Servicers of cases and the units of work behind them."""
