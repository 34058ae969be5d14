#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litert.h"

enum { MOST_TENSORS = 64 };

struct crossload_model {
    LiteRtEnvironment environment;
    LiteRtModel file;
    LiteRtOptions options;
    LiteRtCompiledModel compiled;
    char error[512];
};

/* TfLiteType (tensorflow/compiler/mlir/lite/core/c/tflite_types.h) of each crossload_datatype. */
static const int element_types[] = {6, 9, 7, 2, 4, 3, 17, 16, 13, 1, 11};

static int fail(crossload_model *model, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(model->error, sizeof model->error, format, arguments);
    va_end(arguments);
    return -1;
}

const char *crossload_error(const crossload_model *model) {
    return model->error;
}

crossload_model *crossload_open(const char *path, char *error, size_t room) {
    crossload_model *model = calloc(1, sizeof *model);
    if (model == NULL) {
        snprintf(error, room, "out of memory");
        return NULL;
    }
    FILE *readable = fopen(path, "rb");
    if (readable == NULL) {
        snprintf(error, room, "%s cannot be read", path);
        free(model);
        return NULL;
    }
    fclose(readable);
    const char *step = NULL;
    LiteRtStatus status;
    if ((status = LiteRtCreateEnvironment(0, NULL, &model->environment)) != 0) step = "LiteRtCreateEnvironment";
    else if ((status = LiteRtCreateModelFromFile(model->environment, path, &model->file)) != 0) step = "LiteRtCreateModelFromFile";
    else if ((status = LiteRtCreateOptions(&model->options)) != 0) step = "LiteRtCreateOptions";
    else if ((status = LiteRtSetOptionsHardwareAccelerators(model->options, LITERT_CPU)) != 0) step = "LiteRtSetOptionsHardwareAccelerators";
    if (step != NULL) {
        snprintf(error, room, "%s does not load: %s answers %d", path, step, status);
    } else if (crossload_reset(model) != 0) {
        snprintf(error, room, "%s does not load: %s", path, model->error);
    } else {
        return model;
    }
    crossload_close(model);
    return NULL;
}

void crossload_close(crossload_model *model) {
    if (model == NULL) return;
    if (model->compiled != NULL) LiteRtDestroyCompiledModel(model->compiled);
    if (model->options != NULL) LiteRtDestroyOptions(model->options);
    if (model->file != NULL) LiteRtDestroyModel(model->file);
    if (model->environment != NULL) LiteRtDestroyEnvironment(model->environment);
    free(model);
}

int crossload_reset(crossload_model *model) {
    if (model->compiled != NULL) LiteRtDestroyCompiledModel(model->compiled);
    model->compiled = NULL;
    LiteRtStatus status = LiteRtCreateCompiledModel(model->environment, model->file, model->options, &model->compiled);
    return status == 0 ? 0 : fail(model, "LiteRtCreateCompiledModel answers %d", status);
}

static int find_signature(crossload_model *model, const char *key, LiteRtParamIndex *at, LiteRtSignature *found) {
    LiteRtParamIndex count = 0;
    LiteRtGetNumModelSignatures(model->file, &count);
    for (*at = 0; *at < count; ++*at) {
        const char *name = NULL;
        if (LiteRtGetModelSignature(model->file, *at, found) == 0 && LiteRtGetSignatureKey(*found, &name) == 0 && strcmp(name, key) == 0)
            return 0;
    }
    return fail(model, "the file has no signature '%s'", key);
}

static const crossload_tensor *named(const crossload_tensor *tensors, size_t count, const char *name) {
    for (size_t at = 0; at < count; at++)
        if (strcmp(tensors[at].name, name) == 0) return &tensors[at];
    return NULL;
}

/* A buffer of `bytes`, or of one byte: LiteRT makes none of nothing. */
static int make_buffer(crossload_model *model, LiteRtTensor tensor, const crossload_tensor *given, LiteRtTensorBuffer *buffer) {
    LiteRtRankedTensorType type;
    if (LiteRtGetRankedTensorType(tensor, &type) != 0) return fail(model, "'%s' has no known rank", given->name);
    if (type.element_type != element_types[given->datatype])
        return fail(model, "'%s' is %s here, and TfLiteType %d in the file", given->name, crossload_name(given->datatype), type.element_type);
    type.layout.rank = (unsigned int)given->rank;
    type.layout.has_strides = false;
    for (int at = 0; at < given->rank; at++) type.layout.dimensions[at] = given->shape[at];
    LiteRtStatus status =
        LiteRtCreateManagedTensorBuffer(model->environment, LITERT_HOST_MEMORY, &type, given->bytes > 0 ? given->bytes : 1, buffer);
    return status == 0 ? 0 : fail(model, "no buffer for '%s': LiteRtCreateManagedTensorBuffer answers %d", given->name, status);
}

static int write_input(crossload_model *model, LiteRtTensorBuffer buffer, const crossload_tensor *input) {
    void *memory = NULL;
    if (LiteRtLockTensorBuffer(buffer, &memory, LITERT_WRITE) != 0) return fail(model, "'%s' cannot be written", input->name);
    if (input->bytes > 0) memcpy(memory, input->data, input->bytes);
    LiteRtUnlockTensorBuffer(buffer);
    return 0;
}

