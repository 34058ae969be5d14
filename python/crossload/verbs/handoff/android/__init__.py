"""The Android handoff: a Gradle module with a typed client, and an app and a test that judge the model on the device."""
