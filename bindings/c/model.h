/* A loaded model: a graph in a TensorFlow session, and its signatures' tensors. */
#ifndef CROSSLOAD_MODEL_H
#define CROSSLOAD_MODEL_H

#include "messages.h"
#include "serving.h"

/* One input or output of a signature. */
struct port {
    struct text name;
    TF_Output output;
    TF_DataType type;
    int rank;       /* -1: any */
    int64_t *shape; /* -1: any size */
};

struct signature {
    struct text name;
    struct port *ports[3]; /* by `enum side` */
    size_t counts[3];
};

struct model {
    TF_Graph *graph;
    TF_Session *session;
    struct signature *signatures;
    size_t count;
    struct arena arena;
};

/* True if the status is OK; else the refusal is TensorFlow's error: its code, and its message's first line. */
bool succeeded(struct refusal *refusal);

/* Load what the parameters of RepositoryModelLoad name; NULL, with the refusal, if that is not possible. */
struct model *load_model(const struct json *parameters, struct refusal *refusal);

void delete_model(struct model *model);

/* Run the signature that a ModelInfer request names. False, with the refusal, if it or TensorFlow does not take the
 * request. */
bool run_model(const struct model *model, struct frame *request, struct answer *answer, struct refusal *refusal);

#endif
