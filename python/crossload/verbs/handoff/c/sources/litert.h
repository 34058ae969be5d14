/* The part of LiteRT's C API that this project calls, as LiteRT 2.3 exports it (litert/c/litert_model.h, litert_compiled_model.h,
 * litert_tensor_buffer.h, litert_layout.h, litert_model_types.h): the library's wheel has no headers. */
#ifndef CROSSLOAD_LITERT_H
#define CROSSLOAD_LITERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct LiteRtEnvironmentT *LiteRtEnvironment;
typedef struct LiteRtModelT *LiteRtModel;
typedef struct LiteRtOptionsT *LiteRtOptions;
typedef struct LiteRtCompiledModelT *LiteRtCompiledModel;
typedef struct LiteRtSignatureT *LiteRtSignature;
typedef struct LiteRtTensorT *LiteRtTensor;
typedef struct LiteRtTensorBufferT *LiteRtTensorBuffer;
typedef int LiteRtStatus; /* 0 is success */
typedef size_t LiteRtParamIndex;

enum { LITERT_RANK = 8, LITERT_CPU = 1, LITERT_HOST_MEMORY = 1, LITERT_READ = 0, LITERT_WRITE = 1 };

typedef struct {
    unsigned int rank : 7;
    bool has_strides : 1;
    int32_t dimensions[LITERT_RANK]; /* negative: chosen by the request */
    uint32_t strides[LITERT_RANK];
} LiteRtLayout;

typedef struct {
    int element_type; /* a TfLiteType */
    LiteRtLayout layout;
} LiteRtRankedTensorType;

LiteRtStatus LiteRtCreateEnvironment(int count, const void *options, LiteRtEnvironment *made);
void LiteRtDestroyEnvironment(LiteRtEnvironment environment);
LiteRtStatus LiteRtCreateModelFromFile(LiteRtEnvironment environment, const char *path, LiteRtModel *made);
void LiteRtDestroyModel(LiteRtModel model);
LiteRtStatus LiteRtCreateOptions(LiteRtOptions *made);
void LiteRtDestroyOptions(LiteRtOptions options);
LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options, int accelerators);
LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model, LiteRtOptions options, LiteRtCompiledModel *made);
void LiteRtDestroyCompiledModel(LiteRtCompiledModel model);

LiteRtStatus LiteRtGetNumModelSignatures(LiteRtModel model, LiteRtParamIndex *count);
LiteRtStatus LiteRtGetModelSignature(LiteRtModel model, LiteRtParamIndex at, LiteRtSignature *found);
LiteRtStatus LiteRtGetSignatureKey(LiteRtSignature signature, const char **key);
LiteRtStatus LiteRtGetNumSignatureInputs(LiteRtSignature signature, LiteRtParamIndex *count);
LiteRtStatus LiteRtGetNumSignatureOutputs(LiteRtSignature signature, LiteRtParamIndex *count);
LiteRtStatus LiteRtGetSignatureInputName(LiteRtSignature signature, LiteRtParamIndex at, const char **name);
LiteRtStatus LiteRtGetSignatureOutputName(LiteRtSignature signature, LiteRtParamIndex at, const char **name);
LiteRtStatus LiteRtGetSignatureInputTensorByIndex(LiteRtSignature signature, LiteRtParamIndex at, LiteRtTensor *found);
LiteRtStatus LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature signature, LiteRtParamIndex at, LiteRtTensor *found);
LiteRtStatus LiteRtGetTensorIndex(LiteRtTensor tensor, uint32_t *index);
LiteRtStatus LiteRtGetRankedTensorType(LiteRtTensor tensor, LiteRtRankedTensorType *type);

LiteRtStatus LiteRtCompiledModelResizeInputTensorNonStrict(
    LiteRtCompiledModel model, LiteRtParamIndex signature, LiteRtParamIndex input, const int *dimensions, size_t rank);
LiteRtStatus LiteRtGetCompiledModelOutputTensorLayouts(
    LiteRtCompiledModel model, LiteRtParamIndex signature, size_t count, LiteRtLayout *layouts, bool update);
LiteRtStatus LiteRtRunCompiledModel(
    LiteRtCompiledModel model, LiteRtParamIndex signature, size_t inputs, LiteRtTensorBuffer *input, size_t outputs, LiteRtTensorBuffer *output);

LiteRtStatus LiteRtCreateManagedTensorBuffer(
    LiteRtEnvironment environment, int kind, const LiteRtRankedTensorType *type, size_t bytes, LiteRtTensorBuffer *made);
void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer);
LiteRtStatus LiteRtLockTensorBuffer(LiteRtTensorBuffer buffer, void **memory, int mode);
LiteRtStatus LiteRtUnlockTensorBuffer(LiteRtTensorBuffer buffer);

#ifdef __cplusplus
}
#endif

#endif
