/** The worker of the runtime tflite-java: TensorFlow Lite's interpreter, in JavaCPP's presets, behind the worker protocol. */
package io.crossload.tflite;
