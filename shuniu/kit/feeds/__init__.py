"""Read models that follow another service's feed, and the platform registry, which every process follows."""
