/* Frames: a request's bytes are checked against its header before anything is done with them. */
#include "frames.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_HEADER = 64 << 20, HIGHEST_RANK = 254 };

static const struct datatype DATATYPES[] = {
    {"BOOL", "bool", TF_BOOL, 1},
    {"INT8", "int8", TF_INT8, 1},
    {"INT16", "int16", TF_INT16, 2},
    {"INT32", "int32", TF_INT32, 4},
    {"INT64", "int64", TF_INT64, 8},
    {"UINT8", "uint8", TF_UINT8, 1},
    {"UINT16", "uint16", TF_UINT16, 2},
    {"UINT32", "uint32", TF_UINT32, 4},
    {"UINT64", "uint64", TF_UINT64, 8},
    {"FP16", "float16", TF_HALF, 2},
    {"BF16", "bfloat16", TF_BFLOAT16, 2},
    {"FP32", "float32", TF_FLOAT, 4},
    {"FP64", "float64", TF_DOUBLE, 8},
    {"COMPLEX64", "complex64", TF_COMPLEX64, 8},
    {"COMPLEX128", "complex128", TF_COMPLEX128, 16},
    {"INT4", "int4", TF_INT4, 1},
    {"UINT4", "uint4", TF_UINT4, 1},
    {"FP8_E4M3FN", "float8_e4m3fn", TF_FLOAT8_E4M3FN, 1},
    {"FP8_E5M2", "float8_e5m2", TF_FLOAT8_E5M2, 1},
    {"BYTES", "string", TF_STRING, 0},
};
enum { DATATYPE_COUNT = sizeof DATATYPES / sizeof DATATYPES[0] };

const struct datatype *datatype_named(struct text name)
{
    for (size_t i = 0; i < DATATYPE_COUNT; i++)
        if (same(name, text_of(DATATYPES[i].name)))
            return &DATATYPES[i];
    return NULL;
}

const struct datatype *datatype_of(TF_DataType type)
{
    for (size_t i = 0; i < DATATYPE_COUNT; i++)
        if (type == DATATYPES[i].type)
            return &DATATYPES[i];
    return NULL;
}

