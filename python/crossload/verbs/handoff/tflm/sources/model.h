/* The .tflite file as an array, and where its signatures' tensors are among the inputs and outputs of the interpreter. */
#ifndef CROSSLOAD_MODEL_H
#define CROSSLOAD_MODEL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const unsigned char crossload_model_data[]; /* aligned to 16 bytes */

typedef struct {
    const char *name;
    int position;
} crossload_place;

typedef struct {
    const char *key;
    size_t input_count, output_count;
    const crossload_place *inputs, *outputs;
} crossload_signature;

extern const crossload_signature crossload_signatures[];
extern const size_t crossload_signature_count;

#ifdef __cplusplus
}
#endif

#endif
