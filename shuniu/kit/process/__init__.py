"""A process: settings, life, log, metrics and health, time and ids, and what runs side by side in it."""
