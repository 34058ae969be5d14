// A library of one custom op: AddFortyTwo gives its input plus 42. By TensorFlow's C API for kernels, whose headers compile in a second.
#include <cstdint>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

static void infer_shape(TF_ShapeInferenceContext* context, TF_Status* status) {
    TF_ShapeHandle* shape = TF_NewShapeHandle();
    TF_ShapeInferenceContextGetInput(context, 0, shape, status);
    TF_ShapeInferenceContextSetOutput(context, 0, shape, status);
    TF_DeleteShapeHandle(shape);
}

static void compute(void*, TF_OpKernelContext* context) {
    TF_Status* status = TF_NewStatus();
    TF_Tensor* x = nullptr;
    TF_GetInput(context, 0, &x, status);
    const int64_t shape[] = {TF_TensorElementCount(x)};
    TF_Tensor* y = TF_AllocateOutput(context, 0, TF_INT32, shape, 1, TF_TensorByteSize(x), status);
    for (int64_t at = 0; at < shape[0]; ++at)
        static_cast<int32_t*>(TF_TensorData(y))[at] = static_cast<int32_t*>(TF_TensorData(x))[at] + 42;
    TF_DeleteTensor(x);
    TF_DeleteTensor(y);
    TF_DeleteStatus(status);
}

static const bool registered = [] {
    TF_Status* status = TF_NewStatus();
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder("AddFortyTwo");
    TF_OpDefinitionBuilderAddInput(op, "x: int32");
    TF_OpDefinitionBuilderAddOutput(op, "y: int32");
    TF_OpDefinitionBuilderSetShapeInferenceFunction(op, infer_shape);
    TF_RegisterOpDefinition(op, status);
    TF_RegisterKernelBuilder("AddFortyTwo", TF_NewKernelBuilder("AddFortyTwo", "CPU", nullptr, compute, nullptr), status);
    TF_DeleteStatus(status);
    return true;
}();