static int read_output(crossload_model *model, LiteRtTensorBuffer buffer, const LiteRtLayout *layout, crossload_tensor *output) {
    size_t room = output->bytes;
    output->rank = (int)layout->rank;
    for (int at = 0; at < output->rank; at++) output->shape[at] = layout->dimensions[at];
    output->bytes = crossload_count(output) * crossload_size(output->datatype);
    if (output->bytes > room)
        return fail(model, "'%s' answers %zu bytes, and has room for %zu", output->name, output->bytes, room);
    void *memory = NULL;
    if (LiteRtLockTensorBuffer(buffer, &memory, LITERT_READ) != 0) return fail(model, "'%s' cannot be read", output->name);
    if (output->bytes > 0) memcpy(output->data, memory, output->bytes);
    LiteRtUnlockTensorBuffer(buffer);
    return 0;
}

static int feed(crossload_model *model, LiteRtParamIndex at, LiteRtSignature signature, const crossload_tensor *inputs, size_t count, LiteRtTensorBuffer *buffers) {
    for (LiteRtParamIndex i = 0; i < count; i++) {
        const char *name = NULL;
        LiteRtTensor tensor = NULL;
        if (LiteRtGetSignatureInputName(signature, i, &name) != 0 || LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor) != 0)
            return fail(model, "input %zu of the signature cannot be read", (size_t)i);
        const crossload_tensor *input = named(inputs, count, name);
        if (input == NULL) return fail(model, "the input '%s' is not given", name);
        if (input->bytes != crossload_count(input) * crossload_size(input->datatype))
            return fail(model, "'%s' has %zu bytes, and its shape asks for %zu", name, input->bytes, crossload_count(input) * crossload_size(input->datatype));
        int dimensions[CROSSLOAD_RANK];
        for (int d = 0; d < input->rank; d++) dimensions[d] = input->shape[d];
        LiteRtStatus status = LiteRtCompiledModelResizeInputTensorNonStrict(model->compiled, at, i, dimensions, (size_t)input->rank);
        if (status != 0) return fail(model, "'%s' does not take this shape: LiteRT answers %d", name, status);
        if (make_buffer(model, tensor, input, &buffers[i]) != 0 || write_input(model, buffers[i], input) != 0) return -1;
    }
    return 0;
}

static int fetch(crossload_model *model, LiteRtSignature signature, crossload_tensor *outputs, size_t count, crossload_tensor **placed, LiteRtTensorBuffer *buffers) {
    for (LiteRtParamIndex o = 0; o < count; o++) {
        const char *name = NULL;
        LiteRtTensor tensor = NULL;
        if (LiteRtGetSignatureOutputName(signature, o, &name) != 0 || LiteRtGetSignatureOutputTensorByIndex(signature, o, &tensor) != 0)
            return fail(model, "output %zu of the signature cannot be read", (size_t)o);
        const crossload_tensor *output = named(outputs, count, name);
        if (output == NULL) return fail(model, "there is no room for the output '%s'", name);
        placed[o] = &outputs[output - outputs];
        if (make_buffer(model, tensor, output, &buffers[o]) != 0) return -1;
    }
    return 0;
}

int crossload_run(crossload_model *model, const char *key, const crossload_tensor *inputs, size_t input_count, crossload_tensor *outputs, size_t output_count) {
    LiteRtParamIndex at = 0, takes = 0, gives = 0;
    LiteRtSignature signature = NULL;
    LiteRtTensorBuffer in[MOST_TENSORS] = {0}, out[MOST_TENSORS] = {0};
    crossload_tensor *placed[MOST_TENSORS] = {0};
    LiteRtLayout layouts[MOST_TENSORS];
    if (find_signature(model, key, &at, &signature) != 0) return -1;
    LiteRtGetNumSignatureInputs(signature, &takes);
    LiteRtGetNumSignatureOutputs(signature, &gives);
    if (takes != input_count || gives != output_count || takes > MOST_TENSORS || gives > MOST_TENSORS)
        return fail(model, "'%s' takes %zu inputs and gives %zu outputs in the file", key, (size_t)takes, (size_t)gives);
    int result = feed(model, at, signature, inputs, input_count, in);
    if (result == 0) result = fetch(model, signature, outputs, output_count, placed, out);
    if (result == 0) {
        LiteRtStatus status = LiteRtRunCompiledModel(model->compiled, at, input_count, in, output_count, out);
        if (status != 0)
            result = fail(model, "LiteRtRunCompiledModel answers %d, and says why on stderr; too little room for an output is one reason", status);
    }
    if (result == 0 && LiteRtGetCompiledModelOutputTensorLayouts(model->compiled, at, output_count, layouts, false) != 0)
        result = fail(model, "the shapes of the answers cannot be read");
    for (size_t o = 0; result == 0 && o < output_count; o++) result = read_output(model, out[o], &layouts[o], placed[o]);
    for (size_t i = 0; i < MOST_TENSORS; i++) {
        if (in[i] != NULL) LiteRtDestroyTensorBuffer(in[i]);
        if (out[i] != NULL) LiteRtDestroyTensorBuffer(out[i]);
    }
    return result;
}
