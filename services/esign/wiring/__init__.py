"""Opens each subject as a part of the process, for `app` and for tests that need some of them."""
