/* The part of TensorFlow's C API that loads and runs models: our own declarations, without TensorFlow's headers.
 *
 * The API is published and stable (tensorflow/c/c_api.h, tf_tensor.h, tf_tstring.h, tf_status.h, tf_datatype.h of
 * TensorFlow 2). Its functions are in libtensorflow_cc.so.2 of TensorFlow's wheel, which needs
 * libtensorflow_framework.so.2 beside it.
 */
#ifndef CROSSLOAD_TENSORFLOW_H
#define CROSSLOAD_TENSORFLOW_H

#include <stddef.h>
#include <stdint.h>

typedef struct TF_Status TF_Status;
typedef struct TF_Tensor TF_Tensor;
typedef struct TF_Library TF_Library;
typedef struct TF_Graph TF_Graph;
typedef struct TF_Operation TF_Operation;
typedef struct TF_Session TF_Session;
typedef struct TF_SessionOptions TF_SessionOptions;
typedef struct TF_ImportGraphDefOptions TF_ImportGraphDefOptions;

typedef struct TF_Buffer {
    const void *data;
    size_t length;
    void (*data_deallocator)(void *data, size_t length);
} TF_Buffer;

/* An output of an operation. It is passed by value. */
typedef struct TF_Output {
    TF_Operation *oper;
    int index;
} TF_Output;

/* An element of a string tensor: 24 bytes, read and written by the TF_String functions only. */
typedef struct TF_TString {
    uint64_t opaque[3];
} TF_TString;

/* tensorflow/core/framework/types.proto. A variable of TensorFlow 1 has its datatype's number + TF_REFERENCE. */
typedef enum TF_DataType {
    TF_FLOAT = 1,
    TF_DOUBLE = 2,
    TF_INT32 = 3,
    TF_UINT8 = 4,
    TF_INT16 = 5,
    TF_INT8 = 6,
    TF_STRING = 7,
    TF_COMPLEX64 = 8,
    TF_INT64 = 9,
    TF_BOOL = 10,
    TF_BFLOAT16 = 14,
    TF_UINT16 = 17,
    TF_COMPLEX128 = 18,
    TF_HALF = 19,
    TF_RESOURCE = 20,
    TF_VARIANT = 21,
    TF_UINT32 = 22,
    TF_UINT64 = 23,
    TF_FLOAT8_E5M2 = 24,
    TF_FLOAT8_E4M3FN = 25,
    TF_INT4 = 29,
    TF_UINT4 = 30,
    TF_REFERENCE = 100
} TF_DataType;

/* A TF_Code is the number of a google.rpc.Code. */
typedef int TF_Code;

