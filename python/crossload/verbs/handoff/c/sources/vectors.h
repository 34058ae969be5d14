/* The recorded requests and answers: their shapes and bounds. Their bytes are elsewhere, at the places named here. */
#ifndef CROSSLOAD_VECTORS_H
#define CROSSLOAD_VECTORS_H

#include "judge.h"

typedef struct {
    const char *name;
    crossload_datatype datatype;
    int rank;
    int32_t shape[CROSSLOAD_RANK];
    size_t at, bytes; /* among the recorded bytes */
} crossload_stored;

typedef struct {
    const char *id;
    const crossload_stored *inputs, *outputs;
    const crossload_bound *bounds; /* one an output */
} crossload_vector;

typedef struct {
    const char *signature, *key, *sha256; /* the manifest's name, the file's, and the digest of the vectors file */
    size_t input_count, output_count, vector_count;
    const crossload_vector *vectors;
} crossload_suite;

extern const crossload_suite crossload_suites[];
extern const size_t crossload_suite_count;
extern const char crossload_artifact[], crossload_sha256[], crossload_file[];

#endif
