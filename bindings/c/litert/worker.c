/* A crossload worker for boards: .tflite files in LiteRT's C API, by the worker protocol (bindings/contract/README.md).
 *
 * It is the C client of a handoff (`crossload handoff BUNDLE --to c`, here in digits-c/) behind the protocol:
 *
 *     gcc -O2 -o litert_worker -I. -Idigits-c/src litert/worker.c serving.c frames.c json.c memory.c \
 *         digits-c/src/runner.c digits-c/src/tensors.c -L"$LITERT" -lLiteRt -Wl,-rpath,"$LITERT"
 */
#define _POSIX_C_SOURCE 200809L

#include "runner.h"
#include "serving.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A name of the manifest, and the index of its tensor in the file. */
struct port {
    struct text name;
    int64_t index;
};

struct signature {
    struct text name, key; /* a key without data: the file has no signatures */
    struct port *inputs, *outputs;
    size_t input_count, output_count;
};

struct model {
    crossload_model *file;
    struct signature *signatures;
    size_t count;
    struct arena arena;
};

const char worker_name[] = "litert-c";

char *tensor_memory(struct frame *frame, struct tensor *tensor)
{
    return take(&frame->arena, tensor->size + 1, 1);
}

void delete_held(TF_Tensor *held)
{
    (void)held; /* all memory is the frame's */
}

void worker_metadata(struct buffer *header)
{
    write_member(header, "version", text_of("2"));
    append_format(header, ",\"formats\":[\"tflite\"],\"parameters\":{");
    write_host(header);
    append_format(header, ",\"native\":\"LiteRT\",\"datatypes\":[");
    for (int datatype = CROSSLOAD_BOOL; datatype <= CROSSLOAD_FP64; datatype++)
        append_format(header, "%s\"%s\"", datatype ? "," : "", crossload_name((crossload_datatype)datatype));
    append_format(header, "]}");
}

static struct port *ports_of(struct arena *arena, const struct json *bound, size_t *count)
{
    struct port *ports = take(arena, bound ? bound->count + 1 : 1, sizeof *ports);
    *count = 0;
    for (const struct json *at = bound ? bound->first : NULL; at != NULL; at = at->next)
        ports[(*count)++] = (struct port){keep(arena, at->name), at->kind == JSON_INTEGER ? at->integer : -1};
    return ports;
}

void *worker_load(const struct json *parameters, struct refusal *refusal)
{
    struct text path = json_string(json_member(parameters, "path"));
    const struct json *signatures = json_member(parameters, "signatures");
    if (path.data == NULL || signatures == NULL || signatures->kind != JSON_OBJECT) {
        refuse(refusal, "INVALID_ARGUMENT", "the request names no path or no signatures");
        return NULL;
    }
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL)
        out_of_memory();
    model->file = crossload_open(keep(&model->arena, path).data, refusal->sentence, sizeof refusal->sentence);
    if (model->file == NULL) {
        refusal->code = "INTERNAL";
        worker_unload(model);
        return NULL;
    }
    model->signatures = take(&model->arena, signatures->count + 1, sizeof *model->signatures);
    for (const struct json *at = signatures->first; at != NULL; at = at->next) {
        struct signature *signature = &model->signatures[model->count++];
        struct text key = json_string(json_member(at, "key"));
        signature->name = keep(&model->arena, at->name);
        if (key.data != NULL)
            signature->key = keep(&model->arena, key);
        signature->inputs = ports_of(&model->arena, json_member(at, "inputs"), &signature->input_count);
        signature->outputs = ports_of(&model->arena, json_member(at, "outputs"), &signature->output_count);
    }
    return model;
}

void worker_unload(void *loaded)
{
    struct model *model = loaded;
    crossload_close(model->file);
    release(&model->arena);
    free(model);
}

static const struct port *port_at(const struct port *ports, size_t count, uint32_t index)
{
    for (size_t i = 0; i < count; i++)
        if (ports[i].index == (int64_t)index)
            return &ports[i];
    return NULL;
}

static const struct port *port_named(const struct port *ports, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (same(ports[i].name, name))
            return &ports[i];
    return NULL;
}

static const struct tensor *tensor_named(const struct frame *request, struct text name)
{
    for (size_t i = 0; i < request->count; i++)
        if (same(request->inputs[i].name, name))
            return &request->inputs[i];
    return NULL;
}

/* The request's tensor in the place of an input; false, with the refusal, for one that the file does not take. */
static bool fill(crossload_tensor *input, struct text name, const struct tensor *given, struct refusal *refusal)
{
    const char *wanted = crossload_name(input->datatype);
    int length = (int)name.size;
    if (given == NULL)
        return refuse(refusal, "INVALID_ARGUMENT", "the input '%.*s' is missing", length, name.data);
    if (strcmp(given->datatype->name, wanted) != 0)
        return refuse(refusal, "INVALID_ARGUMENT", "the input '%.*s' is %s; the file takes %s", length, name.data, given->datatype->name, wanted);
    bool fits = given->rank <= CROSSLOAD_RANK && given->rank == input->rank;
    for (int axis = 0; fits && axis < given->rank; axis++) {
        fits = given->shape[axis] <= INT32_MAX && (input->shape[axis] < 0 || input->shape[axis] == given->shape[axis]);
        input->shape[axis] = (int32_t)given->shape[axis];
    }
    if (!fits)
        return refuse(refusal, "INVALID_ARGUMENT", "the input '%.*s' has a shape that the file does not take", length, name.data);
    input->data = (void *)given->data;
    input->bytes = given->size;
    return true;
}

