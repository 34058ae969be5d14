"""Profile: what a model costs in each runtime: time, memory, a microcontroller's arena, and work by layer."""
