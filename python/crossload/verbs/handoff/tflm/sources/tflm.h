/* TensorFlow Lite Micro's API as of today, and as of 2020: what differs between them is here, and nowhere else.
 *
 * Today an interpreter takes no ErrorReporter (micro_log.h is there), and a resolver has AddConv2D(). In 2020 an interpreter took an
 * ErrorReporter, and a resolver had AddBuiltin(operator, kernel). In between there were both, AddConv2D() and the ErrorReporter. */
#ifndef CROSSLOAD_TFLM_H
#define CROSSLOAD_TFLM_H

#ifndef TF_LITE_STATIC_MEMORY
#define TF_LITE_STATIC_MEMORY /* as the library itself is built: it decides which members a TfLiteTensor has */
#endif

#include <new>

#include "config.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

#if __has_include("tensorflow/lite/micro/kernels/all_ops_resolver.h")
#include "tensorflow/lite/micro/kernels/micro_ops.h"
#define CROSSLOAD_BUILTIN(op, method) \
    resolver->AddBuiltin(tflite::BuiltinOperator_##op, tflite::ops::micro::Register_##op(), tflite::MicroOpResolverAnyVersion()),
#define CROSSLOAD_CUSTOM(op, method) resolver->AddCustom(#op, tflite::ops::micro::Register_##op(), tflite::MicroOpResolverAnyVersion()),
#else
#define CROSSLOAD_BUILTIN(op, method) resolver->Add##method(),
#define CROSSLOAD_CUSTOM(op, method) resolver->Add##method(),
#endif

#if __has_include("tensorflow/lite/micro/micro_log.h")
#if CROSSLOAD_VARIABLES > 0
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tensorflow/lite/micro/micro_resource_variable.h"
#endif
#else
#include "tensorflow/lite/micro/micro_error_reporter.h"
#endif

typedef tflite::MicroMutableOpResolver<CROSSLOAD_OPERATOR_COUNT> crossload_resolver;

/* Whether the resolver took every operator of the model. */
static inline bool crossload_register(crossload_resolver *resolver) {
    const TfLiteStatus added[] = {kTfLiteOk, CROSSLOAD_OPERATORS(CROSSLOAD_BUILTIN, CROSSLOAD_CUSTOM)};
    for (TfLiteStatus status : added)
        if (status != kTfLiteOk) return false;
    return true;
}

/* An interpreter in `room`, whose tensors are in `arena`; nullptr if the arena is too small for its variables. */
static inline tflite::MicroInterpreter *crossload_interpreter(void *room, const tflite::Model *model, const crossload_resolver &resolver, uint8_t *arena) {
#if !__has_include("tensorflow/lite/micro/micro_log.h")
    static tflite::MicroErrorReporter reporter;
    return new (room) tflite::MicroInterpreter(model, resolver, arena, CROSSLOAD_ARENA_BYTES, &reporter);
#elif CROSSLOAD_VARIABLES > 0
    tflite::MicroAllocator *allocator = tflite::MicroAllocator::Create(arena, CROSSLOAD_ARENA_BYTES);
    if (allocator == nullptr) return nullptr;
    tflite::MicroResourceVariables *variables = tflite::MicroResourceVariables::Create(allocator, CROSSLOAD_VARIABLES);
    return variables == nullptr ? nullptr : new (room) tflite::MicroInterpreter(model, resolver, allocator, variables);
#else
    return new (room) tflite::MicroInterpreter(model, resolver, arena, CROSSLOAD_ARENA_BYTES);
#endif
}

#endif
