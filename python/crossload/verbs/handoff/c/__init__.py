"""The receiver `c`: a C99 project over LiteRT's C API, for boards with an operating system."""
