/* A signature's run: a request's tensors in, the asked-for tensors out. */
#define _POSIX_C_SOURCE 200809L

#include "model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A shape for people, cut where it is long. */
static const char *shape_text(char text[256], int rank, const int64_t *shape)
{
    size_t at = 0;
    if (rank < 0)
        return "any shape";
    at += (size_t)snprintf(text, 256, "shape [");
    for (int axis = 0; axis < rank && at < 200; axis++)
        at += (size_t)snprintf(text + at, 256 - at, axis ? ", %" PRId64 : "%" PRId64, shape[axis]);
    snprintf(text + at, 256 - at, "]");
    return text;
}

/* TensorFlow checks the datatypes of what it is fed, but no shape; and it ends the process where a tensor does not hold
 * its shape. */
static bool fits(const struct port *port, const struct tensor *tensor, struct refusal *refusal)
{
    const struct datatype *datatype = datatype_of(port->type);
    if (datatype == NULL)
        return refuse(refusal, "UNIMPLEMENTED",
                      "input '%s' has the DataType %d, which cannot be fed; the runtime tensorflow+python may run it",
                      port->name.data, (int)port->type);
    bool fitting = datatype == tensor->datatype && (port->rank < 0 || port->rank == tensor->rank);
    for (int axis = 0; fitting && axis < port->rank; axis++)
        fitting = port->shape[axis] == -1 || port->shape[axis] == tensor->shape[axis];
    char takes[256], given[256];
    if (!fitting)
        return refuse(refusal, "INVALID_ARGUMENT", "input '%s' takes %s of %s; the request has %s of %s",
                      port->name.data, datatype->for_people, shape_text(takes, port->rank, port->shape),
                      tensor->datatype->for_people, shape_text(given, tensor->rank, tensor->shape));
    size_t strings;
    int64_t count = element_count(tensor);
    if (count < 0 || !strings_are_whole(tensor, &strings) || (datatype->size == 0 && strings != (size_t)count))
        return refuse(refusal, "INVALID_ARGUMENT", "input '%s' does not hold the elements of its shape",
                      port->name.data);
    return true;
}

static void free_strings(void *data, size_t size, void *argument)
{
    (void)argument;
    for (size_t at = 0; at < size; at += sizeof(TF_TString))
        tf.TF_StringDealloc((TF_TString *)((char *)data + at));
    free(data);
}

/* A string tensor: an array of TF_TString, which goes with the tensor, whoever lets go of it last (a variable may keep
 * it). */
static TF_Tensor *string_tensor(const struct tensor *tensor)
{
    size_t count = (size_t)element_count(tensor);
    TF_TString *strings = malloc((count + 1) * sizeof *strings);
    if (strings == NULL)
        out_of_memory();
    const char *at = tensor->data;
    for (size_t i = 0; i < count; i++) {
        uint32_t length = string_length(at);
        tf.TF_StringInit(&strings[i]);
        tf.TF_StringCopy(&strings[i], at + 4, length);
        at += 4 + length;
    }
    return tf.TF_NewTensor(TF_STRING, tensor->shape, tensor->rank, strings, count * sizeof *strings, free_strings,
                           NULL);
}

/* The bytes of a result's strings as they are in a frame. */
static void pack_strings(struct arena *arena, struct tensor *tensor)
{
    const TF_TString *strings = tf.TF_TensorData(tensor->held);
    size_t count = tf.TF_TensorByteSize(tensor->held) / sizeof *strings;
    for (size_t i = 0; i < count; i++)
        tensor->size += 4 + tf.TF_StringGetSize(&strings[i]);
    char *to = take(arena, tensor->size, 1);
    tensor->data = to;
    for (size_t i = 0; i < count; i++) {
        size_t length = tf.TF_StringGetSize(&strings[i]);
        for (int byte = 0; byte < 4; byte++)
            *to++ = (char)(length >> (8 * byte));
        if (length > 0)
            memcpy(to, tf.TF_StringGetDataPointer(&strings[i]), length);
        to += length;
    }
}

/* TensorFlow leaves the upper half of a byte with four bits open; the contract extends the sign. */
static void extend_half_bytes(struct arena *arena, struct tensor *tensor)
{
    char *to = take(arena, tensor->size, 1);
    for (size_t i = 0; i < tensor->size; i++) {
        int low = tensor->data[i] & 0x0F;
        to[i] = (char)(tensor->datatype->type == TF_INT4 && low > 7 ? low - 16 : low);
    }
    tensor->data = to; /* a copy: a variable may share the result's memory */
}

