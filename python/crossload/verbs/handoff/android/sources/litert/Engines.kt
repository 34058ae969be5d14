package io.crossload.android

import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer
import io.crossload.contract.Datatype
import io.crossload.contract.TensorEntry
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The engine of the flavour litert: LiteRT's `CompiledModel`. */
object Engines {
    /** The engine's name in reports. */
    const val NAME = "litert-android"

    /**
     * Loads the model from the assets, where it lies uncompressed.
     *
     * Throws IOException if its file is not the one that was handed over, IllegalArgumentException if this engine has no such delegate.
     */
    @JvmStatic
    fun load(context: Context, bundle: HandedBundle, options: EngineOptions): ModelRunner {
        bundle.model() // checks its hash
        val given = when (options.delegate()) {
            EngineOptions.Delegate.XNNPACK -> CompiledModel.Options(Accelerator.CPU)
            EngineOptions.Delegate.GPU -> CompiledModel.Options(Accelerator.GPU).apply {
                if (options.float32()) {
                    gpuOptions = CompiledModel.GpuOptions(precision = CompiledModel.GpuOptions.Precision.FP32)
                }
            }
            EngineOptions.Delegate.NPU -> CompiledModel.Options(Accelerator.NPU)
            else -> throw IllegalArgumentException("LiteRT has no delegate '$options'; there are: xnnpack, gpu, gpu-float32, npu")
        }
        val open = { CompiledModel.create(context.assets, Handed.FOLDER + bundle.modelPath(), given) }
        return CompiledRunner(open, bundle.hasVariables())
    }
}

/** A model in `CompiledModel`, called by its signatures at the shapes that it was written with. */
internal class CompiledRunner(private val open: () -> CompiledModel, private val variables: Boolean) : ModelRunner {
    private var model = open()

    override fun run(signature: HandedSignature, inputs: Map<String, TensorEntry>): Map<String, TensorEntry> {
        val key = signature.key()
        val given = signature.inputs().associate { spec ->
            val entry = requireNotNull(inputs[spec.name()]) { "the input '${spec.name()}' is missing" }
            spec.file() to model.createInputBuffer(spec.file(), key).also { write(it, entry) }
        }
        val taken = signature.outputs().associate { it.file() to model.createOutputBuffer(it.file(), key) }
        try {
            model.run(given, taken, key)
            return signature.outputs().associate { it.name() to read(it, taken.getValue(it.file())) }
        } finally {
            (given.values + taken.values).forEach { it.close() }
        }
    }

    /** `CompiledModel` has no call that resets variables: the model is compiled again. */
    override fun reset() {
        if (variables) {
            model.close()
            model = open()
        }
    }

    override fun close() = model.close()

    private fun write(buffer: TensorBuffer, entry: TensorEntry) {
        val data = entry.data().duplicate().order(ByteOrder.LITTLE_ENDIAN)
        when (entry.datatype()) {
            Datatype.FP32 -> buffer.writeFloat(FloatArray(data.remaining() / 4) { data.getFloat() })
            Datatype.INT32 -> buffer.writeInt(IntArray(data.remaining() / 4) { data.getInt() })
            Datatype.INT64 -> buffer.writeLong(LongArray(data.remaining() / 8) { data.getLong() })
            Datatype.BOOL -> buffer.writeBoolean(BooleanArray(data.remaining()) { data.get() != 0.toByte() })
            Datatype.INT8, Datatype.UINT8 -> buffer.writeInt8(ByteArray(data.remaining()).also { data.get(it) })
            else -> throw IllegalArgumentException("LiteRT's TensorBuffer does not carry ${entry.datatype().tensorflow()}")
        }
    }

    private fun read(spec: HandedSignature.Spec, buffer: TensorBuffer): TensorEntry {
        val data = when (spec.datatype()) {
            Datatype.FP32 -> buffer.readFloat().let { a -> bytes(4 * a.size) { a.forEach(it::putFloat) } }
            Datatype.INT32 -> buffer.readInt().let { a -> bytes(4 * a.size) { a.forEach(it::putInt) } }
            Datatype.INT64 -> buffer.readLong().let { a -> bytes(8 * a.size) { a.forEach(it::putLong) } }
            Datatype.BOOL -> buffer.readBoolean().let { a -> bytes(a.size) { b -> a.forEach { b.put(if (it) 1 else 0) } } }
            Datatype.INT8, Datatype.UINT8 -> buffer.readInt8().let { a -> bytes(a.size) { it.put(a) } }
            else -> throw IllegalArgumentException("LiteRT's TensorBuffer does not carry ${spec.datatype().tensorflow()}")
        }
        val elements = data.remaining().toLong() / spec.datatype().size()
        return TensorEntry(spec.name(), spec.datatype(), spec.shapeOf(elements), data)
    }

    private fun bytes(size: Int, fill: (ByteBuffer) -> Unit): ByteBuffer {
        val data = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN)
        fill(data.duplicate().order(ByteOrder.LITTLE_ENDIAN)) // leaves the position at 0
        return data
    }
}
