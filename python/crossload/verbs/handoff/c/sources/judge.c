#include "judge.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A changed decision is confident above this share of the output's range, these ULP of its choice, and these steps. */
static const double CONFIDENT_SHARE = 1.0 / 64, CONFIDENT_ULPS = 4, CONFIDENT_STEPS = 2;

const char *crossload_agreement_name(crossload_agreement agreement) {
    static const char *const names[] = {"identical", "ulp", "close", "decision", "different"};
    return names[agreement];
}

static bool is_float(crossload_datatype datatype) {
    return datatype == CROSSLOAD_FP32 || datatype == CROSSLOAD_FP64;
}

static bool is_signed(crossload_datatype datatype) {
    return datatype >= CROSSLOAD_INT8 && datatype <= CROSSLOAD_INT64;
}

static double epsilon(crossload_datatype datatype) {
    return datatype == CROSSLOAD_FP32 ? (double)FLT_EPSILON : datatype == CROSSLOAD_FP64 ? DBL_EPSILON : 0;
}

static int64_t whole(const crossload_tensor *tensor, size_t at) {
    const unsigned char *place = (const unsigned char *)tensor->data + at * crossload_size(tensor->datatype);
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint16_t u16;
    uint32_t u32;
    switch (tensor->datatype) {
        case CROSSLOAD_INT8: return memcpy(&i8, place, sizeof i8), i8;
        case CROSSLOAD_INT16: return memcpy(&i16, place, sizeof i16), i16;
        case CROSSLOAD_INT32: return memcpy(&i32, place, sizeof i32), i32;
        case CROSSLOAD_UINT16: return memcpy(&u16, place, sizeof u16), u16;
        case CROSSLOAD_UINT32: return memcpy(&u32, place, sizeof u32), u32;
        case CROSSLOAD_INT64:
        case CROSSLOAD_UINT64: return memcpy(&i64, place, sizeof i64), i64; /* of UINT64 the bits */
        default: return *place;
    }
}

static double real(const crossload_tensor *tensor, size_t at) {
    const unsigned char *place = (const unsigned char *)tensor->data + at * crossload_size(tensor->datatype);
    float single;
    double wide;
    if (tensor->datatype == CROSSLOAD_FP32) return memcpy(&single, place, sizeof single), (double)single;
    if (tensor->datatype == CROSSLOAD_FP64) return memcpy(&wide, place, sizeof wide), wide;
    int64_t found = whole(tensor, at);
    return tensor->datatype == CROSSLOAD_UINT64 ? (double)(uint64_t)found : (double)found;
}

/* Whether element `one` of integers is greater than element `other`: a conversion to double would round large ones. */
static bool greater(const crossload_tensor *tensor, size_t one, size_t other) {
    if (is_float(tensor->datatype)) {
        double left = real(tensor, one), right = real(tensor, other);
        return (isnan(left) ? -HUGE_VAL : left) > (isnan(right) ? -HUGE_VAL : right);
    }
    int64_t left = whole(tensor, one), right = whole(tensor, other);
    return is_signed(tensor->datatype) ? left > right : (uint64_t)left > (uint64_t)right;
}

/* The exact distance of two integers: modulo 2^64 it is the same for every width and sign, and a double would round it. */
static long double distance(const crossload_tensor *left, size_t one, const crossload_tensor *right, size_t other) {
    if (is_float(left->datatype)) return fabsl((long double)real(left, one) - real(right, other));
    int64_t a = whole(left, one), b = whole(right, other);
    bool first = is_signed(left->datatype) ? a > b : (uint64_t)a > (uint64_t)b;
    return (long double)(first ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a);
}

/* The place of a float among all floats of its width, so that neighbours are one apart. */
static int64_t place_of(const crossload_tensor *tensor, size_t at) {
    const unsigned char *bytes = (const unsigned char *)tensor->data + at * crossload_size(tensor->datatype);
    int64_t wide;
    int32_t single;
    if (tensor->datatype == CROSSLOAD_FP32) {
        memcpy(&single, bytes, sizeof single);
        return single < 0 ? (int64_t)INT32_MIN - single : single;
    }
    memcpy(&wide, bytes, sizeof wide);
    return wide < 0 ? INT64_MIN - wide : wide;
}

static double ulps(const crossload_tensor *reference, const crossload_tensor *answer, size_t at) {
    int64_t one = place_of(reference, at), other = place_of(answer, at);
    return (double)(one > other ? (uint64_t)one - (uint64_t)other : (uint64_t)other - (uint64_t)one);
}

typedef struct {
    size_t rows, changed, faults;
    double margin; /* the greatest, as a share of the output's range */
    bool all_confident;
} flips;

