#ifndef DECLARED_MICRO_INTERPRETER_H
#define DECLARED_MICRO_INTERPRETER_H

#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/micro/micro_allocator.h"
#if !__has_include("tensorflow/lite/micro/micro_log.h")
#include "tensorflow/lite/micro/micro_error_reporter.h"
#endif

typedef enum { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;
typedef enum { kTfLiteNoType = 0, kTfLiteFloat32 = 1 } TfLiteType;

struct TfLiteIntArray {
    int size;
    int data[8];
};

union TfLitePtrUnion {
    char *raw;
    const char *raw_const;
    void *data;
};

struct TfLiteTensor {
    TfLiteType type;
    TfLitePtrUnion data;
    TfLiteIntArray *dims;
    size_t bytes;
};

namespace tflite {
struct Model;
class MicroOpResolver {};
class MicroProfilerInterface;
class MicroResourceVariables;

class MicroInterpreter {
 public:
#if __has_include("tensorflow/lite/micro/micro_log.h")
    MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver, uint8_t *tensor_arena, size_t tensor_arena_size,
                     MicroResourceVariables *resource_variables = nullptr, MicroProfilerInterface *profiler = nullptr, bool preserve_all_tensors = false);
    MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver, MicroAllocator *allocator, MicroResourceVariables *resource_variables = nullptr,
                     MicroProfilerInterface *profiler = nullptr);
#else
    MicroInterpreter(const Model *model, const MicroOpResolver &op_resolver, uint8_t *tensor_arena, size_t tensor_arena_size, ErrorReporter *error_reporter);
#endif
    ~MicroInterpreter();
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
    size_t arena_used_bytes() const;

 private:
    void *members[32];
};
}  // namespace tflite

#endif
