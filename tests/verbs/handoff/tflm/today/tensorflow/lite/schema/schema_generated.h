/* Declarations, for type checks alone, of what a project calls of TensorFlow Lite Micro's public API. */
#ifndef DECLARED_SCHEMA_H
#define DECLARED_SCHEMA_H

namespace tflite {
struct Model;
const Model *GetModel(const void *buffer);
}  // namespace tflite

#endif
