#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "tflm.h"

struct crossload_model {
    tflite::MicroInterpreter *interpreter;
    char error[160];
};

/* TfLiteType (tensorflow/lite/core/c/c_api_types.h) of each crossload_datatype. */
static const int element_types[] = {6, 9, 7, 2, 4, 3, 17, 16, 13, 1, 11};

static crossload_model the_model;
static crossload_resolver resolver;
static bool registered = false;
alignas(16) static uint8_t arena[CROSSLOAD_ARENA_BYTES];
alignas(tflite::MicroInterpreter) static unsigned char interpreter_room[sizeof(tflite::MicroInterpreter)];

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

size_t crossload_arena_used(const crossload_model *model) {
    return model->interpreter->arena_used_bytes();
}

crossload_model *crossload_open(char *error, size_t room) {
    if (!registered) registered = crossload_register(&resolver);
    if (!registered) fail(&the_model, "the resolver does not take the model's %d operators", CROSSLOAD_OPERATOR_COUNT);
    else if (crossload_reset(&the_model) == 0) return &the_model;
    snprintf(error, room, "%s", the_model.error);
    return nullptr;
}

int crossload_reset(crossload_model *model) {
    if (model->interpreter != nullptr) model->interpreter->~MicroInterpreter();
    model->interpreter = crossload_interpreter(interpreter_room, tflite::GetModel(crossload_model_data), resolver, arena);
    if (model->interpreter != nullptr && model->interpreter->AllocateTensors() == kTfLiteOk) return 0;
    return fail(model, "AllocateTensors fails in an arena of %d bytes; TensorFlow Lite Micro's log has the reason", CROSSLOAD_ARENA_BYTES);
}

static const crossload_signature *find_signature(const char *key) {
    for (size_t at = 0; at < crossload_signature_count; at++)
        if (strcmp(crossload_signatures[at].key, key) == 0) return &crossload_signatures[at];
    return nullptr;
}

template <typename Tensor>
static Tensor *find_tensor(Tensor *tensors, size_t count, const char *name) {
    for (size_t at = 0; at < count; at++)
        if (strcmp(tensors[at].name, name) == 0) return &tensors[at];
    return nullptr;
}

static int check(crossload_model *model, const TfLiteTensor *found, const crossload_tensor *given) {
    if (found == nullptr) return fail(model, "the interpreter has no tensor '%s'", given->name);
    if (static_cast<int>(found->type) == element_types[given->datatype]) return 0;
    return fail(model, "'%s' is TfLiteType %d in the interpreter, and of another datatype here", given->name, static_cast<int>(found->type));
}

static int write_input(crossload_model *model, TfLiteTensor *to, const crossload_tensor *input) {
    if (check(model, to, input) != 0) return -1;
    if (to->bytes != input->bytes) return fail(model, "'%s' takes %d bytes", input->name, static_cast<int>(to->bytes));
    memcpy(to->data.raw, input->data, input->bytes);
    return 0;
}

static int read_output(crossload_model *model, const TfLiteTensor *from, crossload_tensor *output) {
    if (check(model, from, output) != 0) return -1;
    if (from->bytes > output->bytes) return fail(model, "too little room for '%s', which has %d bytes", output->name, static_cast<int>(from->bytes));
    if (from->dims->size > CROSSLOAD_RANK) return fail(model, "'%s' has %d dimensions", output->name, from->dims->size);
    output->rank = from->dims->size;
    for (int at = 0; at < output->rank; at++) output->shape[at] = from->dims->data[at];
    output->bytes = from->bytes;
    memcpy(output->data, from->data.raw, from->bytes);
    return 0;
}

int crossload_run(crossload_model *model, const char *key, const crossload_tensor *inputs, size_t input_count, crossload_tensor *outputs, size_t output_count) {
    const crossload_signature *signature = find_signature(key);
    if (signature == nullptr) return fail(model, "the model has no signature '%s'", key);
    if (signature->input_count != input_count || signature->output_count != output_count)
        return fail(model, "'%s' has another number of inputs (%d) or of outputs", key, static_cast<int>(signature->input_count));
    for (size_t at = 0; at < input_count; at++) {
        const crossload_tensor *given = find_tensor(inputs, input_count, signature->inputs[at].name);
        if (given == nullptr) return fail(model, "the input '%s' is not given", signature->inputs[at].name);
        if (write_input(model, model->interpreter->input(static_cast<size_t>(signature->inputs[at].position)), given) != 0) return -1;
    }
    if (model->interpreter->Invoke() != kTfLiteOk) return fail(model, "Invoke fails; TensorFlow Lite Micro's log has the reason");
    for (size_t at = 0; at < output_count; at++) {
        crossload_tensor *asked = find_tensor(outputs, output_count, signature->outputs[at].name);
        if (asked == nullptr) return fail(model, "there is no room for the output '%s'", signature->outputs[at].name);
        if (read_output(model, model->interpreter->output(static_cast<size_t>(signature->outputs[at].position)), asked) != 0) return -1;
    }
    return 0;
}
