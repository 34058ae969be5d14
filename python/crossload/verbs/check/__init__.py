"""Check: predict from a release's registrations whether it will load an artifact; loads nothing."""
