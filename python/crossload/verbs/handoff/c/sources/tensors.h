/* Tensors as this project passes them: a datatype, a shape, and the elements in C order. */
#ifndef CROSSLOAD_TENSORS_H
#define CROSSLOAD_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CROSSLOAD_RANK = 8 };

/* The names of the KServe protocol. */
typedef enum {
    CROSSLOAD_BOOL,
    CROSSLOAD_INT8,
    CROSSLOAD_INT16,
    CROSSLOAD_INT32,
    CROSSLOAD_INT64,
    CROSSLOAD_UINT8,
    CROSSLOAD_UINT16,
    CROSSLOAD_UINT32,
    CROSSLOAD_UINT64,
    CROSSLOAD_FP32,
    CROSSLOAD_FP64
} crossload_datatype;

typedef struct {
    const char *name;
    crossload_datatype datatype;
    int rank;
    int32_t shape[CROSSLOAD_RANK];
    void *data;
    size_t bytes; /* of an output before a run: the room in `data` */
} crossload_tensor;

/* Bytes of one element. */
size_t crossload_size(crossload_datatype datatype);

/* "FP32" for CROSSLOAD_FP32. */
const char *crossload_name(crossload_datatype datatype);

/* The number of elements; 1 for a scalar. */
size_t crossload_count(const crossload_tensor *tensor);

#ifdef __cplusplus
}
#endif

#endif