/* Every function: FUNCTION(result, name, arguments). */
#define TENSORFLOW_FUNCTIONS(FUNCTION)                                                                              \
    FUNCTION(const char *, TF_Version, (void))                                                                      \
    FUNCTION(TF_Buffer *, TF_GetAllOpList, (void))                                                                  \
    /* A library of custom ops: its ops stay registered after its handle is deleted. */                             \
    FUNCTION(TF_Library *, TF_LoadLibrary, (const char *path, TF_Status *))                                         \
    FUNCTION(void, TF_DeleteLibraryHandle, (TF_Library *))                                                          \
    /* Status: made once, and set by each function that takes it. */                                                \
    FUNCTION(TF_Status *, TF_NewStatus, (void))                                                                     \
    FUNCTION(TF_Code, TF_GetCode, (const TF_Status *))                                                              \
    FUNCTION(const char *, TF_Message, (const TF_Status *))                                                         \
    /* Buffers of serialised messages. */                                                                           \
    FUNCTION(TF_Buffer *, TF_NewBuffer, (void))                                                                     \
    FUNCTION(TF_Buffer *, TF_NewBufferFromString, (const void *proto, size_t length))                               \
    FUNCTION(void, TF_DeleteBuffer, (TF_Buffer *))                                                                  \
    /* Graphs and sessions. */                                                                                      \
    FUNCTION(TF_SessionOptions *, TF_NewSessionOptions, (void))                                                     \
    FUNCTION(void, TF_SetConfig, (TF_SessionOptions *, const void *config_proto, size_t length, TF_Status *))       \
    FUNCTION(void, TF_DeleteSessionOptions, (TF_SessionOptions *))                                                  \
    FUNCTION(TF_Graph *, TF_NewGraph, (void))                                                                       \
    FUNCTION(void, TF_DeleteGraph, (TF_Graph *))                                                                    \
    FUNCTION(TF_ImportGraphDefOptions *, TF_NewImportGraphDefOptions, (void))                                       \
    FUNCTION(void, TF_DeleteImportGraphDefOptions, (TF_ImportGraphDefOptions *))                                    \
    FUNCTION(void, TF_GraphImportGraphDef,                                                                          \
             (TF_Graph *, const TF_Buffer *graph_def, const TF_ImportGraphDefOptions *, TF_Status *))               \
    FUNCTION(TF_Session *, TF_NewSession, (TF_Graph *, const TF_SessionOptions *, TF_Status *))                     \
    FUNCTION(TF_Session *, TF_LoadSessionFromSavedModel,                                                            \
             (const TF_SessionOptions *, const TF_Buffer *run_options, const char *folder, const char *const *tags, \
              int tag_count, TF_Graph *, TF_Buffer *meta_graph_def, TF_Status *))                                   \
    FUNCTION(void, TF_CloseSession, (TF_Session *, TF_Status *))                                                    \
    FUNCTION(void, TF_DeleteSession, (TF_Session *, TF_Status *))                                                   \
    FUNCTION(void, TF_SessionRun,                                                                                   \
             (TF_Session *, const TF_Buffer *run_options, const TF_Output *inputs, TF_Tensor *const *input_values,  \
              int input_count, const TF_Output *outputs, TF_Tensor **output_values, int output_count,               \
              const TF_Operation *const *targets, int target_count, TF_Buffer *run_metadata, TF_Status *))          \
    /* What a graph says of its operations. */                                                                      \
    FUNCTION(TF_Operation *, TF_GraphOperationByName, (TF_Graph *, const char *name))                               \
    FUNCTION(const char *, TF_OperationOpType, (TF_Operation *))                                                    \
    FUNCTION(int, TF_OperationNumOutputs, (TF_Operation *))                                                         \
    FUNCTION(TF_DataType, TF_OperationOutputType, (TF_Output))                                                      \
    FUNCTION(int, TF_GraphGetTensorNumDims, (TF_Graph *, TF_Output, TF_Status *))                                   \
    FUNCTION(void, TF_GraphGetTensorShape, (TF_Graph *, TF_Output, int64_t *dims, int dim_count, TF_Status *))      \
    /* Tensors and their strings. */                                                                                \
    FUNCTION(TF_Tensor *, TF_AllocateTensor, (TF_DataType, const int64_t *dims, int dim_count, size_t size))        \
    FUNCTION(TF_Tensor *, TF_NewTensor,                                                                             \
             (TF_DataType, const int64_t *dims, int dim_count, void *data, size_t size,                             \
              void (*deallocator)(void *data, size_t size, void *argument), void *argument))                        \
    FUNCTION(void, TF_DeleteTensor, (TF_Tensor *))                                                                  \
    FUNCTION(TF_DataType, TF_TensorType, (const TF_Tensor *))                                                       \
    FUNCTION(int, TF_NumDims, (const TF_Tensor *))                                                                  \
    FUNCTION(int64_t, TF_Dim, (const TF_Tensor *, int axis))                                                        \
    FUNCTION(size_t, TF_TensorByteSize, (const TF_Tensor *))                                                        \
    FUNCTION(void *, TF_TensorData, (const TF_Tensor *))                                                            \
    FUNCTION(void, TF_StringInit, (TF_TString *))                                                                   \
    FUNCTION(void, TF_StringCopy, (TF_TString *, const char *data, size_t size))                                    \
    FUNCTION(void, TF_StringDealloc, (TF_TString *))                                                                \
    FUNCTION(const char *, TF_StringGetDataPointer, (const TF_TString *))                                           \
    FUNCTION(size_t, TF_StringGetSize, (const TF_TString *))

/* The functions as prototypes: for a program that links to the library, and for generators of bindings (cgo, bindgen).
 */
#define TENSORFLOW_PROTOTYPE(result, name, arguments) result name arguments;
TENSORFLOW_FUNCTIONS(TENSORFLOW_PROTOTYPE)
#undef TENSORFLOW_PROTOTYPE

/* The functions as pointers: for a program that opens the library when it runs, and so compiles without TensorFlow. */
#define TENSORFLOW_POINTER(result, name, arguments) result(*name) arguments;
extern struct tensorflow {
    TENSORFLOW_FUNCTIONS(TENSORFLOW_POINTER)
} tf;
#undef TENSORFLOW_POINTER

/* The status that a program of one thread gives to every function. */
extern TF_Status *status;

/* Set `tf` and `status` from the libraries in `folder`, the wheel's folder `tensorflow`. Without them the process ends
 * with a sentence. */
void open_tensorflow(const char *folder);

#endif
