package io.crossload.android;

import io.crossload.contract.Datatype;
import java.util.List;

/**
 * A signature of the model, as the manifest and the file name it.
 *
 * @param name the manifest's key
 * @param key the key in the .tflite file
 * @param inputs in order
 * @param outputs in order
 */
public record HandedSignature(String name, String key, List<Spec> inputs, List<Spec> outputs) {
    /**
     * An input or output.
     *
     * @param name the manifest's name
     * @param file the name in the .tflite file
     * @param datatype the datatype of its elements
     * @param shape the dimensions, -1 for a free one; null if the rank is free
     */
    public record Spec(String name, String file, Datatype datatype, List<Long> shape) {
        /**
         * The shape of a tensor with this number of elements.
         *
         * @throws IllegalStateException if the number does not determine it
         */
        public List<Long> shapeOf(long elements) {
            long known = 1;
            int free = 0;
            for (long dimension : shape == null ? List.<Long>of() : shape) {
                known *= dimension < 0 ? 1 : dimension;
                free += dimension < 0 ? 1 : 0;
            }
            boolean fits = free == 0 ? elements == known : free == 1 && known > 0 && elements % known == 0;
            if (shape == null || !fits) {
                throw new IllegalStateException("'" + name + "' has " + elements + " elements, which do not tell its shape");
            }
            Long[] dimensions = shape.toArray(new Long[0]);
            for (int at = 0; at < dimensions.length; at++) {
                dimensions[at] = dimensions[at] < 0 ? elements / known : dimensions[at];
            }
            return List.of(dimensions);
        }
    }
}
