"""The Java handoff: a Maven project with a typed client, a test over all vectors and crossload's own jars."""
