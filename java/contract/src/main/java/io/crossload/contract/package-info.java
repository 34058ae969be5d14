/**
 * The nouns that cross languages (bindings/contract/README.md): frames, datatypes, tensors, the manifest, vectors, hashes, default
 * values, tolerances, and how a datatype travels in another.
 *
 * <p>Both {@code io.crossload.worker} and {@code io.crossload.compare} depend on this package; it depends on neither.
 */
package io.crossload.contract;
