"""Cases (办件): applied for, routed to an agency, moved, evaluated; their legal clock."""
