#include "tensors.h"

size_t crossload_size(crossload_datatype datatype) {
    static const size_t sizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8};
    return sizes[datatype];
}

const char *crossload_name(crossload_datatype datatype) {
    static const char *const names[] = {"BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP32", "FP64"};
    return names[datatype];
}

size_t crossload_count(const crossload_tensor *tensor) {
    size_t count = 1;
    for (int at = 0; at < tensor->rank; at++) count *= (size_t)tensor->shape[at];
    return count;
}
