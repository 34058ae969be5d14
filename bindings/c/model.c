/* A loaded model, in the order in which TensorFlow's C API wants to be called. */
#include "model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const SIDES[] = {"", "input", "output"};

bool succeeded(struct refusal *refusal)
{
    /* PERMISSION_DENIED (7) and FAILED_PRECONDITION (9) would say that the worker declines: a worker's decision, not
     * TensorFlow's. */
    static const char *const codes[] = {"INTERNAL",           "CANCELLED", "UNKNOWN",        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",  "NOT_FOUND", "ALREADY_EXISTS", "INTERNAL",
                                        "RESOURCE_EXHAUSTED", "INTERNAL",  "ABORTED",        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",      "INTERNAL",  "UNAVAILABLE",    "DATA_LOSS",
                                        "UNAUTHENTICATED"};
    TF_Code code = tf.TF_GetCode(status);
    if (code == 0)
        return true;
    const char *name = code > 0 && code < (int)(sizeof codes / sizeof codes[0]) ? codes[code] : "UNKNOWN";
    const char *line = tf.TF_Message(status);
    if (strstr(line, "root error(s) found.\n") != NULL) /* a heading; the first error follows it */
        line = strchr(line, '\n');
    line += strspn(line, " \t\n");
    return refuse(refusal, name, "%.*s", (int)strcspn(line, "\n"), line);
}

/* The tensor `operation:index` of the graph, where `:0` may be missing; what the graph says of its datatype and shape.
 */
static bool find_output(struct model *model, struct text bound, struct port *port, struct refusal *refusal)
{
    size_t length = strcspn(bound.data, ":");
    const char *operation = keep(&model->arena, (struct text){bound.data, length}).data;
    const char *digits = bound.data + length + (bound.data[length] == ':');
    if (bound.data[0] == '^')
        return refuse(
            refusal, "INVALID_ARGUMENT",
            "'%s' is bound to '%s', a control dependency, which has no tensor; bind it to a tensor that is there",
            port->name.data, bound.data);
    bool is_index = strspn(digits, "0123456789") == strlen(digits) && strlen(digits) < 10;
    TF_Operation *found = is_index ? tf.TF_GraphOperationByName(model->graph, operation) : NULL;
    if (found == NULL)
        return refuse(refusal, "NOT_FOUND",
                      "'%s' is bound to '%s', which is not in the graph; bind it to a tensor that is there",
                      port->name.data, bound.data);
    port->output = (TF_Output){found, atoi(digits)};
    int has = tf.TF_OperationNumOutputs(found);
    if (port->output.index >= has)
        return refuse(
            refusal, "INVALID_ARGUMENT",
            "'%s' is bound to '%s', but the operation '%s' (%s) has %d output%s; bind it to a tensor that is there",
            port->name.data, bound.data, operation, tf.TF_OperationOpType(found), has, has == 1 ? "" : "s");
    port->type = tf.TF_OperationOutputType(port->output) % TF_REFERENCE;
    port->rank = tf.TF_GraphGetTensorNumDims(model->graph, port->output, status);
    if (!succeeded(refusal))
        return false;
    if (port->rank > 0) {
        port->shape = take(&model->arena, (size_t)port->rank, sizeof *port->shape);
        tf.TF_GraphGetTensorShape(model->graph, port->output, port->shape, port->rank, status);
    }
    return succeeded(refusal);
}

/* A copy of a JSON string that C can read; false if it is none, or has a NUL. */
static bool c_string(struct arena *arena, const struct json *value, struct text *string)
{
    struct text found = json_string(value);
    if (found.data == NULL || memchr(found.data, '\0', found.size) != NULL)
        return false;
    *string = keep(arena, found);
    return true;
}

/* The tensor of an input or output of the SignatureDef; a part of a sparse or composite one, `name/part`, is bound by
 * its own. */
static bool tensor_name(struct text signature_def, enum side side, struct text name, struct text *bound)
{
    struct text tensor;
    if (find_tensor(signature_def, side, name, &tensor)) {
        if (tensor.size > 0)
            *bound = tensor;
        return true;
    }
    size_t whole = name.size;
    while (whole > 0 && name.data[whole - 1] != '/')
        whole--;
    return whole > 0 && find_tensor(signature_def, side, (struct text){name.data, whole - 1}, &tensor);
}

