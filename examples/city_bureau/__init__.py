"""A city bureau: hears of cases by events, handles them, queries the register, has the certificate sealed."""
