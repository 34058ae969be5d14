/**
 * The comparison of an answer with the reference's: agreement, metrics and reason, the same as in Python
 * (bindings/contract/judgements.json).
 *
 * <p>Depends on {@code io.crossload.contract} only: a comparison does not run a model.
 */
package io.crossload.compare;
