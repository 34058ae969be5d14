package io.crossload.android

import androidx.test.platform.app.InstrumentationRegistry
import java.io.File
import org.junit.Assert.assertTrue
import org.junit.Test

/**
 * Judges the model on this device, and leaves its raw answers where Android's build collects a test's files. The instrumentation argument
 * `delegates` names what computes, separated by `+`; default: xnnpack.
 */
class DeviceTest {
    @Test
    fun everyRecordedAnswerIsGivenHere() {
        val context = InstrumentationRegistry.getInstrumentation().targetContext
        val arguments = InstrumentationRegistry.getArguments()
        val folder = arguments.getString("additionalTestOutputDir")?.let(::File) ?: context.getExternalFilesDir(null)
        val found = (arguments.getString("delegates") ?: "xnnpack").split("+").map { words ->
            words to runCatching { Handed.judge(context, EngineOptions.of(words), File(folder, "crossload-$words.json")) }
        }
        val said = found.joinToString("\n") { (words, one) -> "$words: ${one.fold({ it.toString() }, { it.toString() })}" }
        assertTrue(said, found.all { (_, one) -> one.getOrNull()?.holds() == true })
    }
}
