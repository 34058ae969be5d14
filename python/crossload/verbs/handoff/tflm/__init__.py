"""The receiver `tflm`: a C99 and C++11 project over TensorFlow Lite Micro, for microcontrollers: no heap, no files."""