/* The ports that a binding names; `signature_def` is NULL where the binding has no key. */
static bool bind_ports(struct model *model, struct signature *signature, enum side side, const struct json *named,
                       const struct text *signature_def, struct refusal *refusal)
{
    signature->ports[side] = take(&model->arena, named ? named->count : 0, sizeof **signature->ports);
    for (const struct json *at = named ? named->first : NULL; at != NULL; at = at->next) {
        struct port *port = &signature->ports[side][signature->counts[side]++];
        struct text bound;
        port->name = keep(&model->arena, at->name);
        if (!c_string(&model->arena, at, &bound))
            return refuse(refusal, "INVALID_ARGUMENT", "'%s' is bound to no tensor's name", port->name.data);
        if (signature_def != NULL && !tensor_name(*signature_def, side, port->name, &bound))
            return refuse(refusal, "NOT_FOUND", "the signature %s has no %s '%s'", signature->name.data, SIDES[side],
                          port->name.data);
        if (!find_output(model, keep(&model->arena, bound), port, refusal))
            return false;
    }
    return true;
}

/* Bind all signatures; `meta_graph` is empty for a GraphDef. */
static bool bind_signatures(struct model *model, const char *path, const struct json *signatures,
                            struct text meta_graph, struct refusal *refusal)
{
    model->signatures = take(&model->arena, signatures ? signatures->count : 0, sizeof *model->signatures);
    for (const struct json *at = signatures ? signatures->first : NULL; at != NULL; at = at->next) {
        struct signature *signature = &model->signatures[model->count++];
        struct text key = json_string(json_member(at, "key")), signature_def;
        signature->name = keep(&model->arena, at->name);
        if (key.data != NULL) {
            struct buffer keys = {0};
            bool found = find_signature_def(meta_graph, key, &signature_def, &keys);
            if (!found)
                refuse(refusal, "NOT_FOUND", "%s has no signature %.*s; it has: %.*s", path, (int)key.size, key.data,
                       (int)(keys.size ? keys.size : 4), keys.size ? keys.data : "none");
            free(keys.data);
            if (!found)
                return false;
        }
        for (enum side side = INPUTS; side <= OUTPUTS; side++)
            if (!bind_ports(model, signature, side, json_member(at, side == INPUTS ? "inputs" : "outputs"),
                            key.data ? &signature_def : NULL, refusal))
                return false;
    }
    return true;
}

static TF_SessionOptions *session_options(void)
{
    TF_SessionOptions *options = tf.TF_NewSessionOptions();
    /* A ConfigProto: allow_soft_placement (field 7) is true, so that nodes pinned to an absent GPU run all the same. */
    tf.TF_SetConfig(options, "\x38\x01", 2, status);
    return options;
}

/* Variables, assets and init op as the C++ loader does them. `meta_graph` gets the serialised MetaGraphDef. */
static bool load_saved_model(struct model *model, const char *path, const struct json *tags, TF_Buffer *meta_graph,
                             struct refusal *refusal)
{
    struct text *names = take(&model->arena, tags ? tags->count : 0, sizeof *names);
    const char **wanted = take(&model->arena, tags ? tags->count : 0, sizeof *wanted);
    int count = 0;
    for (const struct json *tag = tags ? tags->first : NULL; tag != NULL; tag = tag->next, count++) {
        if (!c_string(&model->arena, tag, &names[count]))
            return refuse(refusal, "INVALID_ARGUMENT", "a tag is not a string");
        wanted[count] = names[count].data;
    }
    TF_SessionOptions *options = session_options();
    model->session =
        tf.TF_LoadSessionFromSavedModel(options, NULL, path, wanted, count, model->graph, meta_graph, status);
    tf.TF_DeleteSessionOptions(options);
    return succeeded(refusal);
}

static bool read_file(const char *path, struct buffer *content, struct refusal *refusal)
{
    static char chunk[1 << 16];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return refuse(refusal, errno == ENOENT ? "NOT_FOUND" : "INVALID_ARGUMENT", "%s cannot be read: %s", path,
                      strerror(errno));
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        append(content, chunk, got);
    bool failed = ferror(file);
    fclose(file);
    return !failed || refuse(refusal, "INVALID_ARGUMENT", "%s cannot be read: %s", path, strerror(errno));
}

static bool import_graph(struct model *model, struct text graph_def, struct refusal *refusal)
{
    TF_ImportGraphDefOptions *importing = tf.TF_NewImportGraphDefOptions();
    TF_Buffer *buffer = tf.TF_NewBufferFromString(graph_def.data, graph_def.size);
    tf.TF_GraphImportGraphDef(model->graph, buffer, importing, status);
    tf.TF_DeleteBuffer(buffer);
    tf.TF_DeleteImportGraphDefOptions(importing);
    if (!succeeded(refusal))
        return false;
    TF_SessionOptions *options = session_options();
    model->session = tf.TF_NewSession(model->graph, options, status);
    tf.TF_DeleteSessionOptions(options);
    return succeeded(refusal);
}