static bool fill_all(const struct signature *signature, const struct frame *request, crossload_side *inputs, struct refusal *refusal)
{
    for (size_t i = 0; i < request->count; i++)
        if (port_named(signature->inputs, signature->input_count, request->inputs[i].name) == NULL)
            return refuse(refusal, "INVALID_ARGUMENT", "the signature has no input '%.*s'", (int)request->inputs[i].name.size, request->inputs[i].name.data);
    for (size_t i = 0; i < inputs->count; i++) {
        const struct port *port = port_at(signature->inputs, signature->input_count, inputs->indices[i]);
        if (port == NULL)
            return refuse(refusal, "NOT_FOUND", "no input is bound to tensor %u of the file", (unsigned)inputs->indices[i]);
        if (!fill(&inputs->tensors[i], port->name, tensor_named(request, port->name), refusal))
            return false;
    }
    return true;
}

/* The outputs that the request names, as frames carry them. */
static bool give(const struct signature *signature, struct frame *request, const crossload_side *outputs, struct answer *answer, struct refusal *refusal)
{
    const struct json *asked = json_member(request->header, "outputs");
    answer->outputs = take(&request->arena, asked ? asked->count + 1 : 1, sizeof *answer->outputs);
    for (const struct json *at = asked ? asked->first : NULL; at != NULL; at = at->next) {
        struct text name = json_string(json_member(at, "name"));
        const struct port *port = port_named(signature->outputs, signature->output_count, name);
        const crossload_tensor *found = NULL;
        for (size_t o = 0; port != NULL && o < outputs->count; o++)
            if ((int64_t)outputs->indices[o] == port->index)
                found = &outputs->tensors[o];
        if (found == NULL)
            return refuse(refusal, "INVALID_ARGUMENT", "the signature has no output '%.*s'", (int)name.size, name.data);
        struct tensor *made = &answer->outputs[answer->count++];
        *made = (struct tensor){.name = name, .datatype = datatype_named(text_of(crossload_name(found->datatype))), .rank = found->rank, .size = found->bytes, .data = found->data};
        made->shape = take(&request->arena, (size_t)found->rank + 1, sizeof *made->shape);
        for (int axis = 0; axis < found->rank; axis++)
            made->shape[axis] = found->shape[axis];
    }
    return true;
}

/* How many times the elements of an output may be more than LiteRT tells before the call: where the graph computes shapes,
 * it tells them as if free dimensions were 1. */
static size_t stretch(const crossload_side *declared, const crossload_side *given)
{
    size_t most = 1;
    for (size_t i = 0; i < given->count; i++) {
        size_t times = 1;
        for (int axis = 0; axis < given->tensors[i].rank; axis++)
            if (declared->tensors[i].shape[axis] < 0 && given->tensors[i].shape[axis] > 1)
                times *= (size_t)given->tensors[i].shape[axis];
        most = times > most ? times : most;
    }
    return most;
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool worker_run(void *loaded, struct frame *request, struct answer *answer, struct refusal *refusal)
{
    struct model *model = loaded;
    const struct json *asked = json_member(json_member(request->header, "parameters"), "signature_name");
    struct text name = asked ? json_string(asked) : text_of("serving_default");
    const struct signature *signature = NULL;
    for (size_t i = 0; i < model->count; i++)
        if (same(model->signatures[i].name, name))
            signature = &model->signatures[i];
    if (signature == NULL)
        return refuse(refusal, "NOT_FOUND", "the model has no signature '%.*s'", (int)name.size, name.data ? name.data : "");
    if (signature->key.data == NULL)
        return refuse(refusal, "UNIMPLEMENTED", "LiteRT's C API calls a file's signatures, and this file has none");
    crossload_side *sides = take(&request->arena, 3, sizeof *sides), *inputs = &sides[0], *declared = &sides[1], *outputs = &sides[2];
    if (crossload_describe(model->file, signature->key.data, inputs, outputs) != 0)
        return refuse(refusal, "UNIMPLEMENTED", "%s", crossload_error(model->file));
    *declared = *inputs;
    if (!fill_all(signature, request, inputs, refusal))
        return false;
    if (crossload_measure(model->file, signature->key.data, inputs, outputs) != 0)
        return refuse(refusal, "INVALID_ARGUMENT", "%s", crossload_error(model->file));
    for (size_t i = 0; i < outputs->count; i++) {
        crossload_tensor *output = &outputs->tensors[i];
        output->bytes *= stretch(declared, inputs);
        output->data = take(&request->arena, output->bytes + 1, 1);
    }
    int64_t start = nanoseconds();
    if (crossload_run(model->file, signature->key.data, inputs->tensors, inputs->count, outputs->tensors, outputs->count) != 0)
        return refuse(refusal, "INTERNAL", "%s", crossload_error(model->file));
    answer->nanoseconds = nanoseconds() - start;
    return give(signature, request, outputs, answer, refusal);
}

bool worker_operators(struct frame *request, struct answer *answer, struct refusal *refusal)
{
    (void)request, (void)answer;
    return refuse(refusal, "UNIMPLEMENTED", "LiteRT's C API does not list its operators");
}

int main(void)
{
    own_streams();
    serve();
    return 0;
}
