#include "runner.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litert.h"

enum { MOST_TENSORS = CROSSLOAD_TENSORS };

/* The buffers of the last call: the next one of the same signature and shapes uses them again, and so keeps the model's variables. */
typedef struct {
    bool made;
    LiteRtParamIndex signature;
    LiteRtTensorBuffer in[MOST_TENSORS], out[MOST_TENSORS];
    crossload_datatype takes[MOST_TENSORS], gives[MOST_TENSORS];
    int rank[MOST_TENSORS];
    int32_t shape[MOST_TENSORS][CROSSLOAD_RANK];
    size_t room[MOST_TENSORS];
} call_buffers;

struct crossload_model {
    call_buffers last;
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

static void release_buffers(crossload_model *model) {
    for (size_t i = 0; i < MOST_TENSORS; i++) {
        if (model->last.in[i] != NULL) LiteRtDestroyTensorBuffer(model->last.in[i]);
        if (model->last.out[i] != NULL) LiteRtDestroyTensorBuffer(model->last.out[i]);
    }
    memset(&model->last, 0, sizeof model->last);
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
    release_buffers(model);
    if (model->compiled != NULL) LiteRtDestroyCompiledModel(model->compiled);
    if (model->options != NULL) LiteRtDestroyOptions(model->options);
    if (model->file != NULL) LiteRtDestroyModel(model->file);
    if (model->environment != NULL) LiteRtDestroyEnvironment(model->environment);
    free(model);
}

int crossload_reset(crossload_model *model) {
    release_buffers(model);
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

static bool takes(const call_buffers *last, size_t i, const crossload_tensor *input) {
    return last->takes[i] == input->datatype && last->rank[i] == input->rank &&
           memcmp(last->shape[i], input->shape, (size_t)input->rank * sizeof *input->shape) == 0;
}

static bool is_last(const call_buffers *last, LiteRtParamIndex signature, const crossload_tensor **inputs, size_t input_count, crossload_tensor **outputs, size_t output_count) {
    if (!last->made || last->signature != signature) return false;
    for (size_t i = 0; i < input_count; i++)
        if (!takes(last, i, inputs[i])) return false;
    for (size_t o = 0; o < output_count; o++)
        if (last->gives[o] != outputs[o]->datatype || last->room[o] != outputs[o]->bytes) return false;
    return true;
}

/* The inputs and outputs in the file's order. */
static int place(crossload_model *model, LiteRtSignature signature, const crossload_tensor *inputs, size_t input_count, const crossload_tensor **fed,
                 crossload_tensor *outputs, size_t output_count, crossload_tensor **placed) {
    const char *name = NULL;
    for (LiteRtParamIndex i = 0; i < input_count; i++) {
        if (LiteRtGetSignatureInputName(signature, i, &name) != 0) return fail(model, "input %zu of the signature cannot be read", (size_t)i);
        fed[i] = named(inputs, input_count, name);
        if (fed[i] == NULL) return fail(model, "the input '%s' is not given", name);
        size_t needed = crossload_count(fed[i]) * crossload_size(fed[i]->datatype);
        if (fed[i]->bytes != needed) return fail(model, "'%s' has %zu bytes, and its shape asks for %zu", name, fed[i]->bytes, needed);
    }
    for (LiteRtParamIndex o = 0; o < output_count; o++) {
        if (LiteRtGetSignatureOutputName(signature, o, &name) != 0) return fail(model, "output %zu of the signature cannot be read", (size_t)o);
        const crossload_tensor *output = named(outputs, output_count, name);
        if (output == NULL) return fail(model, "there is no room for the output '%s'", name);
        placed[o] = &outputs[output - outputs];
    }
    return 0;
}

static int make_buffers(crossload_model *model, LiteRtParamIndex at, LiteRtSignature signature, const crossload_tensor **inputs, size_t input_count,
                        crossload_tensor **outputs, size_t output_count) {
    LiteRtTensor tensor = NULL;
    release_buffers(model);
    for (LiteRtParamIndex i = 0; i < input_count; i++) {
        int dimensions[CROSSLOAD_RANK];
        for (int d = 0; d < inputs[i]->rank; d++) dimensions[d] = inputs[i]->shape[d];
        LiteRtStatus status = LiteRtCompiledModelResizeInputTensorNonStrict(model->compiled, at, i, dimensions, (size_t)inputs[i]->rank);
        if (status != 0) return fail(model, "'%s' does not take this shape: LiteRT answers %d", inputs[i]->name, status);
        if (LiteRtGetSignatureInputTensorByIndex(signature, i, &tensor) != 0) return fail(model, "'%s' cannot be read", inputs[i]->name);
        if (make_buffer(model, tensor, inputs[i], &model->last.in[i]) != 0) return -1;
        model->last.takes[i] = inputs[i]->datatype;
        model->last.rank[i] = inputs[i]->rank;
        memcpy(model->last.shape[i], inputs[i]->shape, sizeof inputs[i]->shape);
    }
    for (LiteRtParamIndex o = 0; o < output_count; o++) {
        if (LiteRtGetSignatureOutputTensorByIndex(signature, o, &tensor) != 0) return fail(model, "'%s' cannot be read", outputs[o]->name);
        if (make_buffer(model, tensor, outputs[o], &model->last.out[o]) != 0) return -1;
        model->last.gives[o] = outputs[o]->datatype;
        model->last.room[o] = outputs[o]->bytes;
    }
    model->last.signature = at;
    model->last.made = true;
    return 0;
}

int crossload_run(crossload_model *model, const char *key, const crossload_tensor *inputs, size_t input_count, crossload_tensor *outputs, size_t output_count) {
    LiteRtParamIndex at = 0, takes = 0, gives = 0;
    LiteRtSignature signature = NULL;
    const crossload_tensor *fed[MOST_TENSORS];
    crossload_tensor *placed[MOST_TENSORS];
    LiteRtLayout layouts[MOST_TENSORS];
    if (find_signature(model, key, &at, &signature) != 0) return -1;
    LiteRtGetNumSignatureInputs(signature, &takes);
    LiteRtGetNumSignatureOutputs(signature, &gives);
    if (takes != input_count || gives != output_count || takes > MOST_TENSORS || gives > MOST_TENSORS)
        return fail(model, "'%s' takes %zu inputs and gives %zu outputs in the file", key, (size_t)takes, (size_t)gives);
    if (place(model, signature, inputs, input_count, fed, outputs, output_count, placed) != 0) return -1;
    if (!is_last(&model->last, at, fed, input_count, placed, output_count) && make_buffers(model, at, signature, fed, input_count, placed, output_count) != 0) return -1;
    for (size_t i = 0; i < input_count; i++)
        if (write_input(model, model->last.in[i], fed[i]) != 0) return -1;
    LiteRtStatus status = LiteRtRunCompiledModel(model->compiled, at, input_count, model->last.in, output_count, model->last.out);
    if (status != 0)
        return fail(model, "LiteRtRunCompiledModel answers %d, and says why on stderr; too little room for an output is one reason", status);
    if (LiteRtGetCompiledModelOutputTensorLayouts(model->compiled, at, output_count, layouts, false) != 0)
        return fail(model, "the shapes of the answers cannot be read");
    for (size_t o = 0; o < output_count; o++)
        if (read_output(model, model->last.out[o], &layouts[o], placed[o]) != 0) return -1;
    return 0;
}

typedef LiteRtStatus (*count_of)(LiteRtSignature, LiteRtParamIndex *);
typedef LiteRtStatus (*name_of)(LiteRtSignature, LiteRtParamIndex, const char **);
typedef LiteRtStatus (*tensor_of)(LiteRtSignature, LiteRtParamIndex, LiteRtTensor *);

static int describe_side(crossload_model *model, LiteRtSignature signature, count_of count, name_of name, tensor_of tensor, crossload_side *side) {
    LiteRtTensor found = NULL;
    LiteRtRankedTensorType type;
    if (count(signature, &side->count) != 0 || side->count > MOST_TENSORS) return fail(model, "the signature has more than %d tensors", MOST_TENSORS);
    for (size_t at = 0; at < side->count; at++) {
        crossload_tensor *made = &side->tensors[at];
        memset(made, 0, sizeof *made);
        if (name(signature, at, &made->name) != 0 || tensor(signature, at, &found) != 0 || LiteRtGetTensorIndex(found, &side->indices[at]) != 0)
            return fail(model, "tensor %zu of the signature cannot be read", at);
        if (LiteRtGetRankedTensorType(found, &type) != 0) return fail(model, "'%s' has no known rank", made->name);
        int datatype = CROSSLOAD_BOOL;
        while (datatype <= CROSSLOAD_FP64 && element_types[datatype] != type.element_type) datatype++;
        if (datatype > CROSSLOAD_FP64) return fail(model, "'%s' has TfLiteType %d, which this client does not carry", made->name, type.element_type);
        made->datatype = (crossload_datatype)datatype;
        made->rank = (int)type.layout.rank;
        for (int d = 0; d < made->rank; d++) made->shape[d] = type.layout.dimensions[d];
    }
    return 0;
}

int crossload_describe(crossload_model *model, const char *key, crossload_side *inputs, crossload_side *outputs) {
    LiteRtParamIndex at = 0;
    LiteRtSignature signature = NULL;
    if (find_signature(model, key, &at, &signature) != 0) return -1;
    if (describe_side(model, signature, LiteRtGetNumSignatureInputs, LiteRtGetSignatureInputName, LiteRtGetSignatureInputTensorByIndex, inputs) != 0) return -1;
    return describe_side(model, signature, LiteRtGetNumSignatureOutputs, LiteRtGetSignatureOutputName, LiteRtGetSignatureOutputTensorByIndex, outputs);
}

int crossload_measure(crossload_model *model, const char *key, const crossload_side *inputs, crossload_side *outputs) {
    LiteRtParamIndex at = 0;
    LiteRtSignature signature = NULL;
    LiteRtLayout layouts[MOST_TENSORS];
    if (find_signature(model, key, &at, &signature) != 0) return -1;
    bool same = model->last.made && model->last.signature == at;
    for (size_t i = 0; same && i < inputs->count; i++) same = takes(&model->last, i, &inputs->tensors[i]);
    if (!same) release_buffers(model); /* a resized model has others */
    for (size_t i = 0; !same && i < inputs->count; i++) {
        const crossload_tensor *input = &inputs->tensors[i];
        int dimensions[CROSSLOAD_RANK];
        for (int d = 0; d < input->rank; d++) dimensions[d] = input->shape[d];
        if (LiteRtCompiledModelResizeInputTensorNonStrict(model->compiled, at, i, dimensions, (size_t)input->rank) != 0)
            return fail(model, "'%s' does not take this shape", input->name);
    }
    if (LiteRtGetCompiledModelOutputTensorLayouts(model->compiled, at, outputs->count, layouts, !same) != 0)
        return fail(model, "the shapes of the answers cannot be known before the call");
    for (size_t o = 0; o < outputs->count; o++) {
        crossload_tensor *output = &outputs->tensors[o];
        output->rank = (int)layouts[o].rank;
        for (int d = 0; d < output->rank; d++) output->shape[d] = layouts[o].dimensions[d];
        output->bytes = crossload_count(output) * crossload_size(output->datatype);
    }
    return 0;
}