static bool is_text(const struct buffer *content)
{
    for (size_t i = 0; i < content->size; i++) {
        unsigned char c = (unsigned char)content->data[i];
        if (c < ' ' && c != '\t' && c != '\n' && c != '\r')
            return false;
    }
    return content->size > 0;
}

static bool load_graph_def(struct model *model, const char *path, struct refusal *refusal)
{
    struct buffer content = {0}, graph_def = {0};
    struct text kind = {0};
    bool loaded = read_file(path, &content, refusal);
    if (loaded && !free_from_devices((struct text){content.data, content.size}, &graph_def, &kind))
        loaded = is_text(&content)
                     ? refuse(refusal, "UNIMPLEMENTED",
                              "%s is text, and tensorflow-c reads binary GraphDefs: crossload convert %s graph.pb",
                              path, path)
                     : refuse(refusal, "INVALID_ARGUMENT", "%s is no GraphDef, neither binary nor text", path);
    if (loaded && kind.size > 0)
        loaded = refuse(refusal, "UNIMPLEMENTED",
                        "%s has nodes of the op %.*s, which no session runs; the runtime tensorflow rewrites them",
                        path, (int)kind.size, kind.data);
    loaded = loaded && import_graph(model, (struct text){graph_def.data, graph_def.size}, refusal);
    free(content.data);
    free(graph_def.data);
    return loaded;
}

/* Bytes that are not UTF-8 come in a path as U+DC80 to U+DCFF (Python's surrogateescape); give them back. */
static void restore_bytes(struct text *path)
{
    char *to = (char *)path->data;
    for (size_t at = 0; at < path->size;) {
        const unsigned char *from = (const unsigned char *)path->data + at;
        bool escaped = path->size - at >= 3 && from[0] == 0xED && (from[1] == 0xB2 || from[1] == 0xB3);
        *to++ = escaped ? (char)((from[1] & 1) << 6 | from[2]) : (char)*from;
        at += escaped ? 3 : 1;
    }
    *to = '\0';
    path->size = (size_t)(to - path->data);
}

/* Custom ops, which stay registered in this process. */
static bool load_op_libraries(struct model *model, const struct json *paths, struct refusal *refusal)
{
    for (const struct json *at = paths ? paths->first : NULL; at != NULL; at = at->next) {
        struct text path;
        if (!c_string(&model->arena, at, &path))
            return refuse(refusal, "INVALID_ARGUMENT", "an op library is named by no path");
        restore_bytes(&path);
        TF_Library *library = tf.TF_LoadLibrary(path.data, status);
        if (!succeeded(refusal))
            return refuse(refusal, "INVALID_ARGUMENT", "the op library %s does not load in TensorFlow %s: %s",
                          path.data, tf.TF_Version(), tf.TF_Message(status));
        tf.TF_DeleteLibraryHandle(library);
    }
    return true;
}

static bool load(struct model *model, const struct json *parameters, struct refusal *refusal)
{
    struct text format = json_string(json_member(parameters, "format")), path, meta_graph = {0};
    bool saved_model = same(format, text_of("saved_model"));
    if (!saved_model && !same(format, text_of("graph_def")))
        return refuse(refusal, "UNIMPLEMENTED", "tensorflow-c loads saved_model, graph_def, not %.*s", (int)format.size,
                      format.data ? format.data : "");
    if (!c_string(&model->arena, json_member(parameters, "path"), &path))
        return refuse(refusal, "INVALID_ARGUMENT", "the request names no path");
    restore_bytes(&path);
    if (!load_op_libraries(model, json_member(json_member(parameters, "options"), "op_libraries"), refusal))
        return false;
    TF_Buffer *buffer = tf.TF_NewBuffer();
    bool loaded = saved_model ? load_saved_model(model, path.data, json_member(parameters, "tags"), buffer, refusal)
                              : load_graph_def(model, path.data, refusal);
    if (buffer->data != NULL)
        meta_graph = (struct text){buffer->data, buffer->length};
    loaded = loaded && bind_signatures(model, path.data, json_member(parameters, "signatures"), meta_graph, refusal);
    tf.TF_DeleteBuffer(buffer);
    return loaded;
}

struct model *load_model(const struct json *parameters, struct refusal *refusal)
{
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL)
        out_of_memory();
    model->graph = tf.TF_NewGraph();
    if (load(model, parameters, refusal))
        return model;
    delete_model(model);
    return NULL;
}

void delete_model(struct model *model)
{
    if (model->session != NULL) {
        tf.TF_CloseSession(model->session, status);
        tf.TF_DeleteSession(model->session, status);
    }
    tf.TF_DeleteGraph(model->graph); /* after its session */
    release(&model->arena);
    free(model);
}
