/* JSON (RFC 8259): recursive descent, strings decoded in place (no escape is shorter than its character). */
#include "json.h"

#include <stdio.h>
#include <string.h>

enum { DEEPEST = 64 };

struct reader {
    char *at, *end;
    struct arena *arena;
    const char *why;
};

/* The bytes of the character at `at`, 0 if it is not UTF-8; its number in `character`. Surrogates pass. */
static size_t decode(const unsigned char *at, size_t size, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = at[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (length > size || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4)
        return 0;
    uint32_t found = length == 1 ? lead : lead & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        found = found << 6 | (at[i] & 0x3F);
    }
    *character = found;
    return found < least[length] || found > 0x10FFFF ? 0 : length;
}

static bool is_surrogate(uint32_t character)
{
    return (character & 0xFFFFF800) == 0xD800;
}

static bool is_utf8(const char *text, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        uint32_t character;
        length = decode((const unsigned char *)text + at, size - at, &character);
        if (length == 0 || is_surrogate(character))
            return false;
    }
    return true;
}

static char *encode(char *to, uint32_t character)
{
    if (character < 0x80) {
        *to++ = (char)character;
    } else if (character < 0x800) {
        *to++ = (char)(0xC0 | character >> 6);
        *to++ = (char)(0x80 | (character & 0x3F));
    } else if (character < 0x10000) {
        *to++ = (char)(0xE0 | character >> 12);
        *to++ = (char)(0x80 | (character >> 6 & 0x3F));
        *to++ = (char)(0x80 | (character & 0x3F));
    } else {
        *to++ = (char)(0xF0 | character >> 18);
        *to++ = (char)(0x80 | (character >> 12 & 0x3F));
        *to++ = (char)(0x80 | (character >> 6 & 0x3F));
        *to++ = (char)(0x80 | (character & 0x3F));
    }
    return to;
}

static bool fail(struct reader *reader, const char *why)
{
    reader->why = why;
    return false;
}

static bool next_is(struct reader *reader, char wanted)
{
    while (reader->at < reader->end && strchr(" \t\n\r", *reader->at) && *reader->at != '\0')
        reader->at++;
    if (reader->at == reader->end || *reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

/* Four hexadecimal digits. */
static bool code_unit(struct reader *reader, uint32_t *unit)
{
    if (reader->end - reader->at < 4)
        return fail(reader, "an escape is cut off");
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = *reader->at++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return fail(reader, "an escape has no four hexadecimal digits");
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

/* What follows a backslash. */
static bool escape(struct reader *reader, uint32_t *character)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (reader->at == reader->end)
        return fail(reader, "a string has no end");
    char letter = *reader->at++;
    if (letter != 'u') {
        const char *found = letter ? strchr(letters, letter) : NULL;
        if (found == NULL)
            return fail(reader, "a string has an unknown escape");
        *character = (uint32_t)meant[found - letters];
        return true;
    }
    if (!code_unit(reader, character))
        return false;
    char *after = reader->at;
    if (*character >= 0xD800 && *character < 0xDC00 && reader->end - after >= 2 && after[0] == '\\' &&
        after[1] == 'u') {
        uint32_t low;
        reader->at += 2;
        if (!code_unit(reader, &low))
            return false;
        if (low >= 0xDC00 && low < 0xE000)
            *character = 0x10000 + ((*character - 0xD800) << 10) + (low - 0xDC00);
        else
            reader->at = after; /* a lone surrogate, then another escape */
    }
    return true;
}

/* A string after its opening quote. */
static bool string(struct reader *reader, struct text *found)
{
    char *start = reader->at, *to = start;
    while (reader->at < reader->end) {
        char c = *reader->at++;
        if (c == '"') {
            *found = (struct text){start, (size_t)(to - start)};
            return true;
        }
        if ((unsigned char)c < 0x20)
            return fail(reader, "a string has a control character");
        uint32_t character;
        if (c != '\\')
            *to++ = c;
        else if (escape(reader, &character))
            to = encode(to, character);
        else
            return false;
    }
    return fail(reader, "a string has no end");
}

static size_t digits(struct reader *reader)
{
    char *start = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return (size_t)(reader->at - start);
}

static bool number(struct reader *reader, struct json *value)
{
    bool negative = *reader->at == '-';
    reader->at += negative;
    char *start = reader->at;
    size_t count = digits(reader);
    if (count == 0 || (count > 1 && *start == '0'))
        return fail(reader, "a value is expected");
    value->kind = JSON_INTEGER;
    for (size_t i = 0; i < count && value->kind == JSON_INTEGER; i++) {
        int digit = start[i] - '0';
        if (__builtin_mul_overflow(value->integer, 10, &value->integer) ||
            __builtin_add_overflow(value->integer, negative ? -digit : digit, &value->integer))
            value->kind = JSON_NUMBER;
    }
    if (reader->at < reader->end && *reader->at == '.') {
        reader->at++;
        value->kind = JSON_NUMBER;
        if (digits(reader) == 0)
            return fail(reader, "a number ends with its point");
    }
    if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
        reader->at++;
        value->kind = JSON_NUMBER;
        reader->at += reader->at < reader->end && (*reader->at == '+' || *reader->at == '-');
        if (digits(reader) == 0)
            return fail(reader, "a number has no exponent after its e");
    }
    return true;
}

static bool word(struct reader *reader, struct json *value)
{
    static const char *const words[] = {"null", "false", "true"}; /* in the order of enum json_kind */
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(reader->end - reader->at) >= length && memcmp(reader->at, words[i], length) == 0) {
            reader->at += length;
            value->kind = (enum json_kind)i;
            return true;
        }
    }
    return fail(reader, "a value is expected");
}

