/** What the workers of all TensorFlow Java releases share: graphs by tensor names. It touches no class of their API but messages. */
package io.crossload.graph;
