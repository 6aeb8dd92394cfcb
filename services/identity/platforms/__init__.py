"""The registry of platforms (平台): their life, enrolment, subscriptions, and the feed over them."""