static bool any(struct reader *reader, struct json *value, int depth);

/* The children of an array or object after its opening bracket. */
static bool children(struct reader *reader, struct json *parent, char closing, int depth)
{
    if (depth == DEEPEST)
        return fail(reader, "values are nested more than 64 deep");
    struct json *last = NULL;
    while (!next_is(reader, closing)) {
        if (parent->count > 0 && !next_is(reader, ','))
            return fail(reader, "a comma or the closing bracket is expected");
        struct json *child = take(reader->arena, 1, sizeof *child);
        if (parent->kind == JSON_OBJECT) {
            if (!next_is(reader, '"'))
                return fail(reader, "a member's name is expected");
            if (!string(reader, &child->name))
                return false;
            if (!next_is(reader, ':'))
                return fail(reader, "a colon is expected");
        }
        if (!any(reader, child, depth + 1))
            return false;
        if (last == NULL)
            parent->first = child;
        else
            last->next = child;
        last = child;
        parent->count++;
    }
    return true;
}

static bool any(struct reader *reader, struct json *value, int depth)
{
    if (next_is(reader, '"')) {
        value->kind = JSON_STRING;
        return string(reader, &value->string);
    }
    if (next_is(reader, '[')) {
        value->kind = JSON_ARRAY;
        return children(reader, value, ']', depth);
    }
    if (next_is(reader, '{')) {
        value->kind = JSON_OBJECT;
        return children(reader, value, '}', depth);
    }
    if (reader->at == reader->end)
        return fail(reader, "a value is expected");
    if (*reader->at == '-' || (*reader->at >= '0' && *reader->at <= '9'))
        return number(reader, value);
    return word(reader, value);
}

const struct json *json_read(char *text, size_t size, struct arena *arena, const char **why)
{
    struct reader reader = {text, text + size, arena, NULL};
    struct json *value = take(arena, 1, sizeof *value);
    if (!is_utf8(text, size))
        *why = "it is not UTF-8";
    else if (!any(&reader, value, 0))
        *why = reader.why;
    else if (next_is(&reader, '\0') || reader.at < reader.end)
        *why = "something follows the value";
    else
        return value;
    return NULL;
}

const struct json *json_member(const struct json *object, const char *name)
{
    const struct json *found = NULL;
    if (object != NULL && object->kind == JSON_OBJECT)
        for (const struct json *member = object->first; member != NULL; member = member->next)
            if (same(member->name, text_of(name)))
                found = member;
    return found;
}

struct text json_string(const struct json *value)
{
    return value != NULL && value->kind == JSON_STRING ? value->string : (struct text){0};
}

void json_write(struct buffer *buffer, struct text string)
{
    append(buffer, "\"", 1);
    for (size_t at = 0; at < string.size;) {
        uint32_t character;
        size_t length = decode((const unsigned char *)string.data + at, string.size - at, &character);
        if (length == 0)
            character = 0xFFFD;
        at += length ? length : 1;
        char escaped[16];
        int written;
        if (character >= 0x20 && character < 0x7F && character != '"' && character != '\\')
            written = snprintf(escaped, sizeof escaped, "%c", (int)character);
        else if (character < 0x10000)
            written = snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)character);
        else
            written = snprintf(escaped, sizeof escaped, "\\u%04x\\u%04x", (unsigned)(0xD7C0 + (character >> 10)),
                               (unsigned)(0xDC00 + (character & 0x3FF)));
        append(buffer, escaped, (size_t)written);
    }
    append(buffer, "\"", 1);
}
