/** The worker of the runtime djl: SavedModels through the Deep Java Library's TensorFlow engine. */
package io.crossload.djl;