static bool take_result(struct arena *arena, struct tensor *tensor, struct refusal *refusal)
{
    TF_DataType type = tf.TF_TensorType(tensor->held);
    tensor->datatype = datatype_of(type);
    if (tensor->datatype == NULL)
        return refuse(refusal, "UNIMPLEMENTED",
                      "output '%.*s' has the DataType %d, which has no bytes; the runtime tensorflow+python may run it",
                      (int)tensor->name.size, tensor->name.data, (int)type);
    tensor->rank = tf.TF_NumDims(tensor->held);
    tensor->shape = take(arena, (size_t)tensor->rank, sizeof *tensor->shape);
    for (int axis = 0; axis < tensor->rank; axis++)
        tensor->shape[axis] = tf.TF_Dim(tensor->held, axis);
    if (type == TF_STRING) {
        pack_strings(arena, tensor);
        return true;
    }
    tensor->data = tf.TF_TensorData(tensor->held);
    tensor->size = tf.TF_TensorByteSize(tensor->held);
    if (type == TF_INT4 || type == TF_UINT4)
        extend_half_bytes(arena, tensor);
    return true;
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static const struct port *port_named(const struct signature *signature, enum side side, struct text name)
{
    for (size_t i = 0; i < signature->counts[side]; i++)
        if (same(signature->ports[side][i].name, name))
            return &signature->ports[side][i];
    return NULL;
}

/* What to feed: every input of the signature, in its order, and no other. The tensors stay the request's. */
static bool choose_inputs(const struct signature *signature, const struct frame *request, const struct tensor **chosen,
                          struct refusal *refusal)
{
    for (size_t i = 0; i < request->count; i++)
        if (port_named(signature, INPUTS, request->inputs[i].name) == NULL)
            return refuse(refusal, "INVALID_ARGUMENT", "signature '%s' has no input '%.*s'", signature->name.data,
                          (int)request->inputs[i].name.size, request->inputs[i].name.data);
    for (size_t i = 0; i < signature->counts[INPUTS]; i++) {
        const struct port *port = &signature->ports[INPUTS][i];
        for (size_t given = 0; given < request->count; given++)
            if (same(request->inputs[given].name, port->name))
                chosen[i] = &request->inputs[given];
        if (chosen[i] == NULL)
            return refuse(refusal, "INVALID_ARGUMENT", "signature '%s' needs inputs that the request leaves out: %s",
                          signature->name.data, port->name.data);
        if (!fits(port, chosen[i], refusal))
            return false;
    }
    return true;
}

/* What to fetch: the outputs that the request names, or all. */
static bool choose_outputs(const struct signature *signature, struct frame *request, TF_Output **fetches,
                           struct answer *answer, struct refusal *refusal)
{
    const struct json *named = json_member(request->header, "outputs");
    size_t count = named && named->count ? named->count : signature->counts[OUTPUTS];
    *fetches = take(&request->arena, count, sizeof **fetches);
    answer->outputs = take(&request->arena, count, sizeof *answer->outputs);
    const struct json *at = named ? named->first : NULL;
    for (size_t i = 0; i < count; i++, at = at ? at->next : NULL) {
        struct text name = at ? json_string(json_member(at, "name")) : signature->ports[OUTPUTS][i].name;
        const struct port *port = port_named(signature, OUTPUTS, name);
        if (port == NULL)
            return refuse(refusal, "INVALID_ARGUMENT", "signature '%s' has no output '%.*s'", signature->name.data,
                          (int)name.size, name.data);
        (*fetches)[i] = port->output;
        answer->outputs[i].name = name;
    }
    answer->count = count;
    return true;
}

static bool run(const struct model *model, const struct signature *signature, const struct tensor **chosen,
                const TF_Output *fetches, struct frame *request, struct answer *answer, struct refusal *refusal)
{
    size_t feed_count = signature->counts[INPUTS];
    TF_Output *feeds = take(&request->arena, feed_count, sizeof *feeds);
    TF_Tensor **values = take(&request->arena, feed_count, sizeof *values);
    TF_Tensor **results = take(&request->arena, answer->count, sizeof *results);
    for (size_t i = 0; i < feed_count; i++) {
        feeds[i] = signature->ports[INPUTS][i].output;
        values[i] = chosen[i]->held ? chosen[i]->held : string_tensor(chosen[i]);
    }
    int64_t start = nanoseconds();
    tf.TF_SessionRun(model->session, NULL, feeds, values, (int)feed_count, fetches, results, (int)answer->count, NULL,
                     0, NULL, status);
    answer->nanoseconds = nanoseconds() - start;
    bool done = succeeded(refusal);
    for (size_t i = 0; i < feed_count; i++)
        if (chosen[i]->held == NULL)
            tf.TF_DeleteTensor(values[i]);
    for (size_t i = 0; i < answer->count; i++)
        answer->outputs[i].held = results[i];
    for (size_t i = 0; i < answer->count && done; i++)
        done = take_result(&request->arena, &answer->outputs[i], refusal);
    return done;
}

bool run_model(const struct model *model, struct frame *request, struct answer *answer, struct refusal *refusal)
{
    const struct json *asked = json_member(json_member(request->header, "parameters"), "signature_name");
    struct text name = asked ? json_string(asked) : text_of("serving_default");
    for (size_t i = 0; i < model->count; i++) {
        const struct signature *signature = &model->signatures[i];
        if (!same(signature->name, name))
            continue;
        const struct tensor **chosen = take(&request->arena, signature->counts[INPUTS], sizeof *chosen);
        TF_Output *fetches;
        return choose_inputs(signature, request, chosen, refusal) &&
               choose_outputs(signature, request, &fetches, answer, refusal) &&
               run(model, signature, chosen, fetches, request, answer, refusal);
    }
    return refuse(refusal, "NOT_FOUND", "the model has no signature '%.*s'", (int)name.size,
                  name.data ? name.data : "");
}
