// Declarations of the part of LiteRT's published Kotlin API (com.google.ai.edge.litert, 2.1) that a module calls; nothing runs.
@file:Suppress("UNUSED_PARAMETER")

package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

class Environment private constructor() : AutoCloseable {
    override fun close(): Unit = TODO()
}

class TensorBuffer private constructor() : AutoCloseable {
    fun writeInt(data: IntArray): Unit = TODO()

    fun writeFloat(data: FloatArray): Unit = TODO()

    fun writeInt8(data: ByteArray): Unit = TODO()

    fun writeBoolean(data: BooleanArray): Unit = TODO()

    fun writeLong(data: LongArray): Unit = TODO()

    fun readInt(): IntArray = TODO()

    fun readFloat(): FloatArray = TODO()

    fun readInt8(): ByteArray = TODO()

    fun readBoolean(): BooleanArray = TODO()

    fun readLong(): LongArray = TODO()

    override fun close(): Unit = TODO()
}

class CompiledModel private constructor() : AutoCloseable {
    class Options(vararg val accelerators: Accelerator) {
        var gpuOptions: GpuOptions? = null
    }

    class GpuOptions(val constantTensorSharing: Boolean? = null, val precision: Precision? = null) {
        enum class Precision { DEFAULT, FP16, FP32 }
    }

    fun createInputBuffer(inputName: String, signature: String? = null): TensorBuffer = TODO()

    fun createOutputBuffer(outputName: String, signature: String? = null): TensorBuffer = TODO()

    fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String? = null): Unit = TODO()

    override fun close(): Unit = TODO()

    companion object {
        @JvmOverloads
        @JvmStatic
        fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options = Options(),
            optionalEnv: Environment? = null,
        ): CompiledModel = TODO()
    }
}
