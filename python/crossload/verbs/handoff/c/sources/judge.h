/* The rule by which crossload compares an answer with the recorded one. */
#ifndef CROSSLOAD_JUDGE_H
#define CROSSLOAD_JUDGE_H

#include "tensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The best first. All but CROSSLOAD_DECISION and CROSSLOAD_DIFFERENT pass. */
typedef enum { CROSSLOAD_IDENTICAL, CROSSLOAD_ULP, CROSSLOAD_CLOSE, CROSSLOAD_DECISION, CROSSLOAD_DIFFERENT } crossload_agreement;

/* What is close: |answer - reference| <= atol + rtol * |reference|, or `ulp` units in the last place. */
typedef struct {
    double rtol, atol;
    int64_t ulp;
    double rounding_rtol, rounding_atol; /* one rounding; 0: not recorded */
    double step;                         /* the scale of a quantised output; 0: not quantised */
    int allowed;                         /* steps that are close */
    int given;                           /* 1: somebody chose the tolerance */
} crossload_bound;

typedef struct {
    crossload_agreement agreement;
    double max_abs, roundings, steps; /* in roundings or in steps where the bound knows them */
    size_t worst;                     /* the place of max_abs */
    char reason[256];                 /* empty if it passes */
} crossload_judgement;

crossload_judgement crossload_judge(const crossload_tensor *reference, const crossload_tensor *answer, const crossload_bound *bound);

/* "close" for CROSSLOAD_CLOSE. */
const char *crossload_agreement_name(crossload_agreement agreement);

#ifdef __cplusplus
}
#endif

#endif
