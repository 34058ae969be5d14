/* A crossload worker in C: SavedModels and GraphDefs in TensorFlow's C API, by the worker protocol
 * (bindings/contract/README.md).
 *
 *     gcc -O2 -o tensorflow_worker *.c -ldl
 *     ./tensorflow_worker /path/to/site-packages/tensorflow
 */
#define _POSIX_C_SOURCE 200809L

#include "model.h"

#include <stdlib.h>
#include <string.h>

const char worker_name[] = "tensorflow-c";

char *tensor_memory(struct frame *frame, struct tensor *tensor)
{
    (void)frame;
    if (element_count(tensor) < 0)
        return NULL;
    tensor->held = tf.TF_AllocateTensor(tensor->datatype->type, tensor->shape, tensor->rank, tensor->size);
    return tf.TF_TensorData(tensor->held);
}

void delete_held(TF_Tensor *held)
{
    tf.TF_DeleteTensor(held);
}

void worker_metadata(struct buffer *header)
{
    write_member(header, "version", text_of(tf.TF_Version()));
    append_format(header, ",\"formats\":[\"saved_model\",\"graph_def\"],\"parameters\":{");
    write_host(header);
    append_format(header, ",\"native\":\"TensorFlow %s\"}", tf.TF_Version());
}

void *worker_load(const struct json *parameters, struct refusal *refusal)
{
    return load_model(parameters, refusal);
}

bool worker_run(void *model, struct frame *request, struct answer *answer, struct refusal *refusal)
{
    return run_model(model, request, answer, refusal);
}

void worker_unload(void *model)
{
    delete_model(model);
}

/* A serialised tensorflow.OpList, as a string tensor. */
bool worker_operators(struct frame *request, struct answer *answer, struct refusal *refusal)
{
    (void)refusal;
    TF_Buffer *list = tf.TF_GetAllOpList();
    char *packed = take(&request->arena, list->length + 4, 1);
    for (int byte = 0; byte < 4; byte++)
        packed[byte] = (char)(list->length >> (8 * byte));
    memcpy(packed + 4, list->data, list->length);
    struct tensor *ops = take(&request->arena, 1, sizeof *ops);
    *ops = (struct tensor){text_of("op_list"),
                           datatype_of(TF_STRING),
                           1,
                           take(&request->arena, 1, sizeof *ops->shape),
                           list->length + 4,
                           packed,
                           NULL};
    ops->shape[0] = 1;
    answer->outputs = ops;
    answer->count = 1;
    tf.TF_DeleteBuffer(list);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fputs(
            "usage: tensorflow_worker FOLDER, the folder tensorflow of TensorFlow's wheel (site-packages/tensorflow)\n",
            stderr);
        return 2;
    }
    own_streams();
    setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0);
    open_tensorflow(argv[1]);
    serve();
    return 0;
}
