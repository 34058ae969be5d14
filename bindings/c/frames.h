/* Frames (bindings/contract/README.md, section Frame): uint64 length, JSON header, tensors' bytes. */
#ifndef CROSSLOAD_FRAMES_H
#define CROSSLOAD_FRAMES_H

#include "json.h"
#include "tensorflow.h"

#include <stdio.h>

/* A datatype of the contract. */
struct datatype {
    const char *name, *for_people;
    TF_DataType type;
    size_t size; /* bytes of an element; 0: each has its own, after a uint32 with its length */
};

/* NULL for a datatype that is not in the contract. */
const struct datatype *datatype_named(struct text name);
const struct datatype *datatype_of(TF_DataType type);

/* A tensor with its bytes as they are in a frame. */
struct tensor {
    struct text name;
    const struct datatype *datatype;
    int rank;
    int64_t *shape;
    size_t size;
    const char *data;
    TF_Tensor *held; /* where the bytes are those of a TF_Tensor: to be deleted */
};

struct frame {
    const struct json *header;
    struct tensor *inputs; /* those with bytes */
    size_t count;
    struct arena arena;
};

/* What each worker has its own of: its name; memory for the bytes of a tensor of fixed size, NULL if there is none, with
 * `held` set where it has to be deleted; and that deletion. */
extern const char worker_name[];
char *tensor_memory(struct frame *frame, struct tensor *tensor);
void delete_held(TF_Tensor *held);

/* Read the next frame; false at the stream's end.
 *
 * Bytes that are not a frame end the process with a sentence: nobody knows where the next frame begins.
 */
bool read_frame(FILE *source, struct frame *frame);

void release_frame(struct frame *frame);

/* Delete the TF_Tensors that tensors hold. */
void release_tensors(const struct tensor *tensors, size_t count);

/* The length of the string that begins here in a BYTES tensor, four bytes before its own. */
uint32_t string_length(const char *data);

/* Whether the strings of a BYTES tensor fill its bytes exactly, and their number. True for every other datatype. */
bool strings_are_whole(const struct tensor *tensor, size_t *count);

/* The elements that the shape gives; -1 if TensorFlow cannot count them, which would end the process. */
int64_t element_count(const struct tensor *tensor);

/* Append the header's entry of a tensor. */
void write_entry(struct buffer *header, const struct tensor *tensor);

/* Write a frame whole. Ends the process with a sentence if nobody reads it. */
void write_frame(FILE *target, struct text header, const struct tensor *tensors, size_t count);

#endif
