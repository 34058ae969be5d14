#include "answers.h"

#include <stdio.h>

static void put(crossload_answers *answers, const char *text) {
    answers->write(answers->to, text);
}

static void quote(crossload_answers *answers, const char *text) {
    char piece[8];
    put(answers, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20) snprintf(piece, sizeof piece, "\\u%04x", c);
        else snprintf(piece, sizeof piece, c == '"' || c == '\\' ? "\\%c" : "%c", c);
        put(answers, piece);
    }
    put(answers, "\"");
}

static void put_hex(crossload_answers *answers, const crossload_tensor *tensor) {
    static const char digits[] = "0123456789abcdef";
    char piece[65];
    size_t end = 0;
    for (size_t at = 0; at < tensor->bytes; at++) {
        unsigned char byte = ((const unsigned char *)tensor->data)[at];
        piece[end++] = digits[byte >> 4];
        piece[end++] = digits[byte & 15];
        if (end + 1 < sizeof piece && at + 1 < tensor->bytes) continue;
        piece[end] = '\0';
        put(answers, piece);
        end = 0;
    }
}

static void put_tensor(crossload_answers *answers, const crossload_tensor *tensor) {
    char piece[24];
    put(answers, "{\"name\": ");
    quote(answers, tensor->name);
    put(answers, ", \"datatype\": \"");
    put(answers, crossload_name(tensor->datatype));
    put(answers, "\", \"shape\": [");
    for (int at = 0; at < tensor->rank; at++) {
        snprintf(piece, sizeof piece, "%s%d", at > 0 ? ", " : "", (int)tensor->shape[at]);
        put(answers, piece);
    }
    put(answers, "], \"hex\": \"");
    put_hex(answers, tensor);
    put(answers, "\"}");
}

void crossload_answers_begin(crossload_answers *answers, const char *runtime, const char *const *device) {
    answers->count = 0;
    put(answers, "{\"crossload_device\": 1, \"runtime\": ");
    quote(answers, runtime);
    put(answers, ", \"artifact\": ");
    quote(answers, crossload_artifact);
    put(answers, ", \"sha256\": \"");
    put(answers, crossload_sha256);
    put(answers, "\", \"vectors\": {");
    for (size_t at = 0; at < crossload_suite_count; at++) {
        if (at > 0) put(answers, ", ");
        quote(answers, crossload_suites[at].signature);
        put(answers, ": \"");
        put(answers, crossload_suites[at].sha256);
        put(answers, "\"");
    }
    put(answers, "}, \"device\": {");
    for (size_t at = 0; device != NULL && device[at] != NULL; at += 2) {
        if (at > 0) put(answers, ", ");
        quote(answers, device[at]);
        put(answers, ": ");
        quote(answers, device[at + 1]);
    }
    put(answers, "}, \"answers\": [");
}

void crossload_answers_add(crossload_answers *answers, const crossload_suite *suite, const char *id, const crossload_tensor *outputs, const char *error) {
    put(answers, answers->count++ > 0 ? ",\n  {\"signature\": " : "\n  {\"signature\": ");
    quote(answers, suite->signature);
    put(answers, ", \"vector\": ");
    quote(answers, id);
    if (error != NULL) {
        put(answers, ", \"error\": ");
        quote(answers, error);
    } else {
        put(answers, ", \"outputs\": [");
        for (size_t at = 0; at < suite->output_count; at++) {
            if (at > 0) put(answers, ", ");
            put_tensor(answers, &outputs[at]);
        }
        put(answers, "]");
    }
    put(answers, "}");
}

void crossload_answers_end(crossload_answers *answers) {
    put(answers, "\n]}\n");
}