uint32_t string_length(const char *data)
{
    const unsigned char *bytes = (const unsigned char *)data;
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static _Noreturn void malformed(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s worker: ", worker_name);
    vfprintf(stderr, format, arguments);
    fputs("; the stream cannot be read on\n", stderr);
    va_end(arguments);
    exit(1);
}

/* "tensor 'name'", the name cut where it is long, and without characters that a terminal obeys. */
static const char *called(char text[128], struct text name)
{
    int written =
        snprintf(text, 128, "tensor '%.*s'", name.size < 100 ? (int)name.size : 100, name.size ? name.data : "");
    for (int i = 0; i < written; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
            text[i] = '?';
    return text;
}

static void read_whole(FILE *source, void *data, size_t size, const char *what)
{
    size_t got = size ? fread(data, 1, size, source) : 0;
    if (got < size)
        malformed("the stream ends inside a frame's %s: %zu of %zu bytes", what, got, size);
}

static int by_name(const void *a, const void *b)
{
    const struct text *left = a, *right = b;
    size_t shorter = left->size < right->size ? left->size : right->size;
    int order = shorter ? memcmp(left->data, right->data, shorter) : 0;
    return order ? order : (left->size > right->size) - (left->size < right->size);
}

/* A header's `inputs` or `outputs`; the frame is malformed unless it is a list of named tensors. */
static const struct json *entries_of(struct frame *frame, const char *side)
{
    const struct json *entries = json_member(frame->header, side);
    if (entries == NULL)
        return NULL;
    struct text *names = take(&frame->arena, entries->count + 1, sizeof *names);
    size_t count = 0;
    for (const struct json *entry = entries->first; entry != NULL; entry = entry->next) {
        const struct json *name = json_member(entry, "name"), *parameters = json_member(entry, "parameters");
        if (name == NULL || name->kind != JSON_STRING)
            malformed("a frame's %s is not a list of named tensors", side);
        if (parameters != NULL && parameters->kind != JSON_OBJECT)
            malformed("a frame's %s has parameters that are no object", side);
        names[count++] = name->string;
    }
    if (entries->kind != JSON_ARRAY)
        malformed("a frame's %s is not a list of named tensors", side);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 1; i < count; i++)
        if (same(names[i - 1], names[i]))
            malformed("a frame's %s names a tensor twice", side);
    return entries;
}

/* The bytes of a tensor of fixed size, which its shape gives; false where they overflow. */
static bool size_of_shape(const struct tensor *tensor, size_t *size)
{
    bool empty = false, fits = true;
    *size = tensor->datatype->size;
    for (int axis = 0; axis < tensor->rank; axis++) {
        empty = empty || tensor->shape[axis] == 0;
        fits = fits && !__builtin_mul_overflow(*size, (size_t)tensor->shape[axis], size);
    }
    if (empty)
        *size = 0;
    return fits || empty;
}

/* A tensor as its entry announces it, without its bytes. */
static struct tensor announced(struct frame *frame, const struct json *entry, const struct json *size)
{
    const struct json *shape = json_member(entry, "shape");
    struct tensor tensor = {.name = json_string(json_member(entry, "name")),
                            .datatype = datatype_named(json_string(json_member(entry, "datatype")))};
    char name[128];
    if (tensor.datatype == NULL)
        malformed("%s: its datatype is not in the contract", called(name, tensor.name));
    if (shape == NULL || shape->kind != JSON_ARRAY || shape->count > HIGHEST_RANK)
        malformed("%s: its shape is not a list of dimensions", called(name, tensor.name));
    tensor.shape = take(&frame->arena, shape->count, sizeof *tensor.shape);
    for (const struct json *dimension = shape->first; dimension != NULL; dimension = dimension->next) {
        if (dimension->kind != JSON_INTEGER || dimension->integer < 0)
            malformed("%s: its shape is not a list of dimensions", called(name, tensor.name));
        tensor.shape[tensor.rank++] = dimension->integer;
    }
    size_t expected;
    if (size->kind != JSON_INTEGER)
        malformed("%s: no count of bytes announced", called(name, tensor.name));
    if (size->integer < 0 ||
        (tensor.datatype->size && (!size_of_shape(&tensor, &expected) || expected != (size_t)size->integer)))
        malformed("%s: %" PRId64 " bytes announced contradict %s and its shape", called(name, tensor.name),
                  size->integer, tensor.datatype->for_people);
    tensor.size = (size_t)size->integer;
    return tensor;
}

int64_t element_count(const struct tensor *tensor)
{
    int64_t count = 1;
    bool empty = false;
    for (int axis = 0; axis < tensor->rank; axis++) {
        empty = empty || tensor->shape[axis] == 0;
        if (__builtin_mul_overflow(count, tensor->shape[axis] ? tensor->shape[axis] : 1, &count))
            return -1; /* TensorFlow counts an empty tensor's other dimensions too */
    }
    return empty ? 0 : count;
}

bool strings_are_whole(const struct tensor *tensor, size_t *count)
{
    *count = 0;
    if (tensor->datatype->size != 0)
        return true;
    for (size_t at = 0; at < tensor->size; ++*count) {
        if (tensor->size - at < 4)
            return false;
        uint32_t length = string_length(tensor->data + at);
        at += 4;
        if (tensor->size - at < length)
            return false;
        at += length;
    }
    return true;
}

static void read_data(FILE *source, struct frame *frame, struct tensor *tensor)
{
    char name[128];
    char *data = tensor->datatype->size ? tensor_memory(frame, tensor) : take(&frame->arena, tensor->size, 1);
    if (tensor->size && data == NULL)
        malformed("a frame's %s of %zu bytes does not fit in memory", called(name, tensor->name), tensor->size);
    read_whole(source, data, tensor->size, called(name, tensor->name));
    tensor->data = data;
}

static void read_tensors(FILE *source, struct frame *frame)
{
    const struct json *sides[] = {entries_of(frame, "inputs"), entries_of(frame, "outputs")};
    frame->inputs = take(&frame->arena, sides[0] ? sides[0]->count : 0, sizeof *frame->inputs);
    for (int side = 0; side < 2; side++) {
        for (const struct json *entry = sides[side] ? sides[side]->first : NULL; entry != NULL; entry = entry->next) {
            const struct json *size = json_member(json_member(entry, "parameters"), "binary_data_size");
            if (size == NULL)
                continue;
            struct tensor tensor = announced(frame, entry, size);
            read_data(source, frame, &tensor);
            if (side == 0)
                frame->inputs[frame->count++] = tensor;
            else if (tensor.held != NULL)
                delete_held(tensor.held); /* a request's outputs bring no bytes that anybody needs */
        }
    }
}

bool read_frame(FILE *source, struct frame *frame)
{
    unsigned char prefix[8];
    size_t got = fread(prefix, 1, sizeof prefix, source);
    if (got == 0)
        return false;
    if (got < sizeof prefix)
        malformed("the stream ends inside a frame: %zu of 8 length bytes", got);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | prefix[i];
    if (length == 0 || length > LONGEST_HEADER)
        malformed("a frame's header of %" PRIu64
                  " bytes: allowed are 1 to %d (is something else printing to this stream?)",
                  length, LONGEST_HEADER);
    *frame = (struct frame){0};
    char *text = take(&frame->arena, length, 1);
    read_whole(source, text, length, "header");
    const char *why = "";
    frame->header = json_read(text, length, &frame->arena, &why);
    if (frame->header == NULL)
        malformed("a frame's header is not JSON (%s)", why);
    if (frame->header->kind != JSON_OBJECT)
        malformed("a frame's header is JSON but no object");
    read_tensors(source, frame);
    return true;
}

void release_tensors(const struct tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (tensors[i].held != NULL)
            delete_held(tensors[i].held);
}

void release_frame(struct frame *frame)
{
    release_tensors(frame->inputs, frame->count);
    release(&frame->arena);
}

void write_entry(struct buffer *header, const struct tensor *tensor)
{
    char text[64];
    append(header, "{\"name\":", 8);
    json_write(header, tensor->name);
    int written = snprintf(text, sizeof text, ",\"datatype\":\"%s\",\"shape\":[", tensor->datatype->name);
    append(header, text, (size_t)written);
    for (int axis = 0; axis < tensor->rank; axis++) {
        written = snprintf(text, sizeof text, axis ? ",%" PRId64 : "%" PRId64, tensor->shape[axis]);
        append(header, text, (size_t)written);
    }
    written = snprintf(text, sizeof text, "],\"parameters\":{\"binary_data_size\":%zu}}", tensor->size);
    append(header, text, (size_t)written);
}

void write_frame(FILE *target, struct text header, const struct tensor *tensors, size_t count)
{
    unsigned char prefix[8];
    for (int i = 0; i < 8; i++)
        prefix[i] = (unsigned char)((uint64_t)header.size >> (8 * i));
    bool written = fwrite(prefix, 1, sizeof prefix, target) == sizeof prefix &&
                   fwrite(header.data, 1, header.size, target) == header.size;
    for (size_t i = 0; i < count && written; i++)
        written = tensors[i].size == 0 || fwrite(tensors[i].data, 1, tensors[i].size, target) == tensors[i].size;
    if (!written || fflush(target) != 0) {
        fprintf(stderr, "%s worker: nobody reads the answers any more\n", worker_name);
        exit(1);
    }
}