static flips changed_decisions(const crossload_tensor *reference, const crossload_tensor *answer, const crossload_bound *bound) {
    size_t width = (size_t)reference->shape[reference->rank - 1], count = crossload_count(reference);
    flips found = {count / width, 0, 0, 0, true};
    double least = HUGE_VAL, most = -HUGE_VAL;
    double quantised = bound->step > 0 ? (bound->allowed > 1 ? bound->allowed : 1) * bound->step : 0;
    for (size_t at = 0; at < count; at++) {
        double value = real(reference, at);
        if (isfinite(value)) {
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
    }
    double range = most >= least ? most - least : 0;
    for (size_t row = 0; row < found.rows; row++) {
        size_t start = row * width, chosen = start, instead = start;
        for (size_t at = start + 1; at < start + width; at++) {
            if (greater(reference, at, chosen)) chosen = at;
            if (greater(answer, at, instead)) instead = at;
        }
        if (chosen == instead) continue;
        double best = fabs(real(reference, chosen)), other = fabs(real(reference, instead));
        double margin = (double)distance(reference, chosen, reference, instead);
        double clear = is_float(reference->datatype) ? CONFIDENT_ULPS * epsilon(reference->datatype) * best + CONFIDENT_STEPS * quantised : CONFIDENT_STEPS;
        found.changed++;
        if (!(margin <= 2 * bound->atol + bound->rtol * (best + other))) found.faults++;
        if (!(margin > CONFIDENT_SHARE * range && margin > clear)) found.all_confident = false;
        if (range > 0 && margin / range > found.margin) found.margin = margin / range;
    }
    found.all_confident = found.all_confident && found.changed == found.rows;
    return found;
}

static crossload_judgement different(crossload_judgement made, const char *reason) {
    made.agreement = CROSSLOAD_DIFFERENT;
    snprintf(made.reason, sizeof made.reason, "%s", reason);
    return made;
}

static bool same_shape(const crossload_tensor *one, const crossload_tensor *other) {
    if (one->rank != other->rank) return false;
    for (int at = 0; at < one->rank; at++)
        if (one->shape[at] != other->shape[at]) return false;
    return true;
}

crossload_judgement crossload_judge(const crossload_tensor *reference, const crossload_tensor *answer, const crossload_bound *bound) {
    crossload_judgement made = {CROSSLOAD_IDENTICAL, 0, 0, 0, 0, ""};
    if (reference->datatype != answer->datatype) return different(made, "another datatype than the reference's");
    if (!same_shape(reference, answer)) return different(made, "another shape than the reference's");
    size_t count = crossload_count(reference), bytes = count * crossload_size(reference->datatype);
    if (bytes == 0 || memcmp(reference->data, answer->data, bytes) == 0) return made;
    double most_ulps = 0;
    long double most = 0;
    bool within = true, compared = false;
    for (size_t at = 0; at < count; at++) {
        double one = real(reference, at), other = real(answer, at);
        if (isnan(one) != isnan(other)) return different(made, isnan(other) ? "NaN where the reference has none" : "no NaN where the reference has one");
        if (isnan(one)) continue;
        if (isinf(one) || isinf(other)) {
            if (one != other) return different(made, "an infinity that the reference has not, or the other way round");
            continue;
        }
        long double apart = distance(reference, at, answer, at), scale = fabsl(one);
        if (apart > most || !compared) most = apart, made.worst = at;
        compared = true;
        within = within && apart <= bound->atol + bound->rtol * scale;
        if (bound->rounding_rtol > 0 && apart > 0) {
            long double ratio = apart / (bound->rounding_rtol * scale + bound->rounding_atol); /* infinite where the reference is exact */
            if (ratio > made.roundings) made.roundings = ratio > DBL_MAX ? DBL_MAX : (double)ratio;
        }
        if (is_float(reference->datatype)) most_ulps = fmax(most_ulps, ulps(reference, answer, at));
    }
    made.max_abs = most > DBL_MAX ? DBL_MAX : (double)most;
    if (bound->step > 0) made.steps = made.max_abs / bound->step;
    if (reference->datatype == CROSSLOAD_BOOL) {
        snprintf(made.reason, sizeof made.reason, "differs, first at element %zu", made.worst);
        made.agreement = CROSSLOAD_DIFFERENT;
        return made;
    }
    if (is_float(reference->datatype) && most_ulps <= (double)bound->ulp) {
        made.agreement = CROSSLOAD_ULP;
        return made;
    }
    bool decides = reference->rank > (is_float(reference->datatype) ? 0 : 1) && reference->shape[reference->rank - 1] > 1;
    flips decided = {0, 0, 0, 0, false};
    if (decides) decided = changed_decisions(reference, answer, bound);
    bool reversed = decides && decided.all_confident && (decided.rows > 1 || !bound->given);
    if (within && !reversed) {
        made.agreement = CROSSLOAD_CLOSE;
        return made;
    }
    made.agreement = decides && decided.faults == 0 && !reversed ? CROSSLOAD_DECISION : CROSSLOAD_DIFFERENT;
    char unit[64] = "";
    if (bound->step > 0) snprintf(unit, sizeof unit, ", %.3g x step", made.steps);
    else if (made.roundings > 0) snprintf(unit, sizeof unit, ", %.3g x rounding", made.roundings);
    int end = snprintf(made.reason, sizeof made.reason, "differs by up to %.3g%s at element %zu: %g, the reference's is %g", made.max_abs, unit, made.worst,
                       real(answer, made.worst), real(reference, made.worst));
    if (decided.changed > 0 && end > 0 && (size_t)end < sizeof made.reason)
        snprintf(made.reason + end, sizeof made.reason - (size_t)end, "; %zu of %zu decisions change", decided.changed, decided.rows);
    return made;
}
